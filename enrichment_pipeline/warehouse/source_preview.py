"""What the source's contacts look like: how many, how full their columns are, and a few of them.

Here: reading that, for `enrichment init` to show. Not here: what is done with the source
(`attached_source.py`, `load.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse.attached_source import select_rows
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.source_sql import Reading
from enrichment_pipeline.warehouse.statements import execute

KEY = "[source] contacts"


@dataclass(frozen=True)
class ContactsPreview:
    """`contacts` rows with `ids` different ids, `nameless` of them without one.

    `filled` counts the rows that have each column. `first` are some rows, as they are read: a
    person's data, for whoever is at the terminal and for nothing else.
    """

    contacts: int
    ids: int
    nameless: int
    filled: Mapping[str, int]
    first: Sequence[Mapping[str, str]]


def preview_contacts(reading: Reading, source: SourcePolicy, *, rows: int) -> ContactsPreview:
    """Read all of the source's contacts once, and keep some rows.

    Raises ConfigurationError for a query that fails.
    """
    select_rows(reading, KEY, source.contacts, required="contact_id")
    connection = reading.connection
    execute(connection, "shape_contacts")
    try:
        counted = execute(connection, "count_filled_contacts")
        names = [column[0] for column in counted.description or ()]
        counts = dict(zip(names, counted.fetchall()[0], strict=True))
        first = connection.execute("select * from shaped_contacts limit ?", [rows])
        columns = [column[0] for column in first.description or ()]
        shown = [
            {name: value for name, value in zip(columns, row, strict=True) if value}
            for row in first.fetchall()
        ]
    except duckdb.Error as error:
        raise ConfigurationError(f"{KEY}: {first_line(error)}") from None
    return ContactsPreview(
        contacts=counts.pop("contacts"),
        ids=counts.pop("ids"),
        nameless=counts.pop("nameless"),
        filled=counts,
        first=shown,
    )
