"""Nouns of the trial: no arrays, no files, no clock."""
