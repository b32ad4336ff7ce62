"""What people take away: per subject a PDF, DICOM SEG and SR; for the study the tables; an export with checksums."""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy.orm import Session

from npcpit_imaging.app.case import build_case_report
from npcpit_imaging.app.features import accepted_masks
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.responses import shifted_moment, stored_case
from npcpit_imaging.app.sdtm import export_cases
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.seg import SegmentedLesion, write_seg
from npcpit_imaging.dicom.sr import MeasuredLesion, write_sr
from npcpit_imaging.errors import InputError, ResponseError
from npcpit_imaging.report.case_report import write_case_report
from npcpit_imaging.report.feature_table import write_features
from npcpit_imaging.store.images import paths_of, subjects, timepoints
from npcpit_imaging.store.lesions import StoredProposal, every_proposal_of, lesions_of, proposals_of, stored_caliper
from npcpit_imaging.store.reads import SignedRead, newest_reads
from npcpit_imaging.store.results import features, put_delivery, responses_of
from npcpit_imaging.store.schema import FeatureRow
from npcpit_imaging.study.measurement import Measurement, Uptake


def results_inputs(study: Study, subject: str) -> tuple[str, ...]:
    """What a subject's files are built from: the keys of its responses and of its masks; empty before a response."""
    with study.database.session() as session:
        answered = [row.key for row in responses_of(session, subject)]
        masks = [each.key for each in proposals_of(session, subject)]
    return tuple(sorted({*answered, *masks})) if answered else ()


def deliver_subject(study: Study, subject: str) -> str:
    """Write one subject's PDF report and, per visit and series, SEG and SR.

    Raises:
        NpcpitError: An image, a mask or a response cannot be used.
    """
    folder = study.deliver / subject
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / f"{subject}_report.pdf"
    write_case_report(build_case_report(study, subject), report)
    written = [(report, "PDF"), *_write_objects(study, subject, folder)]
    with study.database.session() as session:
        for path, kind in written:
            relative = path.relative_to(study.folder).as_posix()
            put_delivery(session, path=relative, subject=subject, kind=kind, sha256=_sha256(path), now=study.now())
    kinds = [kind for _, kind in written]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _write_objects(study: Study, subject: str, folder: Path) -> list[tuple[Path, str]]:
    accepted = [each for name, each in accepted_masks(study).items() if name.split("/")[0] == subject]
    with study.database.session() as session:
        reads = {read.timepoint: read for read in newest_reads(session, subject)}
        points = timepoints(session, subject)
    written = []
    for order, point in enumerate(points):
        for series_uid in dict.fromkeys(each.series_uid for each in accepted if each.timepoint == point.name):
            lesions = [each for each in accepted if (each.timepoint, each.series_uid) == (point.name, series_uid)]
            written += _write_pair(study, lesions, folder, order=order, read=reads[point.name])
    return written


def _write_pair(
    study: Study, proposals: Sequence[StoredProposal], folder: Path, *, order: int, read: SignedRead
) -> list[tuple[Path, str]]:
    """Write the SEG of one visit's lesions on one series, and the SR that measures them."""
    first = proposals[0]
    volume = open_series(study, first.series_uid)
    with study.database.session() as session:
        sources = [study.objects / path for path in paths_of(session, first.series_uid)]
    masks = [open_mask_of(study, each, volume) for each in proposals]
    stem = f"{first.subject}_{first.timepoint}_{volume.modality}"
    seg, sr = folder / f"{stem}_SEG.dcm", folder / f"{stem}_SR.dcm"
    segmented = [
        SegmentedLesion(
            lesion=each.lesion, mask=mask, algorithm=str(each.segmenter["name"]), version=str(each.segmenter["version"])
        )
        for each, mask in zip(proposals, masks, strict=True)
    ]
    created = shifted_moment(study, first.subject, read.signed)
    write_seg(seg, segmented, sources=sources, created=created)
    measured = [
        MeasuredLesion(
            lesion=each.lesion, segment_number=number, measurement=_confirmed(read, each), uptake=each.uptake
        )
        for number, each in enumerate(proposals, start=1)
    ]
    write_sr(
        sr,
        measured,
        seg=seg,
        sources=sources,
        reader=read.reader,
        timepoint=first.timepoint,
        timepoint_order=order,
        created=created,
    )
    return [(seg, "SEG"), (sr, "SR")]


def _confirmed(read: SignedRead, proposal: StoredProposal) -> Measurement:
    """What was measured on the mask, with the reader's own calipers where the reader preferred them."""
    row = next((row for row in read.lesions if row.proposal_id == proposal.id), None)
    if row is None or row.accepted != "caliper":
        return proposal.measurement
    return replace(
        proposal.measurement,
        longest_diameter=stored_caliper(row.reader_caliper),
        short_axis=stored_caliper(row.reader_short_caliper),
        convention="reader's caliper",
    )


def deliver_tables(study: Study) -> str:
    """Write the study's tables: measurements, responses, features (CSV; features also as Parquet, long and wide)."""
    study.deliver.mkdir(parents=True, exist_ok=True)
    with study.database.session() as session:
        codes = subjects(session)
        measured = [row for code in codes for row in _measurements(session, code)]
        answered = [
            {"subject": code, "reader": row.reader, "level": row.level, **row.values}
            for code in codes
            for row in responses_of(session, code)
        ]
        feature_rows = features(session)
        places = {each.id: each for code in codes for each in every_proposal_of(session, code)}
    _write_csv(study.deliver / "measurements.csv", measured)
    for level in ("timepoint", "lesion", "subject", "finding"):
        _write_csv(study.deliver / f"responses_{level}.csv", [row for row in answered if row["level"] == level])
    write_features(
        study.deliver, [_feature(row, places[row.proposal_id]) for row in feature_rows if row.proposal_id in places]
    )
    said = f"{len(measured)} measurements, {len(answered)} responses, {len(feature_rows)} feature values"
    return f"{said}; {_write_sdtm(study)}"


def _write_sdtm(study: Study) -> str:
    """Write SDTM and ADaM-style datasets of every subject with a signed read, checks included."""
    with study.database.session() as session:
        read = [code for code in subjects(session) if newest_reads(session, code)]
        lesions = {code: {lesion.lesion_id: lesion for lesion in lesions_of(session, code)} for code in read}
    report = export_cases(
        [stored_case(study, code) for code in read],
        study.deliver / "sdtm",
        protocol=study.protocol,
        study_id=study.protocol.title,
        now=study.now(),
        lesions=lesions,
    )
    if report.faults:
        raise ResponseError("SDTM: " + "; ".join(f"{fault.subject}: {fault.text}" for fault in report.faults))
    found = [check.id for check in report.checks if check.hits]
    return f"SDTM {report.records['TR']} TR rows" + (f", checks to look at: {', '.join(found)}" if found else "")


def _measurements(session: Session, subject: str) -> list[dict[str, object]]:
    """What each reader says of each lesion, with the mask's own numbers beside the confirmed ones."""
    lesions = {lesion.tracking_uid: lesion for lesion in lesions_of(session, subject)}
    proposals = {each.id: each for each in every_proposal_of(session, subject)}
    rows = []
    for read in newest_reads(session, subject):
        for row in read.lesions:
            lesion = lesions[row.tracking_uid]
            proposal = proposals.get(row.proposal_id) if row.proposal_id else None
            on_pet = None if proposal is None else _on_pet(proposals.values(), read.timepoint, lesion.lesion_id)
            rows.append(
                {
                    "subject": subject,
                    "timepoint": read.timepoint,
                    "date": read.date,
                    "reader": read.reader,
                    "read_version": read.version,
                    "read_label": read.label,
                    "lesion": lesion.lesion_id,
                    "tracking_uid": lesion.tracking_uid,
                    "role": lesion.role.value,
                    "organ": lesion.organ,
                    "location": lesion.location,
                    "nodal": lesion.nodal,
                    "irradiated": lesion.irradiated,
                    "state": row.state,
                    "accepted": row.accepted,
                    "longest_diameter_mm": _rounded(row.longest_diameter_mm),
                    "short_axis_mm": _rounded(row.short_axis_mm),
                    "mask_longest_diameter_mm": None
                    if proposal is None
                    else _rounded(proposal.measurement.longest_diameter_mm),
                    "mask_short_axis_mm": None if proposal is None else _rounded(proposal.measurement.short_axis_mm),
                    "volume_ml": None if proposal is None else _rounded(proposal.measurement.volume_ml),
                    "series_uid": None if proposal is None else proposal.series_uid,
                    "mask_sha256": None if proposal is None else proposal.mask_sha256,
                    "segmenter": None if proposal is None else proposal.segmenter["name"],
                    "convention": None if proposal is None else proposal.measurement.convention,
                    "suv_max": None if on_pet is None else _rounded(on_pet.suv_max),
                    "suv_peak": None if on_pet is None else _rounded(on_pet.suv_peak),
                    "mtv_ml": None if on_pet is None else _rounded(on_pet.mtv_ml),
                    "field": row.field,
                    "comment": row.comment,
                    "findings": "; ".join(str(finding["text"]) for finding in row.findings),
                }
            )
    return rows


def _on_pet(proposals: Iterable[StoredProposal], timepoint: str, lesion_id: str) -> Uptake | None:
    found = [each.uptake for each in proposals if (each.timepoint, each.lesion.lesion_id) == (timepoint, lesion_id)]
    return next((uptake for uptake in reversed(found) if uptake is not None), None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _feature(row: FeatureRow, proposal: StoredProposal) -> dict[str, object]:
    return {
        "subject": proposal.subject,
        "timepoint": proposal.timepoint,
        "lesion": proposal.lesion.lesion_id,
        "tracking_uid": proposal.lesion.tracking_uid,
        "series_uid": proposal.series_uid,
        "on_pet": proposal.uptake is not None,
        "filter": row.filter,
        "tag": row.tag,
        "code": row.code,
        "family": row.family,
        "value": row.value,
        "unit": row.unit,
        "status": row.status,
        "reason": row.reason,
        "settings_sha256": row.settings_sha256,
        **{
            name: value if isinstance(value, int | float | str) else str(value)
            for name, value in row.provenance.items()
        },
        "created": row.created.isoformat(),
    }


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def export(study: Study, output: Path) -> int:
    """Copy reports, SEG, SR, tables, transforms and the masks that readers accepted, with checksums.

    Never pixels, never the vault, and no mask that is only a proposal.

    Raises:
        InputError: Nothing was delivered yet, or the output folder holds something.
    """
    if not study.deliver.is_dir() or not any(study.deliver.iterdir()):
        raise InputError("nothing to export yet: run the pipelines up to deliver first")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: expected no folder or an empty one, found something in it")
    shutil.copytree(study.deliver, output / "deliver")
    masks = [study.folder / each.mask_path for each in accepted_masks(study).values()]
    for source in (*masks, *study.derived.rglob("*.tfm")):
        target = output / source.relative_to(study.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    files = sorted(path for path in output.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(output).as_posix()}\n" for path in files]
    (output / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return len(files)
