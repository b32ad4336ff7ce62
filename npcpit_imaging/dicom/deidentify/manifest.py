"""What was done to one object, without a single original value (DICOM PS3.15 E.1.1, step 10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from npcpit_imaging.dicom.deidentify.table import Action
from npcpit_imaging.study.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One kind of change at one place.

    Args:
        path: Tags from the outermost sequence inwards, e.g. ``(0054,0016)>(0018,1078)``; items are not numbered.
        action: What was done.
        count: How often, over all items.
    """

    path: str
    action: Action
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was done to one object.

    Args:
        subject: The subject code written into it.
        edition: Edition of PS3.15 whose tables were applied.
        codes: CID 7050 code values claimed, as in (0012,0064).
        changes: Every change, ordered by place.
        findings: What a person should look at: burned-in text, faces, values that could not be read.
        uid_map: Original to new UID. Belongs into the study's vault, never into an export; not shown by ``repr``.
    """

    subject: str
    edition: str
    codes: tuple[str, ...]
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    uid_map: Mapping[str, str] = field(repr=False)

    def count(self, action: Action) -> int:
        """How many values had this action."""
        return sum(change.count for change in self.changes if change.action is action)

    def report(self) -> dict[str, object]:
        """The manifest as plain values for JSON, fit for an export: it holds no original UID."""
        return {
            "subject": self.subject,
            "edition": self.edition,
            "codes": list(self.codes),
            "changes": [{"path": c.path, "action": str(c.action), "count": c.count} for c in self.changes],
            "findings": [{"code": f.code, "severity": str(f.severity), "text": f.text} for f in self.findings],
        }
