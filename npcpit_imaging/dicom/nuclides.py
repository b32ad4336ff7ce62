"""Half-lives of PET nuclides by the code a PET states (PS3.16 CID 4020): another nuclide's half-life is refused.

Half-lives after the evaluated tables of the Decay Data Evaluation Project, in s.
"""

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.values import tag_name, text
from npcpit_imaging.errors import QuantityError

HALF_LIFE_S = {
    "C-11": 1221.8, "N-13": 597.9, "O-15": 122.2, "F-18": 6586.2, "Cu-64": 45_721.0, "Ga-68": 4062.6, "Rb-82": 75.45,
    "Zr-89": 282_280.0, "I-124": 360_800.0,
}  # fmt: skip

NUCLIDE_BY_CODE = {
    "40565003": "C-11", "C-105A1": "C-11", "21576001": "N-13", "C-107A1": "N-13", "129504001": "O-15",
    "C-B1038": "O-15", "77004003": "F-18", "C-111A1": "F-18", "3932008": "Cu-64", "C-127A2": "Cu-64",
    "35337001": "Ga-68", "C-131A3": "Ga-68", "79197006": "Rb-82", "C-159A2": "Rb-82", "63360001": "Zr-89",
    "C-168A4": "Zr-89", "40937006": "I-124", "C-114A5": "I-124",
}  # fmt: skip
"""SNOMED CT and the older SNOMED RT codes of CID 4020; the scheme is written in many ways, the values are unique."""

SAME_HALF_LIFE = 0.01
"""Scanners round: 6584 to 6588 s for F-18. An SUV one half-life after the injection changes by 0.7 % at this limit."""


def require_half_life_of_nuclide(item: Dataset, half_life_s: float) -> None:
    """Refuse a half-life that is not the stated nuclide's; what states no nuclide we know passes.

    Args:
        item: The item of RadiopharmaceuticalInformationSequence.
        half_life_s: RadionuclideHalfLife.

    Raises:
        QuantityError: They contradict each other; the message names the tags.
    """
    codes = item.get("RadionuclideCodeSequence") or []
    nuclide = NUCLIDE_BY_CODE.get(text(codes[0], "CodeValue")) if codes else None
    if nuclide is None:
        return
    expected = HALF_LIFE_S[nuclide]
    if not abs(half_life_s - expected) <= SAME_HALF_LIFE * expected:
        raise QuantityError(
            f"{tag_name('RadionuclideHalfLife')}: expected {expected:g} s of {nuclide} "
            f"({tag_name('RadionuclideCodeSequence')}), found {half_life_s:g} s"
        )
