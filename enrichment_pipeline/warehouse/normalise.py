"""Reading hosts, phones, companies and other scripts in Python, for values never met before.

Here: fetching the distinct new values, normalising them, storing the result.
Not here: the rules (`identity.py`), and what SQL can normalise by itself.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from enrichment_pipeline.identity import (
    latin_key,
    read_company,
    read_domain,
    region_of,
    to_e164,
)
from enrichment_pipeline.warehouse.statements import execute, registered

NO_REGION = ""


def learn_hosts(connection: duckdb.DuckDBPyConnection, new_hosts_statement: str) -> None:
    """Normalise the hosts that a statement lists, and add them to `staging.hosts`."""
    hosts = [host for (host,) in execute(connection, new_hosts_statement).fetchall()]
    domains = [read_domain(host) for host in hosts]
    page = pa.table(
        {
            "host": pa.array(hosts, pa.string()),
            "registrable_domain": pa.array([d.registrable for d in domains], pa.string()),
            "is_free_mail": pa.array([d.is_free_mail for d in domains], pa.bool_()),
            "is_disposable": pa.array([d.is_disposable for d in domains], pa.bool_()),
        }
    )
    _insert(connection, page, "staging.hosts")


def learn_phones(
    connection: duckdb.DuckDBPyConnection, phones_statement: str, default_region: str
) -> None:
    """Normalise the phone numbers that a statement lists with the domain that places them.

    Leaves the temporary table `phone_regions`: by which country each number of
    the statement was read. New results are added to `staging.phones`.
    """
    wanted = execute(connection, phones_statement).fetchall()
    regions = [region_of(domain) or default_region or NO_REGION for _, domain in wanted]
    placed = pa.table(
        {
            "phone_text": pa.array([text for text, _ in wanted], pa.string()),
            "company_domain": pa.array([domain for _, domain in wanted], pa.string()),
            "region": pa.array(regions, pa.string()),
        }
    )
    _replace_temporary(connection, placed, "phone_regions")
    known = set(execute(connection, "find_known_phones").fetchall())
    new = sorted(
        {(text, region) for (text, _), region in zip(wanted, regions, strict=True)} - known
    )
    page = pa.table(
        {
            "phone_text": pa.array([text for text, _ in new], pa.string()),
            "region": pa.array([region for _, region in new], pa.string()),
            "e164": pa.array(_read_all(new), pa.string()),
        }
    )
    _insert(connection, page, "staging.phones")


def learn_company_names(connection: duckdb.DuckDBPyConnection, new_names_statement: str) -> None:
    """Normalise the company names that a statement lists, and add them to `staging`."""
    names = [name for (name,) in execute(connection, new_names_statement).fetchall()]
    companies = [read_company(name) for name in names]
    page = pa.table(
        {
            "company_name": pa.array(names, pa.string()),
            "search_name": pa.array([c.search_name for c in companies], pa.string()),
            "company_key": pa.array([c.key for c in companies], pa.string()),
        }
    )
    _insert(connection, page, "staging.company_names")


def learn_latin_names(connection: duckdb.DuckDBPyConnection, new_names_statement: str) -> None:
    """Put the name keys that a statement lists into Latin letters, and add them to `staging`."""
    keys = [key for (key,) in execute(connection, new_names_statement).fetchall()]
    page = pa.table(
        {
            "name_key": pa.array(keys, pa.string()),
            "latin_key": pa.array([latin_key(key) for key in keys], pa.string()),
        }
    )
    _insert(connection, page, "staging.latin_names")


def transliterate_names(connection: duckdb.DuckDBPyConnection, names_statement: str) -> None:
    """Leave the temporary table `foreign_names`: the names that a statement lists, in Latin."""
    names = [name for (name,) in execute(connection, names_statement).fetchall()]
    page = pa.table(
        {
            "name": pa.array(names, pa.string()),
            "latin_key": pa.array(map(latin_key, names), pa.string()),
        }
    )
    _replace_temporary(connection, page, "foreign_names")


def _read_all(phones: Iterable[tuple[str, str]]) -> list[str | None]:
    return [to_e164(text, region or None) for text, region in phones]


def _insert(connection: duckdb.DuckDBPyConnection, page: pa.Table, table: str) -> None:
    if page.num_rows == 0:
        return
    with registered(connection, "new_values", page):
        connection.execute(f"insert into {table} by name select * from new_values")


def _replace_temporary(connection: duckdb.DuckDBPyConnection, page: pa.Table, name: str) -> None:
    with registered(connection, "new_values", page):
        connection.execute(f"create or replace temp table {name} as select * from new_values")
