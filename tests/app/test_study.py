"""A study folder: made whole or not at all, closed to others where it must be, and refused when it is none."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from npcpit_imaging.app.study import init_study, open_study, shipped
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import ConfigError, InputError
from npcpit_imaging.volume.volume import Modality


def test_a_new_study_has_everything_its_verbs_need(folder):
    assert {path.name for path in folder.iterdir()} == {
        "configs",
        "pipelines",
        "tables",
        "objects",
        "derived",
        "deliver",
        "vault",
        "npcpit.sqlite",
    }
    assert stat.S_IMODE((folder / "vault").stat().st_mode) == 0o700
    for name in ("receive", "baseline", "followup", "respond", "radiomics", "deliver"):
        assert (folder / "pipelines" / f"{name}.py").read_bytes() == (shipped("pipelines") / f"{name}.py").read_bytes()
    with open_study(folder) as study:
        assert study.site.deidentification.enabled
        assert study.protocol.title
        for modality in (Modality.CT, Modality.MR, Modality.PT):
            assert study.imaging(modality).digest
        for plan in ("ct-ct", "ct-mr", "mr-mr"):
            assert study.plan(plan).digest


def test_a_folder_that_holds_something_is_left_as_it_was(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="expected no folder or an empty one"):
        init_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_is_refused_and_an_empty_folder_is_used(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="expected no folder"):
        init_study(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    init_study(tmp_path / "empty")
    assert (tmp_path / "empty" / "npcpit.sqlite").is_file()


def test_another_configuration_differs_in_its_protocol_and_an_unknown_one_lists_the_choices(tmp_path):
    init_study(tmp_path / "plain", configuration="recist-1.1")
    with open_study(tmp_path / "plain") as study:
        plain = study.protocol
    init_study(tmp_path / "npc")
    with open_study(tmp_path / "npc") as study:
        assert study.protocol.digest != plain.digest
    assert isinstance(plain, Protocol)
    with pytest.raises(InputError, match=r"expected one of irecist, npc-pit, recist-1\.1"):
        init_study(tmp_path / "other", configuration="recist-2")
    assert not (tmp_path / "other").exists()


def test_a_folder_that_is_no_study_is_refused_and_nothing_is_made_in_it(tmp_path):
    with pytest.raises(InputError, match="expected a study folder"), open_study(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_key_in_site_toml_stops_everything(folder):
    site = folder / "configs" / "site.toml"
    site.write_text(site.read_text(encoding="utf-8").replace("enabled = true", "enabeld = false"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"site\.toml: deidentification\.enabeld"), open_study(folder):
        pass


def test_the_shipped_files_are_found_from_anywhere(tmp_path):
    """A person's working folder is not the checkout."""
    code = "from npcpit_imaging.app.study import shipped; print(shipped('configs') / 'npc-pit' / 'site.toml')"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_file()
