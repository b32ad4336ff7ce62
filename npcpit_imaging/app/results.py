"""A study's results (``npcpit run deliver``): records of the store and the tables beside them, computed and written."""

import hashlib
import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from npcpit_imaging.analysis.adverse import event_table
from npcpit_imaging.analysis.eligibility import CONSENT, Eligibility, Verdict
from npcpit_imaging.analysis.profiles import Profiles
from npcpit_imaging.analysis.records import Answers, Records, gather
from npcpit_imaging.analysis.study_results import Inputs, compute
from npcpit_imaging.app.collecting import collecting_rarely
from npcpit_imaging.app.data_cut import Cuts
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.eligibility import eligibility_table, eligible_subjects, study_eligibility
from npcpit_imaging.app.outdated import refuse_outdated, response_state
from npcpit_imaging.app.profile_tables import DayOf, declared_tables, read_shuffled, read_stability
from npcpit_imaging.app.result_files import RESULT_PARTS, Provenance, write_results
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import READERS, DatedTables, DateShift, SubjectCycle, dated_tables
from npcpit_imaging.dicom.deidentify import shift_day
from npcpit_imaging.errors import ReaderChoiceError
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.radiomics.icc import icc_2_1
from npcpit_imaging.store.adjudications import adjudications_on_record
from npcpit_imaging.store.bulk import (
    StoredSize,
    baselines,
    every_answer,
    every_size,
    feature_values,
    lesion_flags,
    lesion_owners,
    response_keys,
    volumes_ml,
)
from npcpit_imaging.store.runs import done_keys
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.timepoint import BASELINE

NO_DATA_CUT = "none: every record in the store"


def results_digest(study: Study) -> str:
    """Digest of everything the results depend on besides code and configuration; empty before a response."""
    with study.database.session() as session:
        keys = response_keys(session)
        decided = adjudications_on_record(session)
    if not keys:
        return ""
    profiles = study.tables / "profiles"
    files = [
        *(study.tables / name for name in READERS),
        study.tables / "stability.csv",
        study.tables / "shuffled.csv",
        *(sorted(each for each in profiles.glob("*") if each.is_file()) if profiles.is_dir() else ()),
    ]
    parts = [f"{each.name} {hashlib.sha256(each.read_bytes()).hexdigest()}" for each in files if each.exists()]
    parts += [f"{subject} {decision.words}" for subject, decision in sorted(decided.items())]
    return digest_of(study.protocol.digest, *(f"{subject} {key}" for subject, key in keys), *parts)


def missing_results(study: Study) -> tuple[str, ...]:
    """An input that is new whenever results were written and their page, tables or figures are gone."""
    folder = study.deliver / "results"
    with study.database.session() as session:
        written = "results" in done_keys(session, "deliver")
    gone = [name for name in RESULT_PARTS if written and not (folder / name).exists()]
    return tuple(f"missing {name} at {study.now().isoformat()}" for name in gone)


@collecting_rarely()
def deliver_results(study: Study, *, figures: bool = True) -> str:
    """Compute a study's results and write them into deliver/results.

    Args:
        study: The study.
        figures: Whether figures are drawn; without them the page holds tables only.

    Whatever it raises, results of an earlier state are removed: beside newer tables they would tell of a state that is
    over.

    Raises:
        SkipCaseError: The reader of the analysis is not clear.
        OutdatedError: Stored responses are not those of the reads, tables and protocol as they are now.
        TableError: One of the study's tables cannot be used.
        ConfigError: The dictionary of the tables beside the images cannot be used.
    """
    folder = study.deliver / "results"
    try:
        return _deliver_results(study, folder, figures=figures)
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _deliver_results(study: Study, folder: Path, *, figures: bool) -> str:
    protocol = study.protocol
    state = response_state(study)
    refuse_outdated(state)
    dated = dated_tables(study)
    checked = study_eligibility(study)
    kept = eligible_subjects(checked) if protocol.results.only_eligible else None
    try:
        inputs, labels = study_inputs(study, dated, only=kept)
    except ReaderChoiceError as error:
        raise SkipCaseError(f"no results: {error}") from error
    told = _with_refused(_with_consent(inputs, checked), state.refused)
    results = compute(told, protocol=protocol, icc=icc_of)
    cut = protocol.results.data_cut
    provenance = Provenance(
        title=protocol.title,
        protocol_digest=protocol.digest,
        data_cut=NO_DATA_CUT if cut is None else cut.isoformat(),
        readers=readers_words(inputs.records),
        inputs_digest=results_digest(study),
        labels=labels,
    )
    return write_results(
        results,
        folder,
        provenance=provenance,
        eligibility=eligibility_table(checked),
        figures=figures,
    )


def _with_consent(inputs: Inputs, checked: Sequence[Eligibility]) -> Inputs:
    """Say how many of those who count have their consent refused or withdrawn; what was read of them before counts."""
    counted = set(inputs.records.subjects["subject"])
    without = [
        each.subject
        for each in checked
        if each.subject in counted
        and any(one.name == CONSENT and one.verdict is Verdict.NOT_MET for one in each.criteria)
    ]
    if not without:
        return inputs
    note = (
        f"{len(without)} subjects whose consent is refused or withdrawn count in what follows (only_eligible = false)"
    )
    return replace(inputs, records=replace(inputs.records, notes=(*inputs.records.notes, note)))


def _with_refused(inputs: Inputs, refused: Collection[str]) -> Inputs:
    """Say of whom there are reads but no responses, for these could not be computed."""
    if not refused:
        return inputs
    note = (
        f"{len(refused)} subjects were read but are not evaluable, for their responses cannot be computed from their "
        f"records (`npcpit run respond` says why): {', '.join(sorted(refused))}"
    )
    return replace(inputs, records=replace(inputs.records, notes=(*inputs.records.notes, note)))


def icc_of(ratings: NDArray[np.float64]) -> tuple[float, float, float]:
    """ICC(2,1) of ratings and its interval."""
    found = icc_2_1(ratings)
    return found.value, found.lower, found.upper


def readers_words(records: Records) -> str:
    """Whose reads were taken, and of how many subjects."""
    named = [name for name in records.readers.values() if name]
    counts = {name: named.count(name) for name in sorted(set(named))}
    return ", ".join(f"{name} ({count} subjects)" for name, count in counts.items()) or "nobody"


def study_inputs(study: Study, dated: DatedTables, *, only: set[str] | None = None) -> tuple[Inputs, tuple[str, ...]]:
    """Gather what results are computed from, and what the reads are labelled.

    Args:
        study: The study.
        dated: Its tables of dates.
        only: Subjects to keep; None keeps all.

    Raises:
        ReaderChoiceError: The reader of the analysis is not clear.
    """

    def wanted(subject: str) -> bool:
        return only is None or subject in only

    with study.database.session() as session:
        stored = [each for each in every_answer(session, levels=_LEVELS) if wanted(each.subject)]
        flags = [each for each in lesion_flags(session) if wanted(each[0])]
        sizes = [
            each for each in every_size(session) if wanted(each.subject) and dated.cuts.keeps(each.subject, each.date)
        ]
        first = baselines(session)
        decided = {name: each for name, each in adjudications_on_record(session).items() if wanted(name)}
        owners = lesion_owners(session)
    by_level = {level: [each.values for each in stored if each.level == level] for level in _LEVELS}
    answers = Answers(
        subjects=by_level["subject"],
        lesions=by_level["lesion"],
        timepoints=by_level["timepoint"],
        findings=by_level["finding"],
    )
    records = gather(
        answers,
        courses=[each for each in dated.courses if wanted(each.subject)],
        irradiations=[each for each in dated.irradiations if wanted(each.subject)],
        baselines=first,
        irradiated=[
            (subject, lesion)
            for subject, lesion, light, _, _ in flags
            if light and (subject, lesion) not in dated.treated_later
        ],
        reader=study.protocol.results.analysis_reader,
        adjudicated={name: "" if each.stale else each.chosen for name, each in decided.items()},
        owners=owners,
    )
    zero = day_zero(records, dated, first)
    cycles = cycle_table([each for each in dated.cycles if wanted(each.subject)], records, zero)
    has_events = (study.tables / "adverse_events.csv").exists()
    events = event_table([each for each in dated.events if wanted(each.subject)], cycles, zero) if has_events else None
    inputs = Inputs(
        records=records,
        profiles=_profiles(study, records, sizes, flags, _day_of(study, zero, dated.cuts)),
        events=events,
        cycles=cycles,
        measurements=size_table(sizes),
        all_subjects=answers.subjects,
        later_events=[each for each in dated.later_events if wanted(each)],
    )
    return inputs, tuple(sorted({each.label for each in sizes if each.label}))


_LEVELS = ("timepoint", "lesion", "subject", "finding")


def day_zero(records: Records, dated: DatedTables, first: dict[str, date]) -> dict[str, date]:
    """Day 0 of each subject as `records.gather` takes it: first treatment, else baseline."""
    zero = {name: first[name] for name in records.readers if name in first}
    for each in sorted(dated.irradiations, key=lambda one: one.date, reverse=True):
        zero[each.subject] = each.date
    return zero | _starts(dated.courses)


def _starts(courses: Sequence[Course]) -> dict[str, date]:
    return {each.subject: each.treatment_start for each in courses if each.treatment_start is not None}


def cycle_table(cycles: Sequence[SubjectCycle], records: Records, zero: dict[str, date]) -> pd.DataFrame:
    """Subject, cycle and day of light of every cycle, from both tables that tell of cycles."""
    stated = [
        {
            "subject": each.subject,
            "cycle": each.cycle.number,
            "day": float((each.cycle.illumination - zero[each.subject]).days),
        }
        for each in cycles
        if each.subject in zero
    ]
    both = pd.concat([pd.DataFrame(stated), records.treatments[["subject", "cycle", "day"]]], ignore_index=True)
    return both.drop_duplicates(["subject", "cycle"]).sort_values(["subject", "cycle"]).reset_index(drop=True)


def size_table(sizes: Sequence[StoredSize]) -> pd.DataFrame:
    """Every reader's sizes: subject, timepoint, lesion, reader, size_mm."""
    rows = [(each.subject, each.timepoint, each.lesion, each.reader, each.size_mm) for each in sizes]
    table = pd.DataFrame(rows, columns=["subject", "timepoint", "lesion", "reader", "size_mm"])
    return table.assign(size_mm=pd.to_numeric(table["size_mm"]))


def _day_of(study: Study, zero: dict[str, date], cuts: Cuts) -> DayOf:
    """Days from first treatment to a hospital's date; None after the data cut: on that day nobody knew."""
    shift = DateShift(study)

    def day_of(subject: str, day: date) -> float | None:
        moved = shift_day(day, shift.days(subject))
        known = subject in zero and cuts.keeps(subject, moved)
        return float((moved - zero[subject]).days) if known else None

    return day_of


def _profiles(
    study: Study,
    records: Records,
    sizes: Sequence[StoredSize],
    flags: Sequence[tuple[str, str, bool, bool, bool]],
    day_of: DayOf,
) -> Profiles:
    baseline = [
        each for each in sizes if each.timepoint == BASELINE and records.readers.get(each.subject) == each.reader
    ]
    masks = {each.proposal_id for each in baseline if each.proposal_id is not None}
    with study.database.session() as session:
        volumes = volumes_ml(session, masks)
        radiomics = radiomic_columns(baseline, list(feature_values(session, masks)))
    bounds = read_stability(study.tables / "stability.csv")
    return Profiles(
        sizes=pd.DataFrame(
            [
                (
                    each.subject,
                    each.lesion,
                    None if each.proposal_id is None else volumes.get(each.proposal_id),
                    each.longest_diameter_mm,
                    each.short_axis_mm,
                )
                for each in baseline
            ],
            columns=["subject", "lesion", "volume_ml", "longest_diameter_mm", "short_axis_mm"],
        ),
        lesions=pd.DataFrame(
            [(subject, lesion, nodal, prior) for subject, lesion, _, nodal, prior in flags],
            columns=["subject", "lesion", "nodal", "prior_rt"],
        ),
        radiomics=radiomics,
        declared=declared_tables(study.tables / "profiles", day_of=day_of),
        icc_lower=bounds,
        shuffled=read_shuffled(study.tables / "shuffled.csv"),
    )


def radiomic_columns(
    baseline: Sequence[StoredSize], rows: Sequence[tuple[int, str, str, str, float | None]]
) -> pd.DataFrame:
    """A row per lesion, a column per feature; of several settings the newest, which is the last stored."""
    if not rows:
        return pd.DataFrame(columns=["subject", "lesion"])
    newest = {proposal: settings for proposal, settings, _, _, _ in rows}
    values: dict[int, dict[str, float | None]] = {}
    for proposal, settings, filtered, tag, value in rows:
        if settings == newest[proposal]:
            values.setdefault(proposal, {})[f"{filtered}.{tag}" if filtered else tag] = value  # as in wide tables
    found = [
        {"subject": each.subject, "lesion": each.lesion, **values[each.proposal_id]}
        for each in baseline
        if each.proposal_id in values
    ]
    return pd.DataFrame(found)
