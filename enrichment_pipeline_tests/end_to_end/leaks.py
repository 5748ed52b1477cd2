"""Looking for what must not be found: the key, and anything personal, outside the tables.

Here: what to look for in the small world, and where a run may have left it. Not here: verdicts.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from enrichment_pipeline_tests.end_to_end.world import CONTACTS, KEY, PEOPLE, Row

NAMES = ("first_name", "last_name", "full_name")
POINTS = ("email", "phone", "linkedin_url", "work_email", "personal_email", "mobile_phone")
TABLES_OF_DATA = ("warehouse.duckdb", "ledger.sqlite", "published")
"""Where data belongs: whatever begins with one of these names in a state folder."""


def secrets(rows: Iterable[Row] = (*CONTACTS, *PEOPLE), key: str = KEY) -> set[bytes]:
    """The key, and every name, e-mail, phone and profile of these rows, in lower case."""
    found = {key}
    for row in rows:
        for column in (*NAMES, *POINTS, "known_emails"):
            text = str(row.get(column) or "").strip().lower()
            if not text:
                continue
            found.add(text)
            if column in NAMES:
                # a surname gives a person away as well as the whole name does
                found.update(word for word in text.split() if word.isalpha() and len(word) > 8)
            if "linkedin.com/in/" in text:
                found.add(text.split("linkedin.com/in/")[1].split("/")[0])
            if "phone" in column:
                found.add("".join(filter(str.isdigit, text)))
    return {text.encode() for text in found}


def leaks(wanted: set[bytes], *texts: str, folder: Path | None = None) -> list[str]:
    """Where any of the wanted stands: in these texts, or in a file of a state folder that is none
    of its tables of data."""
    places = [(f"text {number}", text.encode()) for number, text in enumerate(texts, start=1)]
    if folder is not None:
        places += contents_of_files(folder)
    return sorted(
        f"{place}: {secret.decode()}"
        for place, content in places
        for secret in wanted
        if secret in content.lower()
    )


def contents_of_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each file that is none of the tables of data; of a database each value besides, unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0].startswith(TABLES_OF_DATA) or not path.is_file():
            continue
        yield str(path), path.read_bytes()
        if path.suffix == ".db":
            yield str(path), b"\n".join(values_in(path))


def values_in(database: Path) -> Iterator[bytes]:
    """Every text and blob in an SQLite file: a page break may split it, zlib may hide it."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'select * from "{table}"'):
                for value in row:
                    if isinstance(value, str):
                        yield value.encode()
                    elif isinstance(value, bytes):
                        yield unpacked(value)
    finally:
        connection.close()


def unpacked(blob: bytes) -> bytes:
    try:
        return zlib.decompress(blob)
    except zlib.error:
        return blob
