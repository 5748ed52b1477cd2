"""Contacts that somebody's Dagster asset hands in, kept as a source like any other.

Here: a pandas frame or an Arrow table as a database of the state folder, whose table crm.contacts
it becomes; runs and commands read what was handed in last. Not here: reading that
(`warehouse/attached_source.py`), and which asset it comes from (`defs/assets/handed_in.py`).
"""

import os
from typing import TYPE_CHECKING

import duckdb

from enrichment_pipeline.errors import ConfigurationError, redact_unexpected_errors
from enrichment_pipeline.privacy import owner_only
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import check_stamp, ensure_state_folder
from enrichment_pipeline.warehouse.statements import registered

if TYPE_CHECKING:
    import pyarrow as pa


@redact_unexpected_errors
def hand_in(settings: Settings, contacts: object) -> int:
    """Keep these contacts in the place of those that were handed in before; how many rows.

    `contacts` is a pandas frame, or whatever gives Arrow data. Raises ConfigurationError for
    anything else, for a frame without columns, and for a state folder of another source.
    """
    rows = as_arrow(contacts)
    if not rows.column_names:
        raise ConfigurationError("the contacts that are handed in: the frame has no columns")
    ensure_state_folder(settings)
    check_stamp(settings)
    target = settings.handed_in_source
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with owner_only(), duckdb.connect(str(draft)) as connection:
            connection.execute("create schema crm")
            with registered(connection, "handed_in", rows):
                connection.execute("create table crm.contacts as from handed_in")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return rows.num_rows


def as_arrow(frame: object) -> "pa.Table":
    """The frame as an Arrow table. Raises ConfigurationError for what is none."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(frame, pd.DataFrame):
        mixed = [
            str(name) for name, dtype in frame.dtypes.items() if pd.api.types.is_object_dtype(dtype)
        ]
        named = frame.rename(columns=str)
        # whatever stands among text is text: Arrow has one type in a column
        return pa.Table.from_pandas(
            named.astype(dict.fromkeys(mixed, "string")), preserve_index=False
        )
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    raise ConfigurationError(
        f"the contacts that are handed in: a {type(frame).__name__} is neither a pandas frame nor "
        "an Arrow table"
    )
