"""One contact's whole story: what the source says, who it is, what was bought, shown and decided.

Here: gathering it from the warehouse and the ledger, which are only read. Not here: showing it
(`cli/explain_command.py`), and the questions themselves (`warehouse/sql/explaining/`,
`ledger/one_person.py`). It is full of a person's data: for whoever asks, and for no log.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from enrichment_pipeline.errors import ConfigurationError, PipelineError, redact_unexpected_errors
from enrichment_pipeline.ledger.one_person import PastCall, calls_about
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import check_used
from enrichment_pipeline.stores import Stores, refuse_missing_ledger
from enrichment_pipeline.terms import credits_per_unit
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.statements import execute

SHOWN_CHARACTERS = 40
"""Of an id that is not there: it may be anything."""
Values = Mapping[str, Any]
"""A row by column, as the SQL file of its name gives it; nulls are left out."""


@dataclass(frozen=True)
class ExplainedCall:
    """A call, with what it cost in credits; 0 where its kind costs none."""

    call: PastCall
    credits: Decimal
    is_undone: bool


@dataclass(frozen=True)
class Explanation:
    """What is known of one contact; each part is empty where there is nothing.

    `contact` is as the source gives it, `standing` where it stands, `values` every value that is
    shown or was given.
    """

    contact: Values
    account: Values
    namesakes: Sequence[str]
    standing: Values
    calls: Sequence[ExplainedCall]
    values: Sequence[Values]
    decisions: Sequence[Values]


@redact_unexpected_errors
def explain(settings: Settings, contact_id: str) -> Explanation:
    """Gather what is known of a contact. Writes nothing.

    Raises ConfigurationError where there is no such contact, and PipelineError where the warehouse
    or the ledger is gone.
    """
    check_used(settings)
    refuse_missing_ledger(settings)
    with _opened(settings) as connection:
        found = _rows(connection, "read_known_contact", contact_id=contact_id)
        if not found:
            raise ConfigurationError(
                f"no such contact: {contact_id[:SHOWN_CHARACTERS]}; ids are the source's "
                "contact_id, as of the last run"
            )
        [contact] = found
        person_key = contact.get("person_key")
        account = _rows(connection, "read_known_account", account_id=contact.get("account_id"))
        standing = _rows(connection, "read_contact_standing", contact_id=contact_id)
        of_person = {"contact_id": contact_id, "person_key": person_key}
        namesakes = [row["contact_id"] for row in _rows(connection, "list_namesakes", **of_person)]
        values = _rows(connection, "read_contact_values", contact_id=contact_id)
        decisions = _rows(connection, "read_contact_decisions", **of_person)
        asked = _rows(connection, "list_contact_calls", contact_id=contact_id)
        query = "select run_id from raw.undone_runs"
        undone = {run_id for (run_id,) in connection.execute(query).fetchall()}
    past = calls_about(
        Stores(settings).ledger,
        keys={row["key"] for row in asked if "key" in row},
        call_ids={row["call_id"] for row in asked if "call_id" in row},
    )
    return Explanation(
        contact=contact,
        account=account[0] if account else {},
        namesakes=namesakes,
        standing=standing[0] if standing else {},
        calls=[
            ExplainedCall(
                call,
                credits=call.units_charged
                * credits_per_unit(call.provider).get(call.kind, Decimal(0)),
                is_undone=call.run_id in undone,
            )
            for call in past
        ],
        values=values,
        decisions=decisions,
    )


@contextmanager
def _opened(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    if not Path(settings.warehouse_url).exists():
        raise PipelineError(
            f"warehouse {settings.warehouse_url}: is not there; `enrichment run --max-credits 0` "
            "derives it from the ledger, and buys nothing"
        )
    with open_warehouse(settings.warehouse_url, read_only=True) as connection:
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, name: str, **values: object) -> list[Values]:
    result = execute(connection, name, **values)
    columns = [column[0] for column in result.description or ()]
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in result.fetchall()
    ]
