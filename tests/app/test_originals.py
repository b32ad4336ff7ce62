"""Objects as received, sealed in the vault: who reads the disk finds nobody, who has the key gets every byte back."""

import json
import shutil
from pathlib import Path

import pytest

from npcpit_imaging import cli
from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.original_keys import read_keys
from npcpit_imaging.app.originals import Originals
from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.dicom.part10 import received_digest
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import ConfigError, InputError, StoreError
from npcpit_imaging.store.sealed import sealed_with

UID = "1.2.3.1.0"
PEOPLE = (b"HOSPITAL-4711", b"Secret", b"20240105", b"2024-01-05")
ORIGINAL_UIDS = b"1.2.3.1."
MAPS = {"vault/identity.sqlite", "vault/spool/ingested.sqlite"}
CODES = "vault/subjects.csv"


def decide(folder: Path, **values: str) -> None:
    """Change lines of site.toml."""
    site = folder / "configs" / "site.toml"
    text = site.read_text(encoding="utf-8")
    for name, value in values.items():
        (line,) = [each for each in text.splitlines() if each.startswith(f"{name} =")]
        text = text.replace(line, f'{name} = "{value}"')
    site.write_text(text, encoding="utf-8")


@pytest.fixture
def keeping(folder: Path) -> Path:
    """A study folder whose site keeps originals."""
    decide(folder, originals="encrypted")
    return folder


def receive(study: Study, source: Path) -> None:
    """Send a folder over the network to the study's own receiver."""
    with Listener(study, port=0) as listener:
        send_folder(source, port=listener.port, called_ae_title="NPCPIT")


def sealed_files(folder: Path) -> list[Path]:
    return sorted((folder / "vault" / "originals").glob("*.sealed"))


def test_an_original_that_is_sealed_leaves_no_identity_on_the_disk_and_comes_back_whole(keeping, write_series):
    """Names, IDs and dates only in the table of subject codes, original UIDs only in the vault's two maps."""
    source = write_series("20240105", "1")
    with open_study(keeping) as study:
        receive(study, source)
        study.database.close()
        assert len(sealed_files(keeping)) == 3
        for path in (each for each in keeping.rglob("*") if each.is_file()):
            place, content = path.relative_to(keeping).as_posix(), path.read_bytes()
            if place != CODES:
                assert not [text for text in PEOPLE if text in content], place
            if place.removesuffix("-wal") not in MAPS:
                assert ORIGINAL_UIDS not in content, place
        output = keeping.parent / "original.dcm"
        Originals(study).give(UID, output, reason="adverse event review")
    assert received_digest(output) == received_digest(source / "1-0")
    assert b"HOSPITAL-4711" in output.read_bytes()
    assert output.stat().st_mode & 0o777 == 0o600
    (line,) = (keeping / "vault" / "originals" / "access.jsonl").read_text(encoding="utf-8").splitlines()
    said = json.loads(line)
    assert said["reason"] == "adverse event review"
    assert said["by"]
    assert said["object"].startswith("2.25."), "the record names the object as the study does"


def test_the_search_finds_an_original_that_is_not_sealed(keeping, write_series):
    source = write_series("20240105", "1", count=1)
    content = (source / "1-0").read_bytes()
    assert all(text in content for text in (PEOPLE[0], PEOPLE[1], PEOPLE[2], ORIGINAL_UIDS))


def test_an_import_keeps_originals_too_and_a_repeat_seals_nothing_twice(keeping, write_series):
    source = write_series("20240105", "1", count=1)
    with open_study(keeping) as study:
        Arrivals(study).take(source / "1-0")
        (first,) = [each.read_bytes() for each in sealed_files(keeping)]
        Arrivals(study).take(source / "1-0")
        assert [each.read_bytes() for each in sealed_files(keeping)] == [first]
        row = study.folder / "original.dcm"
        Originals(study).give(UID, row, reason="")
        assert row.read_bytes() == (source / "1-0").read_bytes(), "an imported file comes back bit for bit"


def test_dropped_is_gone(folder, write_series):
    with open_study(folder) as study:
        receive(study, write_series("20240105", "1"))
        assert not (folder / "vault" / "originals").exists()
        with pytest.raises(InputError, match="original was not kept"):
            Originals(study).give(UID, folder / "x.dcm", reason="")
        assert not (folder / "x.dcm").exists()


def test_with_a_new_key_everything_is_sealed_anew_and_the_old_key_opens_nothing(keeping, write_series):
    with open_study(keeping) as study:
        receive(study, write_series("20240105", "1"))
        old = (keeping / "vault" / "originals.key").read_text(encoding="ascii")
        assert Originals(study).rotate() == 3
        (name,) = read_keys(study)
        assert {sealed_with(path) for path in sealed_files(keeping)} == {name}
        assert (keeping / "vault" / "originals.key").stat().st_mode & 0o777 == 0o600
        Originals(study).give(UID, keeping / "new.dcm", reason="")
        (keeping / "vault" / "originals.key").write_text(old, encoding="ascii")
        with pytest.raises(StoreError, match="expected one of the keys"):
            Originals(study).give(UID, keeping / "old.dcm", reason="")
        assert not (keeping / "old.dcm").exists()


def test_a_change_of_keys_that_was_interrupted_loses_nothing_and_is_finished_by_the_next(
    keeping, write_series, monkeypatch
):
    with open_study(keeping) as study:
        receive(study, write_series("20240105", "1"))
        real, calls = Path.rename, []

        def failing(path: Path, target: Path) -> Path:
            if target.suffix == ".sealed":
                calls.append(target)
                if len(calls) == 2:
                    raise OSError(28, "No space left on device")
            return real(path, target)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(StoreError, match="No space left"):
            Originals(study).rotate()
        monkeypatch.setattr(Path, "rename", real)
        assert len(read_keys(study)) == 2
        for number in range(3):
            Originals(study).give(f"1.2.3.1.{number}", keeping / f"{number}.dcm", reason="")
        Originals(study).rotate()
        (name,) = read_keys(study)
        assert {sealed_with(path) for path in sealed_files(keeping)} == {name}


def test_a_key_on_a_medium_of_its_own_is_made_once_and_missed_when_it_is_not_there(keeping, tmp_path, write_series):
    medium = tmp_path / "medium"
    medium.mkdir()
    decide(keeping, originals_key=str(medium / "npcpit.key"))
    with open_study(keeping) as study:
        with pytest.raises(ConfigError, match="mount its medium, or make one: npcpit original-key"):
            Arrivals(study)
        assert Originals(study).rotate() == 0
        receive(study, write_series("20240105", "1"))
        shutil.move(medium / "npcpit.key", tmp_path / "elsewhere")
        with pytest.raises(ConfigError, match="mount its medium"):
            Arrivals(study)
        with pytest.raises(ConfigError, match="expected keys"):
            Originals(study).give(UID, keeping / "x.dcm", reason="")
    assert not (keeping / "vault" / "originals.key").exists()


def test_a_key_that_is_lost_is_not_replaced_by_a_new_one_in_silence(keeping, write_series):
    with open_study(keeping) as study:
        receive(study, write_series("20240105", "1"))
        (keeping / "vault" / "originals.key").unlink()
        with pytest.raises(ConfigError, match="the key is gone"):
            Arrivals(study)


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 32 + "\n12"])
def test_a_damaged_key_file_is_named_and_never_shown(keeping, content):
    (keeping / "vault" / "originals.key").write_text(content, encoding="ascii")
    with open_study(keeping) as study, pytest.raises(ConfigError, match="vault/originals") as caught:
        Arrivals(study)
    assert content[:8] not in str(caught.value) or not content


def test_the_command_line_gives_an_original_and_refuses_by_name(keeping, write_series, tmp_path, capsys):
    with open_study(keeping) as study:
        receive(study, write_series("20240105", "1"))
    output = tmp_path / "one.dcm"
    assert cli.run(["original", str(keeping), UID, "-o", str(output), "--reason", "audit"]) == 0
    assert output.is_file()
    assert cli.run(["original", str(keeping), UID, "-o", str(output)]) == 1
    assert cli.run(["original", str(keeping), "1.2.3.99", "-o", str(tmp_path / "two.dcm")]) == 1
    assert cli.run(["original-key", str(keeping)]) == 0
    said = capsys.readouterr()
    assert "3 originals are sealed with it" in said.out
    assert "expected a new file" in said.err
    assert "1.2.3.99" not in said.err
