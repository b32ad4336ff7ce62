"""What a study decided about de-identification: the key and the options of the profile."""

from dataclasses import dataclass, field

from npcpit_imaging.dicom.deidentify.identity import check_key
from npcpit_imaging.dicom.deidentify.table import Option

STUDY_OPTIONS = frozenset(Option) - {Option.DEVICE}
"""Options a longitudinal PET/CT/MR trial needs: intervals, SUV, useful descriptions, measurement reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidentifyPlan:
    """How a study de-identifies; the same plan gives the same output on every machine.

    Args:
        key: The study's secret, at least 16 bytes; it never leaves the study's vault and is not shown by ``repr``.
        retain_device_identity: Keep device serial numbers, station names and the like (113109).

    Raises:
        InputError: The key is too short.
    """

    key: bytes = field(repr=False)
    retain_device_identity: bool = False

    def __post_init__(self) -> None:
        check_key(self.key)

    @property
    def options(self) -> frozenset[Option]:
        """The options of the Basic Profile that this plan claims."""
        return STUDY_OPTIONS | {Option.DEVICE} if self.retain_device_identity else STUDY_OPTIONS
