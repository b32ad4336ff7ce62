"""The server: sign-in, worklist, reads, prompts, DICOMweb, and the reading page."""
