"""Nouns of the image: geometry, volume, mask, transform, resampling, SUV, NIfTI and NRRD files."""
