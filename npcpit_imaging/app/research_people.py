"""Whose data a research export holds: nobody who refused or withdrew consent; of the others, who is eligible."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from npcpit_imaging.analysis.eligibility import EXCLUSION, Consent, Criterion, Eligibility, Verdict, check_eligibility
from npcpit_imaging.app.eligibility import candidates
from npcpit_imaging.app.study import Study
from npcpit_imaging.store.images import subjects

STAYING = (Consent.REFUSED, Consent.WITHDRAWN)
"""Whose data stay: those who never agreed, used the opt-out (on record as refused), or agree no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The subjects of an export.

    Args:
        codes: Those whose data leave, of those with images.
        known: Every subject with images, also of whom nothing leaves.
        left_out: Consent of every subject whose data stay, images or not.
        eligible: Verdict and reasons of every subject, without anybody's own words.
    """

    codes: tuple[str, ...]
    known: tuple[str, ...]
    left_out: Mapping[str, Consent]
    eligible: Mapping[str, tuple[str, str]]

    def words(self) -> str:
        """How many are left out and why; empty when nobody is."""
        counts = Counter(self.left_out[code].value for code in self.known if code in self.left_out)
        if not counts:
            return ""
        why = ", ".join(f"{count} whose consent is {word}" for word, count in sorted(counts.items()))
        return f"{counts.total()} of {len(self.known)} subjects left out: {why}"


def people_of(study: Study) -> People:
    """Tell whose data may leave.

    Raises:
        TableError: tables/subjects.csv or tables/treatments.csv cannot be used.
    """
    found, protocol = candidates(study), study.protocol
    checked = check_eligibility(found, protocol.eligibility, window_days=protocol.baseline_window_days)
    staying = {each.subject: each.consent for each in found if each.consent in STAYING and each.consent is not None}
    with study.database.session() as session:
        known = tuple(subjects(session))
    return People(
        codes=tuple(code for code in known if code not in staying),
        known=known,
        left_out=staying,
        eligible={each.subject: (each.verdict.value, _reasons(each)) for each in checked},
    )


def _reasons(each: Eligibility) -> str:
    unmet = [one for one in each.criteria if one.verdict in (Verdict.NOT_MET, Verdict.UNKNOWN)]
    return "; ".join(f"{one.name}: {_reason(one)}" for one in unmet)


def _reason(one: Criterion) -> str:
    """The site's own words of an exclusion may name a day or a person: they stay."""
    words_of_the_site = one.name == EXCLUSION and one.verdict is Verdict.NOT_MET
    return "excluded by the site" if words_of_the_site else one.reason
