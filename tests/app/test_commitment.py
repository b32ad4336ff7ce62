"""Storage commitment with pynetdicom as the peer: what is committed is in the study, whole, by its original UID."""

import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel
from sqlalchemy import text

from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.commitment import Commitments, Verifier
from npcpit_imaging.app.receiving import Listener, ingest, spool_of
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.app.survey import survey_study
from npcpit_imaging.dicom.commitment import (
    CommitmentQueue,
    CommitmentRequest,
    FailureReason,
    Reference,
    decode_request,
)
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import DicomError, PeerRefusedError, StoreError

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
INSTANCE = "1.2.840.10008.1.20.1.1"


class Peer:
    """A modality: asks by N-ACTION, and listens for the report."""

    def __init__(self, answers: tuple[int, ...] = (0x0000,)) -> None:
        self._answers = list(answers)
        self.reports: queue.Queue[tuple[int, Dataset]] = queue.Queue()
        entity = AE(ae_title="CT1")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        self.server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._reported)]
        )

    @property
    def port(self) -> int:
        return int(self.server.socket.getsockname()[1])

    def _reported(self, event: evt.Event) -> tuple[int, None]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer == 0x0000:
            self.reports.put((event.event_type, event.event_information))
        return answer, None

    def ask(self, port: int, references: list[tuple[str, str]], *, title: str = "CT1") -> int:
        """Send an N-ACTION and return its status."""
        entity = AE(ae_title=title)
        entity.add_requested_context(StorageCommitmentPushModel)
        association = entity.associate("127.0.0.1", port, ae_title="NPCPIT")
        assert association.is_established
        status, _ = association.send_n_action(request(references), 1, StorageCommitmentPushModel, INSTANCE)
        association.release()
        return int(status.Status)

    def report(self) -> tuple[int, Dataset]:
        return self.reports.get(timeout=30)


def request(references: list[tuple[str, str]], transaction: str = "1.2.3.99") -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        dataset.ReferencedSOPSequence.append(item)
    return dataset


@contextmanager
def peer(answers: tuple[int, ...] = (0x0000,)) -> Iterator[Peer]:
    made = Peer(answers)
    try:
        yield made
    finally:
        made.server.shutdown()


def name_peer(folder: Path, port: int) -> None:
    site = folder / "configs" / "site.toml"
    text = site.read_text(encoding="utf-8")
    lines = f'[[receiver.commitment_peers]]\nae_title = "CT1"\nhost = "127.0.0.1"\nport = {port}\n\n[deidentification]'
    assert text.count("[deidentification]") == 1
    site.write_text(text.replace("[deidentification]", lines), encoding="utf-8")


def originals(source: Path) -> list[tuple[str, str]]:
    found = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(source.iterdir())]
    return [(str(each.SOPClassUID), str(each.SOPInstanceUID)) for each in found]


def test_what_was_sent_is_committed_by_its_original_uids_and_what_was_not_is_named(folder, write_series):
    source = write_series("20240105", "1")
    with peer() as ct:
        name_peer(folder, ct.port)
        with open_study(folder) as study, Listener(study, port=0) as listener:
            assert send_folder(source, port=listener.port, called_ae_title="NPCPIT") == 3
            assert ct.ask(listener.port, originals(source)) == 0x0000
            event, told = ct.report()
            assert (event, told.TransactionUID) == (1, "1.2.3.99")
            assert committed(told) == originals(source)
            assert "FailedSOPSequence" not in told
            stranger = (CT_IMAGE_STORAGE, "1.2.3.4.5")
            mistaken = ("1.2.840.10008.5.1.4.1.1.4", originals(source)[0][1])
            ct.ask(listener.port, [originals(source)[1], stranger, mistaken])
            event, told = ct.report()
    assert event == 2
    assert committed(told) == [originals(source)[1]]
    assert [(each.ReferencedSOPInstanceUID, each.FailureReason) for each in told.FailedSOPSequence] == [
        (stranger[1], 0x0112),
        (mistaken[1], 0x0119),
    ]


def committed(told: Dataset) -> list[tuple[str, str]]:
    return [(each.ReferencedSOPClassUID, each.ReferencedSOPInstanceUID) for each in told.ReferencedSOPSequence]


def test_a_peer_that_nobody_named_is_refused_at_once(folder, write_series):
    with peer() as ct:
        name_peer(folder, ct.port)
        with open_study(folder) as study, Listener(study, port=0) as listener:
            assert ct.ask(listener.port, originals(write_series("20240105", "1")), title="CT2") == 0x0110
            assert survey_study(study).spool.unreported == 0


def test_without_a_named_peer_no_commitment_is_offered(study):
    entity = AE(ae_title="CT1")
    entity.add_requested_context(StorageCommitmentPushModel)
    entity.add_requested_context("1.2.840.10008.1.1")
    with Listener(study, port=0) as listener:
        association = entity.associate("127.0.0.1", listener.port, ae_title="NPCPIT")
        accepted = [context.abstract_syntax for context in association.accepted_contexts]
        association.release()
    assert accepted == ["1.2.840.10008.1.1"]


def test_a_report_that_is_not_taken_is_repeated_until_it_is(folder, write_series, monkeypatch):
    monkeypatch.setattr("npcpit_imaging.app.commitment.BACKOFF_S", 0.1)
    source = write_series("20240105", "1")
    with peer(answers=(0x0110, 0x0110, 0x0000)) as ct:
        name_peer(folder, ct.port)
        with open_study(folder) as study, Listener(study, port=0) as listener:
            send_folder(source, port=listener.port, called_ae_title="NPCPIT")
            assert ct.ask(listener.port, originals(source)) == 0x0000
            assert ct.report()[0] == 1


def test_a_request_survives_a_restart_and_an_unreachable_peer(folder, write_series):
    source = write_series("20240105", "1")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        name_peer(folder, reserved.getsockname()[1])
    with open_study(folder) as study:
        with Listener(study, port=0) as listener:
            send_folder(source, port=listener.port, called_ae_title="NPCPIT")
            with peer() as asking:
                assert asking.ask(listener.port, originals(source)) == 0x0000
        assert survey_study(study).spool.unreported == 1
    with peer() as ct:
        site = folder / "configs" / "site.toml"
        written = site.read_text(encoding="utf-8")
        site.write_text(written.replace(f"port = {reserved_port(written)}", f"port = {ct.port}"), encoding="utf-8")
        with open_study(folder) as study, Listener(study, port=0):
            assert ct.report()[0] == 1
        with open_study(folder) as study:
            assert survey_study(study).spool.unreported == 0


def reserved_port(text: str) -> int:
    return int(text.rsplit("[[receiver.commitment_peers]]", 1)[1].split("port = ")[1].split()[0])


def verdict(study: Study, uid: str, sop_class: str = CT_IMAGE_STORAGE) -> FailureReason | None:
    asked = Reference(sop_class_uid=sop_class, sop_instance_uid=uid)
    with spool_of(study) as spool:
        request = CommitmentRequest(transaction_uid="1.2", peer="CT1", references=(asked,))
        return Verifier(study, spool).failures(request).get(asked)


@pytest.fixture
def stored(study, arrive, write_series) -> str:
    """The original UID of one stored object."""
    source = write_series("20240105", "1", count=2)
    arrive(source)
    return originals(source)[0][1]


def test_an_object_whose_file_is_gone_or_changed_is_not_committed(study, stored):
    assert verdict(study, stored) is None
    files = sorted(study.objects.folder.rglob("*.dcm"))
    contents = [path.read_bytes() for path in files]
    for path in files:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert verdict(study, stored) is FailureReason.PROCESSING_FAILURE
    for path in files:
        path.unlink()
    assert verdict(study, stored) is FailureReason.PROCESSING_FAILURE
    for path, content in zip(files, contents, strict=True):
        path.write_bytes(content)
    assert verdict(study, stored) is None


def test_while_the_index_is_away_nothing_is_reported_and_then_the_truth(folder, write_series, monkeypatch):
    """No peer is told that its objects are not held because a database is being restarted."""
    monkeypatch.setattr("npcpit_imaging.app.commitment.BACKOFF_S", 0.1)
    source = write_series("20240105", "1")
    with peer() as ct:
        name_peer(folder, ct.port)
        with open_study(folder) as study, Listener(study, port=0) as listener:
            send_folder(source, port=listener.port, called_ae_title="NPCPIT")
            listener.drain()
            rename(study, "instance", "elsewhere")
            assert ct.ask(listener.port, originals(source)) == 0x0000
            with pytest.raises(StoreError):
                Verifier(study, listener._spool).failures(asked_for(source))
            with pytest.raises(queue.Empty):
                ct.reports.get(timeout=1.5)
            rename(study, "elsewhere", "instance")
            assert ct.report()[0] == 1


def asked_for(source: Path) -> CommitmentRequest:
    references = tuple(Reference(sop_class_uid=each, sop_instance_uid=uid) for each, uid in originals(source))
    return CommitmentRequest(transaction_uid="1.2", peer="CT1", references=references)


def rename(study: Study, old: str, new: str) -> None:
    with study.database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_a_new_uid_is_nobody_s_original_uid(study, stored):
    (new, *_) = [path.stem for path in study.objects.folder.rglob("*.dcm")]
    assert verdict(study, new) is FailureReason.NO_SUCH_OBJECT_INSTANCE
    assert verdict(study, "../../etc/passwd") is FailureReason.NO_SUCH_OBJECT_INSTANCE


def test_an_object_that_waits_in_the_spool_is_committed_before_and_after_ingestion(study, write_series):
    source = write_series("20240105", "1", count=1)
    with Listener(study, port=0) as listener:
        listener._receiver._on_stored = lambda _: None
        send_folder(source, port=listener.port, called_ae_title="NPCPIT")
    uid = originals(source)[0][1]
    assert verdict(study, uid) is None
    with spool_of(study) as spool:
        for spooled in spool.pending():
            ingest(Arrivals(study), spool, spooled)
    assert verdict(study, uid) is None, "after ingestion too"


def test_the_queue_gives_back_what_was_asked_and_one_that_is_done_takes_no_other_with_it(tmp_path):
    """The same transaction may be asked again at the very moment in which the first was reported."""
    asked = CommitmentRequest(
        transaction_uid="1.2.3", peer="CT1", references=(Reference(sop_class_uid="1.1", sop_instance_uid="1.2"),)
    )
    queue_ = CommitmentQueue(tmp_path / "q")
    queue_.add(asked)
    (first,) = queue_.waiting()
    queue_.add(asked)
    queue_.done(first)
    again = CommitmentQueue(tmp_path / "q")
    assert list(again.waiting().values()) == [asked]
    again.done(next(iter(again.waiting())))
    assert again.waiting() == {}


@pytest.mark.parametrize("encoded", [b"", b"\x08\x00\x95\x11", b"no data set at all"])
def test_bytes_that_are_no_request_are_refused(encoded):
    with pytest.raises(DicomError, match="storage commitment"):
        decode_request(encoded, "1.2.840.10008.1.2.1", peer="CT1")


def test_only_a_named_peer_is_queued(study):
    asked = CommitmentRequest(transaction_uid="1.2.3", peer="CT9", references=())
    with spool_of(study) as spool, pytest.raises(PeerRefusedError, match="does not name"):
        Commitments(study, spool).accept(asked)
