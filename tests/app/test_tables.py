"""CSV tables that people hand in: what is wrong is said with its line, as a person counts lines."""

import pytest

from npcpit_imaging.app.tables import read_table
from npcpit_imaging.errors import InputError, TableError


def table(tmp_path, content: bytes | str):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_cells_are_stripped_and_an_optional_column_that_is_absent_is_empty(tmp_path):
    (row,) = read_table(table(tmp_path, "a, b\n 1 , x y \n"), required=("a", "b"), optional=("c",))
    assert dict(row.values) == {"a": "1", "b": "x y", "c": ""}
    assert row.line == 2


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path):
    (row,) = read_table(table(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n"), required=("a", "b"))
    assert dict(row.values) == {"a": "1", "b": "2"}


def test_missing_and_unknown_columns_are_all_named(tmp_path):
    with pytest.raises(TableError, match=r"t\.csv: expected columns a, b and perhaps c; missing b; unknown d, e") as e:
        read_table(table(tmp_path, "a,d,e\n1,2,3\n"), required=("a", "b"), optional=("c",))
    assert e.value.line == 1


def test_a_column_that_stands_twice_is_refused(tmp_path):
    """One of two cells would be lost without a word."""
    with pytest.raises(TableError, match="twice"):
        read_table(table(tmp_path, "a,b,a\n1,2,3\n"), required=("a", "b"))


def test_a_line_with_too_many_cells_is_refused_with_its_number(tmp_path):
    """A decimal comma makes one cell two."""
    with pytest.raises(TableError, match=r"line 3: t\.csv: more cells than columns"):
        read_table(table(tmp_path, "a,b\n1,2\n1,2,5\n"), required=("a", "b"))


def test_lines_are_counted_as_the_editor_shows_them_also_after_empty_lines_and_quoted_line_ends(tmp_path):
    rows = read_table(table(tmp_path, 'a,b\n1,2\n\n3,"x\ny"\n5,6\n'), required=("a", "b"))
    assert [row.values["a"] for row in rows] == ["1", "3", "5"]
    assert rows[0].line == 2
    assert rows[-1].line == 6
    assert rows[1].values["b"] == "x\ny"


def test_an_empty_file_and_a_file_in_another_encoding_are_refused(tmp_path):
    with pytest.raises(TableError, match="missing a"):
        read_table(table(tmp_path, ""), required=("a",))
    with pytest.raises(InputError, match="expected a UTF-8 table"):
        read_table(table(tmp_path, "ä".encode("latin-1")), required=("a",))
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_table(tmp_path / "none.csv", required=("a",))


@pytest.mark.parametrize(("text", "expected"), [("yes", True), ("YES", True), ("no", False), ("", None)])
def test_yes_and_no(text, expected, tmp_path):
    (row,) = read_table(table(tmp_path, f"a,b\n{text},x\n"), required=("a", "b"))
    assert row.optional_flag("a") is expected


@pytest.mark.parametrize("text", ["true", "1", "y", "ja"])
def test_another_word_for_yes_is_refused_with_the_line(text, tmp_path):
    (row,) = read_table(table(tmp_path, f"a,b\n{text},x\n"), required=("a", "b"))
    with pytest.raises(TableError, match=f"line 2: a: expected yes or no, found '{text}'"):
        row.flag("a")


def test_an_empty_cell_where_one_is_needed_is_refused_with_the_line(tmp_path):
    (row,) = read_table(table(tmp_path, "a,b\n,x\n"), required=("a", "b"))
    with pytest.raises(TableError, match="line 2: a: expected a value, found none"):
        row.text("a")
    with pytest.raises(TableError, match="line 2: a: expected yes or no, found none"):
        row.flag("a")
