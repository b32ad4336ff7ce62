"""Pull a trial's series from the PACS and know when all of them are there: the verb `npcpit pull`."""

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from npcpit_imaging.app.importing import ProgressBar, Tick
from npcpit_imaging.app.intake import Intake
from npcpit_imaging.app.patience import Patience
from npcpit_imaging.app.peer import open_archive
from npcpit_imaging.app.pull_report import PulledRow, PullReport, PullStatus, row_of
from npcpit_imaging.app.pull_series import SeriesPull
from npcpit_imaging.app.receiving import spool_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.app.worklist import RawRow, WorkRow, parse_row, read_worklist
from npcpit_imaging.config.pacs import PacsSite, takes_series
from npcpit_imaging.dicom.archive import Archive, SeriesAnswer, StudyAnswer
from npcpit_imaging.dicom.deidentify import SubjectCodes, mint_subject_code, read_subject_codes
from npcpit_imaging.dicom.durable import sync_folder
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.errors import InputError, NetworkError, NpcpitError, PeerRefusedError
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.pulls import PullLedger


def pull(
    study: Study,
    *,
    pacs: PacsSite,
    progress: ProgressBar,
    worklist: Path | None = None,
    patient_id: str = "",
    accession: str = "",
    study_uid: str = "",
    date_from: str = "",
    date_to: str = "",
    modality: str = "",
    subject: str = "",
) -> PullReport:
    """Pull what a work list, or one question, asks for.

    It may be stopped or killed at any time and started again: what the study holds is not asked for again.

    Args:
        study: The study.
        pacs: Where from, and which series.
        progress: Opens a progress bar, one for each row.
        worklist: A CSV table (see `worklist.COLUMNS`); without it the other arguments are its only row.
        patient_id: Exactly this Patient ID.
        accession: Exactly this accession number.
        study_uid: Exactly this Study Instance UID.
        date_from: First study date, as 2026-01-31.
        date_to: Last study date.
        modality: Modalities with blanks between, instead of the site's.
        subject: The subject code of the patient.

    Returns:
        A final status for every row.

    Raises:
        InputError: The work list cannot be used, or the site names no PACS.
        ConfigError: A secret or a certificate cannot be read.
        DicomError: Another process owns the spool (a running `npcpit receive`), or our receiver cannot listen.
    """
    question = {
        "patient_id": patient_id, "accession": accession, "study_uid": study_uid, "date_from": date_from,
        "date_to": date_to, "modality": modality, "subject": subject,
    }  # fmt: skip
    rows = _rows(worklist, {column: text.strip() for column, text in question.items() if text.strip()})
    with spool_of(study) as spool, PullLedger(study.vault / "pulls.sqlite") as ledger:
        pulling = _Pull(study, pacs, Intake(study, spool), ledger)
        with open_archive(study, pacs, spool, Inbox(spool, pulling.on_object)) as archive:
            return pulling.run(archive, rows, progress)


def _rows(worklist: Path | None, question: dict[str, str]) -> list[RawRow]:
    if worklist is None:
        return [RawRow(line=1, values=question)]
    if question:
        raise InputError(f"expected a work list or a question, found both: {worklist.name} and {', '.join(question)}")
    return read_worklist(worklist)


class _Pull:
    """One run over all rows."""

    def __init__(self, study: Study, pacs: PacsSite, intake: Intake, ledger: PullLedger) -> None:
        self._study = study
        self._pacs = pacs
        self._intake = intake
        self._ledger = ledger
        self._patience = Patience(pacs)
        self._tick: Tick = lambda: None

    def on_object(self) -> None:
        """Move the progress bar; called from any thread."""
        self._tick()

    def run(self, archive: Archive, rows: Sequence[RawRow], progress: ProgressBar) -> PullReport:
        """Pull every row; what an earlier pull, or the receiver, left in the spool is taken first."""
        self._intake.take_in()
        done = [
            self._row(archive, row, f"line {row.line}, {n} of {len(rows)}", progress) for n, row in enumerate(rows, 1)
        ]
        return PullReport(rows=tuple(done), assembled=self._intake.assemble())

    def _row(self, archive: Archive, raw: RawRow, title: str, progress: ProgressBar) -> PulledRow:
        try:
            return self._pulled(archive, parse_row(raw, self._pacs), title, progress)
        except PeerRefusedError as error:
            return PulledRow(line=raw.line, status=PullStatus.REFUSED, reason=str(error))
        except NpcpitError as error:
            return PulledRow(line=raw.line, status=PullStatus.FAILED, reason=str(error))

    def _pulled(self, archive: Archive, row: WorkRow, title: str, progress: ProgressBar) -> PulledRow:
        studies = self._patience.call(lambda: archive.studies(row.query))
        if not studies:
            return PulledRow(line=row.line, status=PullStatus.NOT_FOUND, reason="the PACS knows no such study")
        self._place_subject(row, studies)
        listed = [each for found in studies for each in self._series_of(archive, found)]
        chosen = [each for each in listed if self._is_chosen(each, row)]
        left_out = len(listed) - len(chosen)
        if not chosen:
            reason = f"{len(studies)} studies, but the rules leave out all of their {left_out} series"
            return PulledRow(line=row.line, status=PullStatus.NOT_FOUND, reason=reason, left_out=left_out)
        puller = SeriesPull(
            self._study,
            archive=archive,
            patience=self._patience,
            intake=self._intake,
            ledger=self._ledger,
            subject=self._intake.subject_of(studies[0].patient_id),
        )
        with progress(title, sum(each.count or 0 for each in chosen)) as self._tick:
            return row_of(row.line, [puller.run(each) for each in chosen], left_out=left_out)

    def _series_of(self, archive: Archive, found: StudyAnswer) -> tuple[SeriesAnswer, ...]:
        return self._patience.call(lambda: archive.series(found.study_uid))

    def _is_chosen(self, series: SeriesAnswer, row: WorkRow) -> bool:
        return takes_series(
            self._pacs, modality=series.modality, description=series.description, modalities=row.modalities
        )

    def _place_subject(self, row: WorkRow, studies: Sequence[StudyAnswer]) -> None:
        """Make sure that one row is one patient, and that the patient has the row's subject code before images come."""
        patients = {each.patient_id for each in studies}
        if len(patients) != 1:
            raise NetworkError(f"expected the studies of one patient, found {len(patients)} patients")
        if row.subject:
            note_subject(self._study, patients.pop(), row.subject)
            self._intake.renew()


def note_subject(study: Study, patient_id: str, subject: str) -> None:
    """Add a patient to the subject table, durably; a patient who is in it stays as he is.

    Raises:
        InputError: The table gives the patient another code, the patient's images are already in the study under a
            minted code, or the PACS told no Patient ID.
    """
    SubjectCodes(codes={patient_id: subject})  # refuses a code that is none before it gets into the table
    path = study.folder / study.site.deidentification.subject_codes
    known = read_subject_codes(path) if path.exists() else None
    if known is not None and patient_id in known:
        if known.subject_of(patient_id) != subject:
            raise InputError(f"{path.name}: expected this patient to be {subject}, found another code")
        return
    if not patient_id:
        raise InputError(f"subject {subject}: expected a Patient ID in the answer of the PACS, found none")
    with study.database.session() as session:
        if mint_subject_code(study_key(study), patient_id) in subjects(session):
            raise InputError(f"subject {subject}: this patient's images are already in the study under a minted code")
    _append(path, patient_id, subject)


def _append(path: Path, patient_id: str, subject: str) -> None:
    """Add a row under the table's own header: written under another name, synced, renamed."""
    text = path.read_text(encoding="utf-8-sig") if path.exists() else "patient_id,subject\n"
    columns = next(csv.reader(StringIO(text)))
    row = StringIO()
    values = {"patient_id": patient_id, "subject": subject}
    csv.writer(row, lineterminator="\n").writerow([values.get(column, "") for column in columns])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text + "\n" * (not text.endswith("\n")) + row.getvalue())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)
