"""Naming a content item of a structured report by concept and value type (DICOM PS3.3 C.17.3, PS3.15 Table E.3.4-1)."""

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.deidentify.elements import items_of, texts_of
from npcpit_imaging.dicom.deidentify.policy import CODE_SCHEME, CODE_VALUE
from npcpit_imaging.dicom.deidentify.table import ContentKey

VALUE_TYPE, CONCEPT_NAME = 0x0040A040, 0x0040A043


def content_key(item: Dataset) -> ContentKey:
    """Concept code, coding scheme and value type of a content item; empty strings where it has none.

    Raises:
        DeidentifyError: Its concept name is not a readable sequence.
    """
    concept = item.get_item(CONCEPT_NAME) if CONCEPT_NAME in item else None
    codes = items_of(concept, item, "(0040,A043) ConceptNameCodeSequence") if concept is not None else ()
    code = codes[0] if codes else Dataset()
    return _text(code, CODE_VALUE), _text(code, CODE_SCHEME), _text(item, VALUE_TYPE)


def _text(dataset: Dataset, tag: int) -> str:
    element = dataset.get_item(tag) if tag in dataset else None
    return "" if element is None else "".join(texts_of(element, "SH"))
