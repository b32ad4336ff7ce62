"""What each tissue looks like: CT numbers, relaxation at 1.5 T and FDG uptake (textbook values, rounded)."""

from dataclasses import dataclass

import numpy as np

T1_WEIGHTED = (560.0, 12.0)
"""Repetition and echo time in ms of the T1-weighted spin echo."""

T2_WEIGHTED = (4200.0, 92.0)
"""Repetition and echo time in ms of the T2-weighted turbo spin echo."""


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """One tissue.

    Args:
        hu: CT number in the venous phase after contrast.
        hu_native: CT number without contrast (the PET's low-dose CT).
        t1_ms: Longitudinal relaxation time.
        t2_ms: Effective transverse relaxation time.
        protons: Proton density relative to water, 0 for a flow void.
        suv: FDG uptake as SUV body weight.
        grain_hu: Amplitude of its texture on CT.
        grain: Relative amplitude of its texture on MR; PET is smooth before its noise.
    """

    hu: float
    hu_native: float
    t1_ms: float
    t2_ms: float
    protons: float
    suv: float
    grain_hu: float = 0.0
    grain: float = 0.0

    def spin_echo(self, repetition_ms: float, echo_ms: float) -> float:
        """Return the spin-echo signal relative to fully relaxed water."""
        return self.protons * (1 - np.exp(-repetition_ms / self.t1_ms)) * np.exp(-echo_ms / self.t2_ms)


def _tissue(*row: float) -> Tissue:
    names = ("hu", "hu_native", "t1_ms", "t2_ms", "protons", "suv", "grain_hu", "grain")
    return Tissue(**dict(zip(names, row, strict=True)))


#                     hu   native    t1    t2  protons  suv  grain_hu grain
TISSUES = {
    "air":      _tissue(-1000, -1000, 1000, 100, 0.00, 0.02, 0, 0.0),
    "foam":     _tissue(-965, -965, 1000, 100, 0.00, 0.02, 0, 0.0),
    "board":    _tissue(-350, -350, 1000, 100, 0.00, 0.02, 0, 0.0),
    "skin":     _tissue(50, 40, 900, 40, 0.75, 0.60, 6, 0.05),
    "fat":      _tissue(-102, -104, 290, 105, 0.92, 0.25, 9, 0.05),
    "strand":   _tissue(-25, -35, 500, 80, 0.80, 0.40, 8, 0.05),
    "muscle":   _tissue(62, 52, 980, 44, 0.95, 0.75, 5, 0.06),
    "tongue":   _tissue(58, 48, 800, 56, 0.95, 1.10, 10, 0.10),
    "mucosa":   _tissue(82, 42, 1150, 100, 0.98, 1.50, 4, 0.06),
    "palate":   _tissue(60, 44, 850, 65, 0.95, 1.30, 6, 0.08),
    "tonsil":   _tissue(80, 48, 1100, 88, 0.98, 3.60, 5, 0.06),
    "parotid":  _tissue(12, -12, 560, 72, 0.92, 1.90, 12, 0.10),
    "submand":  _tissue(82, 38, 850, 78, 0.95, 2.10, 7, 0.08),
    "cortical": _tissue(1250, 1250, 900, 6, 0.08, 0.40, 60, 0.05),
    "thinbone": _tissue(700, 700, 900, 12, 0.12, 0.40, 60, 0.05),
    "marrow":   _tissue(330, 310, 420, 70, 0.75, 1.30, 60, 0.10),
    "petrous":  _tissue(1500, 1500, 900, 6, 0.08, 0.40, 120, 0.05),
    "tooth":    _tissue(2200, 2200, 900, 4, 0.04, 0.30, 60, 0.05),
    "artery":   _tissue(205, 42, 1400, 120, 0.06, 1.70, 3, 0.02),
    "vein":     _tissue(175, 42, 1400, 120, 0.16, 1.70, 3, 0.02),
    "grey":     _tissue(40, 37, 1000, 98, 0.88, 8.50, 2, 0.04),
    "white":    _tissue(31, 28, 640, 76, 0.76, 3.20, 2, 0.03),
    "cerebell": _tissue(38, 36, 860, 90, 0.84, 6.50, 2, 0.04),
    "cord":     _tissue(42, 38, 780, 80, 0.80, 1.90, 2, 0.03),
    "csf":      _tissue(8, 6, 4000, 1500, 1.00, 0.60, 1, 0.01),
    "vitreous": _tissue(8, 6, 3600, 900, 1.00, 0.30, 1, 0.01),
    "lens":     _tissue(85, 85, 1200, 30, 0.70, 0.30, 1, 0.01),
    "eyemusc":  _tissue(72, 55, 950, 50, 0.95, 2.60, 4, 0.05),
    "nerve":    _tissue(38, 34, 800, 78, 0.80, 1.20, 2, 0.03),
    "disc":     _tissue(95, 85, 1000, 70, 0.80, 0.60, 6, 0.05),
    "cartil":   _tissue(95, 85, 1100, 42, 0.75, 0.60, 8, 0.05),
}  # fmt: skip
"""Every tissue of the phantom except the lesions, which bring their own values."""


def channel(tissue: Tissue, kind: str) -> tuple[float, float]:
    """Return a tissue's value and texture amplitude in one kind of image.

    Args:
        tissue: The tissue.
        kind: ``CT`` (venous phase), ``PET_CT`` (native), ``MR_T1``, ``MR_T2`` or ``PET``.

    Returns:
        Value (HU, signal relative to water, or SUV) and the amplitude of its texture in the same unit.
    """
    if kind == "CT":
        return tissue.hu, tissue.grain_hu
    if kind == "PET_CT":
        return tissue.hu_native, tissue.grain_hu
    if kind == "PET":
        return tissue.suv, 0.0
    signal = tissue.spin_echo(*(T1_WEIGHTED if kind == "MR_T1" else T2_WEIGHTED))
    return signal, signal * tissue.grain
