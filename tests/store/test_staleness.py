"""What was computed from a series is stale once the series holds other objects, and everything built on it too."""

from datetime import UTC, date, datetime, timedelta

import pytest

from npcpit_imaging.store.database import Database
from npcpit_imaging.store.digests import series_digest
from npcpit_imaging.store.images import IndexedObject, assemble_timepoints, index_object
from npcpit_imaging.store.lesions import StoredProposal, put_lesion, put_proposal
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.store.results import put_delivery, put_features, put_registration, replace_responses
from npcpit_imaging.store.schema import FeatureRow, RegistrationRow
from npcpit_imaging.store.staleness import is_current, stale_results
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState
from npcpit_imaging.study.measurement import Measurement

START = datetime(2026, 1, 2, 12, tzinfo=UTC)
CT, PET = "1.1", "1.2"
LESION = Lesion(
    lesion_id="T01", tracking_uid="2.25.1", role=LesionRole.TARGET, organ="NASOPHARYNX", location="NASOPHARYNX"
)
MEASURED = Measurement(
    longest_diameter=None,
    short_axis=None,
    slice_index_k=0,
    slice_position_mm=0.0,
    volume_ml=1.0,
    components=1,
    convention="test",
    findings=(),
)


def minutes(count: int) -> datetime:
    return START + timedelta(minutes=count)


def arrives(session, uid: str, series: str, *, at: int = 0) -> None:
    offered = IndexedObject(
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        series_uid=series,
        study_uid="1.9",
        subject="S1",
        modality="CT" if series == CT else "PT",
        description="",
        frame_of_reference_uid=None,
        date=date(2026, 1, 1),
        path=f"{uid}.dcm",
        sha256=f"digest of {uid}",
        received_sha256="r",
        deidentified=True,
    )
    index_object(session, offered, now=minutes(at))


def a_proposal(session, series: str, *, key: str) -> int:
    proposal = StoredProposal(
        lesion=LESION,
        subject="S1",
        timepoint="BASELINE",
        series_uid=series,
        mask_path="m.nii.gz",
        mask_sha256="m",
        prompt={},
        segmenter={},
        measurement=MEASURED,
        uptake=None,
        key=key,
        inputs={series: series_digest(session, series)},
    )
    return put_proposal(session, proposal, now=minutes(1))


@pytest.fixture
def session(database: Database):
    """A study whose one lesion was registered, proposed, described, read, answered and delivered, minute by minute."""
    with database.session() as session:
        arrives(session, "1.1.1", CT)
        arrives(session, "1.2.1", PET)
        assemble_timepoints(session, "S1", window_days=14)
        put_lesion(session, "S1", LESION)
        registers(session, key="k")
        proposal_id = a_proposal(session, CT, key="k1")
        put_features(session, proposal_id, "s", [a_feature(proposal_id)])
        reads(session, proposal_id, at=2)
        answers(session, at=3)
        delivers(session, at=4)
        session.flush()
        yield session


def registers(session, *, key: str) -> None:
    row = RegistrationRow(
        fixed_series_uid=PET,
        moving_series_uid=CT,
        path="a.tfm",
        verdict="accept",
        quality={},
        inputs={uid: series_digest(session, uid) for uid in (CT, PET)},
        key=key,
        created=minutes(1),
    )
    put_registration(session, row)


def a_feature(proposal_id: int) -> FeatureRow:
    return FeatureRow(
        proposal_id=proposal_id,
        settings_sha256="s",
        tag="t",
        family="f",
        value=1.0,
        status="computed",
        provenance={},
        created=minutes(1),
    )


def reads(session, proposal_id: int | None, *, at: int, reason: str = "") -> None:
    confirmed = ConfirmedLesion(lesion=LESION, state=LesionState.MEASURED, proposal_id=proposal_id, accepted="proposal")
    sign_read(
        session,
        subject="S1",
        timepoint="BASELINE",
        reader="R1",
        lesions=[confirmed],
        now=minutes(at),
        reason=reason,
    )


def answers(session, *, at: int) -> None:
    rows = [("R1", "timepoint", "BASELINE", None, {"overall": "SD"})]
    replace_responses(session, "S1", key="k", rows=rows, now=minutes(at))


def delivers(session, *, at: int) -> None:
    put_delivery(session, path="deliver/S1/S1_report.pdf", subject="S1", kind="PDF", sha256="d", now=minutes(at))


def kinds(session) -> list[str]:
    session.flush()
    return [each.kind.value for each in stale_results(session, "S1")]


def test_nothing_is_stale_while_nothing_changes(session):
    assert kinds(session) == []


def test_a_late_slice_makes_everything_stale_that_rests_on_its_series(session):
    arrives(session, "1.1.2", CT, at=10)
    assert kinds(session) == ["registration", "proposal", "features", "read", "response", "delivery"]
    assert all(CT in each.series for each in stale_results(session, "S1") if each.kind.value == "proposal")


def test_a_late_slice_of_another_series_spares_the_mask_but_not_the_read_of_that_visit(session):
    arrives(session, "1.2.2", PET, at=10)
    assert kinds(session) == ["registration", "read", "response", "delivery"]


def test_a_repeat_makes_nothing_stale_and_neither_does_a_new_series(session):
    arrives(session, "1.1.1", CT, at=10)
    arrives(session, "1.3.1", "1.3", at=10)
    assert kinds(session) == []


def test_what_is_made_again_is_fresh_step_by_step(session):
    arrives(session, "1.1.2", CT, at=10)
    registers(session, key="k2")
    assert kinds(session) == ["proposal", "features", "read", "response", "delivery"]
    again = a_proposal(session, CT, key="k2")
    assert kinds(session) == ["features", "read", "response", "delivery"], "the reader still has the old mask"
    reads(session, again, at=11, reason="a slice came late")
    assert kinds(session) == ["response", "delivery"], "computed before the new read"
    answers(session, at=12)
    assert kinds(session) == ["delivery"]
    delivers(session, at=13)
    assert kinds(session) == []


def test_a_response_computed_again_makes_the_delivery_stale(session):
    answers(session, at=5)
    assert kinds(session) == ["delivery"]


def test_inputs_are_current_only_as_they_were_read(session):
    inputs = {CT: series_digest(session, CT)}
    assert is_current(session, inputs)
    arrives(session, "1.1.2", CT, at=10)
    session.flush()
    assert not is_current(session, inputs)
