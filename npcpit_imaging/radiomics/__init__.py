"""Radiomic features by the Image Biomarker Standardisation Initiative (IBSI)."""
