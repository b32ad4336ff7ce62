"""Verbs with a study folder; each imports its own part of `app` when it is asked for."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, pipelines, study
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import STUDY, Json, StudyFolder, leave, show_result


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
    process: Annotated[
        bool, typer.Option("--process", help="Also register and propose once a subject's series have settled.")
    ] = False,
) -> None:
    """Listen for DICOM (C-ECHO, C-STORE), de-identify and index what arrives.

    Listens on this machine alone unless configs/site.toml names another address and the peers that may send.
    """
    from npcpit_imaging.app import arrival_work, listening

    with (
        study.open_study(folder) as opened,
        arrival_work.arrival_work(opened, say=console.say) if process else nullcontext() as work,
    ):
        listening.receive(opened, port=port, seconds=seconds, say=console.say, work=work)


@app.command(name="import", rich_help_panel=STUDY)
def import_(
    folder: StudyFolder,
    source: Annotated[Path, typer.Argument(metavar="DICOM-FOLDER", help="Walked to its depth.")],
    as_json: Json = False,
) -> None:
    """Copy a folder's DICOM objects into the study, de-identified; a file that cannot be taken is named."""
    from npcpit_imaging.app import importing

    with study.open_study(folder) as opened:
        report = importing.import_folder(opened, source, progress=console.progress)
    show_result(report.as_json(), as_json, lambda: console.arrivals(report))
    leave(well=report.complete)


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
    from npcpit_imaging.app import pull as pulling

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
    show_result(report.as_json(), as_json, lambda: console.lines(report.lines()))
    leave(well=report.complete)


@app.command(rich_help_panel=STUDY)
def series(folder: StudyFolder, as_json: Json = False) -> None:
    """List every series of the study: its visit, geometry and findings, or the reason why it is no volume."""
    from npcpit_imaging.app import survey

    with study.open_study(folder) as opened:
        found = survey.survey_series(opened, progress=console.progress)
    show_result([each.as_json() for each in found], as_json, lambda: console.series_table(found))


@app.command(rich_help_panel=STUDY)
def read(
    folder: StudyFolder,
    table: Annotated[Path, typer.Argument(metavar="READS.csv", help="See docs/study.md for its columns.")],
    reason: Annotated[str, typer.Option(help="Why earlier signed reads are superseded.")] = "",
) -> None:
    """Record readers' confirmations from a table as signed reads; a signed read is superseded, never edited."""
    from npcpit_imaging.app import reading

    with study.open_study(folder) as opened:
        for line in reading.record_reads(opened, table, reason=reason):
            console.say(line)


@app.command(name="run", rich_help_panel=STUDY)
def run_(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help=", ".join(pipelines.PIPELINES))],
    folder: StudyFolder,
    again: Annotated[bool, typer.Option("--again", help="Also redo what is done with the same inputs.")] = False,
    subject: Annotated[str, typer.Option(metavar="CODE", help="Only this subject's cases.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine.")] = 1,
    cluster: Annotated[str, typer.Option(metavar="tcp://HOST:PORT", help="A Dask scheduler; docs/cluster.md.")] = "",
    as_json: Json = False,
) -> None:
    """Run one of the study's pipelines over all its cases: done, skipped or failed, each with its reason."""
    crew = pipelines.RunBy(workers=workers, cluster=cluster)
    with study.open_study(folder) as opened, console.case_progress(pipeline) as shown:
        outcomes = pipelines.run_pipeline(
            opened,
            pipeline,
            again=again,
            subject=subject,
            on_start=shown.start,
            on_outcome=shown.outcome,
            crew=crew,
        )
    show_result(pipelines.outcomes_json(outcomes), as_json, lambda: console.outcomes(outcomes))
    leave(well=pipelines.all_well(outcomes))


@app.command(rich_help_panel=STUDY)
def status(folder: StudyFolder, as_json: Json = False) -> None:
    """Show every subject's visits: what is received, read and answered, and what failed."""
    from npcpit_imaging.app import survey

    with study.open_study(folder) as opened:
        found = survey.survey_study(opened)
    show_result(found.as_json(), as_json, lambda: console.status(found))


@app.command(rich_help_panel=STUDY)
def export(
    folder: StudyFolder,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Where to; must not hold anything.")],
    research: Annotated[
        bool, typer.Option("--research", help="NIfTI, masks, features, results; see docs/results.md.")
    ] = False,
    without_images: Annotated[bool, typer.Option("--without-images", help="With --research: no pixels.")] = False,
) -> None:
    """Copy what may leave, with checksums: reports, SEG, SR, key images, masks, tables; series only with --research."""
    with study.open_study(folder) as opened:
        if research:
            from npcpit_imaging.app import research_export

            exported = research_export.export_research(opened, output, images=not without_images)
            count = exported.files
            console.lines(exported.notes)
        else:
            from npcpit_imaging.app import delivery

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
    from npcpit_imaging.app import demo

    leave(well=demo.run_demo(folder, sample))
