"""How images of one modality are read, shown, segmented and described: `configs/imaging/{ct,mr,pet}.toml`."""

from npcpit_imaging.config.base import Config
from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.config.series import StudySeriesPolicy


class DisplaySettings(Config):
    """Which values are shown from black to white in reports; a value left out is taken from the image itself."""

    low: float | None = None
    high: float | None = None


class ImagingSettings(Config):
    """Everything a study decided about one modality."""

    series: StudySeriesPolicy = StudySeriesPolicy()
    display: DisplaySettings = DisplaySettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    radiomics: RadiomicsSettings = RadiomicsSettings()
