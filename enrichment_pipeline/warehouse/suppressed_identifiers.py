"""Persons that may not be asked for: reading identifiers, hashing them, and the list of them.

Here: identifiers as people and sources write them, and the warehouse's copy of the
ledger's list. Not here: the list itself (`ledger/suppressions.py`), and who of the
contacts is on it (`sql/suppression/refresh_suppressed_contacts.sql`).
"""

import re
from collections.abc import Collection, Sequence

import duckdb
import pyarrow as pa

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.hashed_identifiers import hashed
from enrichment_pipeline.identity import mail_provider_domains, read_domain, to_e164
from enrichment_pipeline.warehouse.statements import execute, registered

FORMS = (
    "an e-mail address, its SHA-256, a LinkedIn profile URL, a phone number with country code, "
    "a domain, or contact:ID"
)
"""What `hash_identifiers` takes."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def hash_identifiers(
    connection: duckdb.DuckDBPyConnection,
    texts: Sequence[str | None],
    what: str,
    *,
    phone_region: str,
) -> frozenset[str]:
    """Hash identifiers written in any of `FORMS`; blank ones are passed over.

    A domain counts with all below its registrable domain. SHA-256 is that of the
    lower-case address without blanks, as suppression lists are exchanged. Raises
    ConfigurationError, naming places only, where one cannot be read: who is passed
    over might be bought. The connection needs the macros.
    """
    given = pa.table(
        {
            "position": pa.array(range(1, len(texts) + 1), pa.int64()),
            "text": pa.array(texts, pa.string()),
        }
    )
    with registered(connection, "given_identifiers", given):
        rows = execute(connection, "read_identifiers").fetchall()
    found = {position: _hashed(*parts, phone_region) for position, *parts in rows if parts[0]}
    unreadable = [position for position, identifier in found.items() if identifier is None]
    if unreadable:
        places = ", ".join(map(str, unreadable[:10]))
        more = f" and {len(unreadable) - 10} more" if len(unreadable) > 10 else ""
        raise ConfigurationError(
            f"{what} {places}{more}: cannot be read, so nothing was suppressed; "
            f"each must be {FORMS}"
        )
    return frozenset(identifier for identifier in found.values() if identifier is not None)


def mail_providers(among: Collection[str]) -> dict[str, str]:
    """The domains of mail providers among hashed identifiers, each with its hash.

    One of them stands for all who have an address there, which is seldom meant.
    """
    hashes = {name: hashed("domain", name) for name in mail_provider_domains()}
    return {name: hash_ for name, hash_ in hashes.items() if hash_ in among}


def count_suppressed_by(connection: duckdb.DuckDBPyConnection, identifiers: Collection[str]) -> int:
    """How many contacts of the source these hashed identifiers suppress."""
    execute(connection, "create_hashed_identifiers")
    found = execute(connection, "count_suppressed_by", identifiers=sorted(identifiers))
    return found.fetchall()[0][0]


def replace_suppressions(
    connection: duckdb.DuckDBPyConnection, identifiers: Collection[str]
) -> None:
    """Make `staging.suppressions` this list, where it is not. Call it in a transaction."""
    known = connection.execute("select identifier from staging.suppressions").fetchall()
    if {identifier for (identifier,) in known} == set(identifiers):
        return
    page = pa.table({"identifier": pa.array(sorted(identifiers), pa.string())})
    with registered(connection, "suppressed_identifiers", page):
        execute(connection, "replace_suppressions")
    refresh_suppressed_contacts(connection, "staging.contact_identities")


def refresh_suppressed_contacts(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Find out which contacts in this table are suppressed; it holds whole persons."""
    if connection.execute("select count(*) from staging.suppressions").fetchall() == [(0,)]:
        connection.execute("delete from staging.suppressed_contacts")
        return
    execute(connection, "create_hashed_identifiers")
    execute(connection, "refresh_suppressed_contacts", relation=relation)


def _hashed(
    text: str, email: str | None, linkedin_slug: str | None, phone_region: str
) -> str | None:
    kind, _, rest = text.partition(":")
    if kind == "contact" and rest:
        return hashed("contact", rest.strip())
    if _SHA256.fullmatch(text):
        return f"email:{text.lower()}"
    if linkedin_slug:
        return hashed("linkedin", linkedin_slug)
    if email:
        return hashed("email", email)
    if "@" in text or "linkedin.com" in text.lower():
        return None  # meant as an address or a profile, and no good as one
    domain = read_domain(text.lower()).registrable
    if domain:
        return hashed("domain", domain)
    phone = to_e164(text, phone_region or None)
    return None if phone is None else hashed("phone", phone)
