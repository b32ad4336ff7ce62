"""The reading server: FastAPI over the verbs of `app`, the page, and DICOMweb, in one process."""
