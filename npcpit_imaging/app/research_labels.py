"""Names of a research export's files: codes as BIDS allows them (letters and digits), never two codes with one name."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

DIGEST_DIGITS = 8
"""How much of a code's digest tells it from its neighbours; more where that is not enough."""


def bids_labels(codes: Iterable[str]) -> dict[str, str]:
    """A label of letters and digits for every code: the code without punctuation where that is its own.

    Where several codes come to the same letters and digits (whatever their case: not every file system tells it), or
    to none, each of them carries a digest of the code instead of one of them the plain name.

    Example:
        >>> bids_labels(["NPC-0001", "T-1", "T1", "左"])
        {'NPC-0001': 'NPC0001', 'T-1': 'T1xcd4a8a25', 'T1': 'T1x1f93603d', '左': 'xe2e0c454'}
    """
    distinct = sorted(set(codes))
    plain = {code: "".join(letter for letter in code if letter.isascii() and letter.isalnum()) for code in distinct}
    counts = Counter(each.lower() for each in plain.values())
    labels = {code: each for code, each in plain.items() if each and counts[each.lower()] == 1}
    taken = {each.lower() for each in labels.values()}
    for code in distinct:
        if code not in labels:
            labels[code] = _with_digest(plain[code], code, taken)
            taken.add(labels[code].lower())
    return {code: labels[code] for code in distinct}


def _with_digest(plain: str, code: str, taken: Collection[str]) -> str:
    digest = sha256(code.encode()).hexdigest()
    longer = (f"{plain}x{digest[:digits]}" for digits in range(DIGEST_DIGITS, len(digest) + 1))
    return next(label for label in longer if label.lower() not in taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectLabels:
    """What a subject, its visits, lesions and readers are called in names of files.

    Args:
        subject: The subject's label.
        visits: Label by visit.
        lesions: Label by lesion.
        readers: Label by readers' codes, as masks' names have them.
    """

    subject: str
    visits: Mapping[str, str]
    lesions: Mapping[str, str]
    readers: Mapping[str, str]

    def stem(self, visit: str) -> str:
        """How every name of a visit's files begins."""
        return f"sub-{self.subject}_ses-{self.visits[visit]}"

    def folder(self, visit: str) -> str:
        """Where a visit's files lie."""
        return f"sub-{self.subject}/ses-{self.visits[visit]}"
