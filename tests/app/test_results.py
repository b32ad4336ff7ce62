"""Results of a study: what is written, from which reads, up to the data cut, and never a date or a person's words."""

import re
import shutil
import subprocess
import sys
from datetime import timedelta

import nibabel as nib
import pandas as pd
import pytest

from npcpit_imaging.app.delivery import deliver_tables, export
from npcpit_imaging.app.eligibility import study_eligibility
from npcpit_imaging.app.pipelines import run_pipeline
from npcpit_imaging.app.research_export import export_research
from npcpit_imaging.app.research_tables import _feature_words
from npcpit_imaging.app.responses import respond_to_reads
from npcpit_imaging.app.results import deliver_results, results_digest
from npcpit_imaging.app.study import init_study, open_study
from npcpit_imaging.app.table_checks import check_tables
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.store.images import subjects
from tests.app.conftest import quietly, series_writer
from tests.app.results_study import COMMENT, first_day, make_study

ISO_DAY = re.compile(rb"\d{4}-\d{2}-\d{2}")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The folder of a study of three subjects read by two readers, made once; every test has a copy."""
    folder = tmp_path_factory.mktemp("template")
    init_study(folder / "study")
    with open_study(folder / "study") as study:
        make_study(study, series_writer(folder), quietly)
    return folder / "study"


@pytest.fixture
def undecided(template, tmp_path):
    """Three subjects read by two readers; nobody said whose reads the analysis takes."""
    shutil.copytree(template, tmp_path / "study")
    with open_study(tmp_path / "study") as study:
        yield study


@pytest.fixture
def filled(undecided):
    """Three subjects read by two readers; the analysis takes R1."""
    return decide(undecided, 'analysis_reader = "R1"')


def decide(study, words: str):
    path = study.folder / "configs" / "protocol.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[results]", f"[results]\n{words}\n"), encoding="utf-8")
    study.__dict__.pop("protocol", None)
    return respond(study)


def respond(study):
    """Responses of what the study holds now; results of older ones are refused."""
    with study.database.session() as session:
        codes = subjects(session)
    for code in codes:
        respond_to_reads(study, code)
    return study


def table(study, name: str) -> pd.DataFrame:
    return pd.read_csv(study.deliver / "results" / "tables" / f"{name}.csv")


def test_results_name_their_reader_denominator_and_protocol_and_hold_no_date(filled):
    said = deliver_results(filled, figures=False)
    assert said.startswith("primary endpoint 100.0 % (6 of 6 lesions in 3 patients)")
    page = (filled.deliver / "results" / "results.html").read_text(encoding="utf-8")
    assert filled.protocol.digest in page and "R1 (3 subjects)" in page
    assert "6 of 6 lesions in 3 patients" in page and "not a medical device" in page
    assert COMMENT not in page
    rates = table(filled, "response_rates")
    primary = rates[rates["primary"]]
    assert len(primary) == 1
    row = primary.iloc[0]
    assert (row["endpoint"], row["method"], row["responders"], row["denominator"]) == ("ORR", "Korn-Graubard", 6, 6)
    assert "3 patients" in row["note"]
    for path in (filled.deliver / "results").rglob("*"):
        if path.suffix in (".csv", ".svg"):
            assert not ISO_DAY.search(path.read_bytes()), path.name


def test_days_are_those_of_true_dates_although_the_images_dates_are_shifted(filled):
    deliver_results(filled, figures=False)
    assert set(table(filled, "lesion_timepoints")["day"]) == {45, 90}
    assert set(table(filled, "adverse_events")["start_day"]) == {3}
    assert set(table(filled, "profiles_subjects")["biopsied"]) == {-30}
    assert set(table(filled, "subjects")["last_contact_day"]) == {200}


def test_both_readers_are_compared_and_the_one_who_differs_is_seen(filled):
    deliver_results(filled, figures=False)
    found = table(filled, "reader_agreement").set_index(["statistic", "scale"])
    bias = found.loc[("bias", "mm")]
    # R2 is 5 % larger at follow-up, of the first subject 90 %: (0.9 x 2 x 30 + 0.05 x 4 x 30) / 18 pairs
    assert bias["value"] == pytest.approx((0.9 * 60 + 0.05 * 120) / 18, abs=0.02)
    assert found.loc[("adjudication rate", float("nan"))]["value"] == pytest.approx(1 / 3, abs=1e-5)


def test_several_readers_and_none_named_are_refused_by_name(undecided):
    with pytest.raises(SkipCaseError, match=r"one reader for the analysis.*R1, R2.*analysis_reader"):
        deliver_results(undecided, figures=False)


def test_treated_lesions_that_nobody_read_are_non_responders(filled):
    with (filled.tables / "treatments.csv").open("a", encoding="utf-8") as more:
        more.write("NPC-0009,T01,1,2022-05-01\n")
    deliver_results(filled, figures=False)
    rates = table(filled, "response_rates")
    row = rates[rates["primary"]].iloc[0]
    assert (row["responders"], row["denominator"], row["patients"]) == (6, 7, 4)
    assert "were never read" in (filled.deliver / "results" / "results.html").read_text(encoding="utf-8")


def test_the_data_cut_leaves_later_visits_events_and_treatments_out(filled):
    cut = first_day(0) + timedelta(days=60)
    decide(filled, f"data_cut = {cut}")
    assert all(each.status.value == "done" for each in run_pipeline(filled, "respond"))
    deliver_results(filled, figures=False)
    visits = table(filled, "lesion_timepoints")
    assert set(visits.loc[visits["subject"] == "NPC-0001", "timepoint"]) == {"FU1"}
    assert cut.isoformat() in (filled.deliver / "results" / "results.html").read_text(encoding="utf-8")
    agreed = table(filled, "reader_agreement").set_index(["statistic", "scale"]).loc[("bias", "mm")]
    # the reads compared end there too: 6 lesions at baseline without a difference, 2 at FU1 with 90 % of 18 mm
    assert agreed["value"] == pytest.approx(2 * 0.9 * 18 / 8, abs=0.02)


@pytest.mark.slow
def test_the_pipeline_computes_results_once_and_again_when_a_table_changes(filled):
    def results_case():
        return next(each for each in run_pipeline(filled, "deliver") if each.case.name == "results")

    assert results_case().status.value == "done"
    assert results_case().status.value == "skipped"
    before = results_digest(filled)
    events = filled.tables / "adverse_events.csv"
    events.write_text(events.read_text(encoding="utf-8").replace("Oral pain,1", "Oral pain,4"), encoding="utf-8")
    assert results_digest(filled) != before
    assert results_case().status.value == "done"
    assert table(filled, "adverse_event_worst_grades").set_index("term").loc["Oral pain", "grade_4"] == 1
    (filled.deliver / "results" / "results.html").unlink()
    assert results_case().status.value == "done"


@pytest.mark.slow
def test_the_same_study_gives_the_same_tables_and_figures(filled):
    deliver_results(filled)
    folder = filled.deliver / "results"
    assert all(not ISO_DAY.search(path.read_bytes()) for path in folder.rglob("*.svg"))
    assert len(list(folder.rglob("*.svg"))) == len(list(folder.rglob("*.png"))) >= 15
    captions = pd.read_csv(folder / "figures" / "captions.csv")
    assert set(captions["figure"]) == {path.stem for path in folder.rglob("*.svg")}
    assert set(captions["protocol_digest"]) == {filled.protocol.digest}
    assert f"protocol {filled.protocol.digest[:12]}." in (folder / "results.html").read_text(encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".csv", ".svg", ".html")}
    deliver_results(filled)
    assert before == {
        path.name: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".csv", ".svg", ".html")
    }


def test_eligibility_says_why(filled):
    path = filled.tables / "subjects.csv"
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    lines[1] = lines[1].replace("consented,64,", "withdrawn,17,second cancer")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    first, second, _ = study_eligibility(filled)
    assert first.verdict.value == "not met"
    assert first.reasons == (
        "consent: status is withdrawn",
        "age: younger than 18 years on record",
        "exclusion: second cancer",
    )
    assert second.verdict.value == "met"
    assert [each.verdict.value for each in second.criteria][:2] == ["met", "met"]
    deliver_results(filled, figures=False)
    page = (filled.deliver / "results" / "results.html").read_text(encoding="utf-8")
    assert "1 subjects whose consent is refused or withdrawn count in what follows" in page


def test_only_eligible_subjects_where_the_protocol_says_so(filled):
    path = filled.tables / "subjects.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("consented", "refused", 1), encoding="utf-8")
    protocol = filled.folder / "configs" / "protocol.toml"
    text = protocol.read_text(encoding="utf-8")
    assert "only_eligible = false" in text
    protocol.write_text(text.replace("only_eligible = false", "only_eligible = true"), encoding="utf-8")
    filled.__dict__.pop("protocol", None)
    respond(filled)
    deliver_results(filled, figures=False)
    assert set(table(filled, "subjects")["subject"]) == {"NPC-0002", "NPC-0003"}


def test_tables_of_dates_are_checked_by_line_and_against_each_other(filled):
    assert [(each.name, len(each.faults)) for each in check_tables(filled)] == [
        ("subjects.csv", 0),
        ("treatments.csv", 0),
        ("adverse_events.csv", 0),
        ("cycles.csv", 0),
    ]
    events = filled.tables / "adverse_events.csv"
    good = events.read_text(encoding="utf-8")
    events.write_text(good + "NPC-0001,Fever,6,2022-03-05,\nNPC-0001,Fever,2,5 March,\n", encoding="utf-8")
    (found,) = [each for each in check_tables(filled) if each.name == "adverse_events.csv"]
    assert found.faults == (
        "line 5: adverse event Fever: expected a grade of 1 to 5, found 6",
        "line 6: start: expected a full date such as 2026-03-01, found '5 March'",
    )
    with pytest.raises(TableError, match=r"adverse_events\.csv: line 5"):
        deliver_results(filled, figures=False)
    events.write_text(good, encoding="utf-8")
    cycles = filled.tables / "cycles.csv"
    cycles.write_text(
        f"subject,cycle,infusion,illumination\nNPC-0001,1,2022-03-01,{first_day(0) + timedelta(days=1)}\n"
    )
    with pytest.raises(TableError, match="NPC-0001 cycle 1"):
        deliver_results(filled, figures=False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("12.1", "2.1", r"clinical\.csv: haemoglobin: expected 3 or more and 25 or less g/dL, found 2\.1"),
        ("12.1", "high", "expected a number, found 'high'"),
        ("NPC-0002", "NPC-0001", "stands in line 2 already"),
        ("haemoglobin", "hb", "missing haemoglobin; unknown hb"),
    ],
)
def test_a_declared_table_is_held_to_its_dictionary(filled, old, new, words):
    path = filled.tables / "profiles" / "clinical.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TableError, match=words):
        deliver_results(filled, figures=False)


def test_a_table_without_a_dictionary_is_refused(filled):
    (filled.tables / "profiles" / "dictionary.toml").unlink()
    with pytest.raises(InputError, match=r"expected dictionary\.toml beside clinical\.csv"):
        deliver_results(filled, figures=False)


@pytest.fixture(scope="module")
def exported(template, tmp_path_factory):
    """A research export; tests only read it."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(template, folder / "study")
    with open_study(folder / "study") as study:
        decide(study, 'analysis_reader = "R1"')
        deliver_tables(study)
        deliver_results(study, figures=False)
        export_research(study, folder / "research")
    return folder / "research"


def test_the_readmes_five_lines_load_everything(exported):
    """The code block of the export's own README, run where a researcher would run it: no table is left aside."""
    readme = (exported / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 5
    more = "\nprint(*tables)\nprint(masks['pixels'].map(lambda each: each.shape).unique())"
    ran = subprocess.run([sys.executable, "-c", code + more], cwd=exported, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said, names, shapes = ran.stdout.splitlines()
    written = {path.stem for path in (exported / "tables").iterdir()} - {"dictionary"}
    assert set(names.split()) == written and {"measurements", "subjects", "features_wide"} <= written
    assert said == f"{len(written)} tables, 18 masks; the first has 12.0 voxels"
    assert shapes == "[(8, 8, 3)]"
    measurements = pd.read_parquet(exported / "tables" / "measurements.parquet")
    assert measurements["longest_diameter_mm"].sum() == pd.read_csv(exported / "tables" / "measurements.csv")[
        "longest_diameter_mm"].sum()  # fmt: skip


def test_masks_lie_on_their_images_and_sidecars_say_what_they_are(exported):
    masks = pd.read_csv(exported / "masks.tsv", sep="\t")
    assert len(masks) == 18
    for row in masks.itertuples():
        image, mask = nib.load(exported / row.image), nib.load(exported / row.mask)
        assert image.shape == mask.shape and (image.affine == mask.affine).all()
        assert (exported / row.mask.replace(".nii.gz", ".json")).is_file()
        assert mask.get_fdata().sum() * 2.5 / 1000 == pytest.approx(row.volume_ml, abs=1e-4)
    dictionary = pd.read_csv(exported / "tables" / "dictionary.csv")
    for path in (exported / "tables").glob("*.parquet"):
        columns = set(dictionary.loc[dictionary["table"] == path.stem, "column"])
        assert columns == set(pd.read_parquet(path).columns)
    assert dictionary["meaning"].notna().all()
    only_named = dictionary[dictionary["meaning"] == dictionary["column"].str.replace("_", " ")]
    assert set(only_named["column"]) <= {"haemoglobin"}  # a declared variable without a label


def test_nothing_in_the_export_tells_who_or_when(exported):
    """Names, hospital numbers, true dates and people's own words, in every byte, gzip opened."""
    import gzip

    days = [first_day(number) + timedelta(days=each) for number in range(3) for each in (-7, -1, 0, 3, 45, 90, 200)]
    secrets = [b"HOSPITAL-", b"Secret", COMMENT.encode()]
    secrets += [form.encode() for day in days for form in (day.isoformat(), day.strftime("%Y%m%d"))]
    for path in exported.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content += gzip.decompress(content) if path.suffix == ".gz" else b""
            found = [secret for secret in secrets if secret in content]
            assert not found, f"{path.relative_to(exported)}: {found}"
    for path in (exported / "tables").glob("*.csv"):
        assert not ISO_DAY.search(path.read_bytes()), path.name


def test_the_true_data_cut_stays_at_the_site(filled, tmp_path):
    """Beside a censoring time in days it would give away when a subject was treated."""
    cut = first_day(0) + timedelta(days=2000)
    deliver_results(decide(filled, f"data_cut = {cut.isoformat()}"), figures=False)
    assert cut.isoformat() in (filled.deliver / "results" / "results.html").read_text(encoding="utf-8")
    export(filled, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any(path.name == "lesion_rates.csv" or path.suffix == ".csv" for path in files)
    for path in files:
        assert cut.isoformat().encode() not in path.read_bytes(), path.name


def test_the_days_to_the_data_cut_do_not_leave(filled, tmp_path):
    """A paper states its data cut: 2000 days before it a subject would have been treated."""
    cut = first_day(0) + timedelta(days=2000)
    deliver_results(decide(filled, f"data_cut = {cut.isoformat()}"), figures=False)
    assert table(filled, "subjects")["cutoff_day"].iloc[0] == 2000
    export_research(filled, tmp_path / "out", images=False)
    found = {path.stem: pd.read_csv(path) for path in (tmp_path / "out" / "tables").glob("*.csv")}
    assert "pfs_days" in found["subjects"] and "cutoff_day" not in set(found["dictionary"]["column"])
    assert not [name for name, each in found.items() if 2000 in each.select_dtypes("number").to_numpy()]
    parquet = pd.read_parquet(tmp_path / "out" / "tables" / "subjects.parquet")
    assert list(parquet.columns) == list(found["subjects"].columns)


def test_a_feature_is_told_by_its_name_its_code_and_its_unit():
    """IBSI 1, 3.3.1 and 3.6.1; the mean is in units of intensity, a joint maximum has none."""
    words, units = _feature_words(
        ["stat_mean", "log_2mm.cm_joint_max_3D_avg", "log_2mm_cm_joint_max_3D_avg", "subject"]
    )
    assert words == {
        "stat_mean": "Mean, IBSI Q4LE",
        "log_2mm.cm_joint_max_3D_avg": "Joint maximum, IBSI GYBY, after filter log_2mm",
        "log_2mm_cm_joint_max_3D_avg": "Joint maximum, IBSI GYBY, after filter log_2mm",
    }  # fmt: skip
    assert units == {**dict.fromkeys(words, "1"), "stat_mean": "intensity"}


def test_checksums_hold(exported):
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=exported, check=False)
    assert checked.returncode == 0


def test_without_images_there_are_none_and_masks_stay(filled, tmp_path):
    deliver_results(filled, figures=False)
    folder = filled.deliver / "NPC-0001"
    folder.mkdir()
    for name in ("NPC-0001_FU1_CT_T01_KEY.dcm", "NPC-0001_FU1_CT_SEG.dcm"):
        (folder / name).write_bytes(b"an object")
    export_research(filled, tmp_path / "out", images=False)
    assert [path.name for path in (tmp_path / "out" / "dicom").rglob("*.dcm")] == ["NPC-0001_FU1_CT_SEG.dcm"]
    assert not list((tmp_path / "out").glob("sub-*/**/*.nii.gz"))
    assert len(list((tmp_path / "out" / "derivatives" / "masks").rglob("*.nii.gz"))) == 18


def test_subjects_with_true_dates_are_not_exported(folder, write_series, quiet, tmp_path):
    site = folder / "configs" / "site.toml"
    site.write_text(re.sub(r"(?m)^enabled *= *true", "enabled = false", site.read_text(encoding="utf-8")))
    with open_study(folder) as study:
        make_study(study, write_series, quiet, subjects=1)
        decide(study, 'analysis_reader = "R1"')
        deliver_results(study, figures=False)
        with pytest.raises(InputError, match="expected de-identified images of every subject, found 1 as they came"):
            export_research(study, tmp_path / "out")


def test_nothing_delivered_is_nothing_to_export(study, tmp_path):
    with pytest.raises(InputError, match="nothing to export yet"):
        export_research(study, tmp_path / "out")


def test_the_default_protocol_asks_for_no_eligibility():
    assert Protocol().eligibility.min_age_years is None
