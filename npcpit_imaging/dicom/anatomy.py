"""Anatomic sites in CDISC's words (TULOC, codelist C74456) and their SNOMED CT codes (PS3.16 CID 4, 7600, 7601)."""

from pydicom.sr.coding import Code

CATEGORY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
"""Property category (CID 7150) and finding category of every lesion."""

MASS = Code("4147007", "SCT", "Mass")
"""Property type (CID 7159) of a lesion that is no lymph node."""

LESION = Code("52988006", "SCT", "Lesion")
"""Property type (CID 7159) of a diseased node: that it is a node stands in its site; whether it is spread does not."""

HEAD_AND_NECK = Code("774007", "SCT", "Head and Neck")
"""What a site of the head and neck without a verified code of its own is coded as; the label keeps its words."""

SKULL_BASE = Code("31467002", "SCT", "Base of skull structure")

SITES = {
    "NASOPHARYNX": Code("71836000", "SCT", "Nasopharynx"),
    "OROPHARYNX": Code("31389004", "SCT", "Oropharynx"),
    "HYPOPHARYNX": Code("81502006", "SCT", "Hypopharynx"),
    "PHARYNX": Code("54066008", "SCT", "Pharynx"),
    "LARYNX": Code("4596009", "SCT", "Larynx"),
    "NASAL CAVITY": Code("279549004", "SCT", "Nasal cavity"),
    "PARANASAL SINUS": Code("2095001", "SCT", "Paranasal sinus"),
    "MAXILLARY SINUS": Code("15924003", "SCT", "Maxillary sinus"),
    "ORBIT": Code("363654007", "SCT", "Orbit"),
    "SOFT PALATE": Code("49460000", "SCT", "Soft palate"),
    "TONGUE": Code("21974007", "SCT", "Tongue"),
    "BASE OF THE TONGUE": Code("47975008", "SCT", "Base of tongue"),
    "PAROTID GLAND": Code("45289007", "SCT", "Parotid gland"),
    "SUBMANDIBULAR GLAND": Code("54019009", "SCT", "Submandibular gland"),
    "MANDIBLE": Code("91609006", "SCT", "Mandible"),
    "MAXILLA": Code("70925003", "SCT", "Maxilla"),
    "SKULL": Code("89546000", "SCT", "Skull"),
    "SKULL, BASE": SKULL_BASE,
    "CLIVUS": SKULL_BASE,
    "SPHENOID BONE": Code("73117003", "SCT", "Sphenoid bone"),
    "TEMPORAL BONE": Code("60911003", "SCT", "Temporal bone"),
    "CRANIAL CAVITY": Code("1101003", "SCT", "Cranial cavity"),
    "HEAD": Code("69536005", "SCT", "Head"),
    "NECK": Code("45048000", "SCT", "Neck"),
    "HEAD AND NECK": HEAD_AND_NECK,
    "MASSETER MUSCLE": HEAD_AND_NECK,
    "RETROPHARYNGEAL LYMPH NODE": Code("25683005", "SCT", "Retropharyngeal lymph node"),
    "PARAPHARYNGEAL LYMPH NODE": Code("312501005", "SCT", "Lymph node of head and neck"),
    "CERVICAL LYMPH NODE": Code("81105003", "SCT", "Cervical lymph node"),
    "CERVICAL LYMPH NODE LEVEL II": Code("245321008", "SCT", "Upper jugular lymph node"),
    "CERVICAL LYMPH NODE LEVEL III": Code("245322001", "SCT", "Middle jugular lymph node"),
    "CERVICAL LYMPH NODE LEVEL IV": Code("245323006", "SCT", "Lower jugular lymph node"),
    "CERVICAL LYMPH NODE LEVEL V": Code("245324000", "SCT", "Posterior triangle cervical lymph node"),
    "MID-JUGULAR LYMPH NODE": Code("245322001", "SCT", "Middle jugular lymph node"),
    "LOWER JUGULAR LYMPH NODE": Code("245323006", "SCT", "Lower jugular lymph node"),
    "SUBMANDIBULAR LYMPH NODE": Code("59503006", "SCT", "Submandibular lymph node"),
    "SUBMENTAL LYMPH NODE": Code("46055009", "SCT", "Submental lymph node"),
    "PAROTID GLAND LYMPH NODE": Code("10209003", "SCT", "Parotid lymph node"),
    "OCCIPITAL LYMPH NODE": Code("3916005", "SCT", "Occipital lymph node"),
    "SUPRACLAVICULAR LYMPH NODE": Code("76838003", "SCT", "Supraclavicular lymph node"),
    "MEDIASTINAL LYMPH NODE": Code("62683002", "SCT", "Mediastinal lymph node"),
    "AXILLARY LYMPH NODE": Code("68171009", "SCT", "Axillary lymph node"),
    "LYMPH NODE": Code("59441001", "SCT", "Lymph node"),
    "BRAIN": Code("12738006", "SCT", "Brain"),
    "BONE": Code("3138006", "SCT", "Bone"),
    "LUNG": Code("39607008", "SCT", "Lung"),
    "PLEURA": Code("3120008", "SCT", "Pleura"),
    "MEDIASTINUM": Code("72410000", "SCT", "Mediastinum"),
    "LIVER": Code("10200004", "SCT", "Liver"),
    "ADRENAL GLAND": Code("23451007", "SCT", "Adrenal gland"),
}
"""CDISC term to SNOMED CT. Neck levels II to IV are the upper, middle and lower jugular groups, V the posterior
triangle (AJCC; PS3.16 CID 7600). The clivus is coded as what it is part of. 31467002 is the one code outside the
standard's own dictionary: SNOMED CT core, body structure, in the German oncology value set of radiotherapy targets."""

OTHER_WORDS = {
    "LYMPH NODE, RETROPHARYNGEAL": "RETROPHARYNGEAL LYMPH NODE",
    "LYMPH NODE, CERVICAL": "CERVICAL LYMPH NODE",
    "SKULL BASE": "SKULL, BASE",
    "MASTICATOR SPACE": "HEAD AND NECK",
    "PARAPHARYNGEAL SPACE": "HEAD AND NECK",
    "INFRATEMPORAL FOSSA": "HEAD AND NECK",
    "PTERYGOPALATINE FOSSA": "HEAD AND NECK",
}
"""Words that are no CDISC terms, and the term they are coded by. The deep spaces have none and no verified code."""


def site_codes(location: str) -> tuple[Code, ...]:
    """Return the SNOMED CT code of a site, or none: a missing code is better than a wrong one.

    Args:
        location: A CDISC term (TULOC) or one of `OTHER_WORDS`, in any case.

    Example:
        >>> [code.meaning for code in site_codes("Skull base")], site_codes("PLEURAL PEEL")
        (['Base of skull structure'], ())
    """
    words = " ".join(location.upper().split())
    term = OTHER_WORDS.get(words, words)
    return (SITES[term],) if term in SITES else ()
