"""Transforms that leave a study, each with what became of its registration: verdict, and whether it still stands."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from npcpit_imaging.app.study import Study
from npcpit_imaging.store.bulk import in_groups
from npcpit_imaging.store.digests import series_digests
from npcpit_imaging.store.results import registrations_of_each
from npcpit_imaging.store.schema import RegistrationRow

COLUMNS = [
    *("subject", "transform", "verdict", "current", "uncertainty_mm", "reasons"),
    *("fixed_series_uid", "moving_series_uid", "transform_sha256"),
]


def copy_transforms(study: Study, codes: Collection[str], folder: Path) -> None:
    """Copy every registration's transform of some subjects, and write transforms.tsv beside them.

    One that was rejected or superseded, or whose images changed since, is there too: the table says so.
    A file that no registration on record made stays.
    """
    rows = [
        row
        for group in in_groups(sorted(codes))
        for row in _rows(study, group)
        if (study.folder / str(row["transform"])).is_file()
    ]
    for row in rows:
        source = study.folder / str(row["transform"])
        row["transform"] = source.relative_to(study.derived).as_posix()
        target = folder / str(row["transform"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    if rows:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(
            folder / "transforms.tsv", sep="\t", index=False, lineterminator="\n"
        )


def _rows(study: Study, codes: Collection[str]) -> list[dict[str, object]]:
    with study.database.session() as session:
        found = registrations_of_each(session, codes)
        digests = series_digests(session, codes)
    newest = {(row.fixed_series_uid, row.moving_series_uid): row.id for _, row in found}
    last = {row.path: (subject, row) for subject, row in found}  # images that came back as they were: one file again
    return [_row(subject, row, newest, digests) for subject, row in last.values()]


def _row(
    subject: str, row: RegistrationRow, newest: Mapping[tuple[str, str], int], digests: Mapping[str, str]
) -> dict[str, object]:
    is_newest = newest[row.fixed_series_uid, row.moving_series_uid] == row.id
    holds = all(digests.get(uid) == digest for uid, digest in row.inputs.items())
    reasons = row.quality.get("reasons", [])
    return {
        "subject": subject,
        "transform": row.path,
        "verdict": row.verdict,
        "current": "yes" if is_newest and holds else "superseded" if not is_newest else "images changed since",
        "uncertainty_mm": row.quality.get("uncertainty_mm"),
        "reasons": "; ".join(map(str, reasons)) if isinstance(reasons, list) else "",
        "fixed_series_uid": row.fixed_series_uid,
        "moving_series_uid": row.moving_series_uid,
        "transform_sha256": row.quality.get("transform_sha256"),
    }
