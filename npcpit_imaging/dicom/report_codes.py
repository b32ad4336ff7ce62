"""Codes of a measurement report, once for writing and for reading (PS3.16 TID 1500 and its parts)."""

from pydicom import Dataset
from pydicom.sr.coding import Code

IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
DERIVATION = Code("121401", "DCM", "Derivation")
FINDING = Code("121071", "DCM", "Finding")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
METHOD = Code("370129005", "SCT", "Measurement Method")
TIME_POINT = Code("C2348792", "UMLS", "Time Point")

RECIST = Code("126081", "DCM", "RECIST 1.1")
BASELINE = Code("C1442488", "UMLS", "Baseline")
READER = Code("C28747", "NCIt", "Reader")

LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
VOLUME = Code("118565006", "SCT", "Volume")
SUVBW = Code("126401", "DCM", "SUVbw")
SUVLBM = Code("126406", "DCM", "SUVlbm(James128)")
METABOLIC_VOLUME = Code("126032", "DCM", "Metabolic Volume")
TOTAL_LESION_GLYCOLYSIS = Code("126033", "DCM", "Total Lesion Glycolysis")
QUANTITIES = (LONG_AXIS, SHORT_AXIS, VOLUME, SUVBW, SUVLBM, METABOLIC_VOLUME, TOTAL_LESION_GLYCOLYSIS)

MAXIMUM = Code("56851009", "SCT", "Maximum")
MEAN = Code("373098007", "SCT", "Mean")
PEAK = Code("126031", "DCM", "Peak Value Within ROI")
DERIVATIONS = (
    MAXIMUM,
    MEAN,
    PEAK,
    Code("255605001", "SCT", "Minimum"),
    Code("373099004", "SCT", "Median"),
    Code("386136009", "SCT", "Standard Deviation"),
)

VOXEL_SUM = Code("126030", "DCM", "Sum of segmented voxel method for volume")
SUVBW_METHOD = Code("126410", "DCM", "SUV body weight calculation method")
SUVLBM_METHOD = Code("126415", "DCM", "SUV lean body mass calculation method using 128 multiplier")

MILLIMETRE = Code("mm", "UCUM", "mm")
MILLILITRE = Code("ml", "UCUM", "milliliter")
GRAM = Code("g", "UCUM", "gram")
SUVBW_UNIT = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
SUVLBM_UNIT = Code("g/ml{SUVlbm(James128)}", "UCUM", "Standardized Uptake Value lean body mass (James, 128 multiplier)")

PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
    "PT": Code("44136-0", "LN", "PET unspecified body region"),
}
"""What was reported on (CID 100), by modality."""


def code_of(item: Dataset, keyword: str) -> Code:
    """Return the code in a code sequence of a content item; an empty one where there is none.

    Codes are compared by scheme and value; pydicom takes a retired SNOMED identifier (SRT) for the SCT one it became.
    """
    found = item.get(keyword)
    if not found:
        return Code("", "", "")
    first = found[0]
    value = first.get("CodeValue") or first.get("LongCodeValue") or first.get("URNCodeValue") or ""
    return Code(str(value), str(first.get("CodingSchemeDesignator", "")), str(first.get("CodeMeaning", "")))


def spelled(found: Code) -> str:
    """A code as scheme and value, e.g. ``DCM 126401``; empty for an empty one."""
    return f"{found.scheme_designator} {found.value}".strip()
