"""Files for a spreadsheet: any text comes back as it was, and none of it is a formula."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.review.cells import from_csv, from_xlsx, to_csv, to_xlsx
from enrichment_pipeline.review.columns import COLUMNS, DECISIONS, SHOWN
from enrichment_pipeline.review.files import (
    CELL_CHARACTERS,
    Format,
    fits,
    format_of,
    legend_path,
    read_file,
    write_file,
)
from enrichment_pipeline_tests.properties import draws

OURS = {"contact_id", "priority", "reason", "detail", *(n for n in COLUMNS if n.startswith("our_"))}
KINDS: tuple[Format, ...] = ("csv", "xlsx")
each_kind = pytest.mark.parametrize("kind", KINDS)

TEMPTING = (
    "=1+1",
    "+4930901820",
    "-1",
    "@sum(A1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "\uff1d1+1",
    "007",
    "123456789012345678",
    "1E5",
    "1-2",
)
TRICKY = (
    *TEMPTING,
    "'=1+1",
    "''=1+1",
    "'",
    "'t Hooft",
    "#N/A",
    "TRUE",
    "_x0041_",
    "_x0041\x01",
    "a\rb\r\nc\nd",
    "\x00\x0b\x1f\ufffe",
    ' "quoted", and; more\t',
)
EVERYTHING = st.one_of(
    st.text(),
    st.sampled_from(TRICKY),
    st.text(alphabet="'=+-@\t\r\n _x0041,;\"e9\x01"),
)


def rows_of(path: Path) -> list[dict[str, str]]:
    rows, problems = read_file(path)
    assert not problems
    return [dict(row.cells) for row in rows]


def complete(**cells: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | cells


def text_file(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


# --- any text comes back ---------------------------------------------------------------


@draws(few=50, many=500)
@given(EVERYTHING)
@example("_x0041\x01")
@example("'=1+1")
def test_any_cell_comes_back_as_it_was(text: str) -> None:
    assert from_csv(to_csv(text)) == text
    assert from_xlsx(to_xlsx(text)) == text
    # a CSV that was saved as XLSX
    assert from_xlsx(to_xlsx(to_csv(text))) in {text, to_csv(text)}


@draws(few=15, many=60)
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), EVERYTHING, max_size=5), max_size=3))
@each_kind
def test_any_file_comes_back_as_it_was(
    tmp_path: Path, kind: Format, rows: list[dict[str, str]]
) -> None:
    path = tmp_path / f"review.{kind}"
    # rows without a visible character are passed over, as spreadsheets leave them behind
    rows = [{**row, "contact_id": "C" + row.get("contact_id", "")} for row in rows]
    write_file(path, kind, rows, overwrites=True)
    assert rows_of(path) == [complete(**row) for row in rows]


@pytest.mark.parametrize("text", TEMPTING)
def test_nothing_in_a_csv_is_a_formula_or_a_number_to_a_spreadsheet(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "review.csv"
    write_file(path, "csv", [{"note": text}], overwrites=False)
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["note"] == f"'{text}"


@pytest.mark.parametrize("text", ["12", "Ada", "ada@acme.com", "f" * 32, "'t Hooft", "a=b", ""])
def test_plain_text_is_left_alone(text: str) -> None:
    assert to_csv(text) == to_xlsx(text) == text


@pytest.mark.parametrize("text", ["=1+1", "+4930901820", "007", "#N/A", "TRUE"])
def test_every_cell_of_xlsx_says_that_it_is_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "review.xlsx"
    write_file(path, "xlsx", [{"note": text}], overwrites=False)
    cell = load_workbook(path).active.cell(2, COLUMNS.index("note") + 1)
    assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")


def test_xlsx_helps_who_fills_it_in(tmp_path: Path) -> None:
    path = tmp_path / "review.xlsx"
    write_file(path, "xlsx", [{"contact_id": "C1"}, {"contact_id": "C2"}], overwrites=False)
    sheet = load_workbook(path)["review"]
    assert sheet.freeze_panes == "B2"
    (words,) = sheet.data_validations.dataValidation
    assert words.formula1 == f'"{",".join(DECISIONS)}"'
    decision = sheet.cell(1, COLUMNS.index("decision") + 1)
    assert str(words.sqref) == f"{decision.column_letter}2:{decision.column_letter}3"
    # what is typed into a cell that is empty so far is text too: a phone keeps its plus
    assert sheet.cell(2, COLUMNS.index("direct_phone") + 1).number_format == "@"


# --- what a spreadsheet makes of it ----------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_is_read_as_spreadsheets_save_it(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    lines = (["contact_id", "decision", "note"], ["C1", "never", "Grüße"])
    path = text_file(tmp_path / "a.csv", *map(separator.join, lines), "", encoding=encoding)
    assert rows_of(path) == [{"contact_id": "C1", "decision": "never", "note": "Grüße"}]


def test_a_csv_in_another_encoding_is_refused_with_advice(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", "contact_id,decision,note", "C1,never,Grüße")
    path.write_bytes(path.read_text("utf-8").encode("cp1252"))
    with pytest.raises(ConfigurationError, match=r"line 2.*Windows-1252.*CSV UTF-8"):
        read_file(path)


def test_numbers_that_were_typed_are_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "review.xlsx"
    write_file(path, "xlsx", [{"contact_id": "C1"}], overwrites=False)
    book = load_workbook(path)
    book["review"].cell(2, COLUMNS.index("direct_phone") + 1).value = 4930901820
    book["review"].cell(2, COLUMNS.index("mobile_phone") + 1).value = 4930901820.0
    book.save(path)
    (row,) = rows_of(path)
    assert (row["direct_phone"], row["mobile_phone"]) == ("4930901820", "4930901820")


def test_a_formula_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "review.xlsx"
    write_file(path, "xlsx", [{"contact_id": "C1"}, {"contact_id": "C2"}], overwrites=False)
    book = load_workbook(path)
    book["review"].cell(3, COLUMNS.index("work_email") + 1).value = "=A1"
    book.save(path)
    rows, problems = read_file(path)
    assert [(one.row, one.column) for one in problems] == [(3, "work_email")]
    assert [row.number for row in rows] == [2, 3]


def test_a_row_with_too_many_cells_is_a_problem(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", "contact_id,decision", "C1,never", "C2,never,oops")
    rows, problems = read_file(path)
    assert [row.number for row in rows] == [2]
    assert [one.row for one in problems] == [3]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([""], "is empty"),
        (["contact_id,note", "C1,x"], "lacks column decision"),
        (["contact_id,decision,work_emial", "C1,,x"], "unknown column work_emial"),
        (["contact_id,decision,decision", "C1,,"], "repeats column decision"),
        (["contact_id,decision", '"C1,never'], "row 2 cannot be read as CSV"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(
    tmp_path: Path, lines: list[str], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_file(text_file(tmp_path / "a.csv", *lines))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"PK\x03\x04 and nothing else", "no XLSX file"),
        (b"\xd0\xcf\x11\xe0 and nothing else", "old .xls or a protected file"),
    ],
)
def test_what_is_no_xlsx_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint):
        read_file(path)


# --- writing ---------------------------------------------------------------------------


@each_kind
def test_a_file_is_for_its_owner_and_never_overwritten_unasked(
    tmp_path: Path, kind: Format
) -> None:
    path = tmp_path / f"review.{kind}"
    write_file(path, kind, [{"contact_id": "C1"}], overwrites=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="--force"):
        write_file(path, kind, [], overwrites=False)
    assert len(rows_of(path)) == 1
    write_file(path, kind, [{"contact_id": "C1"}, {"contact_id": "C2"}], overwrites=True)
    assert len(rows_of(path)) == 2


def test_a_row_whose_text_fits_no_cell_is_known_before() -> None:
    assert fits({"contact_id": "x" * CELL_CHARACTERS})
    assert not fits({"contact_id": "x" * (CELL_CHARACTERS + 1)})
    # a control character takes seven in XLSX, a formula an apostrophe in CSV
    assert not fits({"contact_id": "\x01" * (CELL_CHARACTERS // 7 + 1)})
    assert not fits({"contact_id": "=" + "x" * (CELL_CHARACTERS - 1)})


def test_the_legend_explains_every_column_and_decision_and_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    for kind in KINDS:
        write_file(tmp_path / f"a.{kind}", kind, [{"contact_id": "C1"}], overwrites=False)
        assert rows_of(tmp_path / f"a.{kind}") == [complete(contact_id="C1")]
    legend = tmp_path / "a-legend.txt"
    assert legend_path(tmp_path / "a.csv") == legend
    lines = legend.read_text(encoding="utf-8").splitlines()
    sheet = load_workbook(tmp_path / "a.xlsx")["legend"]
    cells = [f"{name or ''} {meaning or ''}".split() for name, meaning in sheet.values]
    assert cells == [line.split() for line in lines]
    explained = {line.split()[0] for line in lines if line.split()[1:]}
    assert explained >= {*COLUMNS, *DECISIONS}
    assert stat.S_IMODE(legend.stat().st_mode) == 0o600


def test_what_was_found_stands_in_columns_that_say_so() -> None:
    assert [name for name in COLUMNS if name.startswith("found_")] == [
        name for name in COLUMNS if name in SHOWN and name not in OURS
    ]


def test_lines_in_a_cell_are_shown_as_lines(tmp_path: Path) -> None:
    write_file(tmp_path / "a.xlsx", "xlsx", [{"found_name": "a\nb"}], overwrites=False)
    sheet = load_workbook(tmp_path / "a.xlsx")["review"]
    cell = sheet.cell(2, COLUMNS.index("found_name") + 1)
    assert (cell.value, cell.alignment.wrap_text, cell.alignment.vertical) == ("a\nb", True, "top")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_file(tmp_path / "no" / "a.csv", "csv", [], overwrites=False)


def test_the_format_is_the_suffixes_unless_it_is_named() -> None:
    assert format_of(Path("a.XLSX"), None) == "xlsx"
    assert format_of(Path("a.txt"), "csv") == "csv"
    with pytest.raises(ConfigurationError, match="--format"):
        format_of(Path("a.txt"), None)
    with pytest.raises(ConfigurationError, match="'ods'"):
        format_of(Path("a.csv"), "ods")
