"""Verbs without a study: one image, or one table, one answer; each imports its own part of `app` when asked for."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import (
    SINGLE,
    FileModality,
    FileUnit,
    Image,
    Json,
    Label,
    MaskFile,
    Roi,
    Segment,
    leave,
    show_result,
)
from npcpit_imaging.config.base import load
from npcpit_imaging.config.protocol import Protocol, ShortSdRule
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.processes import cores
from npcpit_imaging.volume.volume import Modality


@app.command(rich_help_panel=SINGLE)
def register(
    fixed: Annotated[Path, typer.Argument(metavar="FIXED", help="The follow-up.")],
    moving: Annotated[Path, typer.Argument(metavar="MOVING", help="The baseline.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="t.tfm (fixed to moving points) or x.dcm.")],
    resampled: Annotated[Path | None, typer.Option(help="MOVING on FIXED's grid, x.nii.gz or x.nrrd.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A registration plan (TOML).")] = None,
    as_json: Json = False,
) -> None:
    """Align two images and say how far the result can be trusted; exit code 1 when it is rejected."""
    from npcpit_imaging.app import measure

    with console.fraction("registering") as progress:
        alignment = measure.register(fixed, moving, output, resampled=resampled, plan=plan, progress=progress)
    result = measure.alignment_json(alignment)
    show_result(result, as_json, lambda: console.values(result))
    leave(well=measure.is_usable(alignment))


@app.command(name="measure", rich_help_panel=SINGLE)
def measure_(
    image: Image,
    mask: MaskFile,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    modality: FileModality = Modality.OT,
    unit: FileUnit = None,
    caliper: Annotated[str | None, typer.Option(help='The reader\'s own long axis, "x,y,z:x,y,z" in LPS mm.')] = None,
    short_caliper: Annotated[str | None, typer.Option(help="The reader's own short axis, with --caliper.")] = None,
    as_json: Json = False,
) -> None:
    """Longest diameter, short axis, volume of a mask on the image's own voxels; on PET uptake; ends in LPS mm."""
    from npcpit_imaging.app import measure
    from npcpit_imaging.app.measure_mask import measure_mask, parse_calipers

    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    calipers = parse_calipers(caliper, short_caliper)
    result = measure_mask(image, mask, choice=choice, modality=modality, unit=unit, calipers=calipers)
    show_result(result, as_json, lambda: console.values(result))


@app.command(rich_help_panel=SINGLE)
def radiomics(
    image: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="DICOM folder or file, NIfTI or NRRD.")] = None,
    mask: Annotated[Path | None, typer.Argument(metavar="MASK", help="NIfTI, NRRD, DICOM SEG or RTSTRUCT.")] = None,
    settings: Annotated[Path | None, typer.Option(help="Imaging settings (TOML); the modality's without.")] = None,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    modality: FileModality = Modality.OT,
    unit: FileUnit = None,
    cases: Annotated[
        Path | None, typer.Option(metavar="CASES.csv", help="A table of cases instead; docs/radiomics.md.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="With --cases: results; resumable.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="With --cases: processes.")] = cores(),
    perturb: Annotated[
        int | None, typer.Option(min=2, help="With --cases: stability under so many perturbations.")
    ] = None,
    seed: Annotated[int, typer.Option(help="With --perturb or --shuffle: the same seed gives the same numbers.")] = 1,
    readers: Annotated[bool, typer.Option("--readers", help="With --cases: stability between readers' masks.")] = False,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="With --cases: voxels of each lesion in random order, a negative control.")
    ] = False,
    as_json: Json = False,
) -> None:
    """IBSI radiomic features of a mask, each with its code, unit and status; or of a table of cases."""
    if cases is not None:
        _radiomics_cases(cases, output, settings, workers, perturb, seed, readers, shuffle, as_json, image or mask)
        return
    if image is None or mask is None:
        raise InputError("radiomics: expected IMAGE and MASK, or --cases CASES.csv, found neither")
    from npcpit_imaging.app import measure

    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    result = measure.radiomics(image, mask, settings=settings, choice=choice, modality=modality, unit=unit)
    show_result(result, as_json, lambda: console.features(result))


def _radiomics_cases(
    cases: Path,
    output: Path | None,
    settings: Path | None,
    workers: int,
    perturb: int | None,
    seed: int,
    readers: bool,
    shuffle: bool,
    as_json: bool,
    beside: Path | None,
) -> None:
    if beside is not None:
        raise InputError("radiomics --cases: expected no IMAGE and MASK beside it, found one")
    from npcpit_imaging.app import radiomics_batch

    with console.fraction("radiomics") as tell:
        report = radiomics_batch.batch(
            cases,
            output,
            settings=settings,
            workers=workers,
            perturb=perturb,
            seed=seed,
            readers=readers,
            shuffle=shuffle,
            tell=tell,
        )
    show_result(report.to_json(), as_json, lambda: console.outcomes(report.outcomes))
    leave(well=report.ok)


@app.command(name="respond", rich_help_panel=SINGLE)
def respond_(
    measurements: Annotated[Path, typer.Argument(metavar="MEASUREMENTS.csv", help="See docs/respond.md.")],
    protocol: Annotated[Path | None, typer.Option(help="protocol.toml; plain RECIST 1.1 without.")] = None,
    subjects: Annotated[Path | None, typer.Option(help="Treatment start, death, last contact, ...")] = None,
    treatments: Annotated[Path | None, typer.Option(help="Irradiations: subject, lesion, cycle, date.")] = None,
    csv_folder: Annotated[
        Path | None, typer.Option("--csv", help="Write timepoints, lesions, subjects as CSV.")
    ] = None,
    as_json: Json = False,
) -> None:
    """RECIST responses from a table of measurements, each with the rule that fired."""
    from npcpit_imaging.app import respond

    chosen = load(protocol, Protocol) if protocol else Protocol()
    report = respond.respond(measurements, protocol=chosen, subjects=subjects, treatments=treatments)
    if csv_folder is not None:
        report.write_csv(csv_folder)
    show_result(report.to_json(), as_json, lambda: console.responses(report))
    leave(well=report.ok)


@app.command(name="sdtm", rich_help_panel=SINGLE)
def sdtm_(
    measurements: Annotated[Path, typer.Argument(metavar="MEASUREMENTS.csv", help="As for npcpit respond.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the datasets.")],
    protocol: Annotated[Path | None, typer.Option(help="protocol.toml; plain RECIST 1.1 without.")] = None,
    subjects: Annotated[Path | None, typer.Option(help="Treatment start, death, last contact, ...")] = None,
    treatments: Annotated[Path | None, typer.Option(help="Irradiations: subject, lesion, cycle, date.")] = None,
    readers: Annotated[Path | None, typer.Option(help="Who the readers are: reader, eval, evalid.")] = None,
    study_id: Annotated[str, typer.Option(help="STUDYID.")] = "NPC-PIT",
) -> None:
    """SDTM TU, TR, RS (XPT and Dataset-JSON) and ADaM-style tables from measurements, checked on every export."""
    from npcpit_imaging.app import sdtm

    chosen = load(protocol, Protocol) if protocol else Protocol()
    report = sdtm.export_sdtm(
        measurements,
        output,
        protocol=chosen,
        subjects=subjects,
        treatments=treatments,
        readers=readers,
        study_id=study_id,
    )
    console.datasets(report)
    leave(well=report.ok)


@app.command(name="best-response", rich_help_panel=SINGLE)
def best_response(
    table: Annotated[
        Path, typer.Argument(metavar="RESPONSES.csv", help="Columns subject, date, response; docs/respond.md.")
    ],
    min_sd_days: Annotated[int, typer.Option(help="Earliest day at which SD counts.")] = Protocol().min_sd_days,
    confirm_days: Annotated[
        int, typer.Option(help="Days after which a response is confirmed.")
    ] = Protocol().ref_confirm,
    max_ne: Annotated[
        int, typer.Option(help="NE allowed between a response and its confirmation.")
    ] = Protocol().max_nr_ne,
    accept_sd: Annotated[
        bool, typer.Option("--accept-sd", help="Allow one SD between PR and its confirmation.")
    ] = False,
    missing_as_ne: Annotated[bool, typer.Option("--missing-as-ne", help="A subject without a record is NE.")] = False,
    short_sd_rule: Annotated[ShortSdRule, typer.Option(help="What SD before the minimum is.")] = ShortSdRule.TABLE3,
    as_json: Json = False,
) -> None:
    """Best overall response, unconfirmed and confirmed, from a table of time-point responses."""
    from npcpit_imaging.app import respond

    chosen = Protocol(
        min_sd_days=min_sd_days,
        ref_confirm=confirm_days,
        max_nr_ne=max_ne,
        accept_sd=accept_sd,
        missing_as_ne=missing_as_ne,
        short_sd_rule=short_sd_rule,
    )
    report = respond.best_response(table, protocol=chosen)
    show_result(report.to_json(), as_json, lambda: console.best_responses(report))
    leave(well=report.ok)
