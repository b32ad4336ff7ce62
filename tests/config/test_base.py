"""Configuration: an unknown key raises and is named, every value counts in the digest, every shipped file loads."""

from pathlib import Path

import pytest

from npcpit_imaging.config.base import Config, load
from npcpit_imaging.config.imaging import ImagingSettings
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.config.site import Site
from npcpit_imaging.errors import ConfigError

CONFIGS = Path(__file__).parent.parent.parent / "configs"


class Inner(Config):
    size_mm: float = 1.0


class Outer(Config):
    name: str = "a"
    inner: Inner = Inner()
    counts: tuple[int, ...] = (1, 2)


def write(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_becomes_a_frozen_value_and_what_it_leaves_out_is_the_default(tmp_path):
    found = load(write(tmp_path, "[inner]\nsize_mm = 2.5\n"), Outer)
    assert found == Outer(inner=Inner(size_mm=2.5))
    with pytest.raises(ValueError, match="frozen"):
        found.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae = 'b'", ["some.toml", "nmae"]),
        ("[inner]\nsize = 2", ["some.toml", "inner.size"]),
        ("[inner]\nsize_mm = 'big'", ["inner.size_mm", "number"]),
        ("nmae = 1\n[inner]\nsize = 2", ["nmae", "inner.size"]),
        ("name = \n", ["some.toml", "not valid TOML", "line 1"]),
    ],
)
def test_what_cannot_be_used_is_refused_and_every_fault_is_named(text, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), Outer)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_and_one_that_is_no_text_are_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"other\.toml: no such file"):
        load(tmp_path / "other.toml", Outer)
    (tmp_path / "some.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load(tmp_path / "some.toml", Outer)


def test_the_digest_changes_with_any_value_and_not_with_the_way_it_is_written(tmp_path):
    values = [
        Outer(),
        Outer(name="b"),
        Outer(inner=Inner(size_mm=1.0000001)),
        Outer(counts=(2, 1)),
        Outer(counts=()),
    ]
    assert len({each.digest for each in values}) == len(values)
    written = load(write(tmp_path, "counts = [1, 2]\nname = 'a'  # as ever\n[inner]\nsize_mm = 1\n"), Outer)
    assert written.digest == Outer().digest


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.toml")), ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_every_shipped_file_loads(path):
    kinds = {"protocol.toml": Protocol, "site.toml": Site}
    kind = kinds.get(path.name, RegistrationPlan if path.parent.name == "registration" else ImagingSettings)
    assert load(path, kind).digest


def test_something_is_shipped():
    """The test above says nothing of files that are not there."""
    shipped = {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.toml")}
    assert shipped >= {
        "npc-pit/protocol.toml",
        "npc-pit/site.toml",
        "npc-pit/imaging/ct.toml",
        "npc-pit/imaging/mr.toml",
        "npc-pit/imaging/pet.toml",
        "recist-1.1/protocol.toml",
        "irecist/protocol.toml",
    }
