"""Verifications of addresses in the warehouse: what they say, what that changes, and which are due.

Each provider that verifies says how its answers read in an SQL file of its folder,
`read_verifications.sql`. Here: the order of the steps. Not here: asking (`dispatch/`), and the
rules, which are the files in `sql/verification/`. Call what writes in a transaction; pages bring
one of their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.common_profile import failures_by_item, version_of
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.normalise import learn_hosts
from enrichment_pipeline.warehouse.raw_answers import (
    FIELDS_OF_EVERY_CALL,
    ReadBodies,
    reply_pages,
    rows_of,
    tables_of,
)
from enrichment_pipeline.warehouse.statements import execute, execute_text, registered

_VERIFICATION_SCHEMA = pa.schema(
    [
        ("verification_id", pa.string()),
        ("address_key", pa.string()),
        ("email", pa.string()),
        ("reply_id", pa.string()),
        ("units_charged", pa.int32()),
        *FIELDS_OF_EVERY_CALL,
    ]
)


@dataclass(frozen=True)
class DueVerification:
    """An address that is to be verified, and the contact for which; `is_entered` as in WorkItem.

    `identifiers` are all that its person is known by, hashed.
    """

    contact_id: str
    email: str
    address_key: str
    freshness: str
    priority: str
    last_verification_id: str
    identifiers: frozenset[str]
    is_entered: bool


@dataclass(frozen=True)
class VerificationReader:
    """How one provider's verifications are read: its SQL, and what this says at its head.

    `failed_by_item`: the reasons of released ones that are about the address itself, and not about
    the request, the account or the provider.
    """

    provider: str
    version: int
    sql: str
    failed_by_item: tuple[str, ...] = ()


@cache
def readers() -> tuple[VerificationReader, ...]:
    """Every provider's that verifies."""
    folders = sorted(files("enrichment_pipeline.providers").iterdir(), key=lambda each: each.name)
    found = [(folder.name, folder.joinpath("read_verifications.sql")) for folder in folders]
    texts = {name: file.read_text(encoding="utf-8") for name, file in found if file.is_file()}
    return tuple(
        VerificationReader(name, version_of(text), text, failures_by_item(text))
        for name, text in texts.items()
    )


def last_verification_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest ledger revision of which the warehouse has a verification; 0 for none."""
    query = "select coalesce(max(revision), 0) from raw.verifications"
    return int(connection.execute(query).fetchall()[0][0])


def newest_verifications(
    connection: duckdb.DuckDBPyConnection, count: int | None
) -> dict[str, int]:
    """The ledger's revision of the verifications whose rows are the newest, or (None) of all."""
    return dict(execute(connection, "find_newest_verifications", count=count).fetchall())


def known_verifications(
    connection: duckdb.DuckDBPyConnection, verification_ids: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """Verifications as they are known here, with their answers, sorted by reply and run."""
    wanted = pa.table({"verification_id": pa.array(list(verification_ids), pa.string())})
    with registered(connection, "wanted_verifications", wanted):
        yield from rows_of(execute(connection, "read_known_verifications"))


def merge_verifications(
    connection: duckdb.DuckDBPyConnection,
    pages: Iterable[Sequence[Any]],
    credits_per_unit: Mapping[str, Decimal],
) -> None:
    """Merge pages of the ledger's verifications, each in a transaction, in order of revision.

    `credits_per_unit`: how many credits a unit of each provider's is.
    """
    of_providers = {
        "providers": list(credits_per_unit),
        "credits": [float(credits) for credits in credits_per_unit.values()],
    }
    for page in tables_of(pages, _VERIFICATION_SCHEMA):
        with registered(connection, "verification_page", page), transaction(connection):
            execute(connection, "merge_verifications", **of_providers)


def keep_answers(connection: duckdb.DuckDBPyConnection, bodies: ReadBodies) -> None:
    """Take over the raw replies that are still missing."""
    found = execute(connection, "find_missing_verification_answers").fetchall()
    for page in reply_pages([reply_id for (reply_id,) in found], bodies):
        with registered(connection, "answer_page", page), transaction(connection):
            execute(connection, "keep_verification_answers")


def check_addresses(connection: duckdb.DuckDBPyConnection, *, verified_days: int) -> None:
    """Give the addresses that answers have given the status that their check says."""
    if execute(connection, "find_checks").fetchall() == [(False,)]:
        return
    for reader in readers():
        told = {"provider": reader.provider, "reading": reader.version}
        execute(connection, "find_unread_verifications", **told)
        execute_text(connection, reader.sql)
        execute(connection, "insert_verification_readings", **told)
    execute(connection, "derive_checked_addresses", verified_days=verified_days)
    execute(connection, "check_points")


def find_due_verifications(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Bring `staging.due_verifications` to what is due now; see its SQL for what is read."""
    learn_hosts(connection, "find_new_address_hosts")
    execute(
        connection,
        "find_due_verifications",
        provider=policy.waterfall.verify,
        require=list(policy.acceptance.require),
        rules=policy.fields.model_dump(),
        verified_days=policy.waterfall.verified_days,
        failed_by_item=[
            reason
            for reader in readers()
            if reader.provider == policy.waterfall.verify
            for reason in reader.failed_by_item
        ],
    )


def address_keys(connection: duckdb.DuckDBPyConnection, person_keys: Iterable[str]) -> list[str]:
    """The addresses that answers give for these persons, each as verifications of it are keyed."""
    found = execute(connection, "list_address_keys", person_keys=list(person_keys))
    return [key for (key,) in found.fetchall()]


def due_verifications(
    connection: duckdb.DuckDBPyConnection,
    lanes: Sequence[Lane],
    limit: int,
    *,
    contacts: Sequence[str] | None = None,
) -> list[DueVerification]:
    """The addresses that are to be verified in these lanes, highest priority first.

    Only for these contacts' persons, where any are named.
    """
    execute(connection, "create_hashed_identifiers")
    keys = [lane.key for lane in lanes]
    chosen = None if contacts is None else list(contacts)
    rows = execute(
        connection, "read_due_verifications", lanes=keys, limit=limit, contacts=chosen
    ).fetchall()
    return [DueVerification(*row[:6], frozenset(row[6] or ()), row[7]) for row in rows]
