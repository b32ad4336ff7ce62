"""The CDISC SDTM controlled terminology this export uses (package 2025-03-25, oncology codelists), and nothing else."""

import re
from enum import StrEnum

TERMINOLOGY_DATE = "2025-03-25"
"""The package every term below was checked against (tests/report/test_sdtm_terms.py)."""


def _terms(text: str) -> frozenset[str]:
    return frozenset(re.split(r"\|\s*", text))


class Codelist(StrEnum):
    """Codelists by the NCI code CDISC gives them."""

    LOC = "C74456"
    LAT = "C99073"
    METHOD = "C85492"
    EVAL = "C78735"
    EVALID = "C96777"
    NY = "C66742"
    ND = "C66789"
    TUTESTCD = "C96784"
    TUTEST = "C96783"
    TURESULT = "C123650"
    TRTESTCD = "C96779"
    TRTEST = "C96778"
    TRRESULT = "C124309"
    RSTESTCD = "C96782"
    RSTEST = "C96781"
    RSRESULT = "C96785"
    RSCAT = "C124298"


TU_TESTS = {"TUMIDENT": "Tumor Identification", "TUSPLIT": "Tumor Split", "TUMERGE": "Tumor Merged"}

TR_TESTS = {
    "LDIAM": "Longest Diameter",
    "LPERP": "Longest Perpendicular",
    "TUMSTATE": "Tumor State",
    "LNSTATE": "Lymph Node State",
    "NEWCONF": "New Tumor Confirmed",
    "SUMDIAM": "Sum of Diameter",
    "PCBSD": "Percent Change Baseline in Sum of Diam",
    "PCNSD": "Percent Change Nadir in Sum of Diam",
    "ACNSD": "Absolute Change Nadir in Sum of Diam",
}

RS_TESTS = {
    "TRGRESP": "Target Response",
    "NTRGRESP": "Non-target Response",
    "NEWLIND": "New Lesion Indicator",
    "OVRLRESP": "Overall Response",
    "BESTRESP": "Best Overall Response",
}

RS_EXTENSIONS = {"LESRESP": "Lesion Response", "LESBEST": "Best Lesion Response", "ENDORESP": "Endoscopic Response"}
"""Sponsor's additions to C96782 and C96781, which are extensible: CDISC has no test for one lesion's response."""

RECIST = "RECIST 1.1"
IRECIST = "iRECIST"
PROTOCOL_DEFINED = "PROTOCOL DEFINED RESPONSE CRITERIA"
ENDOSCOPY = "ENDOSCOPY"
NOT_DONE = "NOT DONE"
TOO_SMALL = "TOO SMALL TO MEASURE"
TUMOR_MERGED = "TUMOR MERGED"
INVESTIGATOR = "INVESTIGATOR"
INDEPENDENT = "INDEPENDENT ASSESSOR"

LOCATIONS = _terms(
    """NASOPHARYNX|OROPHARYNX|HYPOPHARYNX|LARYNX|PHARYNX|PHARYNGEAL TONSIL|TONSIL|TONGUE|BASE OF THE TONGUE|
    ORAL CAVITY|NASAL CAVITY|PARANASAL SINUS|ETHMOID SINUS|FRONTAL SINUS|MAXILLARY SINUS|SPHENOID SINUS|
    CLIVUS|SKULL, BASE|SKULL|SPHENOID BONE|BASISPHENOID BONE|BASIOCCIPITAL BONE|TEMPORAL BONE|OCCIPITAL BONE|
    ETHMOID BONE|PALATINE BONE|MAXILLA|MANDIBLE|FACIAL BONE|ORBIT|PAROTID GLAND|BRAIN|BRAIN STEM|
    HEAD AND NECK|NECK|SKIN OF THE NECK|OROPHARYNGEAL SOFT TISSUE|WALDEYER'S TONSILLAR RING|
    LYMPH NODE|CERVICAL LYMPH NODE|CERVICAL LYMPH NODE LEVEL II|CERVICAL LYMPH NODE LEVEL III|
    CERVICAL LYMPH NODE LEVEL IV|CERVICAL LYMPH NODE LEVEL V|UPPER CERVICAL LYMPH NODE|
    POSTERIOR CERVICAL LYMPH NODE|RETROPHARYNGEAL LYMPH NODE|PARAPHARYNGEAL LYMPH NODE|PAROTID GLAND LYMPH NODE|
    SUBMENTAL LYMPH NODE|SUBMANDIBULAR LYMPH NODE|SUPRACLAVICULAR LYMPH NODE|INFRACLAVICULAR LYMPH NODE|
    OCCIPITAL LYMPH NODE|RETROAURICULAR LYMPH NODE|PREAURICULAR LYMPH NODE|BUCCAL LYMPH NODE|
    MEDIASTINAL LYMPH NODE|HILAR LYMPH NODE|AXILLARY LYMPH NODE|ABDOMINAL LYMPH NODE|DISTANT LYMPH NODE|
    LUNG|LUNG, LEFT|LUNG, RIGHT|PLEURA|MEDIASTINUM|LIVER|SPLEEN|ADRENAL GLAND|KIDNEY|PANCREAS|BONE|
    VERTEBRA|RIB|STERNUM|PELVIC BONE|SKIN|MUSCLE|BODY"""
)
"""Sites of head and neck and of usual metastases, in C74456 (which is extensible and has 1,397)."""

METHODS = _terms(
    """CT SCAN|CT SCAN WITHOUT CONTRAST|CONTRAST ENHANCED CT SCAN|SPIRAL CT|MRI|MRI WITHOUT CONTRAST|
    CONTRAST ENHANCED MRI|DYNAMIC CONTRAST ENHANCED MRI|DIFFUSION WEIGHTED MRI|PET SCAN|PET/CT SCAN|
    CONTRAST ENHANCED PET/CT SCAN|PET/MRI SCAN|ENDOSCOPY|ULTRASOUND|X-RAY|PHYSICAL EXAMINATION|
    CALIPER MEASUREMENT METHOD|PHOTOGRAPHY|SCINTIGRAPHY"""
)

EVALUATORS = _terms(
    "INVESTIGATOR|INDEPENDENT ASSESSOR|ADJUDICATOR|ADJUDICATION COMMITTEE|RADIOLOGIST|NEURORADIOLOGIST|"
    "NUCLEAR MEDICINE PHYSICIAN|ONCOLOGIST|OTOLARYNGOLOGIST|READER|PRINCIPAL INVESTIGATOR|SUBINVESTIGATOR"
)

EVALUATOR_IDS = _terms(
    "ADJUDICATOR 1|ADJUDICATOR 2|ADJUDICATOR 3|RADIOLOGIST 1|RADIOLOGIST 2|RADIOLOGIST 3|NEURORADIOLOGIST 1|"
    "NEURORADIOLOGIST 2|NUCLEAR MEDICINE PHYSICIAN 1|ONCOLOGIST 1|ONCOLOGIST 2|OTOLARYNGOLOGIST 1|OTOLARYNGOLOGIST 2|"
    "RATER 1|RATER 2|READER 1|READER 2|READER 3"
)

TERMS: dict[Codelist, frozenset[str]] = {
    Codelist.LOC: LOCATIONS,
    Codelist.LAT: frozenset({"LEFT", "RIGHT", "BILATERAL", "UNILATERAL", "LATERAL", "IPSILATERAL", "CONTRALATERAL"}),
    Codelist.METHOD: METHODS,
    Codelist.EVAL: EVALUATORS,
    Codelist.EVALID: EVALUATOR_IDS,
    Codelist.NY: frozenset({"Y", "N", "U"}),
    Codelist.ND: frozenset({NOT_DONE}),
    Codelist.TUTESTCD: frozenset(TU_TESTS),
    Codelist.TUTEST: frozenset(TU_TESTS.values()),
    Codelist.TURESULT: frozenset({"TARGET", "NON-TARGET", "NEW"}),
    Codelist.TRTESTCD: frozenset(TR_TESTS),
    Codelist.TRTEST: frozenset(TR_TESTS.values()),
    Codelist.TRRESULT: _terms(
        "PRESENT|ABSENT|INCREASED|EQUIVOCAL|UNEQUIVOCAL|PATHOLOGICAL|NON-PATHOLOGICAL|TUMOR MERGED|NE"
    ),
    Codelist.RSTESTCD: frozenset(RS_TESTS),
    Codelist.RSTEST: frozenset(RS_TESTS.values()),
    Codelist.RSRESULT: _terms(
        "CR|PR|SD|PD|NE|NED|NON-CR/NON-PD|NON-PD|NOT ALL EVALUATED|EQUIVOCAL|UNEQUIVOCAL|"
        "iCR|iPR|iSD|iUPD|iCPD|NON-iCR/NON-iUPD"
    ),
    Codelist.RSCAT: frozenset({RECIST, IRECIST, PROTOCOL_DEFINED}),
}
"""The terms of each codelist that this export may write."""

CLOSED = frozenset({Codelist.NY, Codelist.ND})
"""Codelists that are not extensible: a word of one's own is an error there and a question elsewhere."""

_LOCATION_WORDS = {
    "SKULL BASE": "SKULL, BASE",
    "BASE OF SKULL": "SKULL, BASE",
    "TONGUE BASE": "BASE OF THE TONGUE",
    "NODE": "LYMPH NODE",
    "PAROTID": "PAROTID GLAND",
    "PAROTID LYMPH NODE": "PAROTID GLAND LYMPH NODE",
    "ADRENAL": "ADRENAL GLAND",
    "NECK LYMPH NODE": "CERVICAL LYMPH NODE",
}

_METHOD_WORDS = {
    "CT": "CT SCAN",
    "CECT": "CONTRAST ENHANCED CT SCAN",
    "CT WITH CONTRAST": "CONTRAST ENHANCED CT SCAN",
    "MR": "MRI",
    "MRI WITH CONTRAST": "CONTRAST ENHANCED MRI",
    "DWI": "DIFFUSION WEIGHTED MRI",
    "PET": "PET SCAN",
    "PT": "PET SCAN",
    "PET/CT": "PET/CT SCAN",
    "PET-CT": "PET/CT SCAN",
    "PET/MR": "PET/MRI SCAN",
    "US": "ULTRASOUND",
    "XRAY": "X-RAY",
    "CHEST X-RAY": "X-RAY",
    "CLINICAL": "PHYSICAL EXAMINATION",
    "PALPATION": "PHYSICAL EXAMINATION",
    "CALIPER": "CALIPER MEASUREMENT METHOD",
    "PHOTO": "PHOTOGRAPHY",
}


def location(organ: str, *, nodal: bool) -> tuple[str, str]:
    """Give --LOC and --LAT of a site in a reader's words; what is not known stays as it is and a check asks about it.

    Example:
        >>> location("left skull base", nodal=False), location("neck", nodal=True), location("Level II", nodal=True)
        (('SKULL, BASE', 'LEFT'), ('CERVICAL LYMPH NODE', ''), ('CERVICAL LYMPH NODE LEVEL II', ''))
    """
    words = organ.upper().replace("_", " ").split()
    sides = [word for word in words if word in {"LEFT", "RIGHT", "BILATERAL"}]
    whole = _site(" ".join(words), nodal=nodal)
    if whole in LOCATIONS or len(sides) != 1:
        return whole, ""
    return _site(" ".join(word for word in words if word not in sides), nodal=nodal), sides[0]


def _site(site: str, *, nodal: bool) -> str:
    site = site.replace("LYMPH NODES", "LYMPH NODE").replace("NODES", "NODE")
    if nodal and site.startswith("LEVEL "):
        return f"CERVICAL LYMPH NODE {site.removesuffix('LYMPH NODE').removesuffix('NODE')}".strip()
    if nodal and site == "NECK":
        site = "NECK LYMPH NODE"
    if site.endswith(" NODE") and not site.endswith("LYMPH NODE"):
        site = site.removesuffix("NODE") + "LYMPH NODE"
    return _LOCATION_WORDS.get(site, site)


def method(word: str) -> str:
    """Give --METHOD of a reader's word; what is not known stays as it is and a check asks about it.

    Example:
        >>> method("ct"), method("PET-CT"), method("thermography")
        ('CT SCAN', 'PET/CT SCAN', 'THERMOGRAPHY')
    """
    upper = " ".join(word.upper().split())
    return _METHOD_WORDS.get(upper, upper)
