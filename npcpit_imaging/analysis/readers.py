"""Agreement of a study's readers, pair by pair: sizes and responses; how often a third reader is called for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from npcpit_imaging.analysis.agreement import (
    LEAST_PAIRS,
    SPREAD_GROWS,
    BlandAltman,
    IccOf,
    Pairs,
    bland_altman,
    icc_agreement,
)
from npcpit_imaging.analysis.categories import ResponseAgreement, compare_responses
from npcpit_imaging.analysis.endpoints import ORDER, RESPONDING
from npcpit_imaging.analysis.proportion import Estimate, clopper_pearson
from npcpit_imaging.analysis.records import Rows

SIZE_WORDS = {"size_mm": "size (mm)", "change_percent": "change from baseline (percentage points)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAgreement:
    """How far two readers agree on the size of the same lesions at the same visits.

    Args:
        first: The first reader.
        second: The second.
        plain: In mm.
        ratio: On the log scale; None where a size is 0 or less.
    """

    first: str
    second: str
    plain: BlandAltman
    ratio: BlandAltman | None


def size_pairs(measurements: pd.DataFrame) -> list[tuple[str, str, Pairs, int]]:
    """Pair readers' sizes of the same lesion at the same visit; those that only one of them measured are counted.

    Args:
        measurements: subject, timepoint, lesion, reader, size_mm (NaN where not measured).
    """
    if measurements.empty:
        return []
    wide = measurements.pivot_table(
        index=["subject", "timepoint", "lesion"], columns="reader", values="size_mm", aggfunc="first"
    ).reset_index()
    readers = sorted(set(measurements["reader"]))
    found = []
    for first, second in combinations(readers, 2):
        if first not in wide or second not in wide:
            continue
        both = wide[wide[first].notna() & wide[second].notna()]
        alone = int((wide[first].notna() ^ wide[second].notna()).sum())
        if len(both) < LEAST_PAIRS:
            continue
        pairs = Pairs(
            first=both[first].to_numpy(np.float64),
            second=both[second].to_numpy(np.float64),
            patient=np.unique(both["subject"].astype(str), return_inverse=True)[1],
        )
        found.append((first, second, pairs, alone))
    return found


def size_agreement(measurements: pd.DataFrame, *, icc: IccOf) -> tuple[list[SizeAgreement], pd.DataFrame]:
    """Bland-Altman (mm and, where no size is 0, ratio) and ICC(2,1) of every pair of readers.

    Returns:
        The values for figures, and a row per reader pair and statistic.
    """
    found, rows = [], []
    for first, second, pairs, alone in size_pairs(measurements):
        plain = bland_altman(pairs)
        positive = bool(min(pairs.first.min(), pairs.second.min()) > 0)
        ratio = bland_altman(pairs, log=True) if positive else None
        found.append(SizeAgreement(first=first, second=second, plain=plain, ratio=ratio))
        shared = {"first": first, "second": second, "n": pairs.first.size, "patients": np.unique(pairs.patient).size}
        grows = plain.spread_grows >= SPREAD_GROWS
        note = f"{alone} sizes given by one of them only" + (
            "; differences grow with size: see the ratio" if grows else ""
        )
        for name, scale, each in (
            *((name, "mm", getattr(plain, part)) for name, part in _PARTS.items()),
            *((name, "ratio", getattr(ratio, part)) for name, part in _PARTS.items() if ratio is not None),
            ("ICC(2,1)", "", icc_agreement(pairs, icc)),
        ):
            rows.append({**shared, "statistic": name, "scale": scale, **_cells(each), "note": each.note or note})
    return found, pd.DataFrame(rows, columns=STATISTICS)


STATISTICS = ["first", "second", "n", "patients", "statistic", "scale", "value", "lower", "upper", "method", "note"]

_PARTS = {"bias": "bias", "lower limit of agreement": "lower", "upper limit of agreement": "upper"}


def _cells(each: Estimate) -> dict[str, object]:
    return {"value": each.value, "lower": each.lower, "upper": each.upper, "method": each.method}


def response_agreement(subjects: Rows) -> tuple[list[tuple[str, str, ResponseAgreement]], pd.DataFrame]:
    """Agreement on best overall response of every pair of readers, and the rate of adjudication.

    A subject calls for adjudication when two readers differ in best overall response or in the date of progression.

    Args:
        subjects: The engine's rows, all readers.
    """
    table = pd.DataFrame([row for row in subjects if row.get("pfs_reason") is not None])
    if table.empty:
        return [], pd.DataFrame(columns=STATISTICS)
    found, rows = [], []
    for first, second in combinations(sorted(set(table["reader"])), 2):
        one = table[table["reader"] == first].set_index("subject")
        other = table[table["reader"] == second].set_index("subject")
        both = sorted(set(one.index) & set(other.index))
        if not both:
            continue
        a, b = [str(one.at[name, "bor"]) for name in both], [str(other.at[name, "bor"]) for name in both]
        compared = compare_responses(a, b, order=_order(a, b), responding=RESPONDING)
        found.append((first, second, compared))
        rows += _response_rows(first, second, compared, len(both))
        dates = [(one.at[name, "pd_date"], other.at[name, "pd_date"]) for name in both]
        called = sum(x != y or _differ(p, q) for x, y, (p, q) in zip(a, b, dates, strict=True))
        shared = {"first": first, "second": second, "n": len(both), "patients": len(both)}
        rate = clopper_pearson(called, len(both))
        note = "best response or date of progression differs; other visits are not compared here"
        rows.append({**shared, "statistic": "adjudication rate", "scale": "", **_cells(rate), "note": note})
    return found, pd.DataFrame(rows, columns=STATISTICS)


def _order(*answers: Sequence[str]) -> list[str]:
    extra = sorted({each for own in answers for each in own} - set(ORDER))
    return [*ORDER, *extra]


def _differ(one: object, other: object) -> bool:
    return (one if isinstance(one, str) else None) != (other if isinstance(other, str) else None)


def _response_rows(first: str, second: str, found: ResponseAgreement, number: int) -> list[dict[str, object]]:
    shared = {"first": first, "second": second, "n": number, "patients": number, "scale": ""}
    whole = Estimate(value=found.gwet_ac1, lower=np.nan, upper=np.nan, method="Gwet 2008")
    return [
        {**shared, "statistic": name, **_cells(each), "note": each.note}
        for name, each in (
            ("weighted kappa", found.kappa),
            ("Gwet AC1", whole),
            ("positive agreement (CR or PR)", found.positive),
            ("negative agreement", found.negative),
            ("discordance of best response", found.discordance),
        )
    ]
