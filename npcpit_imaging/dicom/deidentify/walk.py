"""One recursive pass over a data set: Table E.1-1 by tag, our rules by VR, at every depth (DICOM PS3.15 E.1.1)."""

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence

from npcpit_imaging.dicom.deidentify import policy
from npcpit_imaging.dicom.deidentify.ages import SUBJECT_AGE, clip_reported_age
from npcpit_imaging.dicom.deidentify.content import content_key
from npcpit_imaging.dicom.deidentify.elements import (
    Element,
    code_item,
    element_at,
    has_vr,
    items_of,
    new_element,
    tag_name,
    text_at,
    vr_of,
    written_as,
)
from npcpit_imaging.dicom.deidentify.ledger import Ledger
from npcpit_imaging.dicom.deidentify.plan import DeidentifyPlan
from npcpit_imaging.dicom.deidentify.private import creator_of, creator_tag_of, safe_element
from npcpit_imaging.dicom.deidentify.scope import Path, Scope
from npcpit_imaging.dicom.deidentify.table import (
    GROUP_CURVE,
    GROUP_OVERLAY,
    Action,
    Treatment,
    attribute_treatments,
    content_treatments,
)
from npcpit_imaging.dicom.deidentify.values import BY_VR, Values
from npcpit_imaging.errors import DeidentifyError

MAX_DEPTH = 32
"""Deeper nesting than this is an attack, not a medical object."""

PARSER_FAULTS = (BytesLengthException, NotImplementedError, EOFError, OSError)
"""What pydicom raises on damaged bytes, where it must look at a value to place an element."""

_TO_SUBJECT = Treatment(Action.SUBJECT, Action.SUBJECT)
_TAKEN_AWAY = (Action.REMOVE, Action.EMPTY, Action.SUBJECT)


class Walk:
    """The pass over one object.

    Args:
        plan: Key and options.
        subject: The subject code.
        shift_days: Days to add to every date.
    """

    def __init__(self, *, plan: DeidentifyPlan, subject: str, shift_days: int) -> None:
        self.ledger = Ledger(key=plan.key)
        self._values = Values(key=plan.key, subject=subject, shift_days=shift_days, ledger=self.ledger)
        self._handlers = self._values.handlers
        self._treatments = attribute_treatments(plan.options)
        self._contents = content_treatments(plan.options)

    def run(self, source: Dataset) -> Dataset:
        """De-identify a whole data set, then look once more for what was lost.

        Raises:
            DeidentifyError: Something cannot be de-identified with certainty; the message names the tag, never a value.
        """
        try:
            out = self._dataset(source, ())
            self.ledger.look_again()
        except PARSER_FAULTS as error:
            raise DeidentifyError("object: expected elements that can be parsed, found damaged bytes") from error
        return out

    def _dataset(self, source: Dataset, path: Path, *, keep_text: bool = False) -> Dataset:
        if len(path) > MAX_DEPTH:
            raise DeidentifyError(f"{tag_name(path[0])}: expected at most {MAX_DEPTH} nested sequences, found more")
        out = Dataset()
        out.set_original_encoding(*source.original_encoding, default_encoding)
        out.is_undefined_length_sequence_item = source.is_undefined_length_sequence_item
        scope = Scope(source=source, out=out, path=path, local_code=_is_local_code(source), keep_text=keep_text)
        explicit = source.original_encoding[0] is False
        for tag in list(source.keys()):
            element = element_at(source, tag)
            self._element(scope, written_as(element, vr_of(element)) if explicit and not has_vr(element) else element)
        return out

    def _element(self, scope: Scope, element: Element) -> None:
        tag = int(element.tag)
        if tag in policy.REFUSED:
            raise DeidentifyError(f"{scope.place(tag)}: expected an object without it, found {policy.REFUSED[tag]}")
        if (tag >> 16) & 1:
            self._private(scope, element)
        elif _is_dropped(tag):
            self.ledger.record((*scope.path, tag), Action.REMOVE)
        else:
            treatment = _TO_SUBJECT if tag in policy.SUBJECT_TAGS else self._treatments.get(tag, BY_VR)
            self._treat(scope, element, vr_of(element), treatment)

    def _treat(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        action = treatment.action
        if action in _TAKEN_AWAY or (action is Action.DUMMY and vr not in ("SQ", "UI")):
            self._values.replace(scope, element, vr, action)
        elif vr == "SQ":
            self._sequence(scope, element, action)
        elif handler := self._handlers.get(vr):
            handler(scope, element, vr, treatment)
        elif action is not Action.KEEP:
            self._values.replace(scope, element, vr, treatment.otherwise)
        elif vr == "UN":
            self._values.replace(scope, element, vr, Action.REMOVE)
        else:
            self._values.binary(scope, element, vr)

    def _sequence(self, scope: Scope, element: Element, action: Action) -> None:
        tag = int(element.tag)
        items, path = items_of(element, scope.source, scope.place(tag)), (*scope.path, tag)
        if action is Action.DUMMY and tag in policy.DUMMY_CODE_SEQUENCES:
            self.ledger.record(path, Action.DUMMY)
            kept = [code_item("0", "99NPCPIT", "Removed")] if items else []
        elif action is Action.CONTENT:
            kept = [new for item in items for new in self._content_item(item, path)]
        else:
            kept = [self._dataset(item, path) for item in items]
        if kept or not items:
            new = DataElement(element.tag, "SQ", Sequence(kept))
            new.is_undefined_length = bool(getattr(element, "is_undefined_length", False))
            scope.out[tag] = new

    def _content_item(self, item: Dataset, path: Path) -> tuple[Dataset, ...]:
        """A content item of a structured report, cleaned; nothing where Table E.3.4-1 removes it."""
        key = content_key(item)
        treatment = self._contents.get(key, BY_VR)
        if treatment.action is Action.REMOVE:
            self.ledger.record(path, Action.REMOVE)
            return ()
        kept_by_option = treatment is not BY_VR and treatment.action is Action.KEEP
        cleaned = self._dataset(item, path, keep_text=kept_by_option)
        if key == SUBJECT_AGE and clip_reported_age(cleaned):
            self.ledger.record(path, Action.CLEAN)
        return (cleaned,)

    def _private(self, scope: Scope, element: Element) -> None:
        tag = int(element.tag)
        if tag & 0xFFFF < 0x1000:
            return  # a private creator: written with the first element that stays
        safe = safe_element(scope.source, element, shift_days=self._values.shift_days)
        if safe is None:
            self.ledger.record((*scope.path, tag), Action.REMOVE)
            return
        creator_tag = creator_tag_of(tag)
        scope.out[tag] = safe
        scope.out[creator_tag] = new_element(creator_tag, "LO", creator_of(scope.source, tag))


def _is_dropped(tag: int) -> bool:
    """Group lengths, command elements, overlays, curves, and what the policy never keeps."""
    group = tag >> 16
    repeating = group >> 8 in (GROUP_OVERLAY, GROUP_CURVE)
    return tag & 0xFFFF == 0 or group in (0, 2) or repeating or tag in policy.ALWAYS_REMOVED


def _is_local_code(source: Dataset) -> bool:
    """True for a code item whose scheme is not a published one."""
    if not any(tag in source for tag in policy.CODE_ITEM_TAGS):
        return False
    return text_at(source, policy.CODE_SCHEME) not in policy.STANDARD_SCHEMES
