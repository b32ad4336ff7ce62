"""The command line: ``npcpit VERB``; reads arguments, calls a verb of `app`, prints. No logic here."""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

import npcpit_imaging
from npcpit_imaging.app import (
    console,
    delivery,
    demo,
    importing,
    measure,
    pipelines,
    radiomics_batch,
    reading,
    receiving,
    respond,
    sdtm,
    study,
    survey,
)
from npcpit_imaging.app import pull as pulling
from npcpit_imaging.config.base import load
from npcpit_imaging.config.protocol import Protocol, ShortSdRule
from npcpit_imaging.errors import InputError, NpcpitError
from npcpit_imaging.flow.processes import cores
from npcpit_imaging.segmentation.prompt import Prompt, parse_box, parse_line, parse_point
from npcpit_imaging.volume.volume import Modality

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="From DICOM to confirmed lesion measurements, RECIST responses and radiomics, every number traceable. "
    "Research software, not a medical device.",
)

STUDY = "With a study folder"
SINGLE = "Without a study: one image, one answer"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="A study folder made by npcpit init.")]
Image = Annotated[Path, typer.Argument(metavar="IMAGE", help="DICOM folder or file, NIfTI or NRRD.")]
MaskFile = Annotated[Path, typer.Argument(metavar="MASK", help="NIfTI, NRRD, DICOM SEG or RTSTRUCT.")]
Roi = Annotated[str | None, typer.Option("--roi", metavar="NAME", help="Which region of an RTSTRUCT.")]
Segment = Annotated[int | None, typer.Option("--segment", metavar="N", help="Which segment of a DICOM SEG.")]
Label = Annotated[int | None, typer.Option("--label", metavar="N", help="Which value of a label image.")]
SeriesUid = Annotated[str | None, typer.Option("--series", metavar="UID", help="Which series of the folder.")]
FileModality = Annotated[
    Modality, typer.Option("--modality", help="What a NIfTI or NRRD file holds; DICOM says it itself.")
]


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 only on success, 1 for an error, 2 for wrong usage."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app(list(arguments))
    except NpcpitError as error:
        console.error(str(error))
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _exit(*, well: bool) -> None:
    """Leave with code 1 when something the command was asked for was not done."""
    if not well:
        raise typer.Exit(1)


def _print(result: object, as_json: bool, show: Callable[[], None]) -> None:
    if as_json:
        print(json.dumps(result, default=str))  # noqa: T201  # a program reads it
    else:
        show()


@app.command(rich_help_panel=STUDY)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make the study; must not hold anything.")],
    configuration: Annotated[
        str, typer.Option(help="Which shipped configuration: npc-pit, recist-1.1 or irecist.")
    ] = study.DEFAULT_CONFIGURATION,
) -> None:
    """Make a study folder: configuration and pipelines to edit, an empty store."""
    study.init_study(folder, configuration=configuration)
    console.say(f"made study {folder}; edit {folder}/configs, then: npcpit import {folder} DICOM-FOLDER")


@app.command(rich_help_panel=STUDY)
def receive(
    folder: StudyFolder,
    port: Annotated[int | None, typer.Option(help="Listen here instead of where site.toml says.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after this long; else with Ctrl-C.")] = None,
) -> None:
    """Listen for DICOM (C-ECHO, C-STORE), de-identify and index what arrives.

    Listens on this machine alone unless configs/site.toml names another address and the peers that may send.
    """
    with study.open_study(folder) as opened:
        receiving.receive(opened, port=port, seconds=seconds, say=console.say)


@app.command(name="import", rich_help_panel=STUDY)
def import_(
    folder: StudyFolder,
    source: Annotated[Path, typer.Argument(metavar="DICOM-FOLDER", help="Walked to its depth.")],
    as_json: Json = False,
) -> None:
    """Copy a folder's DICOM objects into the study, de-identified; a file that cannot be taken is named."""
    with study.open_study(folder) as opened:
        report = importing.import_folder(opened, source, progress=console.progress)
    _print(report.as_json(), as_json, lambda: console.arrivals(report))
    _exit(well=report.complete)


@app.command(rich_help_panel=STUDY)
def pull(
    folder: StudyFolder,
    worklist: Annotated[Path | None, typer.Option(help="A CSV of what to pull; see docs/pull.md.")] = None,
    patient_id: Annotated[str, typer.Option(help="Exactly this Patient ID.")] = "",
    accession: Annotated[str, typer.Option(help="Exactly this accession number.")] = "",
    study_uid: Annotated[str, typer.Option("--study", help="Exactly this Study Instance UID.")] = "",
    date_from: Annotated[str, typer.Option("--from", help="First study date, 2026-01-31.")] = "",
    date_to: Annotated[str, typer.Option("--to", help="Last study date.")] = "",
    modality: Annotated[str, typer.Option(help='Instead of the site\'s, e.g. "CT PT".')] = "",
    subject: Annotated[str, typer.Option(help="Subject code of the patient.")] = "",
    as_json: Json = False,
) -> None:
    """Fetch series from the PACS of configs/site.toml; every row asked ends with a status, resumable."""
    with study.open_study(folder) as opened:
        report = pulling.pull(
            opened,
            pacs=opened.site.pacs,
            progress=console.progress,
            worklist=worklist,
            patient_id=patient_id,
            accession=accession,
            study_uid=study_uid,
            date_from=date_from,
            date_to=date_to,
            modality=modality,
            subject=subject,
        )
    _print(report.as_json(), as_json, lambda: console.lines(report.lines()))
    _exit(well=report.complete)


@app.command(rich_help_panel=STUDY)
def series(folder: StudyFolder, as_json: Json = False) -> None:
    """List every series of the study: its visit, geometry and findings, or the reason why it is no volume."""
    with study.open_study(folder) as opened:
        found = survey.survey_series(opened, progress=console.progress)
    _print([each.as_json() for each in found], as_json, lambda: console.series_table(found))


@app.command(rich_help_panel=STUDY)
def read(
    folder: StudyFolder,
    table: Annotated[Path, typer.Argument(metavar="READS.csv", help="See docs/study.md for its columns.")],
    reason: Annotated[str, typer.Option(help="Why earlier signed reads are superseded.")] = "",
) -> None:
    """Record readers' confirmations from a table as signed reads; a signed read is superseded, never edited."""
    with study.open_study(folder) as opened:
        for line in reading.record_reads(opened, table, reason=reason):
            console.say(line)


@app.command(name="run", rich_help_panel=STUDY)
def run_(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help=", ".join(pipelines.PIPELINES))],
    folder: StudyFolder,
    again: Annotated[bool, typer.Option("--again", help="Also redo what is done with the same inputs.")] = False,
    as_json: Json = False,
) -> None:
    """Run one of the study's pipelines over all its cases: done, skipped or failed, each with its reason."""
    with study.open_study(folder) as opened, console.case_progress(pipeline) as shown:
        outcomes = pipelines.run_pipeline(opened, pipeline, again=again, on_start=shown.start, on_outcome=shown.outcome)
    _print(pipelines.outcomes_json(outcomes), as_json, lambda: console.outcomes(outcomes))
    _exit(well=pipelines.all_well(outcomes))


@app.command(rich_help_panel=STUDY)
def status(folder: StudyFolder, as_json: Json = False) -> None:
    """Show every subject's visits: what is received, read and answered, and what failed."""
    with study.open_study(folder) as opened:
        found = survey.survey_study(opened)
    _print(found.as_json(), as_json, lambda: console.status(found))


@app.command(rich_help_panel=STUDY)
def export(
    folder: StudyFolder,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Where to; must not hold anything.")],
) -> None:
    """Copy what may leave the site: reports, SEG, SR, masks and tables with checksums; never the vault or pixels."""
    with study.open_study(folder) as opened:
        count = delivery.export(opened, output)
    console.say(f"exported {count} files to {output}")


@app.command(name="demo", rich_help_panel=STUDY)
def demo_(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to make the demo study; replaced when it is one.")
    ],
    sample: Annotated[Path, typer.Option(help="The sample study, with its truth.toml.")] = Path("sample_dicom"),
) -> None:
    """Take the sample study all the way from DICOM to a RECIST response, and compare with its known truth."""
    _exit(well=demo.run_demo(folder, sample))


@app.command(rich_help_panel=SINGLE)
def volume(
    image: Annotated[Path, typer.Argument(metavar="SERIES", help="DICOM folder or file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="x.nii.gz, x.nii or x.nrrd")],
    series_uid: SeriesUid = None,
    as_json: Json = False,
) -> None:
    """Read a series as one volume and write it as NIfTI or NRRD; refuse, with the reason, what is not one volume."""
    result = measure.convert(image, output, series_uid=series_uid)
    _print(result, as_json, lambda: console.values(result))


@app.command(rich_help_panel=SINGLE)
def suv(
    image: Annotated[Path, typer.Argument(metavar="SERIES", help="A PET series.")],
    mask: Annotated[
        Path | None, typer.Argument(metavar="[MASK]", help="Where to look; the whole volume without.")
    ] = None,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    series_uid: SeriesUid = None,
    as_json: Json = False,
) -> None:
    """SUVbw of a PET: factor, largest and mean value; refused, naming the tag, when a tag cannot be trusted."""
    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    result = measure.suv(image, mask, choice=choice, series_uid=series_uid)
    _print(result, as_json, lambda: console.values(result))


@app.command(rich_help_panel=SINGLE)
def register(
    fixed: Annotated[Path, typer.Argument(metavar="FIXED", help="The follow-up.")],
    moving: Annotated[Path, typer.Argument(metavar="MOVING", help="The baseline.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="t.tfm: maps fixed points to moving points.")],
    resampled: Annotated[Path | None, typer.Option(help="MOVING on FIXED's grid, x.nii.gz or x.nrrd.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A registration plan (TOML).")] = None,
    as_json: Json = False,
) -> None:
    """Align two images rigidly and say how far the result can be trusted; exit code 1 when it is rejected."""
    with console.fraction("registering") as progress:
        alignment = measure.register(fixed, moving, output, resampled=resampled, plan=plan, progress=progress)
    result = measure.alignment_json(alignment)
    _print(result, as_json, lambda: console.values(result))
    _exit(well=measure.is_usable(alignment))


@app.command(rich_help_panel=SINGLE)
def segment(
    image: Image,
    output: Annotated[Path, typer.Option("-o", "--output", help="mask.nii.gz or mask.nrrd")],
    line: Annotated[str | None, typer.Option(help='The lesion\'s long axis, "x,y,z:x,y,z" in LPS mm.')] = None,
    short_axis: Annotated[str | None, typer.Option(help="Its short axis in the same slice, with --line.")] = None,
    box: Annotated[str | None, typer.Option(help='Two opposite corners, "x,y,z:x,y,z" in LPS mm.')] = None,
    point: Annotated[str | None, typer.Option(help='A click in the lesion, "x,y,z" in LPS mm.')] = None,
    method: Annotated[str | None, typer.Option(help="Which segmenter; the modality's default without.")] = None,
    modality: FileModality = Modality.OT,
    as_json: Json = False,
) -> None:
    """Propose a lesion's mask from a line, a box or a click; no measurement until a reader confirms it."""
    prompts = _prompts(line, short_axis, box, point)
    proposal, found = measure.segment_image(image, prompts, output, method=method, modality=modality)
    result = measure.proposal_json(proposal, found)
    _print(result, as_json, lambda: console.values(result))


def _prompts(line: str | None, short_axis: str | None, box: str | None, point: str | None) -> tuple[Prompt, ...]:
    prompts: list[Prompt] = []
    prompts += [parse_line(line)] if line else []
    prompts += [parse_line(short_axis)] if short_axis else []
    prompts += [parse_box(box)] if box else []
    prompts += [parse_point(point)] if point else []
    if not prompts:
        raise InputError("segment: expected --line, --box or --point, found none")
    return tuple(prompts)


@app.command(name="measure", rich_help_panel=SINGLE)
def measure_(
    image: Image,
    mask: MaskFile,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Longest diameter, short axis and volume of a mask, on the image's own voxels, with end points in LPS mm."""
    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    result = measure.measure_mask(image, mask, choice=choice)
    _print(result, as_json, lambda: console.values(result))


@app.command(rich_help_panel=SINGLE)
def radiomics(
    image: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="DICOM folder or file, NIfTI or NRRD.")] = None,
    mask: Annotated[Path | None, typer.Argument(metavar="MASK", help="NIfTI, NRRD, DICOM SEG or RTSTRUCT.")] = None,
    settings: Annotated[Path | None, typer.Option(help="Imaging settings (TOML); the modality's without.")] = None,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    modality: FileModality = Modality.OT,
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
    seed: Annotated[int, typer.Option(help="With --perturb: the same seed gives the same numbers.")] = 1,
    readers: Annotated[bool, typer.Option("--readers", help="With --cases: stability between readers' masks.")] = False,
    as_json: Json = False,
) -> None:
    """IBSI radiomic features of a mask, each with its code, unit and status; or of a table of cases."""
    if cases is not None:
        _radiomics_cases(cases, output, settings, workers, perturb, seed, readers, as_json, image or mask)
        return
    if image is None or mask is None:
        raise InputError("radiomics: expected IMAGE and MASK, or --cases CASES.csv, found neither")
    choice = measure.MaskChoice(roi=roi, segment=segment_number, label=label)
    result = measure.radiomics(image, mask, settings=settings, choice=choice, modality=modality)
    _print(result, as_json, lambda: console.features(result))


def _radiomics_cases(
    cases: Path,
    output: Path | None,
    settings: Path | None,
    workers: int,
    perturb: int | None,
    seed: int,
    readers: bool,
    as_json: bool,
    beside: Path | None,
) -> None:
    if beside is not None:
        raise InputError("radiomics --cases: expected no IMAGE and MASK beside it, found one")
    with console.fraction("radiomics") as tell:
        report = radiomics_batch.batch(
            cases,
            output,
            settings=settings,
            workers=workers,
            perturb=perturb,
            seed=seed,
            readers=readers,
            tell=tell,
        )
    _print(report.to_json(), as_json, lambda: console.outcomes(report.outcomes))
    _exit(well=report.ok)


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
    chosen = load(protocol, Protocol) if protocol else Protocol()
    report = respond.respond(measurements, protocol=chosen, subjects=subjects, treatments=treatments)
    if csv_folder is not None:
        report.write_csv(csv_folder)
    _print(report.to_json(), as_json, lambda: console.responses(report))
    _exit(well=report.ok)


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
    _exit(well=report.ok)


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
    chosen = Protocol(
        min_sd_days=min_sd_days,
        ref_confirm=confirm_days,
        max_nr_ne=max_ne,
        accept_sd=accept_sd,
        missing_as_ne=missing_as_ne,
        short_sd_rule=short_sd_rule,
    )
    report = respond.best_response(table, protocol=chosen)
    _print(report.to_json(), as_json, lambda: console.best_responses(report))
    _exit(well=report.ok)


@app.command()
def version() -> None:
    """Print the version."""
    console.say(npcpit_imaging.__version__)
