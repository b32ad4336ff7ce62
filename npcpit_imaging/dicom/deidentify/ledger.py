"""What the walk over one object took away, changed, kept and found; and the last look over what it kept."""

from collections import Counter
from dataclasses import dataclass, field

from npcpit_imaging.dicom.deidentify import policy
from npcpit_imaging.dicom.deidentify.elements import Element, dummy, element_at, texts_of
from npcpit_imaging.dicom.deidentify.identity import is_standard_uid, new_uid
from npcpit_imaging.dicom.deidentify.manifest import Change
from npcpit_imaging.dicom.deidentify.residue import Residue
from npcpit_imaging.dicom.deidentify.scope import Path, Scope, path_text
from npcpit_imaging.dicom.deidentify.table import Action
from npcpit_imaging.study.finding import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A value that stays, to be looked at once more.

    Args:
        scope: Where.
        tag: Which attribute.
        vr: Its VR.
        value: One text value, or the bytes of a binary one.
        description: It is a cleaned description.
    """

    scope: Scope
    tag: int
    vr: str
    value: str | bytes
    description: bool


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The books of one walk.

    Args:
        key: The study secret, for UIDs.
    """

    key: bytes = field(repr=False)
    uid_map: dict[str, str] = field(default_factory=dict)
    _residue: Residue = field(default_factory=Residue)
    _changes: Counter[tuple[str, Action]] = field(default_factory=Counter)
    _findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    _kept: list[Kept] = field(default_factory=list)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was done, ordered by place."""
        counts = sorted(self._changes.items())
        return tuple(Change(path=path, action=action, count=count) for (path, action), count in counts)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a person should look at."""
        return tuple(self._findings.values())

    def uid(self, uid: str) -> str:
        """The UID that stands for an original one."""
        if not uid or is_standard_uid(uid):
            return uid
        if uid not in self.uid_map:
            self.uid_map[uid] = new_uid(self.key, uid)
        return self.uid_map[uid]

    def record(self, path: Path, action: Action) -> None:
        """Count a change."""
        self._changes[path_text(path), action] += 1

    def find(self, code: str, place: str, text: str) -> None:
        """Note something for a person, once a place."""
        self._findings[code, place] = Finding(code=code, severity=Severity.WARNING, text=f"{place}: {text}")

    def lose(self, tag: int, vr: str, element: Element) -> None:
        """Remember what is taken away, where it identifies somebody and could stand elsewhere too."""
        if vr == "PN":
            remember = self._residue.lose_name
        elif tag in policy.IDENTIFIER_TAGS:
            remember = self._residue.lose_identifier
        elif tag == policy.PATIENT_BIRTH_DATE:
            remember = self._residue.lose_day
        else:
            return
        for text in texts_of(element, vr):
            remember(text)

    def lose_day(self, text: str) -> None:
        """Remember a date that was moved."""
        self._residue.lose_day(text)

    def keep(self, scope: Scope, tag: int, vr: str, value: str | bytes, *, description: bool = False) -> None:
        """Note a value that stays."""
        self._kept.append(Kept(scope=scope, tag=tag, vr=vr, value=value, description=description))

    def look_again(self) -> None:
        """Replace every kept value that holds something which was taken away elsewhere in the object."""
        for kept in self._kept:
            if self._identifies(kept) and kept.tag in kept.scope.out:
                kept.scope.out[kept.tag] = dummy(element_at(kept.scope.out, kept.tag), kept.vr)
                self.record((*kept.scope.path, kept.tag), Action.DUMMY)
                place = kept.scope.place(kept.tag)
                self.find(
                    "identity-in-kept-value", place, "held a name, identifier, date or UID of this object; replaced"
                )

    def _identifies(self, kept: Kept) -> bool:
        if isinstance(kept.value, bytes):
            return self._residue.in_bytes(kept.value)
        return self._residue.in_text(kept.value, description=kept.description)
