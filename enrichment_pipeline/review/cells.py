"""Text in cells that spreadsheets must leave alone: formulas, long numbers, control characters.

Here: the spelling of one cell on its way into a file and back, so that any text
comes back as it was. Not here: files (`files.py`).

A spreadsheet that opens a CSV takes `=1+1`, `+4930…` and `@x` for formulas, and
`007` for 7. Such text gets an apostrophe in front, which Excel and LibreOffice
show and save as it is. In XLSX every cell says itself that it is text.
"""

import re

# the wide forms of = + - @ count as these do
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\0]")
_NUMBER = re.compile(r"[\d.,:/\-+ ]*\d[\d.,:/\-+ eE%]*\Z")
_PLAIN_NUMBER = re.compile(r"(0|[1-9]\d{0,10})\Z")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4})")
"""What XML has no place for, or gives back as something else; and what would read like its form."""
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def to_csv(text: str) -> str:
    """The text with an apostrophe in front, where a spreadsheet would make something of it."""
    return f"'{text}" if _is_tempting(_bare(text)) else text


def to_xlsx(text: str) -> str:
    """The text as a text cell of XLSX spells it; only what reads like our own marks is marked."""
    marked = f"'{text}" if text.startswith("'") and _is_tempting(_bare(text)) else text
    return _UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", marked)


def from_csv(cell: str) -> str:
    """The text that `to_csv` made a cell of; what else stands in one is taken as it is."""
    return cell[1:] if cell.startswith("'") and _is_tempting(_bare(cell)) else cell


def from_xlsx(cell: str) -> str:
    """The text that `to_xlsx` made a cell of; likewise for a CSV that was saved as XLSX."""
    return from_csv(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell))


def _bare(text: str) -> str:
    return text.lstrip("'")


def _is_tempting(text: str) -> bool:
    if _FORMULA.match(text):
        return True
    return bool(_NUMBER.match(text)) and not _PLAIN_NUMBER.match(text)
