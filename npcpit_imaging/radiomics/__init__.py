"""Radiomics after the Image Biomarker Standardisation Initiative: features, stability, change over time, tables."""
