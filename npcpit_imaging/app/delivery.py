"""What people take away: a subject's PDF, DICOM SEG, SR, key images; the study's tables; an export with checksums."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from npcpit_imaging.app.case import build_case_report, readers_to_report
from npcpit_imaging.app.delivery_key_images import in_file_name, write_key_images
from npcpit_imaging.app.delivery_of_study import deliver_tables
from npcpit_imaging.app.delivery_registration import write_registrations
from npcpit_imaging.app.delivery_tables import LEVELS
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.exportable import require_exportable
from npcpit_imaging.app.exported_transforms import copy_transforms
from npcpit_imaging.app.features import MaskInUse, accepted_masks, masks_in_use
from npcpit_imaging.app.field_positions import field_inputs
from npcpit_imaging.app.outdated import require_current
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.radiomics_report import reported_features
from npcpit_imaging.app.responses import shifted_moment
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.radiomics_sr import write_radiomics_sr
from npcpit_imaging.dicom.seg import SegmentedLesion, write_seg
from npcpit_imaging.dicom.sr import MeasuredLesion, write_sr
from npcpit_imaging.errors import InputError
from npcpit_imaging.report.case_report import write_case_report
from npcpit_imaging.store.adjudications import Acceptance, acceptance_of, adjudicated, adjudications_on_record
from npcpit_imaging.store.bulk import (
    in_groups,
    newest_proposal_keys,
    newest_registration_keys,
    newest_versions,
    response_keys,
)
from npcpit_imaging.store.images import paths_of, subjects, timepoints
from npcpit_imaging.store.reads import SignedRead
from npcpit_imaging.store.results import any_delivery, deliveries, feature_digests, features, put_delivery

__all__ = [
    "checksums",
    "deliver_subject",
    "deliver_tables",
    "export",
    "missing_tables",
    "results_inputs",
    "results_inputs_of_each",
]

TABLES = ("measurements.csv", *(f"responses_{level}.csv" for level in LEVELS), "features.csv", "features.parquet")
"""Tables that every delivery holds; the wide one and SDTM come and go with their rows."""

NO_MOMENT = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
"""The time of every exported file: a true one beside shifted dates would give the shift away (1980: ZIP's first)."""

NOT_ACCEPTED = "NOT THE STUDY'S READ: an adjudicator chose another reader's"
STALE = "ADJUDICATION STALE: read again since, nobody's read is the study's"


def results_inputs(study: Study, subject: str) -> tuple[str, ...]:
    """What a subject's files are built from: reads, responses, masks, features; empty before a response.

    A delivered file that is gone is an input too, with when it was delivered: it is then written again, every time.
    """
    return results_inputs_of_each(study, (subject,))[subject]


def results_inputs_of_each(study: Study, codes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`results_inputs` of every subject named, in order."""
    return {code: own for group in in_groups(codes) for code, own in _inputs(study, group).items()}


def _inputs(study: Study, codes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    with study.database.session() as session:
        answered = response_keys(session, codes)
        parts: dict[str, set[str]] = {code: set() for code in codes}
        for code, key in answered:
            parts[code].add(key)
        for code, key in newest_proposal_keys(session, codes):
            parts[code].add(key)
        for each in newest_versions(session, codes):
            parts[each.subject].add(f"{each.timepoint} {each.reader} {each.version}")
        for code, key in newest_registration_keys(session, codes):
            parts[code].add(key)
        for code, decision in adjudications_on_record(session, subjects=codes).items():
            parts[code].add(decision.words)
        described = feature_digests(session, codes)
        for row in deliveries(session, codes):
            if not (study.folder / row.path).is_file():
                parts[row.subject].add(f"missing {row.path} of {row.created}")
    for code in codes:
        parts[code].update(field_inputs(study, code))
    having = {code for code, _ in answered}
    return {
        code: tuple(sorted({*own, f"features {described.get(code, digest_of())}"})) if code in having else ()
        for code, own in parts.items()
    }


def missing_tables(study: Study) -> tuple[str, ...]:
    """Tables that are gone although subjects were delivered, with the moment of asking: never done until written."""
    with study.database.session() as session:
        delivered = any_delivery(session)
    gone = [name for name in TABLES if delivered and not (study.deliver / name).is_file()]
    return tuple(f"missing {name} at {study.now().isoformat()}" for name in gone)


def deliver_subject(study: Study, subject: str) -> str:
    """Write each reader's PDF report, per visit and series SEG, SR and key images, and each visit's registration.

    What is delivered no more is removed.

    The files of a single reader carry no reader's code; with several readers every file carries its own's.

    Raises:
        NpcpitError: An image, a mask or a response cannot be used, or responses are older than what they rest on.
    """
    require_current(study, (subject,))
    folder = study.deliver / subject
    folder.mkdir(parents=True, exist_ok=True)
    readers = readers_to_report(study, subject)
    written: list[tuple[Path, str]] = []
    for reader in readers:
        suffix = "" if len(readers) == 1 else f"_{in_file_name(reader)}"
        report = folder / f"{subject}{suffix}_report.pdf"
        write_case_report(build_case_report(study, subject, reader), report)
        written += [(report, "PDF"), *_write_objects(study, subject, folder, reader=reader, suffix=suffix)]
    written += write_registrations(study, subject, folder)
    _record(study, subject, written)
    kinds = [kind for _, kind in written]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _record(study: Study, subject: str, written: Sequence[tuple[Path, str]]) -> None:
    """Record what was written; a file delivered before and not now would tell of a state that is over."""
    paths = {path.relative_to(study.folder).as_posix(): (path, kind) for path, kind in written}
    with study.database.session() as session:
        for row in deliveries(session, (subject,)):
            if row.path not in paths:
                (study.folder / row.path).unlink(missing_ok=True)
                session.delete(row)
        for name, (path, kind) in paths.items():
            put_delivery(session, path=name, subject=subject, kind=kind, sha256=_sha256(path), now=study.now())


def _write_objects(study: Study, subject: str, folder: Path, *, reader: str, suffix: str) -> Iterator[tuple[Path, str]]:
    used = [each for each in masks_in_use(study, subject) if each.read.reader == reader]
    with study.database.session() as session:
        points = timepoints(session, subject)
    for order, point in enumerate(points):
        visit = [each for each in used if each.read.timepoint == point.name]
        series = list(dict.fromkeys((each.modality, each.proposal.series_uid) for each in visit))
        for number, (modality, series_uid) in enumerate(series):
            same = [uid for name, uid in series[: number + 1] if name == modality]
            several = len([name for name, _ in series if name == modality]) > 1
            stem = f"{subject}_{point.name}_{modality}{len(same) if several else ''}{suffix}"
            here = [each for each in visit if each.proposal.series_uid == series_uid]
            yield from _write_pair(study, here, folder / stem, order=order)


def _write_pair(study: Study, masks: Sequence[MaskInUse], stem: Path, *, order: int) -> list[tuple[Path, str]]:
    """Write the SEG of one read's lesions on one series, and the SR that measures them.

    What the reader accepted and what nobody confirmed never share an object: one flag speaks for the whole of it.
    """
    written = []
    for confirmed in (True, False):
        chosen = [each for each in masks if each.confirmed is confirmed]
        mixed = len(chosen) != len(masks)
        name = f"{stem.name}_proposal" if mixed and not confirmed else stem.name
        if chosen:
            written += _write_one_pair(study, chosen, stem.with_name(name), order=order)
    return written


def _write_one_pair(study: Study, masks: Sequence[MaskInUse], stem: Path, *, order: int) -> list[tuple[Path, str]]:
    first = masks[0]
    series_uid, read = first.proposal.series_uid, first.read
    volume = open_series(study, series_uid)
    with study.database.session() as session:
        sources = study.objects.files(paths_of(session, series_uid))
    label = _label(study, read)
    created = shifted_moment(study, read.subject, read.signed)
    seg, sr = stem.with_name(f"{stem.name}_SEG.dcm"), stem.with_name(f"{stem.name}_SR.dcm")
    segmented = [
        SegmentedLesion(
            lesion=each.proposal.lesion,
            mask=open_mask_of(study, each.proposal, volume),
            algorithm=str(each.proposal.segmenter["name"]),
            version=str(each.proposal.segmenter["version"]),
        )
        for each in masks
    ]
    write_seg(seg, segmented, sources=sources, created=created, confirmed=first.confirmed, label=label)
    measured = [
        MeasuredLesion(
            lesion=each.proposal.lesion,
            segment_number=number,
            measurement=each.measurement,
            uptake=each.proposal.uptake,
        )
        for number, each in enumerate(masks, start=1)
    ]
    write_sr(
        sr,
        measured,
        seg=seg,
        sources=sources,
        reader=read.reader,
        timepoint=read.timepoint,
        timepoint_order=order,
        created=created,
        confirmed=first.confirmed,
        label=label,
    )
    return [
        *((seg, "SEG"), (sr, "SR")),
        *_write_radiomics(study, masks, stem, seg=seg, sources=sources, order=order),
        *write_key_images(study, masks, stem, sources=sources, created=created, label=label),
    ]


def _label(study: Study, read: SignedRead) -> str:
    """What must be said wherever a read is shown: its own label, and that an adjudicator did not choose it."""
    with study.database.session() as session:
        acceptance = acceptance_of(adjudicated(session, read.subject), read.reader)
    said = {Acceptance.NOT_ACCEPTED: NOT_ACCEPTED, Acceptance.STALE: STALE}.get(acceptance, "")
    return "; ".join(part for part in (said, read.label) if part)


def _write_radiomics(
    study: Study, masks: Sequence[MaskInUse], stem: Path, *, seg: Path, sources: Sequence[Path], order: int
) -> list[tuple[Path, str]]:
    """Write the features of a SEG's lesions as an SR, where there are any; one without a DICOM code is left out."""
    first = masks[0]
    read, volume = first.read, open_series(study, first.proposal.series_uid)
    settings = study.imaging(volume.modality).radiomics
    with study.database.session() as session:
        rows = features(session, {each.proposal.id for each in masks})
    lesions = reported_features([each.proposal for each in masks], rows, settings_sha256=settings.digest)
    lesions = [each for each in lesions if any(feature.value is not None for feature in each.features)]
    if not lesions:
        return []
    path = stem.with_name(f"{stem.name}_RADIOMICS_SR.dcm")
    write_radiomics_sr(
        path,
        lesions,
        seg=seg,
        sources=sources,
        timepoint=read.timepoint,
        timepoint_order=order,
        created=shifted_moment(study, read.subject, read.signed),
        confirmed=first.confirmed,
        label=_label(study, read),
    )
    return [(path, "radiomics SR")]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


STAYS_HERE = ("results.html", "eligibility.*", ".results.*")
"""Of the results: a true data cut beside days since a subject's treatment would give away when that was; and what a
run that was killed had not finished."""


def export(study: Study, output: Path) -> int:
    """Copy reports, SEG, SR, key images, tables, transforms and the masks that readers accepted, with checksums.

    Never a series, never the vault: of the pixels only what reports and key images show, of the masks only those that a
    read rests on (on PET: the same lesions' proposals).
    The results page and the eligibility table stay: they hold true dates.

    Raises:
        InputError: Nothing was delivered yet, something is stale, or the output folder holds something.
    """
    if not study.deliver.is_dir() or not any(study.deliver.iterdir()):
        raise InputError("nothing to export yet: run the pipelines up to deliver first")
    require_exportable(study, output)
    shutil.copytree(study.deliver, output / "deliver", ignore=shutil.ignore_patterns(*STAYS_HERE))
    with study.database.session() as session:
        codes = subjects(session)
    copy_transforms(study, codes, output / "derived")
    for source in (study.folder / each.mask_path for each in accepted_masks(study).values()):
        target = output / source.relative_to(study.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    files = checksums(output)
    for path in output.rglob("*"):
        os.utime(path, (NO_MOMENT, NO_MOMENT))
    return len(files)


def checksums(output: Path) -> list[Path]:
    """Write SHA256SUMS of every file of a folder and return the files."""
    files = sorted(path for path in output.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(output).as_posix()}\n" for path in files]
    (output / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return files
