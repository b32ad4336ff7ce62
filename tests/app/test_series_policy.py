"""How strict a study reads its series is its own decision: a section of its modality's file, and a finding."""

import pydicom
import pytest

from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.shelf import Shelf
from npcpit_imaging.app.survey import survey_series
from npcpit_imaging.errors import ConfigError, SeriesError
from npcpit_imaging.store.images import series_of


@pytest.fixture
def lossy_ct(study, arrive, write_series):
    """A study with one CT that says it was compressed with loss; returns the series' UID."""
    folder = write_series("20240105", "1", count=3)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.LossyImageCompression = "01"
        dataset.save_as(path)
    arrive(folder)
    with study.database.session() as session:
        [series] = series_of(session)
    return series.uid


def decide(study, text):
    """Replace the [series] section of the study's ct.toml."""
    path = study.folder / "configs" / "imaging" / "ct.toml"
    head, _, _ = path.read_text(encoding="utf-8").partition("[series]")
    path.write_text(f"{head}[series]\n{text}\n", encoding="utf-8")


def test_the_shipped_sections_are_the_defaults_and_leave_no_finding(study, lossy_ct):
    assert {finding.code for finding in open_series(study, lossy_ct).findings} == {"lossy-compression"}


def test_a_study_that_refuses_lossy_pixels_does_so_in_every_verb(study, lossy_ct, quiet):
    open_series(study, lossy_ct)  # a volume that is in memory already does not outlive the decision
    decide(study, 'lossy = "refuse"')

    with pytest.raises(SeriesError, match="3 of 3 slices were compressed with loss"):
        open_series(study, lossy_ct)
    with pytest.raises(SeriesError, match="3 of 3 slices were compressed with loss"):
        Shelf(study, size=1).get(lossy_ct)
    [surveyed] = survey_series(study, progress=quiet)
    assert "3 of 3 slices were compressed with loss" in surveyed.refusal


def test_a_policy_that_is_not_the_default_is_a_finding_with_its_digest(study, lossy_ct):
    decide(study, "position_tolerance = 0.02")

    [told] = [finding for finding in open_series(study, lossy_ct).findings if finding.code == "series-policy"]

    assert told.text.startswith("read by the study's policy: position_tolerance = 0.02 (digest ")


@pytest.mark.parametrize("name", ["gap", "tilt"])
def test_a_study_cannot_measure_on_resampled_slices(study, lossy_ct, name):
    decide(study, f'{name} = "allow"')

    with pytest.raises(ConfigError, match=f"ct.toml: series: .*{name}: expected refuse, found allow"):
        open_series(study, lossy_ct)
