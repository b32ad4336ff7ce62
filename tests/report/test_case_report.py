"""The report's tables go on over as many pages as they need, no row is lost, and the same report is the same file."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from npcpit_imaging.report.case_report import CaseReport, SizeCurve, Table, write_case_report


def a_report(*details: Table) -> CaseReport:
    return CaseReport(
        subject="NPC-0001",
        title="A trial",
        summary=("Reader R1",),
        timepoints=("BASELINE", "FU1"),
        sum_curve=SizeCurve(name="sum", sizes_mm=(50.0, 30.0)),
        lesion_curves=(),
        tables=(),
        details=details,
    )


def findings(count: int) -> Table:
    long = "words that go on and on so that the cell needs several lines of the column " * 3
    rows = tuple((f"code-{number:03}", long) for number in range(count))
    return Table(title="Findings", header=("check", "text"), rows=rows, widths=(1.0, 2.0))


def pages(report: CaseReport, path: Path) -> list[str]:
    if shutil.which("pdftotext") is None:
        pytest.skip("needs poppler's pdftotext")
    write_case_report(report, path)
    said = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return said.stdout.split("\f")[:-1]


def test_a_long_table_goes_on_over_pages_and_loses_no_row(tmp_path: Path):
    found = pages(a_report(findings(60)), tmp_path / "report.pdf")
    assert len(found) > 3
    names = re.findall(r"code-\d{3}", "".join(found))
    assert names == [f"code-{number:03}" for number in range(60)]
    assert all("continued" in page for page in found[2:])


def test_short_tables_share_a_page(tmp_path: Path):
    assert len(pages(a_report(findings(1), findings(2)), tmp_path / "report.pdf")) == 2


def test_the_same_report_gives_the_same_bytes_and_no_date(tmp_path: Path):
    first, second = tmp_path / "a.pdf", tmp_path / "b.pdf"
    write_case_report(a_report(findings(2)), first)
    write_case_report(a_report(findings(2)), second)
    assert first.read_bytes() == second.read_bytes()
    assert b"Date" not in first.read_bytes()
