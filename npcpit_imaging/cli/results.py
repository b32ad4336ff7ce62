"""Verbs of a study's results: who is eligible, what tables say, results from tables alone."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, study
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import SINGLE, STUDY, Json, StudyFolder, leave, show_result
from npcpit_imaging.config.base import load
from npcpit_imaging.config.protocol import Protocol


@app.command(name="eligibility", rich_help_panel=STUDY)
def eligibility_(
    folder: StudyFolder,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Also write the table as CSV.")] = None,
    as_json: Json = False,
) -> None:
    """Check every subject against the protocol's imaging criteria, each with its reason."""
    from npcpit_imaging.app import eligibility

    with study.open_study(folder) as opened:
        found = eligibility.study_eligibility(opened)
    if output is not None:
        eligibility.write_eligibility(found, output)
    show_result(
        eligibility.eligibility_json(found), as_json, lambda: console.lines(eligibility.eligibility_lines(found))
    )


@app.command(name="tables", rich_help_panel=STUDY)
def tables_(folder: StudyFolder, as_json: Json = False) -> None:
    """Check the study's tables of dates (subjects, treatments, cycles, adverse events): rows, and faults by line."""
    from npcpit_imaging.app import table_checks

    with study.open_study(folder) as opened:
        checked = table_checks.check_tables(opened)
    show_result(
        [table_checks.checked_json(each) for each in checked],
        as_json,
        lambda: console.lines(table_checks.checked_lines(checked)),
    )
    leave(well=not any(each.faults for each in checked))


@app.command(name="analyse", rich_help_panel=SINGLE)
def analyse_(
    measurements: Annotated[Path, typer.Argument(metavar="MEASUREMENTS.csv", help="As for npcpit respond.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for tables, figures and results.html.")],
    protocol: Annotated[Path | None, typer.Option(help="protocol.toml; plain RECIST 1.1 without.")] = None,
    subjects: Annotated[Path | None, typer.Option(help="Treatment start, death, last contact, ...")] = None,
    treatments: Annotated[Path | None, typer.Option(help="Irradiations: subject, lesion, cycle, date.")] = None,
    adverse_events: Annotated[Path | None, typer.Option(help="subject, term, grade, start, ...")] = None,
    cycles: Annotated[Path | None, typer.Option(help="subject, cycle, infusion, illumination.")] = None,
    profiles: Annotated[Path | None, typer.Option(help="Folder with dictionary.toml and its tables.")] = None,
    stability: Annotated[Path | None, typer.Option(help="Of npcpit radiomics --cases --perturb.")] = None,
    as_json: Json = False,
) -> None:
    """Endpoints, agreement, associations and figures from tables of measurements; see docs/results.md."""
    from npcpit_imaging.app import analyse

    files = analyse.AnalyseFiles(
        measurements=measurements,
        subjects=subjects,
        treatments=treatments,
        adverse_events=adverse_events,
        cycles=cycles,
        profiles=profiles,
        stability=stability,
    )
    report = analyse.analyse(files, output, protocol=load(protocol, Protocol) if protocol else Protocol())
    show_result(report.as_json(), as_json, lambda: console.lines(report.lines()))
    leave(well=not report.faults)
