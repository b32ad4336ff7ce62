"""The features of IBSI 1's run, zone, distance and dependence matrices (3.7 to 3.11), part of `catalogue`."""

RUNS = (
    ("sre", "22OV", "Short runs emphasis", "1", "glrlm_ShortRunEmphasis"),
    ("lre", "W4KF", "Long runs emphasis", "1", "glrlm_LongRunEmphasis"),
    ("lgre", "V3SW", "Low grey level run emphasis", "1", "glrlm_LowGrayLevelRunEmphasis"),
    ("hgre", "G3QZ", "High grey level run emphasis", "1", "glrlm_HighGrayLevelRunEmphasis"),
    ("srlge", "HTZT", "Short run low grey level emphasis", "1", "glrlm_ShortRunLowGrayLevelEmphasis"),
    ("srhge", "GD3A", "Short run high grey level emphasis", "1", "glrlm_ShortRunHighGrayLevelEmphasis"),
    ("lrlge", "IVPO", "Long run low grey level emphasis", "1", "glrlm_LongRunLowGrayLevelEmphasis"),
    ("lrhge", "3KUM", "Long run high grey level emphasis", "1", "glrlm_LongRunHighGrayLevelEmphasis"),
    ("glnu", "R5YN", "Grey level non-uniformity", "1", "glrlm_GrayLevelNonUniformity"),
    ("glnu_norm", "OVBL", "Normalised grey level non-uniformity", "1", "glrlm_GrayLevelNonUniformityNormalized"),
    ("rlnu", "W92Y", "Run length non-uniformity", "1", "glrlm_RunLengthNonUniformity"),
    ("rlnu_norm", "IC23", "Normalised run length non-uniformity", "1", "glrlm_RunLengthNonUniformityNormalized"),
    ("r_perc", "9ZK5", "Run percentage", "1", "glrlm_RunPercentage"),
    ("gl_var", "8CE5", "Grey level variance", "1", "glrlm_GrayLevelVariance"),
    ("rl_var", "SXLW", "Run length variance", "1", "glrlm_RunVariance"),
    ("rl_entr", "HJ9O", "Run entropy", "1", "glrlm_RunEntropy"),
)

SIZE_ZONES = (
    ("sze", "5QRC", "Small zone emphasis", "1", "glszm_SmallAreaEmphasis"),
    ("lze", "48P8", "Large zone emphasis", "1", "glszm_LargeAreaEmphasis"),
    ("lgze", "XMSY", "Low grey level emphasis", "1", "glszm_LowGrayLevelZoneEmphasis"),
    ("hgze", "5GN9", "High grey level emphasis", "1", "glszm_HighGrayLevelZoneEmphasis"),
    ("szlge", "5RAI", "Small zone low grey level emphasis", "1", "glszm_SmallAreaLowGrayLevelEmphasis"),
    ("szhge", "HW1V", "Small zone high grey level emphasis", "1", "glszm_SmallAreaHighGrayLevelEmphasis"),
    ("lzlge", "YH51", "Large zone low grey level emphasis", "1", "glszm_LargeAreaLowGrayLevelEmphasis"),
    ("lzhge", "J17V", "Large zone high grey level emphasis", "1", "glszm_LargeAreaHighGrayLevelEmphasis"),
    ("glnu", "JNSA", "Grey level non-uniformity", "1", "glszm_GrayLevelNonUniformity"),
    ("glnu_norm", "Y1RO", "Normalised grey level non-uniformity", "1", "glszm_GrayLevelNonUniformityNormalized"),
    ("zsnu", "4JP3", "Zone size non-uniformity", "1", "glszm_SizeZoneNonUniformity"),
    ("zsnu_norm", "VB3A", "Normalised zone size non-uniformity", "1", "glszm_SizeZoneNonUniformityNormalized"),
    ("z_perc", "P30P", "Zone percentage", "1", "glszm_ZonePercentage"),
    ("gl_var", "BYLV", "Grey level variance", "1", "glszm_GrayLevelVariance"),
    ("zs_var", "3NSA", "Zone size variance", "1", "glszm_ZoneVariance"),
    ("zs_entr", "GU8N", "Zone size entropy", "1", "glszm_ZoneEntropy"),
)

DISTANCE_ZONES = (
    ("sde", "0GBI", "Small distance emphasis", "1", ""),
    ("lde", "MB4I", "Large distance emphasis", "1", ""),
    ("lgze", "S1RA", "Low grey level emphasis", "1", ""),
    ("hgze", "K26C", "High grey level emphasis", "1", ""),
    ("sdlge", "RUVG", "Small distance low grey level emphasis", "1", ""),
    ("sdhge", "DKNJ", "Small distance high grey level emphasis", "1", ""),
    ("ldlge", "A7WM", "Large distance low grey level emphasis", "1", ""),
    ("ldhge", "KLTH", "Large distance high grey level emphasis", "1", ""),
    ("glnu", "VFT7", "Grey level non-uniformity", "1", ""),
    ("glnu_norm", "7HP3", "Normalised grey level non-uniformity", "1", ""),
    ("zdnu", "V294", "Zone distance non-uniformity", "1", ""),
    ("zdnu_norm", "IATH", "Normalised zone distance non-uniformity", "1", ""),
    ("z_perc", "VIWW", "Zone percentage", "1", ""),
    ("gl_var", "QK93", "Grey level variance", "1", ""),
    ("zd_var", "7WT1", "Zone distance variance", "1", ""),
    ("zd_entr", "GBDU", "Zone distance entropy", "1", ""),
)

_EVEN = "every grey level weighs the same (level times share)"
_ALONE = "no voxel of the region has a neighbour in it"

TONE_DIFFERENCES = (
    ("coarseness", "QCDE", "Coarseness", "1", "ngtdm_Coarseness", "no voxel differs from its neighbourhood"),
    ("contrast", "65HE", "Contrast", "1", "ngtdm_Contrast", f"the region has one grey level, or {_ALONE}"),
    ("busyness", "NQ30", "Busyness", "1", "ngtdm_Busyness", f"{_EVEN}, or {_ALONE}"),
    ("complexity", "HDEZ", "Complexity", "1", "ngtdm_Complexity", _ALONE),
    ("strength", "1X9X", "Strength", "1", "ngtdm_Strength", "no voxel differs from its neighbourhood"),
)

DEPENDENCES = (
    ("lde", "SODN", "Low dependence emphasis", "1", "gldm_SmallDependenceEmphasis"),
    ("hde", "IMOQ", "High dependence emphasis", "1", "gldm_LargeDependenceEmphasis"),
    ("lgce", "TL9H", "Low grey level count emphasis", "1", "gldm_LowGrayLevelEmphasis"),
    ("hgce", "OAE7", "High grey level count emphasis", "1", "gldm_HighGrayLevelEmphasis"),
    ("ldlge", "EQ3F", "Low dependence low grey level emphasis", "1", "gldm_SmallDependenceLowGrayLevelEmphasis"),
    ("ldhge", "JA6D", "Low dependence high grey level emphasis", "1", "gldm_SmallDependenceHighGrayLevelEmphasis"),
    ("hdlge", "NBZI", "High dependence low grey level emphasis", "1", "gldm_LargeDependenceLowGrayLevelEmphasis"),
    ("hdhge", "9QMG", "High dependence high grey level emphasis", "1", "gldm_LargeDependenceHighGrayLevelEmphasis"),
    ("glnu", "FP8K", "Grey level non-uniformity", "1", "gldm_GrayLevelNonUniformity"),
    ("glnu_norm", "5SPA", "Normalised grey level non-uniformity", "1", ""),
    ("dcnu", "Z87G", "Dependence count non-uniformity", "1", "gldm_DependenceNonUniformity"),
    ("dcnu_norm", "OKJI", "Normalised dependence count non-uniformity", "1", "gldm_DependenceNonUniformityNormalized"),
    ("dc_perc", "6XV8", "Dependence count percentage", "1", ""),
    ("gl_var", "1PFV", "Grey level variance", "1", "gldm_GrayLevelVariance"),
    ("dc_var", "DNX2", "Dependence count variance", "1", "gldm_DependenceVariance"),
    ("dc_entr", "FCBV", "Dependence count entropy", "1", "gldm_DependenceEntropy"),
    ("dc_energy", "CAS9", "Dependence count energy", "1", ""),
)
