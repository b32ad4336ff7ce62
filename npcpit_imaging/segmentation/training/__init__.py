"""The recipe of the shipped network: cases, simulated prompts, samples, training, cross-validation."""
