"""Key images of a delivery: what counts is what is drawn, in its own slice; what nobody accepted gets none."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from npcpit_imaging.app.delivery_key_images import lesion_picture, write_key_images
from npcpit_imaging.app.features import masks_in_use
from npcpit_imaging.app.reading import record_reads
from npcpit_imaging.app.series import open_series
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.store.images import paths_of, series_of
from npcpit_imaging.store.lesions import StoredProposal, put_lesion, put_proposal
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.volume.files import write_mask
from npcpit_imaging.volume.volume import Mask

SUBJECT = "NPC-0001"
LESION = Lesion(lesion_id="T01", tracking_uid="2.25.1", role=LesionRole.TARGET, organ="X", location="X", nodal=False)
LABEL = "SCRIPTED READ: by a test"
HEADER = "subject,timepoint,reader,lesion,state,accept,label,caliper_mm,short_caliper_mm\n"


@pytest.fixture
def proposed(study, arrive, write_series):
    """A study with a CT of 8 x 8 pixels of 10 mm and a proposal of 3 x 2 pixels in its second slice of four."""
    folder = write_series("20240105", "1", count=4)
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.PixelSpacing = [10, 10]
        dataset.save_as(file)
    arrive(folder)
    with study.database.session() as session:
        (series,) = series_of(session)
        put_lesion(session, SUBJECT, LESION)
    volume = open_series(study, series.uid)
    voxels = np.zeros(volume.geometry.shape_kji, bool)
    voxels[1, 3:5, 2:5] = True
    mask = Mask(voxels=voxels, geometry=volume.geometry)
    write_mask(mask, study.derived / "mask.nii.gz")
    with study.database.session() as session:
        proposal = StoredProposal(
            lesion=LESION,
            subject=SUBJECT,
            timepoint="BASELINE",
            series_uid=series.uid,
            mask_path="derived/mask.nii.gz",
            mask_sha256=mask.digest,
            prompt={"source": "reader's prompt"},
            segmenter={"name": "test", "version": "1"},
            measurement=measure(mask),
            uptake=None,
            key="k",
        )
        put_proposal(session, proposal, now=study.now())
    return study


def read(study, accept: str, long_mm: str = "", short_mm: str = "") -> None:
    path = study.tables / "reads.csv"
    line = f'{SUBJECT},BASELINE,R1,T01,measured,{accept},,"{long_mm}","{short_mm}"\n'
    path.write_text(HEADER + line, encoding="utf-8")
    list(record_reads(study, path))


def delivered(study, masks):
    with study.database.session() as session:
        sources = [study.objects.folder / path for path in paths_of(session, masks[0].proposal.series_uid)]
    return write_key_images(study, masks, study.deliver / "stem", sources=sources, created=study.now(), label=LABEL)


def test_the_accepted_masks_lines_are_drawn_in_their_slice(proposed):
    read(proposed, "proposal")
    (used,) = masks_in_use(proposed, SUBJECT)
    picture = lesion_picture(proposed, used, label=LABEL)
    assert picture.mask.sum() == 6
    assert picture.title == "NPC-0001  BASELINE  T01  CT"
    assert "slice 2 of 4" in picture.caption
    assert "lines of the mask" in picture.caption
    assert picture.caption.endswith(LABEL), "a JPEG has no other place to say it"
    written = delivered(proposed, [used])
    assert [(path.name, kind) for path, kind in written] == [
        ("stem_T01_KEY.dcm", "key image"),
        ("stem_T01_KEY.jpg", "JPEG"),
    ]
    assert pydicom.dcmread(written[0][0]).SeriesDescription.startswith("SCRIPTED READ")


def test_a_readers_own_line_in_another_slice_is_drawn_there_and_its_numbers_stand_below(proposed):
    """The mask has no voxel in the third slice (z 5 mm): the picture is cut around the line alone."""
    read(proposed, "caliper", "10,30,5:40,30,5", "20,20,5:20,40,5")
    (used,) = masks_in_use(proposed, SUBJECT)
    picture = lesion_picture(proposed, used, label=LABEL)
    assert not picture.mask.any()
    assert "LD 30.0 mm   SA 20.0 mm   (reader's own lines)" in picture.caption
    assert "slice 3 of 4" in picture.caption
    assert [np.hypot(*np.subtract(*line)) for line in picture.calipers] == pytest.approx([3.0, 2.0])
    capture = pydicom.dcmread(delivered(proposed, [used])[0][0])
    (reference,) = capture.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID in {
        each.SOPInstanceUID
        for each in map(pydicom.dcmread, proposed.objects.folder.rglob("*.dcm"))
        if float(each.ImagePositionPatient[2]) == 5.0
    }


def test_what_nobody_accepted_has_no_picture(proposed):
    read(proposed, "proposal")
    (used,) = masks_in_use(proposed, SUBJECT)
    assert delivered(proposed, [replace(used, confirmed=False)]) == []
