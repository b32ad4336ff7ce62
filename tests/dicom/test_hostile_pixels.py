"""Headers that would make a number silently wrong: bits, scales and lengths that contradict each other are refused."""

import numpy as np
import pytest

from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.errors import SeriesError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"BitsStored": 12, "HighBit": 15},
            r"HighBit \(0028,0102\): expected 11 \(one less than BitsStored\), found 15",
        ),
        ({"BitsStored": 0}, r"BitsStored \(0028,0101\): expected 1 to 16 \(BitsAllocated\), found 0"),
        ({"BitsStored": 20}, r"BitsStored \(0028,0101\): expected 1 to 16 \(BitsAllocated\), found 20"),
        ({"RescaleSlope": [1.0, 2.0]}, r"RescaleSlope \(0028,1053\): expected one number, found 2"),
        ({"RescaleIntercept": [-1024.0, 0.0]}, r"RescaleIntercept \(0028,1052\): expected one number, found 2"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, make_series, values, message):
    """Values in the high bits would be sixteen times too large; of two slopes the first is a guess."""
    make_series(tmp_path, values=values)

    with pytest.raises(SeriesError, match=message):
        load_folder(tmp_path)


@pytest.mark.parametrize("values", [{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, {"Rows": 3}])
def test_twice_the_pixels_that_the_header_tells_are_refused(tmp_path, make_series, values):
    """6 rows of 8 pixels of 16 bits are 96 bytes; a header of 8 bits, or of 3 rows, would read the first half of it."""

    def change(dataset, k):
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    make_series(tmp_path, change=change)

    with pytest.raises(SeriesError, match=r"PixelData \(7FE0,0010\): expected 48 bytes .* found 96: one of them"):
        load_folder(tmp_path)


def test_a_large_intercept_of_32_bit_values_loses_nothing(tmp_path, make_series):
    """Stored 16777217 less 16777216 is 1; in single precision the stored value would have been 16777216, and this 0."""
    stored = np.array([[16777217, 16777218], [16777219, 16777216]], np.int32)
    make_series(tmp_path, count=2, stored=lambda _: stored, values={"RescaleIntercept": -16777216.0})

    assert load_folder(tmp_path).voxels[0].tolist() == [[1.0, 2.0], [3.0, 0.0]]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "an empty file"), (b"\0" * 128 + b"DICM" + b"\x08\0\x16", "SOPInstanceUID")]
)
def test_a_file_that_may_have_been_the_last_slice_is_a_finding(tmp_path, make_series, content, reason):
    """Three good slices of four look whole: who reads them is told of the fourth. Other files are nobody's slice."""
    paths = make_series(tmp_path, count=4)
    paths[-1].write_bytes(content)
    (tmp_path / "LICENSE.txt").write_text("not an image")

    [finding] = [each for each in load_folder(tmp_path).findings if each.code == "unreadable-object"]

    assert finding.text.startswith(f"1 files of the folder were left out, and may have been slices: 1 x {reason}")
