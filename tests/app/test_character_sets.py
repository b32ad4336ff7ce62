"""Names and descriptions in any character set, also broken ones, are indexed without loss and without a traceback."""

import shutil
import warnings

import pydicom
import pytest
from pydicom.data import get_charset_files

from npcpit_imaging.app.importing import import_folder
from npcpit_imaging.app.study import open_study
from npcpit_imaging.store.images import series_of

YAMADA = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
"""PS3.5 H.3.1, example 1: ISO 2022 IR 87 with the name in letters, ideographs and kana."""

DESCRIPTION = b"\x1b$B>e0v F,\x1b(B CE"


def rewrite(folder, charset: str | None, *, name: bytes, description: bytes) -> None:
    """Put raw bytes into name and description of every file, under a character set."""
    raw = {b"N": name + b" " * (len(name) % 2), b"D": description + b" " * (len(description) % 2)}
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.SeriesDescription = "N" * len(raw[b"N"]), "D" * len(raw[b"D"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the broken sets, which are the point here
            if charset is not None:
                dataset.SpecificCharacterSet = charset.split("\\")
            pydicom.dcmwrite(path, dataset)
        content = path.read_bytes()
        for letter, value in raw.items():
            content = content.replace(letter * len(value), value)
        path.write_bytes(content)


def without_deidentification(folder) -> None:
    site = folder / "configs" / "site.toml"
    text = site.read_text(encoding="utf-8")
    assert text.count("enabled = true ") == 1
    site.write_text(text.replace("enabled = true ", "enabled = false "), encoding="utf-8")


def test_a_japanese_description_is_indexed_as_it_was_written(folder, write_series, quiet):
    without_deidentification(folder)
    source = write_series("20240105", "1")
    rewrite(source, "\\ISO 2022 IR 87", name=YAMADA, description="上咽頭 CE".encode("iso2022_jp"))
    with open_study(folder) as study:
        report = import_folder(study, source, progress=quiet)
        assert (report.outcomes["stored"], report.refused) == (3, ())
        with study.database.session() as session:
            (series,) = series_of(session)
        assert series.description == "上咽頭 CE"


@pytest.mark.parametrize("deidentified", [True, False])
@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("\\ISO 2022 IR 87", YAMADA),
        ("ISO_IR 13\\ISO 2022 IR 87", YAMADA),
        ("ISO_IR 192", b"\xff\xfe\xfa broken"),
        ("ISO_IR 999", b"Yamada^Tarou"),
        ("nonsense", YAMADA),
        (None, YAMADA),
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED"),
        ("\\ISO 2022 IR 87", b"Yamada\x1b\x1b\x1b$Z"),
    ],
    ids=[
        "JIS X 0208",
        "with JIS X 0201",
        "broken UTF-8",
        "unknown",
        "no set",
        "not declared",
        "unclosed",
        "bad escape",
    ],
)
def test_whatever_the_character_set_the_series_is_indexed_for_its_subject(
    deidentified, charset, name, folder, write_series, quiet
):
    if not deidentified:
        without_deidentification(folder)
    source = write_series("20240105", "1")
    rewrite(source, charset, name=name, description=b"AX T1")
    with open_study(folder) as study:
        report = import_folder(study, source, progress=quiet)
        assert (report.outcomes["stored"], report.refused) == (3, ())
        with study.database.session() as session:
            (series,) = series_of(session)
        assert (series.subject, series.instances, series.description) == ("NPC-0001", 3, "AX T1")
        stored = b"".join(path.read_bytes() for path in study.objects.folder.rglob("*.dcm"))
        assert (name in stored) is not deidentified


def test_every_character_set_file_of_pydicom_is_stored_or_refused_by_name(study, arrive, tmp_path):
    """They have names in 20 character sets, and most lack the UIDs that give an object a place."""
    folder = tmp_path / "charsets"
    folder.mkdir()
    for path in get_charset_files():
        shutil.copy(path, folder)
    report = arrive(folder)
    accounted = sum(report.outcomes.values()) + len(report.refused) + len(report.no_dicom)
    assert accounted == len(list(folder.iterdir()))
    assert all(each.reason for each in report.refused)
