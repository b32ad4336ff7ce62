"""Run a pipeline over many cases: an outcome for every case, in order."""
