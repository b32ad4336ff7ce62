"""Semi-automatic segmentation: a prompt and an image give a proposal, never a measurement."""
