"""Routes, one file per subject; each names the permission it needs."""
