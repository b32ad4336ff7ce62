"""Radiomic features as tables for researchers: long (CSV, Parquet) and wide (Parquet), one row a lesion and visit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

PLACE = [
    *("subject", "timepoint", "lesion", "tracking_uid", "series_uid", "modality", "on_pet"),
    *("mask_sha256", "mask_status", "readers", "adjudication", "read_label", "settings_sha256"),
]
"""What names one row of the wide table; values of different masks or settings never share a row."""


def write_features(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write features.csv and features.parquet (one row a value) and features_wide.parquet (one row a mask).

    Args:
        folder: Where to.
        rows: One value each: the columns of `PLACE`, filter, tag, value, status, reason and provenance.
    """
    long = pd.DataFrame(list(rows))
    long.to_csv(folder / "features.csv", index=False)
    long.to_parquet(folder / "features.parquet", index=False)
    if long.empty:
        (folder / "features_wide.parquet").unlink(missing_ok=True)  # of masks that nobody uses any more
        return
    named = long.assign(column=long["filter"].where(long["filter"] == "", long["filter"] + "_") + long["tag"])
    wide = named.pivot(index=PLACE, columns="column", values="value").reset_index()
    wide.columns.name = None
    wide.to_parquet(folder / "features_wide.parquet", index=False)
