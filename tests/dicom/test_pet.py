"""SUV from tags: which time counts, and what is refused by name."""

from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.pet import suv_scaling, to_suv
from npcpit_imaging.dicom.rtstruct import read_roi
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.errors import InputError, QuantityError
from npcpit_imaging.volume.suv import SuvKind
from npcpit_imaging.volume.volume import Unit

HALF_LIFE_S = 6586.2
ONE_HALF_LIFE = 70_000.0 / 140e6
"""The factory's patient: 70 kg, 280 MBq injected one half-life before the scan."""


def injection_item(dataset) -> Dataset:
    return dataset.RadiopharmaceuticalInformationSequence[0]


def changed(**values):
    """A change of elements; None deletes one; those of the injection go into its sequence."""

    def change(dataset, _k):
        for keyword, value in values.items():
            target = injection_item(dataset) if keyword.startswith("Radio") else dataset
            if value is None:
                delattr(target, keyword)
            else:
                setattr(target, keyword, value)

    return change


def pet(make_series, folder, change=None, **options):
    return make_series(folder, modality="PT", count=2, change=change, **options)


def test_start_decays_from_the_injection_to_the_series_time(tmp_path, make_series):
    scaling = suv_scaling(pet(make_series, tmp_path))

    assert scaling.factor == pytest.approx(ONE_HALF_LIFE, rel=1e-9)
    assert scaling.timing is not None
    assert scaling.timing.reference_at == datetime(2024, 1, 5, 12)  # noqa: DTZ001
    assert scaling.findings == ()


def test_a_volume_becomes_suv(tmp_path, make_series):
    files = pet(make_series, tmp_path)
    activity = load_folder(tmp_path)

    uptake = to_suv(activity, scan(tmp_path).series[0])

    assert uptake.unit is Unit.SUVBW
    assert np.allclose(uptake.voxels, activity.voxels * ONE_HALF_LIFE, rtol=1e-6)
    assert uptake.geometry == activity.geometry
    assert np.array_equal(to_suv(activity, files).voxels, uptake.voxels)


def test_the_tags_of_another_series_are_refused(tmp_path, make_series):
    pet(make_series, tmp_path / "one")
    other = pet(make_series, tmp_path / "other")

    with pytest.raises(InputError, match="expected the tags of series"):
        to_suv(load_folder(tmp_path / "one"), other)


def test_admin_needs_no_decay(tmp_path, make_series):
    """The image is corrected to the injection already."""
    scaling = suv_scaling(pet(make_series, tmp_path, values={"DecayCorrection": "ADMIN"}))

    assert scaling.factor == pytest.approx(70_000.0 / 280e6)
    assert scaling.timing is None


def test_none_decays_to_the_frames_own_average_time(tmp_path, make_series):
    """A frame of two minutes: its mean activity is that of 60 s after its start, within 0.001 %."""
    values = {"DecayCorrection": "NONE", "CorrectedImage": ["ATTN"]}

    scaling = suv_scaling(pet(make_series, tmp_path, values=values))

    assert scaling.factor == pytest.approx(ONE_HALF_LIFE * 2 ** (60.0 / HALF_LIFE_S), rel=1e-5)


def test_none_over_several_bed_positions_has_no_single_factor(tmp_path, make_series):
    def change(dataset, k):
        dataset.DecayCorrection, dataset.CorrectedImage = "NONE", ["ATTN"]
        dataset.AcquisitionTime = f"12{k:02d}00"

    with pytest.raises(QuantityError, match=r"DecayCorrection \(0054,1102\): NONE with 2 acquisition times"):
        suv_scaling(pet(make_series, tmp_path, change))


def test_an_injection_before_midnight_is_the_day_before(tmp_path, make_series):
    """Injected at 23:30, scanned at 00:30: one hour, and a finding."""

    def change(dataset, _k):
        dataset.SeriesTime = dataset.AcquisitionTime = "003000"
        injection_item(dataset).RadiopharmaceuticalStartTime = "233000"

    scaling = suv_scaling(pet(make_series, tmp_path, change))

    assert scaling.timing is not None
    assert scaling.timing.elapsed_s == 3600.0
    assert [finding.code for finding in scaling.findings] == ["suv-injection-before-midnight"]


def test_an_injection_minutes_after_the_scan_is_doubtful_and_refused(tmp_path, make_series):
    """Taken as the day before it would be 23.9 hours: no FDG is left."""
    with pytest.raises(QuantityError, match=r"RadiopharmaceuticalStartTime \(0018,1072\)"):
        suv_scaling(pet(make_series, tmp_path, changed(RadiopharmaceuticalStartTime="120500")))


def test_a_dated_injection_counts_before_a_time_of_day(tmp_path, make_series):
    values = changed(RadiopharmaceuticalStartDateTime="20240105101013.8")

    assert suv_scaling(pet(make_series, tmp_path, values)).factor == pytest.approx(ONE_HALF_LIFE, rel=1e-9)


def test_an_injection_dated_after_the_scan_is_refused(tmp_path, make_series):
    """De-identification often shifts one date and forgets the other."""
    values = changed(RadiopharmaceuticalStartDateTime="20240106101013.8")

    with pytest.raises(QuantityError, match="from injection to scan"):
        suv_scaling(pet(make_series, tmp_path, values))


def test_two_injection_times_that_disagree_are_refused(tmp_path, make_series):
    values = changed(RadiopharmaceuticalStartDateTime="20240105111013")

    with pytest.raises(QuantityError, match="tell different times of day"):
        suv_scaling(pet(make_series, tmp_path, values))


def test_a_long_lived_nuclide_needs_a_date(tmp_path, make_series):
    """Zr-89, 78.4 h: a time of day fits several days."""
    with pytest.raises(QuantityError, match=r"RadiopharmaceuticalStartDateTime \(0018,1078\) is missing"):
        suv_scaling(pet(make_series, tmp_path, changed(RadionuclideHalfLife=78.4 * 3600)))


# --- a series that was made after the scan ---------------------------------------------------------------------------


def late_series(frame_reference: bool, decay_factor: bool = False, ge: bool = False):
    """SeriesTime 15:00; two bed positions of 2 min at 12:00 and 12:03, the scan's start at 12:00."""

    def change(dataset, k):
        dataset.SeriesTime = "150000"
        dataset.AcquisitionTime = f"12{3 * k:02d}00"
        offset_s = 180.0 * k + 59.937  # to the frame's time of average count rate, by the formula
        if frame_reference:
            dataset.FrameReferenceTime = offset_s * 1000.0
        if decay_factor:
            dataset.DecayFactor = f"{2 ** (offset_s / HALF_LIFE_S):.8f}"
        if ge:
            block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
            block.add_new(0x0D, "DT", "20240105120000.00")

    return change


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"frame_reference": True}, "FrameReferenceTime"),
        ({"frame_reference": False, "decay_factor": True}, "confirmed by DecayFactor"),
        ({"frame_reference": False, "ge": True}, "GE scan time"),
    ],
)
def test_a_later_series_time_is_not_the_scans(tmp_path, make_series, options, source):
    """The start is GE's own, or computed back from the frames; 15:00 would give an SUV three times too high."""
    scaling = suv_scaling(pet(make_series, tmp_path, late_series(**options)))

    assert scaling.timing is not None
    assert abs(scaling.timing.reference_at - datetime(2024, 1, 5, 12)) < timedelta(seconds=0.5)  # noqa: DTZ001
    assert source in scaling.source
    assert "suv-series-time-after-acquisition" in [finding.code for finding in scaling.findings]


def test_a_later_series_time_without_any_other_clue_is_refused(tmp_path, make_series):
    with pytest.raises(QuantityError, match=r"SeriesTime \(0008,0031\) is later than the acquisition and neither"):
        suv_scaling(pet(make_series, tmp_path, late_series(frame_reference=False)))


def test_frames_that_tell_different_starts_are_refused(tmp_path, make_series):
    def change(dataset, k):
        late_series(frame_reference=True)(dataset, k)
        dataset.FrameReferenceTime = 60_000.0 * (1 + 10 * k)

    with pytest.raises(QuantityError, match="expected every frame to tell the same scan start"):
        suv_scaling(pet(make_series, tmp_path, change))


def test_a_decay_factor_that_disagrees_is_a_finding(tmp_path, make_series):
    """A factor that corrects to 30 minutes before SeriesTime: 2^(1800 / 6586.2) is 20.9 %."""
    factor = 2 ** ((1800.0 + 59.937) / HALF_LIFE_S)
    scaling = suv_scaling(pet(make_series, tmp_path, values={"DecayFactor": f"{factor:.8f}"}))

    assert [finding.code for finding in scaling.findings] == ["suv-decay-factor-disagrees"]
    assert "20.9 % off" in scaling.findings[0].text


def test_a_series_time_long_before_the_first_acquisition_is_a_finding(tmp_path, make_series):
    """Ten minutes: 2^(600 / 6586.2) is 6.5 %; perhaps the first bed positions are missing."""
    scaling = suv_scaling(pet(make_series, tmp_path, values={"AcquisitionTime": "121000"}))

    assert [finding.code for finding in scaling.findings] == ["suv-scan-start-before-acquisition"]
    assert "+600 s" in scaling.findings[0].text
    assert "6.5 % off" in scaling.findings[0].text


# --- units -----------------------------------------------------------------------------------------------------------


def test_gml_is_suv_already(tmp_path, make_series):
    assert suv_scaling(pet(make_series, tmp_path, values={"Units": "GML"})).factor == 1.0


def test_gml_of_another_kind_is_refused(tmp_path, make_series):
    with pytest.raises(QuantityError, match=r"SUVType \(0054,1006\): expected BW, found LBM"):
        suv_scaling(pet(make_series, tmp_path, values={"Units": "GML", "SUVType": "LBM"}))


def philips(**elements):
    def change(dataset, _k):
        dataset.Units = "CNTS"
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        for name, value in elements.items():
            block.add_new({"suv": 0x00, "activity": 0x09}[name], "DS", str(value))

    return change


def test_philips_counts_by_the_suv_factor(tmp_path, make_series):
    """(7053,xx00) leads from counts to SUVbw directly."""
    assert suv_scaling(pet(make_series, tmp_path, philips(suv=0.00125))).factor == pytest.approx(0.00125)


def test_philips_counts_by_the_activity_factor(tmp_path, make_series):
    """With (7053,xx00) zero, (7053,xx09) leads to Bq/mL and the tags lead on."""
    scaling = suv_scaling(pet(make_series, tmp_path, philips(suv=0, activity=2.5)))

    assert scaling.factor == pytest.approx(2.5 * ONE_HALF_LIFE, rel=1e-9)


def test_counts_without_a_factor_are_refused(tmp_path, make_series):
    with pytest.raises(QuantityError, match=r"Units \(0054,1001\) is CNTS and neither Philips"):
        suv_scaling(pet(make_series, tmp_path, values={"Units": "CNTS"}))


def test_lean_body_mass_and_surface(tmp_path, make_series):
    """1.75 m, male: James 58.4...; the ratio to body weight is the formula's."""
    files = pet(make_series, tmp_path, values={"PatientSize": 1.75, "PatientSex": "M"})
    lean_kg = 1.10 * 70 - 128 * (70 / 175) ** 2

    assert suv_scaling(files, kind=SuvKind.LBM_JAMES).factor == pytest.approx(ONE_HALF_LIFE * lean_kg / 70, rel=1e-9)
    assert to_suv(load_folder(tmp_path), files, kind=SuvKind.BSA).unit is Unit.SUVBSA


# --- what is missing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keyword",
    [
        "PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime", "SeriesTime",
        "SeriesDate", "AcquisitionTime", "AcquisitionDate", "Units", "DecayCorrection", "CorrectedImage",
        "RadiopharmaceuticalInformationSequence",
    ],
)  # fmt: skip
def test_a_missing_tag_is_named(tmp_path, make_series, keyword):
    def change(dataset, _k):
        inner = keyword.startswith("Radio") and not keyword.endswith("Sequence")
        delattr(injection_item(dataset) if inner else dataset, keyword)

    tag = pydicom.tag.Tag(keyword)
    with pytest.raises(QuantityError) as caught:
        suv_scaling(pet(make_series, tmp_path, change))
    assert f"{keyword} ({tag.group:04X},{tag.element:04X})" in str(caught.value)
    assert "Secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (changed(PatientWeight=0.0), "PatientWeight (0010,1030): expected 1 to 400 kg, found 0"),
        (changed(RadionuclideTotalDose=280.0), "RadionuclideTotalDose (0018,1074): expected 100000 to"),
        (changed(CorrectedImage=["DECY"]), "expected ATTN (attenuation)"),
        (changed(CorrectedImage=["ATTN"]), "expected DECY"),
        (changed(RadiopharmaceuticalStartTime="25"), "RadiopharmaceuticalStartTime (0018,1072): expected a date"),
        (changed(Modality="MR"), "Modality (0008,0060): expected PT, found MR"),
    ],
)
def test_a_doubtful_tag_is_named(tmp_path, make_series, change, named):
    with pydicom.config.disable_value_validation():
        files = pet(make_series, tmp_path, change)
    with pytest.raises(QuantityError) as caught:
        suv_scaling(files)
    assert named in str(caught.value)


def test_two_weights_in_one_series_are_refused(tmp_path, make_series):
    def change(dataset, k):
        dataset.PatientWeight = 70.0 + k

    with pytest.raises(QuantityError, match=r"PatientWeight \(0010,1030\): expected one value in the series, found 2"):
        suv_scaling(pet(make_series, tmp_path, change))


def test_two_injections_are_refused(tmp_path, make_series):
    def change(dataset, _k):
        dataset.RadiopharmaceuticalInformationSequence.append(injection_item(dataset))

    with pytest.raises(QuantityError, match="expected one injection, found 2"):
        suv_scaling(pet(make_series, tmp_path, change))


def test_the_raw_sarcoma_pet_gives_the_published_uptake(shared_data):
    """sts_001_raw: tumour SUVmax 7.911, mean 2.555."""
    folder = shared_data / "images" / "sts_001_raw" / "FDG_PET"
    series = scan(folder / "image").series[0]
    volume = load_folder(folder / "image")
    tumour = read_roi(next((folder / "mask").iterdir()), "GTV_Mass", volume.geometry)

    uptake = to_suv(volume, series).voxels[tumour.voxels]

    assert uptake.max() == pytest.approx(7.911, abs=0.0005)
    assert uptake.mean() == pytest.approx(2.555, abs=0.0005)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("SeriesTime", ("120000", "123000")),
        ("RadiopharmaceuticalStartTime", ("101013.8", "111013.8")),
        ("RadiopharmaceuticalStartDateTime", ("20240105101013.8", "20240104101013.8")),
    ],
)
def test_two_times_in_one_series_are_refused(tmp_path, make_series, keyword, values):
    """Which of them counted would depend on the names of the files."""

    def change(dataset, k):
        dataset.AcquisitionTime = "130000"
        target = injection_item(dataset) if keyword.startswith("Radio") else dataset
        setattr(target, keyword, values[k])

    with pytest.raises(QuantityError, match=rf"{keyword} \(.*expected one (value|moment) in the series, found 2"):
        suv_scaling(pet(make_series, tmp_path, change))


def test_two_ge_scan_times_in_one_series_are_refused(tmp_path, make_series):
    def change(dataset, k):
        late_series(frame_reference=False, ge=True)(dataset, k)
        dataset.private_block(0x0009, "GEMS_PETD_01")[0x0D].value = f"202401051{k + 1}0000.00"

    with pytest.raises(QuantityError, match=r"GE scan time .*expected one moment in the series, found 2"):
        suv_scaling(pet(make_series, tmp_path, change))


@pytest.mark.parametrize(
    ("code", "half_life_s", "refused"),
    [
        ("77004003", 4062.6, "expected 6586.2 s of F-18"),  # 1.5 times too high
        ("C-131A3", 6586.2, "expected 4062.6 s of Ga-68"),
        ("C-111A1", 109.77, "expected 6586.2 s of F-18"),  # minutes
        ("C-111A1", 6588.0, None),
        ("99", 4062.6, None),
    ],
)
def test_a_half_life_of_another_nuclide_is_refused(tmp_path, make_series, code, half_life_s, refused):
    def change(dataset, _k):
        nuclide = Dataset()
        nuclide.CodeValue, nuclide.CodingSchemeDesignator, nuclide.CodeMeaning = code, "SCT", "x"
        injection_item(dataset).RadionuclideCodeSequence = [nuclide]
        injection_item(dataset).RadionuclideHalfLife = half_life_s

    files = pet(make_series, tmp_path, change)
    if refused is None:
        assert suv_scaling(files).factor > 0
    else:
        with pytest.raises(QuantityError, match=rf"RadionuclideHalfLife \(0018,1075\): {refused}"):
            suv_scaling(files)
