"""A region with the settings it is measured by: what every family is given, computed once and only when asked for."""

from dataclasses import dataclass
from functools import cached_property

from npcpit_imaging.config.radiomics import Discretisation, Discretiser, RadiomicsSettings, Resegmentation
from npcpit_imaging.radiomics.discretise import Binning, discretise
from npcpit_imaging.radiomics.region import Region
from npcpit_imaging.radiomics.texture import GreyLevels, place


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One image (or one response map) of one region.

    Args:
        region: Voxels and masks.
        settings: Everything that was decided.
        filter: Name of the response map; empty for the image itself.
    """

    region: Region
    settings: RadiomicsSettings
    filter: str = ""

    @property
    def bounds(self) -> Resegmentation:
        """Resegmentation bounds of these intensities; a response map has none, its unit being another."""
        return Resegmentation() if self.filter else self.settings.resegmentation

    @property
    def discretisation(self) -> Discretisation:
        """How these intensities become grey levels."""
        return self.settings.filter_discretisation if self.filter else self.settings.discretisation

    @property
    def ivh(self) -> Discretisation:
        """How these intensities become steps of the intensity-volume histogram."""
        if self.filter:
            return Discretisation(method=Discretiser.FIXED_BIN_NUMBER, bin_count=1000)
        return self.settings.ivh

    @cached_property
    def binning(self) -> Binning:
        """Grey levels of the intensity mask.

        Raises:
            RadiomicsError: The discretisation does not fit the intensities.
        """
        return discretise(self.region.values, self.discretisation, lower=self.bounds.lower)

    @cached_property
    def levels(self) -> GreyLevels:
        """Grey levels in their places.

        Raises:
            RadiomicsError: The discretisation does not fit the intensities.
        """
        return place(self.region, self.binning)
