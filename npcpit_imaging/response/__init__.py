"""Response from records (RECIST 1.1 and its relatives); never reads voxels."""
