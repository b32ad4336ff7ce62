"""What a site decides: safe by default, and a value out of range is refused."""

from pathlib import Path

import pytest

from npcpit_imaging.config.base import load
from npcpit_imaging.config.site import OriginalObjects, Site
from npcpit_imaging.errors import ConfigError

SHIPPED = Path(__file__).parent.parent.parent / "configs" / "npc-pit" / "site.toml"


def test_without_a_word_from_the_site_it_listens_to_itself_and_de_identifies():
    site = Site()
    assert (site.receiver.host, site.receiver.peers) == ("127.0.0.1", ())
    assert site.deidentification.enabled
    assert not site.deidentification.retain_device_identity
    assert site.deidentification.originals is OriginalObjects.DROP


def test_the_shipped_file_says_the_defaults_as_its_first_line_promises():
    assert "the values here are the defaults" in SHIPPED.read_text(encoding="utf-8")
    assert load(SHIPPED, Site) == Site()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[receiver]\nport = 70000", "receiver.port"),
        ("[receiver]\nae_title = 'SEVENTEEN_LETTERS'", "receiver.ae_title"),
        ("[deidentification]\noriginals = 'burn'", "deidentification.originals"),
        ("[deidentification]\nenable = false", "deidentification.enable"),
        ("[timepoints]\nwindow_days = -1", "timepoints.window_days"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(text, key, tmp_path):
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=key):
        load(tmp_path / "site.toml", Site)
