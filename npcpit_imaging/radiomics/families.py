"""Plug-in table of the feature families: one function each, from a scene to values by tag."""

from collections.abc import Callable

from npcpit_imaging.config.radiomics import Dimension, Family
from npcpit_imaging.radiomics.catalogue import MERGED_AND_AVERAGED, TEXTURES, stems
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.glcm import cooccurrence
from npcpit_imaging.radiomics.gldzm import distance_zones
from npcpit_imaging.radiomics.glrlm import run_lengths
from npcpit_imaging.radiomics.glszm import size_zones
from npcpit_imaging.radiomics.histogram import intensity_histogram
from npcpit_imaging.radiomics.intensity_statistics import intensity_statistics
from npcpit_imaging.radiomics.ivh import intensity_volume_histogram
from npcpit_imaging.radiomics.local_intensity import local_intensity
from npcpit_imaging.radiomics.morphology import morphology
from npcpit_imaging.radiomics.ngldm import dependences
from npcpit_imaging.radiomics.ngtdm import tone_differences
from npcpit_imaging.radiomics.scene import Scene

FAMILIES: dict[Family, Callable[[Scene], Values]] = {
    Family.MORPHOLOGY: lambda scene: morphology(scene.region),
    Family.LOCAL_INTENSITY: lambda scene: local_intensity(scene.region),
    Family.INTENSITY_STATISTICS: lambda scene: intensity_statistics(scene.region.values),
    Family.HISTOGRAM: lambda scene: intensity_histogram(scene.binning),
    Family.IVH: lambda scene: intensity_volume_histogram(scene.region.values, scene.ivh, scene.bounds),
    Family.GLCM: lambda scene: cooccurrence(scene.levels, scene.settings.dimensions, scene.settings.glcm_distance),
    Family.GLRLM: lambda scene: run_lengths(scene.levels, scene.settings.dimensions),
    Family.GLSZM: lambda scene: size_zones(scene.levels, scene.settings.dimensions),
    Family.GLDZM: lambda scene: distance_zones(scene.levels, scene.settings.dimensions),
    Family.NGTDM: lambda scene: tone_differences(scene.levels, scene.settings.dimensions),
    Family.NGLDM: lambda scene: dependences(scene.levels, scene.settings.dimensions, scene.settings.ngldm_coarseness),
}
"""Every family, in IBSI's order."""

OF_THE_IMAGE_ONLY = (Family.MORPHOLOGY, Family.LOCAL_INTENSITY)
"""Families that are not computed on response maps (IBSI 2, 3)."""


def tags(family: Family, dimensions: tuple[Dimension, ...]) -> list[str]:
    """Return every tag a family has with these texture dimensions.

    Example:
        >>> tags(Family.NGTDM, (Dimension.D3,))[0]
        'ngt_coarseness_3D'
    """
    if family not in TEXTURES:
        return stems(family)
    ends = ("_avg", "_comb") if family in MERGED_AND_AVERAGED else ("",)
    return [f"{stem}_{dimension}{end}" for dimension in dimensions for end in ends for stem in stems(family)]
