"""The 174 features of IBSI 1, chapter 3, in its order: stem, code, name, unit, PyRadiomics' name, when undefined.

A PyRadiomics name stands only where both mean the same quantity: its Kurtosis is IBSI's plus 3 and is left out.
"""

from npcpit_imaging.config.radiomics import Family
from npcpit_imaging.radiomics.catalogue_counts import (
    DEPENDENCES,
    DISTANCE_ZONES,
    RUNS,
    SIZE_ZONES,
    TONE_DIFFERENCES,
)
from npcpit_imaging.radiomics.feature import Definition

FLAT = "every intensity in the region is the same"
ONE_LEVEL = "every grey level in the region is the same"
NO_PAIR = "no two voxels of the region are neighbours"
NO_EXTENT = "the region has no extent along its longest axis"
NO_HULL = "no ellipsoid or box encloses the region"

_MORPHOLOGY = (
    ("volume", "RNU0", "Volume (mesh)", "mm3", "shape_MeshVolume"),
    ("vol_approx", "YEKZ", "Volume (voxel counting)", "mm3", "shape_VoxelVolume"),
    ("area_mesh", "C0JK", "Surface area (mesh)", "mm2", "shape_SurfaceArea"),
    ("av", "2PR5", "Surface to volume ratio", "1/mm", "shape_SurfaceVolumeRatio"),
    ("comp_1", "SKGS", "Compactness 1", "1", "shape_Compactness1"),
    ("comp_2", "BQWJ", "Compactness 2", "1", "shape_Compactness2"),
    ("sph_dispr", "KRCK", "Spherical disproportion", "1", "shape_SphericalDisproportion"),
    ("sphericity", "QCFX", "Sphericity", "1", "shape_Sphericity"),
    ("asphericity", "25C7", "Asphericity", "1", ""),
    ("com", "KLMA", "Centre of mass shift", "mm", "", "the intensities of the region add up to zero"),
    ("diam", "L0JK", "Maximum 3D diameter", "mm", "shape_Maximum3DDiameter"),
    ("pca_maj_axis", "TDIC", "Major axis length", "mm", "shape_MajorAxisLength"),
    ("pca_min_axis", "P9VJ", "Minor axis length", "mm", "shape_MinorAxisLength"),
    ("pca_least_axis", "7J51", "Least axis length", "mm", "shape_LeastAxisLength"),
    ("pca_elongation", "Q3CK", "Elongation", "1", "shape_Elongation", NO_EXTENT),
    ("pca_flatness", "N17B", "Flatness", "1", "shape_Flatness", NO_EXTENT),
    ("vol_dens_aabb", "PBX1", "Volume density (AABB)", "1", ""),
    ("area_dens_aabb", "R59B", "Area density (AABB)", "1", ""),
    ("vol_dens_ombb", "ZH1A", "Volume density (OMBB)", "1", "", NO_HULL),
    ("area_dens_ombb", "IQYR", "Area density (OMBB)", "1", "", NO_HULL),
    ("vol_dens_aee", "6BDE", "Volume density (AEE)", "1", "", "an axis of the region has no extent"),
    ("area_dens_aee", "RDD2", "Area density (AEE)", "1", "", "an axis of the region has no extent"),
    ("vol_dens_mvee", "SWZ1", "Volume density (MVEE)", "1", "", NO_HULL),
    ("area_dens_mvee", "BRI8", "Area density (MVEE)", "1", "", NO_HULL),
    ("vol_dens_conv_hull", "R3ER", "Volume density (convex hull)", "1", "", NO_HULL),
    ("area_dens_conv_hull", "7T7F", "Area density (convex hull)", "1", "", NO_HULL),
    ("integ_int", "99N0", "Integrated intensity", "{I}.mm3", ""),
    ("moran_i", "N365", "Moran's I index", "1", "", FLAT),
    ("geary_c", "NPT7", "Geary's C measure", "1", "", FLAT),
)

_LOCAL_INTENSITY = (
    ("peak_loc", "VJGA", "Local intensity peak", "{I}", ""),
    ("peak_glob", "0F91", "Global intensity peak", "{I}", ""),
)

_STATISTICS = (
    ("mean", "Q4LE", "Mean", "{I}", "firstorder_Mean"),
    ("var", "ECT3", "Variance", "{I2}", "firstorder_Variance"),
    ("skew", "KE2A", "Skewness", "1", "firstorder_Skewness"),
    ("kurt", "IPH6", "(Excess) kurtosis", "1", ""),
    ("median", "Y12H", "Median", "{I}", "firstorder_Median"),
    ("min", "1GSF", "Minimum", "{I}", "firstorder_Minimum"),
    ("p10", "QG58", "10th percentile", "{I}", "firstorder_10Percentile"),
    ("p90", "8DWT", "90th percentile", "{I}", "firstorder_90Percentile"),
    ("max", "84IY", "Maximum", "{I}", "firstorder_Maximum"),
    ("iqr", "SALO", "Interquartile range", "{I}", "firstorder_InterquartileRange"),
    ("range", "2OJQ", "Range", "{I}", "firstorder_Range"),
    ("mad", "4FUA", "Mean absolute deviation", "{I}", "firstorder_MeanAbsoluteDeviation"),
    ("rmad", "1128", "Robust mean absolute deviation", "{I}", "firstorder_RobustMeanAbsoluteDeviation"),
    ("medad", "N72L", "Median absolute deviation", "{I}", ""),
    ("cov", "7TET", "Coefficient of variation", "1", "", "the mean intensity is zero"),
    ("qcod", "9S40", "Quartile coefficient of dispersion", "1", "", "the quartiles add up to zero"),
    ("energy", "N8CA", "Energy", "{I2}", "firstorder_Energy"),
    ("rms", "5ZWQ", "Root mean square", "{I}", "firstorder_RootMeanSquared"),
)

_HISTOGRAM = (
    ("mean", "X6K6", "Mean", "1", ""),
    ("var", "CH89", "Variance", "1", ""),
    ("skew", "88K1", "Skewness", "1", ""),
    ("kurt", "C3I7", "(Excess) kurtosis", "1", ""),
    ("median", "WIFQ", "Median", "1", ""),
    ("min", "1PR8", "Minimum", "1", ""),
    ("p10", "GPMT", "10th percentile", "1", ""),
    ("p90", "OZ0C", "90th percentile", "1", ""),
    ("max", "3NCY", "Maximum", "1", ""),
    ("mode", "AMMC", "Mode", "1", ""),
    ("iqr", "WR0O", "Interquartile range", "1", ""),
    ("range", "5Z3W", "Range", "1", ""),
    ("mad", "D2ZX", "Mean absolute deviation", "1", ""),
    ("rmad", "WRZB", "Robust mean absolute deviation", "1", ""),
    ("medad", "4RNL", "Median absolute deviation", "1", ""),
    ("cov", "CWYJ", "Coefficient of variation", "1", ""),
    ("qcod", "SLWD", "Quartile coefficient of dispersion", "1", ""),
    ("entropy", "TLU2", "Entropy", "1", "firstorder_Entropy"),
    ("uniformity", "BJ5W", "Uniformity", "1", "firstorder_Uniformity"),
    ("max_grad", "12CE", "Maximum histogram gradient", "1", "", "the histogram has a single bin"),
    ("max_grad_g", "8E6O", "Maximum histogram gradient intensity", "1", "", "the histogram has a single bin"),
    ("min_grad", "VQB3", "Minimum histogram gradient", "1", "", "the histogram has a single bin"),
    ("min_grad_g", "RHQZ", "Minimum histogram gradient intensity", "1", "", "the histogram has a single bin"),
)

_IVH = (
    ("v10", "BC2M", "Volume fraction at 10% intensity", "1", "", FLAT),
    ("v90", "BC2M", "Volume fraction at 90% intensity", "1", "", FLAT),
    ("i10", "GBPN", "Intensity at 10% volume", "{I}", ""),
    ("i90", "GBPN", "Intensity at 90% volume", "{I}", ""),
    ("diff_v10_v90", "DDTU", "Volume fraction difference between 10% and 90% intensity", "1", "", FLAT),
    ("diff_i10_i90", "CNV2", "Intensity difference between 10% and 90% volume", "{I}", ""),
    ("auc", "9CMM", "Area under the IVH curve", "1", "", FLAT),
)

_GLCM = (
    ("joint_max", "GYBY", "Joint maximum", "1", "glcm_MaximumProbability", NO_PAIR),
    ("joint_avg", "60VM", "Joint average", "1", "glcm_JointAverage", NO_PAIR),
    ("joint_var", "UR99", "Joint variance", "1", "glcm_SumSquares", NO_PAIR),
    ("joint_entr", "TU9B", "Joint entropy", "1", "glcm_JointEntropy", NO_PAIR),
    ("diff_avg", "TF7R", "Difference average", "1", "glcm_DifferenceAverage", NO_PAIR),
    ("diff_var", "D3YU", "Difference variance", "1", "glcm_DifferenceVariance", NO_PAIR),
    ("diff_entr", "NTRS", "Difference entropy", "1", "glcm_DifferenceEntropy", NO_PAIR),
    ("sum_avg", "ZGXS", "Sum average", "1", "glcm_SumAverage", NO_PAIR),
    ("sum_var", "OEEB", "Sum variance", "1", "", NO_PAIR),
    ("sum_entr", "P6QZ", "Sum entropy", "1", "glcm_SumEntropy", NO_PAIR),
    ("energy", "8ZQL", "Angular second moment", "1", "glcm_JointEnergy", NO_PAIR),
    ("contrast", "ACUI", "Contrast", "1", "glcm_Contrast", NO_PAIR),
    ("dissimilarity", "8S9J", "Dissimilarity", "1", "", NO_PAIR),
    ("inv_diff", "IB1Z", "Inverse difference", "1", "glcm_Id", NO_PAIR),
    ("inv_diff_norm", "NDRX", "Normalised inverse difference", "1", "glcm_Idn", NO_PAIR),
    ("inv_diff_mom", "WF0Z", "Inverse difference moment", "1", "glcm_Idm", NO_PAIR),
    ("inv_diff_mom_norm", "1QCO", "Normalised inverse difference moment", "1", "glcm_Idmn", NO_PAIR),
    ("inv_var", "E8JP", "Inverse variance", "1", "glcm_InverseVariance", NO_PAIR),
    ("corr", "NI2N", "Correlation", "1", "glcm_Correlation", f"{ONE_LEVEL}, or {NO_PAIR}"),
    ("auto_corr", "QWB0", "Autocorrelation", "1", "glcm_Autocorrelation", NO_PAIR),
    ("clust_tend", "DG8W", "Cluster tendency", "1", "glcm_ClusterTendency", NO_PAIR),
    ("clust_shade", "7NFM", "Cluster shade", "1", "glcm_ClusterShade", NO_PAIR),
    ("clust_prom", "AE86", "Cluster prominence", "1", "glcm_ClusterProminence", NO_PAIR),
    ("info_corr1", "R8DG", "Information correlation 1", "1", "glcm_Imc1", f"{ONE_LEVEL}, or {NO_PAIR}"),
    ("info_corr2", "JN9H", "Information correlation 2", "1", "glcm_Imc2", NO_PAIR),
)

_PAGES: tuple[tuple[Family, str, tuple[tuple[str, ...], ...]], ...] = (
    (Family.MORPHOLOGY, "morph", _MORPHOLOGY),
    (Family.LOCAL_INTENSITY, "loc", _LOCAL_INTENSITY),
    (Family.INTENSITY_STATISTICS, "stat", _STATISTICS),
    (Family.HISTOGRAM, "ih", _HISTOGRAM),
    (Family.IVH, "ivh", _IVH),
    (Family.GLCM, "cm", _GLCM),
    (Family.GLRLM, "rlm", RUNS),
    (Family.GLSZM, "szm", SIZE_ZONES),
    (Family.GLDZM, "dzm", DISTANCE_ZONES),
    (Family.NGTDM, "ngt", TONE_DIFFERENCES),
    (Family.NGLDM, "ngl", DEPENDENCES),
)

_KEYS = ("code", "name", "unit", "pyradiomics", "undefined_when")


def _definition(family: Family, prefix: str, row: tuple[str, ...]) -> Definition:
    return Definition(stem=f"{prefix}_{row[0]}", family=family, **dict(zip(_KEYS, row[1:], strict=False)))


DEFINITIONS: dict[str, Definition] = {
    definition.stem: definition
    for family, prefix, page in _PAGES
    for definition in (_definition(family, prefix, row) for row in page)
}
"""Every feature by its stem."""

MERGED_AND_AVERAGED = (Family.GLCM, Family.GLRLM)
"""Families with one matrix a direction, whose tags end in ``_avg`` or ``_comb``."""

TEXTURES = (Family.GLCM, Family.GLRLM, Family.GLSZM, Family.GLDZM, Family.NGTDM, Family.NGLDM)
"""Families computed on grey levels and their places; their tags name the dimension."""


def stems(family: Family) -> list[str]:
    """Return the stems of one family, in IBSI's order."""
    return [stem for stem, definition in DEFINITIONS.items() if definition.family is family]


def stem_of(tag: str) -> str:
    """Return a tag without its aggregation.

    Example:
        >>> stem_of("cm_joint_max_2_5D_comb")
        'cm_joint_max'
    """
    return tag.removesuffix("_avg").removesuffix("_comb").removesuffix("_3D").removesuffix("_2_5D").removesuffix("_2D")
