"""DICOM in and out: the only folder that imports pydicom, pynetdicom and highdicom."""
