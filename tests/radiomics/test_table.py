"""Long, wide and dictionary."""

from dataclasses import replace

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.table import LesionTable, data_dictionary, long_rows, long_table, wide_table

SETTINGS = RadiomicsSettings.model_validate({"families": ["morphology", "ngtdm"]})


@pytest.fixture
def lesions(make, noise, ball):
    """One measured lesion and one that could not be."""
    measured = extract(*make(noise, ball), SETTINGS)
    refused = extract(*make(noise, np.zeros(noise.shape)), SETTINGS)
    return [
        LesionTable(subject="S1", lesion_uid="2.25.1", time_point="baseline", table=measured, created="2026-01-01"),
        LesionTable(subject="S1", lesion_uid="2.25.2", time_point="baseline", table=refused),
    ]


def test_a_long_row_can_be_traced_to_its_voxels(lesions):
    rows = {row["tag"]: row for row in long_rows(lesions[0])}
    row = rows["ngt_contrast_3D"]
    source = lesions[0].table.provenance
    assert (row["subject"], row["lesion_uid"], row["time_point"], row["created"]) == (
        "S1",
        "2.25.1",
        "baseline",
        "2026-01-01",
    )
    assert (row["image_digest"], row["mask_digest"]) == (source.image_digest, source.mask_digest)
    assert (row["code"], row["status"], row["spacing_after_mm"]) == ("65HE", "computed", "1x1x1")


def test_the_long_table_has_a_row_for_every_feature_of_every_lesion(lesions):
    table = long_table(lesions)
    assert len(table) == 2 * (29 + 5)
    assert table.loc[table.lesion_uid == "2.25.2", "value"].isna().all()
    assert (table.loc[table.lesion_uid == "2.25.2", "reason"] != "").all()


def test_the_wide_table_has_a_row_a_lesion_and_nan_where_nothing_is_known(lesions):
    table = wide_table(lesions)
    assert list(table.columns[:3]) == ["subject", "lesion_uid", "time_point"]
    assert table.shape == (2, 3 + 29 + 5)
    assert table.loc[0, "morph_volume"] == lesions[0].table["morph_volume"].value
    assert table.loc[1, "morph_volume":].isna().all()


def test_the_wide_table_refuses_mixed_settings_and_a_lesion_twice(lesions):
    with pytest.raises(RadiomicsError, match="once a time point"):
        wide_table([lesions[0], lesions[0]])
    table = lesions[1].table
    other = replace(table, provenance=replace(table.provenance, settings_digest="0" * 64))
    with pytest.raises(RadiomicsError, match="one settings digest, found 2"):
        wide_table([lesions[0], replace(lesions[1], table=other)])


def test_the_dictionary_explains_every_column_once(lesions):
    rows = data_dictionary([lesion.table for lesion in lesions])
    assert [row["column"] for row in rows] == list(wide_table(lesions).columns[3:])
    volume = rows[0]
    assert (volume["ibsi_code"], volume["unit"], volume["pyradiomics"]) == ("RNU0", "mm3", "shape_MeshVolume")
