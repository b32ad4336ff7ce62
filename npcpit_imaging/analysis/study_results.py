"""Every table of a study's results from its records: the one place that says what is computed (docs/results.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from npcpit_imaging.analysis.adverse import SEVERE, event_rates, left_out_notes, on_treatment, worst_grades
from npcpit_imaging.analysis.agreement import IccOf
from npcpit_imaging.analysis.association import Outcome, associate
from npcpit_imaging.analysis.changes import best_change, lesion_changes, subject_changes
from npcpit_imaging.analysis.controls import negative_controls, shuffled_voxels, warnings_of
from npcpit_imaging.analysis.endpoints import Primary, distribution, lesion_rates, subject_rates
from npcpit_imaging.analysis.profiles import VOLUME, Joined, Profiles, lesion_profiles, subject_profiles
from npcpit_imaging.analysis.progression_model import cox_by_patient
from npcpit_imaging.analysis.readers import SizeAgreement, response_agreement, size_agreement
from npcpit_imaging.analysis.records import (
    Records,
    Rows,
    undated,
)
from npcpit_imaging.analysis.screening import Predictor, screen
from npcpit_imaging.analysis.time_endpoints import TimeEndpoint, curve_table, summarise_times, time_endpoints
from npcpit_imaging.config.protocol import ConfirmRequired, PrimaryEndpoint, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What results are computed from.

    Args:
        records: The chosen reader's records.
        profiles: What may go with response.
        events: Of `adverse.event_table`; None where the study keeps none.
        cycles: subject, cycle, day: a row per treatment cycle.
        measurements: subject, timepoint, lesion, reader, size_mm: every reader's sizes.
        all_subjects: The engine's subject rows of every reader.
        later_events: Subject of each adverse event after the data cut, which ``events`` does not hold.
    """

    records: Records
    profiles: Profiles
    events: pd.DataFrame | None
    cycles: pd.DataFrame
    measurements: pd.DataFrame
    all_subjects: Rows
    later_events: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was computed.

    Args:
        records: What it was computed from.
        tables: By name, each a file.
        times: Time-to-event endpoints, for curves.
        sizes: Reader pairs, for Bland-Altman figures.
        associations: By outcome, for forests.
        cautions: By outcome: what its reader must be told first.
        events: Adverse events in days; None where none are kept.
    """

    records: Records
    tables: Mapping[str, pd.DataFrame]
    times: Sequence[TimeEndpoint]
    sizes: Sequence[SizeAgreement]
    associations: Mapping[str, pd.DataFrame]
    cautions: Mapping[str, Sequence[str]]
    events: pd.DataFrame | None


def primary_of(protocol: Protocol) -> Primary:
    """Which rate is the protocol's primary one."""
    return Primary(
        confirmed=protocol.confirm_required is ConfirmRequired.REQUIRED,
        complete=protocol.results.primary_endpoint is PrimaryEndpoint.CR_RATE,
    )


def compute(inputs: Inputs, *, protocol: Protocol, icc: IccOf) -> Results:
    """Compute every table.

    Args:
        inputs: Records and what stands beside them.
        protocol: Its decisions.
        icc: ICC(2,1) of ratings.
    """
    records, rules = _noted_records(inputs), protocol.results
    rates = lesion_rates(records, primary=primary_of(protocol), samples=rules.bootstrap_samples)
    times = time_endpoints(records)
    sizes, of_sizes = size_agreement(inputs.measurements, icc=icc)
    _, of_responses = response_agreement(inputs.all_subjects)
    lesion_change, subject_change = lesion_changes(records), subject_changes(records)
    tables = {
        "response_rates": pd.concat([rates, subject_rates(records)], ignore_index=True),
        "response_distribution": distribution(records),
        "time_to_event": summarise_times(times, landmarks=rules.landmark_days),
        "time_to_event_curves": curve_table(times),
        "reader_agreement": pd.concat([of_sizes, of_responses], ignore_index=True),
        "lesions": _without_rules(records.lesions),
        "lesion_timepoints": lesion_change,
        "subjects": _without_rules(records.subjects),
        "subject_timepoints": subject_change,
        "best_change_lesions": best_change(lesion_change, ["subject", "lesion"]),
        "best_change_subjects": best_change(subject_change, ["subject"]),
        "treatments": records.treatments,
    }
    tables |= _event_tables(inputs)
    associations, cautions, more = _associations(inputs, protocol)
    return Results(
        records=records,
        tables=tables | more,
        times=times,
        sizes=sizes,
        associations=associations,
        cautions=cautions,
        events=inputs.events,
    )


def _noted_records(inputs: Inputs) -> Records:
    """The records, their notes telling of the adverse events that no number tells of."""
    if inputs.events is None:
        return inputs.records
    notes = left_out_notes(inputs.events, _patients(inputs.records), inputs.later_events)
    return replace(inputs.records, notes=(*inputs.records.notes, *notes))


def _without_rules(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the engine's sentences, which quote dates; responses_*.csv has them."""
    quoted = [name for name in table.columns if name.endswith(("_rule", "_reason", "rule")) or name == "fired"]
    kept = table.drop(columns=quoted)
    if "reason" in kept:
        kept = kept.assign(reason=kept["reason"].map(lambda text: undated(text) if isinstance(text, str) else ""))
    return kept


def _patients(records: Records) -> list[str]:
    table = records.subjects
    return table.loc[table["treated"], "subject"].tolist() if len(table) else []


def _event_tables(inputs: Inputs) -> dict[str, pd.DataFrame]:
    if inputs.events is None:
        return {}
    patients = _patients(inputs.records)
    return {
        "adverse_events": inputs.events,
        "adverse_event_worst_grades": worst_grades(inputs.events, patients),
        "adverse_event_rates": event_rates(inputs.events, patients, inputs.cycles),
        "cycles": inputs.cycles,
    }


def _severe(inputs: Inputs) -> dict[str, bool] | None:
    """Whether each treated patient had a severe event; None where no events are kept."""
    if inputs.events is None:
        return None
    severe = on_treatment(inputs.events)
    names = set(severe.loc[severe["grade"] >= SEVERE, "subject"])
    return {name: name in names for name in _patients(inputs.records)}


def _associations(
    inputs: Inputs, protocol: Protocol
) -> tuple[dict[str, pd.DataFrame], dict[str, list[str]], dict[str, pd.DataFrame]]:
    lesions = lesion_profiles(inputs.records, inputs.profiles)
    subjects = subject_profiles(inputs.records, inputs.profiles, severe=_severe(inputs))
    found: dict[str, pd.DataFrame] = {}
    cautions: dict[str, list[str]] = {}
    screened, controls = [], []
    more: dict[str, pd.DataFrame] = {}
    for level, joined, outcomes in (
        ("lesion", lesions, {"cr": "lesion CR", "responds": "lesion CR or PR"}),
        ("patient", subjects, {"responds": "patient CR or PR", "severe": f"adverse event of grade {SEVERE} or more"}),
    ):
        kept, table = _screened(joined, inputs.profiles.icc_lower, protocol, level)
        screened.append(table)
        for column, words in outcomes.items():
            if column not in joined.table or not kept:
                continue
            outcome = Outcome(name=words, table=joined.table, column=column)
            found[words], own = _tested(outcome, kept, joined.notes, inputs.profiles if level == "lesion" else None)
            cautions[words] = warnings_of(found[words])
            controls.append(own)
        if level == "lesion" and kept and "to_progression_days" in joined.table:
            more["association_progression"] = cox_by_patient(
                joined.table, kept, days="to_progression_days", event="to_progression_event"
            )
    more |= {
        "association": _concat(list(found.values())),
        "association_screening": _concat(screened),
        "association_controls": _concat(controls),
        "profiles_lesions": lesions.table,
        "profiles_subjects": subjects.table,
    }
    return found, cautions, more


def _tested(
    outcome: Outcome, kept: Sequence[Predictor], notes: Mapping[str, str], profiles: Profiles | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Associations with one outcome and their negative controls; shuffled voxels belong to lesions only."""
    volume = VOLUME if any(each.name == VOLUME for each in kept) else None
    table = _noted(associate(outcome, kept, volume=volume), notes)
    controls = [negative_controls(outcome, kept)] if table["p"].notna().any() else []
    if profiles is not None and len(profiles.shuffled):
        row, p = shuffled_voxels(outcome, table, profiles.shuffled)
        table = table.assign(p_shuffled=table["predictor"].map(p).astype(float))
        controls.append(row)
    return table, _concat(controls)


def _screened(
    joined: Joined, icc_lower: Mapping[str, float], protocol: Protocol, level: str
) -> tuple[list[Predictor], pd.DataFrame]:
    rules = protocol.results
    answers = screen(
        joined.table,
        joined.predictors,
        icc_lower=icc_lower,
        need_stability=rules.require_stability,
        least=rules.stable_from,
    )
    table = pd.DataFrame(
        [
            {
                "level": level,
                "predictor": each.predictor.name,
                "words": each.predictor.words,
                "source": each.predictor.source.value,
                "kept": each.kept,
                "reason": each.reason,
                "icc_lower": each.icc_lower,
            }
            for each in answers
        ],
        columns=["level", "predictor", "words", "source", "kept", "reason", "icc_lower"],
    )
    return [each.predictor for each in answers if each.kept], table


def _noted(table: pd.DataFrame, notes: Mapping[str, str]) -> pd.DataFrame:
    said = table["predictor"].map(notes).fillna("")
    both = [("; ".join(text for text in pair if text)) for pair in zip(table["note"], said, strict=True)]
    return table.assign(note=both)


def _concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [each for each in tables if len(each)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=["outcome"])
