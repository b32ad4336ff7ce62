"""Naming a content item of a structured report by concept and value type (DICOM PS3.3 C.17.3, PS3.15 Table E.3.4-1)."""

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.deidentify.elements import element_at, items_of, text_at
from npcpit_imaging.dicom.deidentify.policy import CODE_SCHEME, CODE_VALUE
from npcpit_imaging.dicom.deidentify.table import ContentKey

VALUE_TYPE, CONCEPT_NAME = 0x0040A040, 0x0040A043


def content_key(item: Dataset) -> ContentKey:
    """Concept code, coding scheme and value type of a content item; empty strings where it has none.

    Raises:
        DeidentifyError: Its concept name is not a readable sequence.
    """
    concept = element_at(item, CONCEPT_NAME) if CONCEPT_NAME in item else None
    codes = items_of(concept, item, "(0040,A043) ConceptNameCodeSequence") if concept is not None else ()
    code = codes[0] if codes else Dataset()
    return text_at(code, CODE_VALUE), text_at(code, CODE_SCHEME), text_at(item, VALUE_TYPE)
