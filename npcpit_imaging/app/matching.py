"""What became of a subject's baseline lesions at a follow-up: proposals that a reader decides, stored nowhere."""

from dataclasses import asdict, dataclass

from npcpit_imaging.app.proposals import SEED_SOURCE, open_mask_of
from npcpit_imaging.app.registrations import visit_transform
from npcpit_imaging.app.series import find_series, open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.measurement.matching import EarlierLesion, MatchKind, MatchProposal, match_lesions
from npcpit_imaging.store.images import subjects, timepoints
from npcpit_imaging.store.lesions import StoredProposal, proposals_of
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.resample import resample_mask
from npcpit_imaging.volume.volume import Modality

LOOK = "; a reader decides: "
"""Before the proposals that change which lesion is which."""

UNDECIDED = (MatchKind.SPLIT, MatchKind.MERGED, MatchKind.UNCLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitMatches:
    """What is proposed for one follow-up, or why nothing can be.

    Args:
        subject: Pseudonym.
        timepoint: The follow-up.
        uncertainty_mm: Of the registration that carried the baseline's masks; None where there is none.
        matches: The proposals.
        refusal: Why there are none; empty where there are.
    """

    subject: str
    timepoint: str
    uncertainty_mm: float | None
    matches: tuple[MatchProposal, ...]
    refusal: str = ""

    def as_json(self) -> dict[str, object]:
        """The proposals for a program."""
        matches = [{**asdict(each), "kind": each.kind.value, "renamed": each.renamed} for each in self.matches]
        return {**asdict(self), "matches": matches}


def match_study(study: Study) -> list[VisitMatches]:
    """Propose matches for every follow-up of every subject, in order; one that cannot be matched says why."""
    with study.database.session() as session:
        visits = [(code, point.name) for code in subjects(session) for point in timepoints(session, code)]
    return [_matched_or_why(study, code, name) for code, name in visits if name != BASELINE]


def _matched_or_why(study: Study, subject: str, timepoint: str) -> VisitMatches:
    try:
        return match_visit(study, subject, timepoint)
    except NpcpitError as error:
        return VisitMatches(subject=subject, timepoint=timepoint, uncertainty_mm=None, matches=(), refusal=str(error))


def match_visit(study: Study, subject: str, timepoint: str) -> VisitMatches:
    """Carry the baseline's masks to a follow-up and propose which of its masks is which lesion.

    Newest masks on the two visits' diagnostic CT are compared; what was drawn elsewhere is not, nor a follow-up's mask
    that was only carried from the baseline.

    Raises:
        NpcpitError: The visit is not registered, the registration was rejected, or an image cannot be read.
    """
    transform, uncertainty_mm = visit_transform(study, subject, timepoint)
    earlier, current = (_on_ct(study, subject, each) for each in (BASELINE, timepoint))
    target = open_series(study, find_series(study, subject, timepoint, Modality.CT).uid)
    source = open_series(study, find_series(study, subject, BASELINE, Modality.CT).uid)
    carried = [
        EarlierLesion(
            lesion_id=each.lesion.lesion_id,
            mask=resample_mask(open_mask_of(study, each, source), target.geometry, transform),
            volume_ml=each.measurement.volume_ml,
        )
        for each in earlier
    ]
    # A mask proposed where the baseline's lay says nothing of what is there now: it would always be the same.
    pointed_at = [each for each in current if each.prompt.get("source") != SEED_SOURCE]
    drawn = {each.lesion.lesion_id: open_mask_of(study, each, target) for each in pointed_at}
    matches = match_lesions(carried, drawn, uncertainty_mm=uncertainty_mm)
    return VisitMatches(subject=subject, timepoint=timepoint, uncertainty_mm=uncertainty_mm, matches=matches)


def match_words(study: Study, subject: str, timepoint: str) -> str:
    """What a follow-up's lesions seem to be, as a pipeline's outcome; what a reader must decide comes after `LOOK`.

    Raises:
        SkipCaseError: Nothing can be compared; the reason is in the words.
    """
    try:
        found = match_visit(study, subject, timepoint).matches
    except NpcpitError as error:
        raise SkipCaseError(f"lesions not matched: {error}") from error
    kinds = [each.kind for each in found]
    counts = ", ".join(f"{kinds.count(kind)} {kind.value}" for kind in dict.fromkeys(kinds))
    doubtful = [each.text for each in found if each.renamed or each.kind in UNDECIDED]
    return f"{counts or 'no lesion'}{LOOK if doubtful else ''}{'; '.join(doubtful)}"


def _on_ct(study: Study, subject: str, timepoint: str) -> list[StoredProposal]:
    ct_uid = find_series(study, subject, timepoint, Modality.CT).uid
    with study.database.session() as session:
        found = proposals_of(session, subject)
    return [each for each in found if (each.timepoint, each.series_uid) == (timepoint, ct_uid)]
