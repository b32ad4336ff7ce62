"""What a research export may not do: write over a file, tell of a state that is over, or give anybody away."""

import shutil

import nibabel as nib
import pandas as pd
import pytest

from npcpit_imaging.app.delivery import deliver_tables
from npcpit_imaging.app.research_export import export_research
from npcpit_imaging.app.research_images import write_subject
from npcpit_imaging.app.results import deliver_results
from npcpit_imaging.app.study import init_study, open_study
from npcpit_imaging.errors import InputError
from tests.app.conftest import quietly, series_writer
from tests.app.results_study import make_study
from tests.app.test_results import decide

CODES = ("S1-11", "S11-1")
LESIONS = ("T-1", "T1")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A delivered study whose codes differ only in punctuation, made once; every test has a copy."""
    folder = tmp_path_factory.mktemp("template")
    init_study(folder / "study")
    with open_study(folder / "study") as study:
        make_study(study, series_writer(folder), quietly, named=CODES, lesions=LESIONS)
        decide(study, 'analysis_reader = "R1"')
        deliver_tables(study)
        deliver_results(study, figures=False)
    return folder / "study"


@pytest.fixture
def delivered(template, tmp_path):
    shutil.copytree(template, tmp_path / "study")
    with open_study(tmp_path / "study") as study:
        yield study


def test_subjects_and_lesions_that_differ_only_in_punctuation_keep_images_and_masks_of_their_own(delivered, tmp_path):
    """2 subjects x 3 visits x 2 lesions: 12 masks and 6 images; lesion T1 lies one voxel further along x than T-1."""
    out = tmp_path / "out"
    export_research(delivered, out)
    masks = pd.read_csv(out / "masks.tsv", sep="\t")
    assert (len(masks), masks["mask"].nunique(), masks["image"].nunique()) == (12, 12, 6)
    assert len(list(out.glob("sub-*/**/*.nii.gz"))) == 6
    firsts = {
        lesion: {int(nib.load(out / row.mask).get_fdata().nonzero()[0].max()) for row in own.itertuples()}
        for lesion, own in masks.groupby("lesion")
    }
    assert all(len(places) == 1 for places in firsts.values())
    assert firsts["T-1"] != firsts["T1"]
    participants = pd.read_csv(out / "participants.tsv", sep="\t")
    assert participants["participant_id"].nunique() == 2
    assert dict(zip(participants["subject"], participants["participant_id"], strict=True)) == dict(
        zip(masks["subject"], masks["participant_id"], strict=True)
    )
    assert masks.groupby("lesion")["lesion_label"].nunique().to_dict() == {"T-1": 1, "T1": 1}
    assert masks["lesion_label"].nunique() == 2
    assert all(row.lesion_label in row.mask and row.participant_id in row.mask for row in masks.itertuples())


def test_no_file_of_an_export_is_written_over(delivered, tmp_path):
    write_subject(delivered, "S1-11", "S111", tmp_path / "out", images=True)
    with pytest.raises(InputError, match=r"a name of its own for every file, found sub-S111_ses-BASELINE_ct\.nii\.gz"):
        write_subject(delivered, "S11-1", "S111", tmp_path / "out", images=True)
