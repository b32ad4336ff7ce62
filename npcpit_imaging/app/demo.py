"""The demo: the sample study from DICOM over the network to a RECIST response, compared with its known truth.

The reader is scripted and labelled so wherever its read is shown: it draws the lines that truth.toml gives it, accepts
the proposals made from them, and says of every lesion what can be seen. The proposals' diameters are bound to these
lines, so the comparison shows that the chain carries a reader's measurement faithfully, not that a segmenter found it.
Volumes are the segmenter's own and are shown with their deviation, outside the verdict.
"""

import csv
import shutil
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rich.table import Table
from rich.text import Text

from npcpit_imaging.app import console
from npcpit_imaging.app.completeness import settle_when_alone
from npcpit_imaging.app.lesions import LESION_COLUMNS, PROMPT_COLUMNS
from npcpit_imaging.app.pipelines import all_well, run_pipeline
from npcpit_imaging.app.reading import OPTIONAL_COLUMNS, READ_COLUMNS, record_reads
from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.lesions import every_proposal_of, lesions_of
from npcpit_imaging.store.reads import ReadLesion, newest_reads
from npcpit_imaging.store.results import responses_of
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.study.treatment import DiffuserKind

Toml: TypeAlias = dict[str, Any]
"""What tomllib gives."""

SUBJECT = "NPC-0001"
READER = "SCRIPTED"
FIBRE_COLUMNS = ("subject", "cycle", "timepoint", "kind", "tip_mm", "axis", "length_mm", "radius_mm")
LABEL = "SCRIPTED READ: made by the demo from truth.toml, not by a person."

DIAMETERS = (
    "The diameters are bound to the scripted reader's own lines: that they equal the truth shows that the chain "
    "carries a reader's measurement faithfully, not that a segmenter found it."
)
VOLUMES = (
    "Volumes are a known weakness: they are the segmenter's own, for information, and no part of the comparison above."
)

RELATIVE_TOLERANCE = 0.05
"""A measured diameter may differ from the truth by this much of it, or by one voxel, whichever is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number or word of the demo beside the truth."""

    what: str
    expected: str
    found: str
    well: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """The volume of an accepted mask beside the truth, mL."""

    what: str
    expected_ml: float
    found_ml: float

    @property
    def deviation_percent(self) -> float:
        """How far the found volume is from the truth, in percent of the truth."""
        return 100 * (self.found_ml / self.expected_ml - 1)


def run_demo(folder: Path, sample: Path) -> bool:
    """Run the demo and tell whether everything equals the truth.

    Raises:
        InputError: The sample is not there, or the folder holds something that is no study.
    """
    if not (sample / "truth.toml").is_file():
        raise InputError(f"{sample}: expected the sample study with its truth.toml")
    truth: Toml = tomllib.loads((sample / "truth.toml").read_text(encoding="utf-8"))
    started = time.monotonic()
    _fresh(folder)
    init_study(folder)
    _hand_in(folder, truth)
    with open_study(folder) as study:
        _receive(study, sample)
        for step in ("receive", "baseline", "followup"):
            _run(study, step)
        for line in record_reads(study, study.tables / "reads.csv"):
            console.say(f"  {line}")
        for step in ("respond", "radiomics", "deliver"):
            _run(study, step)
        checks, volumes = compare(study, truth), compare_volumes(study, truth)
    _show(checks)
    _show_volumes(volumes)
    return _close(folder, checks, time.monotonic() - started)


def _fresh(folder: Path) -> None:
    """Remove an earlier demo study; anything else in the way is left alone."""
    if (folder / "configs" / "site.toml").is_file():
        shutil.rmtree(folder)


def _run(study: Study, step: str) -> None:
    console.say(f"{step}")
    outcomes = run_pipeline(study, step)
    for each in outcomes:
        if not each.case.name.startswith("object/"):
            console.say(f"  {each.status.value:8} {each.case.name}: {each.reason}")
    if not all_well(outcomes):
        raise InputError(f"demo: pipeline {step} failed; see above")


def _receive(study: Study, sample: Path) -> None:
    with Listener(study, port=0) as listener:
        console.say(f"receive: sending {sample} to {study.site.receiver.ae_title} on port {listener.port}")
        sent = send_folder(sample, port=listener.port, called_ae_title=study.site.receiver.ae_title)
    settle_when_alone(study, settle_s=0.0)  # the whole folder was sent: nothing more is under way
    counts = ", ".join(f"{count} {name}" for name, count in sorted(listener.outcomes.items()))
    console.say(f"  {sent} objects acknowledged; {counts}; de-identified as {SUBJECT}")


def _hand_in(folder: Path, truth: Toml) -> None:
    """Write the tables that a trial office and a reader would hand in."""
    _hand_in_subject(folder, truth, truth["lesion"])
    tables = folder / "tables"
    _write(tables / "prompts.csv", PROMPT_COLUMNS, list(_prompts(truth)))
    _write(tables / "reads.csv", (*READ_COLUMNS, *OPTIONAL_COLUMNS), list(_reads(truth)))


def hand_in_for_reading(folder: Path, truth: Toml) -> None:
    """Write what a trial office hands in before anybody reads: no new lesion, no prompt, no read."""
    known = {name: values for name, values in truth["lesion"].items() if values["role"] != "NEW"}
    _hand_in_subject(folder, truth, known)


def _hand_in_subject(folder: Path, truth: Toml, lesions: Toml) -> None:
    (folder / "vault" / "subjects.csv").write_text(f"patient_id,subject\n{truth['subject']['patient_id']},{SUBJECT}\n")
    tables = folder / "tables"
    _write(tables / "lesions.csv", LESION_COLUMNS, [_lesion(name, values) for name, values in lesions.items()])
    day = truth["subject"]["treatment_date"]
    treated = [
        {"subject": SUBJECT, "lesion": name, "cycle": 1, "date": day}
        for name, values in lesions.items()
        if values["irradiated"]
    ]
    _write(tables / "treatments.csv", ("subject", "lesion", "cycle", "date"), treated)
    _write(tables / "fields.csv", FIBRE_COLUMNS, list(_fibres(truth)))


def _fibres(truth: Toml) -> Iterator[dict[str, object]]:
    """The fibres of the treatment, as they lay on the baseline CT."""
    for fibre in truth["irradiated_field"]["diffuser"]:
        tip, axis = (",".join(str(value) for value in fibre[name]) for name in ("tip_mm", "axis"))
        size = {name: fibre[name] for name in ("length_mm", "radius_mm")}
        yield {
            "subject": SUBJECT,
            "cycle": 1,
            "timepoint": BASELINE,
            "kind": DiffuserKind.CYLINDRICAL.value,
            "tip_mm": tip,
            "axis": axis,
            **size,
        }


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns)
        writer.writeheader()
        writer.writerows(rows)


def _lesion(name: str, values: Toml) -> dict[str, object]:
    return {
        "subject": SUBJECT,
        "lesion": name,
        "role": values["role"],
        "organ": values["organ"],
        "location": values["location"],
        "nodal": _yes_no(values["nodal"]),
        "irradiated": _yes_no(values["irradiated"]),
        "prior_rt": "yes",
        "prior_rt_progression_documented": "yes",
    }


def _yes_no(value: object) -> str:
    return "yes" if value else "no"


def _lines(truth: Toml) -> Iterator[tuple[str, str, Toml]]:
    """The scripted reader's lines: visit, lesion, calipers."""
    for visit, lesions in truth["reader"].items():
        if isinstance(lesions, dict):
            for name, lines in lesions.items():
                yield visit, name, lines


def _prompts(truth: Toml) -> Iterator[dict[str, object]]:
    for visit, name, lines in _lines(truth):
        yield {
            "subject": SUBJECT,
            "timepoint": visit,
            "lesion": name,
            "modality": "CT",
            "kind": "bidirectional",
            "coordinates_mm": f"{_pair(lines['long_axis_mm'])}:{_pair(lines['short_axis_mm'])}",
        }


def _pair(ends: Sequence[Sequence[float]]) -> str:
    return ":".join(",".join(f"{value:.3f}" for value in end) for end in ends)


def _reads(truth: Toml) -> Iterator[dict[str, object]]:
    drawn = {(visit, name): lines for visit, name, lines in _lines(truth)}
    for visit in truth["timepoint"]:
        for name, lesion in truth["lesion"].items():
            lines = drawn.get((visit, name))
            if lines is None and lesion["role"] == "NEW":
                continue  # nobody reports a new lesion before it is there
            yield {
                "subject": SUBJECT,
                "timepoint": visit,
                "reader": READER,
                "lesion": name,
                "state": "absent" if lines is None else "measured",
                "accept": "" if lines is None else "proposal",
                "label": LABEL,
                "caliper_mm": "" if lines is None else _pair(lines["long_axis_mm"]),
                "short_caliper_mm": "" if lines is None else _pair(lines["short_axis_mm"]),
                "field": "out" if lesion["role"] == "NEW" else "",
                "comment": "",
            }


def compare(study: Study, truth: Toml) -> list[Check]:
    """Every size and every response of the demo beside the truth."""
    with study.database.session() as session:
        (subject,) = subjects(session)
        tracked = {lesion.tracking_uid: lesion for lesion in lesions_of(session, subject)}
        reads = newest_reads(session, subject)
        answers = responses_of(session, subject)
    checks = [
        check
        for read in reads
        for row in read.lesions
        for check in _size_checks(truth, read.timepoint, tracked[row.tracking_uid].lesion_id, row)
    ]
    checks += [check for row in answers if row.level == "timepoint" for check in _visit_checks(truth, row.values)]
    checks += [check for row in answers if row.level == "lesion" for check in _lesion_checks(truth, row.values)]
    expected = truth["expected"]
    for row in answers:
        if row.level == "subject":
            checks.append(
                _same("best overall response", expected["best_overall_response_unconfirmed"], row.values["bor"])
            )
            checks.append(_same("confirmed", expected["best_overall_response_confirmed"], row.values["confirmed_bor"]))
    return checks


def compare_volumes(study: Study, truth: Toml) -> list[Volume]:
    """The volume of every accepted mask beside the truth; information, since no reader draws a volume."""
    with study.database.session() as session:
        (subject,) = subjects(session)
        proposals = {each.id: each for each in every_proposal_of(session, subject)}
        accepted = [(read, row) for read in newest_reads(session, subject) for row in read.lesions]
    found = []
    for read, row in accepted:
        if row.proposal_id is not None:
            mask = proposals[row.proposal_id]
            name = mask.lesion.lesion_id
            expected_ml = float(truth["lesion"][name]["at"][read.timepoint]["volume_ml"])
            volume_ml = mask.measurement.volume_ml
            found.append(Volume(what=f"{read.timepoint} {name}", expected_ml=expected_ml, found_ml=volume_ml))
    return found


def _size_checks(truth: Toml, visit: str, name: str, row: ReadLesion) -> Iterator[Check]:
    lesion = truth["lesion"][name]["at"][visit]
    yield _same(f"{visit} {name} state", lesion["state"], row.state)
    if row.state != "measured":
        return
    voxel_mm = max(truth["timepoint"][visit]["series"]["CT"]["spacing_mm"][:2])
    for what, found in (("longest_diameter_mm", row.longest_diameter_mm), ("short_axis_mm", row.short_axis_mm)):
        allowed = max(voxel_mm, RELATIVE_TOLERANCE * lesion[what])
        well = found is not None and abs(found - lesion[what]) <= allowed
        text = "none" if found is None else f"{found:.1f}"
        yield Check(
            what=f"{visit} {name} {what}", expected=f"{lesion[what]:.1f} +/- {allowed:.1f}", found=text, well=well
        )


def _visit_checks(truth: Toml, values: JsonObject) -> Iterator[Check]:
    visit = str(values["timepoint"])
    expected = truth["expected"]["timepoint"][visit]
    for what in ("target", "non_target", "overall"):
        yield _same(f"{visit} {what}", expected[what], values[what])
    yield _same(f"{visit} new lesion", "Y" if expected["new"] else "N", values["new"])


def _lesion_checks(truth: Toml, values: JsonObject) -> Iterator[Check]:
    name = str(values["lesion"])
    expected = truth["expected"]["lesion"][name]
    responses = values["responses"]
    assert isinstance(responses, list)
    for each in responses:
        yield _same(f"lesion {name} {each['timepoint']}", expected[each["timepoint"]], each["response"])
    yield _same(f"lesion {name} best", expected["best"], values["best"])


def _same(what: str, expected: object, found: object) -> Check:
    return Check(what=what, expected=str(expected), found=str(found), well=expected == found)


def _show(checks: Sequence[Check]) -> None:
    table = Table(
        title="The demo beside truth.toml", box=None, pad_edge=False, header_style="bold", title_justify="left"
    )
    for column in ("what", "truth", "found", ""):
        table.add_column(column)
    for check in checks:
        mark = Text("equal" if check.well else "DIFFERS", style="green" if check.well else "bold red")
        table.add_row(check.what.replace("_", " "), check.expected, check.found, mark)
    console.OUT.print(table)


def _show_volumes(volumes: Sequence[Volume]) -> None:
    table = Table(
        title="Volumes of the accepted masks", box=None, pad_edge=False, header_style="bold", title_justify="left"
    )
    for column in ("what", "truth mL", "found mL", "deviation"):
        table.add_column(column)
    for each in volumes:
        numbers = (f"{each.expected_ml:.2f}", f"{each.found_ml:.2f}", f"{each.deviation_percent:+.0f} %")
        table.add_row(each.what, *numbers)
    console.OUT.print(table)
    console.say(DIAMETERS)
    console.say(VOLUMES)


def _close(folder: Path, checks: Sequence[Check], seconds: float) -> bool:
    wrong = sum(not check.well for check in checks)
    console.say(f"{len(checks) - wrong} of {len(checks)} sizes, states and responses equal the truth; {seconds:.0f} s")
    console.say(f"open {folder}/deliver: the report (PDF), DICOM SEG and SR, tables of measurements and features")
    return bool(checks) and not wrong
