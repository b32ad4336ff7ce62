"""Names of a research export's files: injective, of letters and digits, today's for normal codes."""

import re

from npcpit_imaging.app.research_labels import SubjectLabels, bids_labels


def test_normal_codes_keep_their_letters_and_digits():
    assert bids_labels(["NPC-0001", "NPC-0002", "FU1"]) == {"NPC-0001": "NPC0001", "NPC-0002": "NPC0002", "FU1": "FU1"}


def test_codes_that_differ_only_in_punctuation_or_case_or_have_no_letters_get_names_of_their_own():
    codes = ["S1-11", "S11-1", "S2", "左", "右", "t1", "T-1", "T1", "_"]
    labels = bids_labels(codes)
    assert len({each.lower() for each in labels.values()}) == len(codes)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", each) for each in labels.values())
    assert labels["S2"] == "S2"
    assert labels["S1-11"].startswith("S111x") and labels["S11-1"].startswith("S111x")
    assert labels == bids_labels(reversed(codes)), "whatever the order"


def test_a_code_that_is_another_ones_label_with_digest_takes_no_name_away():
    """Of T-1 and T1 the digests' labels are taken as codes here: theirs grow by a digit."""
    first = bids_labels(["T-1", "T1"])
    again = bids_labels(["T-1", "T1", *first.values()])
    assert len(set(again.values())) == 4
    assert [len(again[each]) - len(first[each]) for each in ("T-1", "T1")] == [1, 1]


def test_a_visits_names_begin_with_subject_and_session():
    labels = SubjectLabels(subject="NPC0001", visits={"FU1": "FU1"}, lesions={}, readers={})
    assert (labels.stem("FU1"), labels.folder("FU1")) == ("sub-NPC0001_ses-FU1", "sub-NPC0001/ses-FU1")
