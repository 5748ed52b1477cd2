"""Review files: CSV and XLSX, written whole or not at all, and read back row by row.

Here: rows of text on their way to a spreadsheet and back, and everything that can be
wrong with a file. Not here: what the columns mean (`columns.py`, `decisions.py`).
"""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet.datavalidation import DataValidation

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.review.cells import from_csv, from_xlsx, to_csv, to_xlsx
from enrichment_pipeline.review.columns import (
    COLUMN_MEANINGS,
    COLUMNS,
    DECISIONS,
    GIVEN,
    SheetRow,
)
from enrichment_pipeline.review.problems import Problem
from enrichment_pipeline.vocabulary import REVIEW_DECISIONS
from enrichment_pipeline.whole_files import write_whole

Format = Literal["csv", "xlsx"]
FORMATS: tuple[str, ...] = get_args(Format)
CELL_CHARACTERS = 32_767
"""More does not fit into a cell of any spreadsheet."""
DELIMITERS = ",;\t"
SHEET = "review"
_TEXT = "@"
LEGEND_SHEET = "legend"
_WIDTHS = {"detail": 40, "note": 40, "found_emails": 40, "our_linkedin_url": 30, "found_link": 40}
_WIDTH = 20
_LEGEND_WIDTHS = (20, 100)
_LINES = Alignment(wrap_text=True, vertical="top")


def format_of(path: Path, named: str | None) -> Format:
    """The format that is named, else the one of the file's suffix. Raises ConfigurationError."""
    suffix = path.suffix.lower().removeprefix(".")
    for known in get_args(Format):
        if (named or suffix) == known:
            return known
    if named is None:
        raise ConfigurationError(f"{path}: ends in neither .csv nor .xlsx; name its --format")
    raise ConfigurationError(f"--format: {named!r} is none of {', '.join(FORMATS)}")


def fits(row: Mapping[str, str]) -> bool:
    """Whether every cell of a row finds room in a spreadsheet's."""
    return all(
        len(spelled(text)) <= CELL_CHARACTERS
        for text in row.values()
        for spelled in (to_csv, to_xlsx)
    )


def legend_path(path: Path) -> Path:
    """Where the legend of a CSV stands: beside it, since a line in it would be a contact."""
    return path.with_name(f"{path.stem}-legend.txt")


def write_file(
    path: Path, kind: Format, rows: Sequence[Mapping[str, str]], *, overwrites: bool
) -> None:
    """Write these rows, of which each `fits`, and a legend; a CSV's is a file of its own.

    Raises ConfigurationError where a file exists and `overwrites` is not set, or
    where it cannot be written.
    """
    if kind == "xlsx":
        write_whole(path, partial(_write_xlsx, rows=rows), overwrites=overwrites)
        return
    write_whole(path, partial(_write_csv, rows=rows), overwrites=overwrites)
    legend = legend_path(path)
    if overwrites or not legend.exists():
        write_whole(legend, _write_legend, overwrites=overwrites)


def read_file(path: Path) -> tuple[list[SheetRow], list[Problem]]:
    """The rows of a file that came back, without those that are blank, and what is wrong in them.

    CSV in UTF-8 (or UTF-16, as Excel's "Unicode text"), separated by commas,
    semicolons or tabs; else XLSX. Raises ConfigurationError where the file as a
    whole cannot be taken.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})") from None
    is_xlsx = content.startswith(b"PK")
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise ConfigurationError(f"{path}: is an old .xls or a protected file; save it as .xlsx")
    numbered = _read_xlsx(path, content) if is_xlsx else _read_csv(path, content)
    header, lines = _split_header(path, list(numbered))
    rows, problems = [], []
    for number, cells in lines:
        if any(cell != "" for cell in cells[len(header) :]):
            problems.append(
                Problem(number, "", "has more cells than the header; is a quote amiss?")
            )
            continue
        texts = dict.fromkeys(header, "")
        for name, cell in zip(header, cells, strict=False):
            if isinstance(cell, str):
                texts[name] = cell
            else:
                problems.append(Problem(number, name, "is a formula; put its value in its place"))
        rows.append(SheetRow(number, texts))
    return rows, problems


def _write_csv(file: BinaryIO, rows: Sequence[Mapping[str, str]]) -> None:
    # the byte order mark is what tells Excel that it is UTF-8
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([to_csv(row.get(name, "")) for name in COLUMNS])


def _write_legend(file: BinaryIO) -> None:
    widest = max(len(name) for name, _ in _legend())
    lines = [f"{name:<{widest}}  {meaning}".rstrip() for name, meaning in _legend()]
    file.write("".join(f"{line}\n" for line in lines).encode())


def _legend() -> list[tuple[str, str]]:
    return [
        ("column", "what stands in it"),
        *COLUMN_MEANINGS.items(),
        ("", ""),
        ("decision", "what it leads to"),
        *((each.word, each.meaning) for each in REVIEW_DECISIONS),
    ]


def _write_xlsx(file: BinaryIO, rows: Sequence[Mapping[str, str]]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    sheet.freeze_panes = "B2"
    for position, name in enumerate(COLUMNS, start=1):
        column = sheet.column_dimensions[get_column_letter(position)]
        column.width = _WIDTHS.get(name, _WIDTH)
        column.number_format = _TEXT  # so that what is typed below the last row stays text too
    last_row = len(rows) + 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{last_row}"
    words = DataValidation("list", formula1=f'"{",".join(DECISIONS)}"', allow_blank=True)
    words.errorTitle, words.error = "decision", f"One of {', '.join(DECISIONS)}"
    letter = get_column_letter(COLUMNS.index("decision") + 1)
    words.add(f"{letter}2:{letter}{max(2, last_row)}")
    sheet.data_validations.append(words)

    head = [_cell(sheet, name) for name in COLUMNS]
    for name, title in zip(COLUMNS, head, strict=True):
        title.font = Font(bold=True)
        title.fill = PatternFill("solid", "FFF2CC" if name in GIVEN else "DDDDDD")
    sheet.append(head)
    for row in rows:
        sheet.append([_cell(sheet, to_xlsx(row.get(name, ""))) for name in COLUMNS])
    legend = book.create_sheet(LEGEND_SHEET)
    for letter, width in zip("AB", _LEGEND_WIDTHS, strict=True):
        legend.column_dimensions[letter].width = width
    for texts in _legend():
        legend.append([_cell(legend, text) for text in texts])
    book.save(file)


def _cell(sheet: WriteOnlyWorksheet, text: str) -> Cell:
    made = WriteOnlyCell(sheet, None)
    if text:
        made.value = text
        made.data_type = "s"  # whatever it looks like: no formula, no number
    made.number_format = _TEXT
    made.alignment = _LINES
    return made


def _read_csv(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(path, content)
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, [from_csv(cell) for cell in cells]
    except csv.Error as error:
        raise ConfigurationError(
            f"{path}: row {number + 1} cannot be read as CSV ({error})"
        ) from None


def _decoded(path: Path, content: bytes) -> str:
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}: is not UTF-8 text (first on line {row}), but perhaps Windows-1252; in Excel "
            "save it as `CSV UTF-8`, or as .xlsx"
        ) from None


def _read_xlsx(path: Path, content: bytes) -> Iterator[tuple[int, list[str | None]]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        sheet = book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
        sheet.reset_dimensions()  # some programs write them wrongly
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            yield number, [_text_of(cell) for cell in cells]
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        IndexError,
        ValueError,
        SyntaxError,
    ):
        raise ConfigurationError(f"{path}: is no XLSX file that can be read") from None


def _text_of(cell: object) -> str | None:
    """A cell as text; None for a formula, which is not worked out here."""
    value = getattr(cell, "value", None)
    if value is None:
        return ""
    if getattr(cell, "data_type", None) == "f":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return from_xlsx(value) if isinstance(value, str) else str(value)


def _split_header(
    path: Path, numbered: Sequence[tuple[int, Sequence[str | None]]]
) -> tuple[list[str], list[tuple[int, Sequence[str | None]]]]:
    rows = [
        (number, cells)
        for number, cells in numbered
        if any(cell is None or cell.strip() for cell in cells)
    ]
    if not rows:
        raise ConfigurationError(f"{path}: is empty")
    header = [(name or "").strip().lower() for name in rows[0][1]]
    while header and not header[-1]:
        header.pop()
    unknown = sorted({name or "(no name)" for name in header} - set(COLUMNS))
    repeated = sorted({name for name in header if header.count(name) > 1})
    missing = [name for name in ("contact_id", "decision") if name not in header]
    for problem, names in (("lacks", missing), ("repeats", repeated), ("has unknown", unknown)):
        if names:
            raise ConfigurationError(
                f"{path}: {problem} column{'s' * (len(names) > 1)} {', '.join(names[:10])}; the "
                "first row must be the header that `enrichment review export` wrote"
            )
    return header, rows[1:]
