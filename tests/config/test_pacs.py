"""What a site may write in its section [pacs]."""

import pytest
from pydantic import ValidationError

from npcpit_imaging.config.pacs import PacsSite, takes_series


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"kind": "dimse"}, "expected a host"),
        ({"kind": "dicomweb"}, "expected http"),
        ({"kind": "dicomweb", "url": "https://user:word@pacs.example.org/"}, "without user, password"),
        ({"kind": "dicomweb", "url": "http://pacs.example.org/", "login": "bearer", "secret": "f"}, "plain text"),
        ({"kind": "dicomweb", "url": "https://pacs.example.org/", "login": "basic"}, "secret file"),
        ({"include": ["("]}, "rule 1: not a regular expression"),
        ({"date_from": "2026-02-01", "date_to": "2026-01-01"}, "found a later one"),
        ({"hots": "pacs"}, "Extra inputs"),
    ],
)
def test_a_section_that_cannot_work_is_refused_when_it_is_read(values, fault):
    """Not in the middle of the night."""
    with pytest.raises(ValidationError, match=fault):
        PacsSite.model_validate(values)


def test_a_login_to_this_machine_may_be_plain_http():
    """Nobody else hears it."""
    PacsSite.model_validate({"kind": "dicomweb", "url": "http://127.0.0.1:8042/", "login": "bearer", "secret": "f"})


@pytest.mark.parametrize(
    ("modality", "description", "modalities", "taken"),
    [
        ("CT", "Neck 1.0 B30f", (), True),
        ("CT", "NECK scout", (), False),
        ("CT", "", (), False),
        ("SR", "neck dose report", (), False),
        ("SR", "neck dose report", ("SR",), True),
        ("CT", "Neck", ("MR",), False),
    ],
)
def test_series_are_chosen_by_modality_and_description(modality, description, modalities, taken):
    """Exclusion goes first; a series without description is not chosen where rules ask for one."""
    rules = PacsSite(include=("neck", "head"), exclude=("scout",))
    assert takes_series(rules, modality=modality, description=description, modalities=modalities) is taken
