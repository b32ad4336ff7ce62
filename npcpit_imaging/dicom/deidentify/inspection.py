"""What de-identification of attributes cannot remove: burned-in text and faces (DICOM PS3.15 E.3.1, E.3.2)."""

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.deidentify.elements import text_at
from npcpit_imaging.study.finding import Finding, Severity

SCREEN_MODALITIES = frozenset({"US", "SC", "OT", "XC", "ES", "GM", "SM", "OP", "XA", "RF", "DOC"})
"""Modalities whose images often carry text, or are photographs."""

SECONDARY_CAPTURE_ROOT = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary Capture Image Storage and its multi-frame kinds."""

FACE_MODALITIES = frozenset({"CT", "MR", "PT"})
PHOTO_MODALITIES = frozenset({"XC", "GM"})
HEAD_WORDS = (
    "head", "neck", "brain", "face", "facial", "skull", "orbit", "nasophary", "npc", "sinus", "pharynx", "larynx",
    "maxill", "mandib", "oral", "ear", "iac", "whole", "wb", "body", "oncology", "h&n",
)  # fmt: skip
BODY_WORDS = (
    "chest",
    "thorax",
    "lung",
    "abdom",
    "pelvi",
    "knee",
    "hip",
    "foot",
    "leg",
    "ankle",
    "heart",
    "cardiac",
    "prostate",
    "spine",
)
_DESCRIPTIONS = (0x00180015, 0x0008103E, 0x00081030, 0x00181030)
_HAS_PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)


def pixel_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Say what the pixels of an object may still show.

    Args:
        dataset: The original object.
    """
    if not any(tag in dataset for tag in _HAS_PIXELS):
        return ()
    candidates = (_burned_in(dataset), _embedded_overlay(dataset), _face(dataset))
    return tuple(finding for finding in candidates if finding is not None)


def _burned_in(dataset: Dataset) -> Finding | None:
    declared = text_at(dataset, 0x00280301).upper()
    if declared == "YES":
        return _warn("burned-in-annotation", "(0028,0301) BurnedInAnnotation is YES: text in the pixels is not removed")
    suspicious = text_at(dataset, 0x00080060) in SCREEN_MODALITIES or text_at(dataset, 0x00080016).startswith(
        SECONDARY_CAPTURE_ROOT
    )
    if declared != "NO" and suspicious:
        return _warn("burned-in-annotation", "an image of a kind that often carries text; (0028,0301) does not say NO")
    return None


def _embedded_overlay(dataset: Dataset) -> Finding | None:
    for tag in map(int, dataset.keys()):
        if tag >> 24 == 0x60 and tag & 0xFFFF == 0x0102 and (tag & 0xFFFF0000) + 0x3000 not in dataset:
            return _warn("embedded-overlay", "an overlay lies in unused bits of the pixel data, which are not changed")
    return None


def _face(dataset: Dataset) -> Finding | None:
    declared, modality = text_at(dataset, 0x00280302).upper(), text_at(dataset, 0x00080060)
    described = " ".join(text_at(dataset, tag) for tag in _DESCRIPTIONS).lower()
    if declared == "YES" or modality in PHOTO_MODALITIES:
        return _warn("face-bearing", "recognizable visual features are declared or likely; pixels are not defaced")
    if declared == "NO" or modality not in FACE_MODALITIES:
        return None
    if any(word in described for word in HEAD_WORDS):
        return _warn("face-bearing", f"{modality} of the head, neck or whole body: a face could be rendered from it")
    if any(word in described for word in BODY_WORDS):
        return None
    return Finding(
        code="face-unknown", severity=Severity.INFO, text=f"{modality} of an unstated region: a face is possible"
    )


def _warn(code: str, text: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, text=text)
