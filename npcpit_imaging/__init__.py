"""npcpit_imaging: from DICOM to a RECIST response whose every number can be traced to its pixels."""

__version__ = "0.1.0"
