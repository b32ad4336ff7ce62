"""What we add to Table E.1-1: rules for attributes that the table does not name (DICOM PS3.15 E.1.1)."""

from pydicom.datadict import keyword_for_tag

CHARACTER_SET = 0x00080005
CODE_VALUE, CODE_SCHEME, CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
LONG_CODE_VALUE, URN_CODE_VALUE, EXTENDED_MEANING = 0x00080119, 0x00080120, 0x00080108
CODE_ITEM_TAGS = (CODE_VALUE, LONG_CODE_VALUE, URN_CODE_VALUE, CODE_MEANING)
TIMEZONE_OFFSET = 0x00080201
PATIENT_NAME, PATIENT_ID, PATIENT_BIRTH_DATE = 0x00100010, 0x00100020, 0x00100030
TRIAL_SUBJECT_ID = 0x00120040
IDENTITY_REMOVED, METHOD, METHOD_CODES, TIME_MODIFIED = 0x00120062, 0x00120063, 0x00120064, 0x00280303
TEXT_VALUE, NUMERIC_VALUE = 0x0040A160, 0x0040A30A

SUBJECT_TAGS = frozenset({PATIENT_NAME, PATIENT_ID, TRIAL_SUBJECT_ID})
"""Attributes that receive the subject code."""

ALWAYS_REMOVED = frozenset(
    {
        CHARACTER_SET,  # every kept text is ASCII, so none is needed and a broken one cannot mislead
        IDENTITY_REMOVED, METHOD, METHOD_CODES, TIME_MODIFIED,  # written anew
        # The edition of a public code list: its date is the same everywhere, and shifted it would tell the shift.
        0x00080105, 0x00080106, 0x00080107, 0x0008010B, 0x0008010D, 0x0008010F,
        0x00120086, 0x00120087,  # dates of the trial's ethics approval: public too
        0x00080300,  # Private Data Element Characteristics: describes blocks that are gone
        0x04000500, 0x04000510, 0x04000520,  # encrypted attributes: nobody can say what they hold
        0x00100033, 0x00100034, 0x00100035,  # dates of birth and death in another calendar
    }
)  # fmt: skip
"""Attributes beyond the table that never stay."""

REFUSED = {
    0x00420011: "an encapsulated document",
    0x00041220: "a directory (DICOMDIR); make a new one from the new files",
}
"""Attributes whose presence means that the object cannot be de-identified with certainty."""

REFUSED_SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.9.4.1": "a voice recording",
    "1.2.840.10008.5.1.4.1.1.9.4.2": "an audio recording",
    "1.2.840.10008.1.3.10": "a directory (DICOMDIR); make a new one from the new files",
}
"""SOP classes that hold speech or names by their nature."""

DUMMY_CODE_SEQUENCES = frozenset({0x00401101, 0x00080082})
"""Code sequences that name a person or an institution: their one item becomes a code that says nothing."""

IDENTIFIER_TAGS = frozenset(
    {
        PATIENT_ID, TRIAL_SUBJECT_ID, 0x00080050, 0x00080080, 0x00080081, 0x00080094, 0x00100021, 0x00101000,
        0x00101040, 0x00101090, 0x00102154, 0x00102155, 0x00102297, 0x00181000, 0x00380010, 0x00380060, 0x00401001,
        0x00402016, 0x00402017,
    }
)  # fmt: skip
"""Identifiers that technicians also type into other fields: their values are looked for in everything kept."""

TYPED_TEXTS = frozenset({0x00102160})
"""Kept by the table as a patient characteristic (ethnic group), but typed: only words of the vocabulary stay."""

_TECHNICAL_GROUPS = frozenset({0x0018, 0x0022, 0x0028, 0x0054})
_NOT_TECHNICAL = frozenset(
    {0x00181003, 0x00181006, 0x00181803, 0x00189423, 0x00189900, 0x00189908, 0x00189916, 0x00189922}
)
_TECHNICAL = frozenset(
    {0x00080070, 0x00081090, 0x00080222, 0x00080103, 0x00209056, 0x00209421, 0x00620009, 0x00660031, 0x00660036}
)
TECHNICAL_VRS = frozenset({"LO", "SH"})
"""Longer text VRs are always cleaned."""

STANDARD_SCHEMES = frozenset(
    {
        "DCM", "SCT", "SRT", "SNM3", "UCUM", "LN", "FMA", "NCIT", "NCIt", "UMLS", "RADLEX", "IBSI", "BI", "ICDO3",
        "I9C", "I10", "I10P", "I11", "MSH", "ITIS", "NEU", "UBERON", "MDC", "RXNORM", "ACR", "ISO639_1", "ISO639_2",
        "ISO3166_1", "RFC5646", "NDC", "NICIP", "C4", "C5", "CD2", "PUBCHEM_CID", "ATC", "UNII", "99QIICR", "99PMP",
        "99IHE", "99NPCPIT",
    }
)  # fmt: skip
"""Coding schemes whose codes and meanings come from a published list."""

BODY_PART = 0x00180015
TYPED_CODE_STRINGS = frozenset({BODY_PART, 0x00700080, 0x00700002})
"""Code strings that people type (body part, content label, graphic layer): only words of the vocabulary stay."""

STRUCTURAL_CODE_STRINGS = frozenset(
    {
        0x00080008, 0x00080060, 0x00100040, 0x00280004, 0x0040A010, 0x0040A040, 0x0040A050, 0x0040A491, 0x0040A493,
        0x0040A496, 0x0040DB00, 0x30060036, 0x30060042, 0x300600A4,
    }
)  # fmt: skip
"""Code strings without which the object falls apart; a patient called Text or Container must not break a report."""

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Pixel data: passed through bit for bit."""


_WRITTEN_BY_PEOPLE = ("Comment", "Comments", "Description", "Explanation")


def is_technical(tag: int) -> bool:
    """True for short texts that a device writes (manufacturer, kernel, coil), not a person."""
    if keyword_for_tag(tag).endswith(_WRITTEN_BY_PEOPLE):
        return False
    return tag in _TECHNICAL or (tag >> 16 in _TECHNICAL_GROUPS and tag not in _NOT_TECHNICAL)


def is_class_uid(tag: int) -> bool:
    """True for UIDs that say what kind of thing something is; private classes included."""
    keyword = keyword_for_tag(tag)
    return "SOPClass" in keyword or "TransferSyntax" in keyword
