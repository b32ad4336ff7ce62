"""Stored features become a report's values: each under its own segment, of one kind of settings."""

from datetime import UTC, datetime

from npcpit_imaging.app.radiomics_report import reported_features
from npcpit_imaging.store.lesions import StoredProposal
from npcpit_imaging.store.schema import FeatureRow
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.study.measurement import Measurement

CREATED = datetime(2024, 3, 5, tzinfo=UTC)


def proposal(number):
    lesion = Lesion(
        lesion_id=f"T0{number}", tracking_uid=f"2.25.{number}", role=LesionRole.TARGET, organ="NASOPHARYNX",
        location="NASOPHARYNX",
    )  # fmt: skip
    measurement = Measurement(
        longest_diameter=None, short_axis=None, slice_index_k=0, slice_position_mm=0.0, volume_ml=1.0, components=1,
        convention="",
    )  # fmt: skip
    return StoredProposal(
        id=number, lesion=lesion, subject="S1", timepoint="BASELINE", series_uid="1.2", mask_path="", mask_sha256="",
        prompt={}, segmenter={}, measurement=measurement, uptake=None, key="",
    )  # fmt: skip


def row(number, settings, value):
    return FeatureRow(
        proposal_id=number, filter="", settings_sha256=settings, tag="morph_volume", code="RNU0", family="morphology",
        value=value, unit="mm3", status="computed", reason="", provenance={"engine_version": "0.1.0"}, created=CREATED,
    )  # fmt: skip


def test_features_stand_under_their_segment_and_those_of_other_settings_stay_out():
    """The second lesion has no features of these settings: it is left out and the third keeps its number."""
    rows = [row(3, "new", 30.0), row(2, "old", 2.0), row(1, "old", 1.0), row(1, "new", 10.0)]
    found = reported_features([proposal(1), proposal(2), proposal(3)], rows, settings_sha256="new")
    assert [(each.lesion.lesion_id, each.segment_number) for each in found] == [("T01", 1), ("T03", 3)]
    assert [[feature.value for feature in each.features] for each in found] == [[10.0], [30.0]]
    assert {(each.settings_digest, each.engine_version) for each in found} == {("new", "0.1.0")}
