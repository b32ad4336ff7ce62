"""Codes against the published list and against pydicom's IBSI concepts (PS3.16 CID 7467 to 7501)."""

import csv

from pydicom.sr import _concepts_dict

from npcpit_imaging.config.radiomics import Dimension, Family
from npcpit_imaging.radiomics.catalogue import DEFINITIONS, stem_of
from npcpit_imaging.radiomics.families import FAMILIES, tags

KNOWN = {code: meaning for entry in _concepts_dict.concepts["IBSI"].values() for code, (meaning, _) in entry.items()}

NOT_IN_DICOM = (Family.LOCAL_INTENSITY, Family.INTENSITY_STATISTICS, Family.IVH)
"""Families whose concepts DICOM does not carry."""

EXTRACTION_FAULTS = {"ih_p10": "1PR", "ih_p90": "GPMT", "szm_sze": "P001"}
"""Codes the order-matched list has wrong; PS3.16 gives GPMT, OZ0C and 5QRC."""


def test_174_features_have_codes_that_only_the_paired_ivh_features_share():
    assert len(DEFINITIONS) == 174
    codes = [definition.code for definition in DEFINITIONS.values()]
    assert sorted({code for code in codes if codes.count(code) > 1}) == ["BC2M", "GBPN"]
    assert all(len(code) == 4 for code in codes)


def test_every_code_dicom_knows_is_ours_and_means_our_family():
    ours = {definition.code for definition in DEFINITIONS.values()}
    assert {code for code in KNOWN if code not in ours} == set()
    unknown = [d for d in DEFINITIONS.values() if d.code not in KNOWN]
    assert {d.family for d in unknown} == set(NOT_IN_DICOM)


def test_names_agree_with_dicom_word_for_word_where_they_can():
    """An order-matched list can be off by one; distinctive words cannot."""
    words = {
        "ih_p10": "10th",
        "ih_p90": "90th",
        "szm_sze": "Small Zone",
        "szm_lze": "Large Zone",
        "dzm_sde": "Small Distance",
        "ngl_lde": "Low Dependence",
        "cm_contrast": "Contrast",
        "rlm_sre": "Short Runs",
        "ngt_busyness": "Busyness",
        "morph_moran_i": "Moran",
    }
    for stem, word in words.items():
        assert word.lower() in KNOWN[DEFINITIONS[stem].code].lower(), stem


def test_codes_agree_with_the_published_list_but_for_three_known_faults(shared_data):
    with (shared_data / "truth/ibsi_1/tag_to_ibsi_code.csv").open(encoding="utf-8") as file:
        listed = {row["tag_stem"]: row["ibsi_code"] for row in csv.DictReader(file)}
    assert list(listed) == list(DEFINITIONS)
    differing = {stem: code for stem, code in listed.items() if DEFINITIONS[stem].code != code.split("_")[0]}
    assert differing == EXTRACTION_FAULTS


def test_tags_are_those_of_the_published_values(shared_data):
    with (shared_data / "truth/ibsi_1/reference_values.csv").open(encoding="utf-8") as file:
        published = [row["tag"] for row in csv.DictReader(file) if row["dataset"] == "digital_phantom"]
    ours = {tag for family in FAMILIES for tag in tags(family, tuple(Dimension))}
    assert ours == set(published)
    assert {stem_of(tag) for tag in ours} == set(DEFINITIONS)
