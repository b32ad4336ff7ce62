"""What must hold before anything leaves a study: it was delivered, nothing of it is stale, and its place is empty."""

from collections.abc import Sequence
from pathlib import Path

from npcpit_imaging.app.outdated import as_stale, older_responses
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.bulk import in_groups
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.staleness import ResultKind, StaleResult, stale_results_of_each

NAMED = 5
"""Stale results that a refusal names; `npcpit status` has all."""

REMEDIES = {
    ResultKind.REGISTRATION: "npcpit run followup",
    ResultKind.PROPOSAL: "npcpit run baseline and npcpit run followup",
    ResultKind.FEATURES: "npcpit run radiomics",
    ResultKind.READ: "a new read (npcpit read)",
    ResultKind.RESPONSE: "npcpit run respond",
    ResultKind.DELIVERY: "npcpit run deliver",
}
"""What makes a stale result anew, in the order in which it is done."""


def require_exportable(study: Study, output: Path) -> None:
    """Refuse what would leave out of date, or on top of something.

    Raises:
        InputError: A result that `npcpit status` shows as stale, or the folder holds something.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: expected no folder or an empty one, found something in it")
    older = set(older_responses(study))
    with study.database.session() as session:
        stale = [
            each
            for group in in_groups(subjects(session))
            for code, own in stale_results_of_each(session, group).items()
            for each in (*own, *as_stale(code, own, older))
        ]
    if stale:
        raise InputError(_refusal(stale))


def _refusal(stale: Sequence[StaleResult]) -> str:
    kinds = {each.kind for each in stale} | {ResultKind.DELIVERY}
    named = "; ".join(_words(each) for each in stale[:NAMED])
    more = f"; and {len(stale) - NAMED} more (npcpit status)" if len(stale) > NAMED else ""
    remedies = ", then ".join(words for kind, words in REMEDIES.items() if kind in kinds)
    return f"export: expected results of the study as it is now, found {len(stale)} stale: {named}{more}; do {remedies}"


def _words(each: StaleResult) -> str:
    by = f" by {each.reader}" if each.reader else ""
    return " ".join(part for part in (each.subject, each.kind.value, each.name) if part) + f"{by} ({each.reason})"
