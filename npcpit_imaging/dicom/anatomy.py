"""Anatomic sites in CDISC's words (TULOC, codelist C74456) and their SNOMED CT codes (PS3.16 CID 4, 7600, 7601)."""

from pydicom.sr.coding import Code

HEAD_AND_NECK = Code("774007", "SCT", "Head and Neck")
"""What a site without a code of its own is coded as; its own words stay in the segment's label."""

SITES = {
    "NASOPHARYNX": Code("360955006", "SCT", "Nasopharynx"),
    "OROPHARYNX": Code("31389004", "SCT", "Oropharynx"),
    "RETROPHARYNGEAL LYMPH NODE": Code("25683005", "SCT", "Retropharyngeal lymph node"),
    "LYMPH NODE, RETROPHARYNGEAL": Code("25683005", "SCT", "Retropharyngeal lymph node"),
    "CERVICAL LYMPH NODE": Code("81105003", "SCT", "Cervical lymph node"),
    "LYMPH NODE, CERVICAL": Code("81105003", "SCT", "Cervical lymph node"),
    "CERVICAL LYMPH NODE LEVEL II": Code("245321008", "SCT", "Upper jugular lymph node"),
    "CERVICAL LYMPH NODE LEVEL III": Code("245322001", "SCT", "Middle jugular lymph node"),
    "CERVICAL LYMPH NODE LEVEL IV": Code("245323006", "SCT", "Lower jugular lymph node"),
    "LYMPH NODE": Code("312501005", "SCT", "Lymph node of head and neck"),
}
"""Levels II to IV are the upper, middle and lower jugular groups."""

CATEGORY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
MASS = Code("4147007", "SCT", "Mass")
LYMPH_NODE = Code("59441001", "SCT", "Lymph Node")
LESION = Code("52988006", "SCT", "Lesion")


def site_code(location: str) -> Code:
    """Return the SNOMED CT code of a site; the head and neck where it has none of its own."""
    return SITES.get(location.upper(), HEAD_AND_NECK)
