"""Reading hosts, phones, companies and other scripts in Python, for values never met before.

Here: fetching the distinct new values, normalising them, storing the result, portion by portion: a
first load of a million contacts takes no more of Python's memory than one of a hundred thousand.
Not here: the rules (`identity.py`), and what SQL can normalise by itself.
"""

from collections.abc import Iterator
from itertools import count

import duckdb
import pyarrow as pa

from enrichment_pipeline.identity import (
    latin_key,
    read_company,
    read_domain,
    region_of,
    to_e164,
)
from enrichment_pipeline.warehouse.statements import execute_text, registered, text_of

NO_REGION = ""
PORTION = 50_000
"""How many values Python holds at once."""


def learn_hosts(connection: duckdb.DuckDBPyConnection, new_hosts_statement: str) -> None:
    """Normalise the hosts that a statement lists, and add them to `staging.hosts`."""
    for (hosts,) in _portions(connection, new_hosts_statement):
        domains = [read_domain(host) for host in hosts]
        page = {
            "host": pa.array(hosts, pa.string()),
            "registrable_domain": pa.array([d.registrable for d in domains], pa.string()),
            "is_free_mail": pa.array([d.is_free_mail for d in domains], pa.bool_()),
            "is_disposable": pa.array([d.is_disposable for d in domains], pa.bool_()),
        }
        _insert(connection, page, "staging.hosts")


def learn_phones(
    connection: duckdb.DuckDBPyConnection, phones_statement: str, default_region: str
) -> None:
    """Normalise the phone numbers that a statement lists with the domain that places them.

    Leaves the temporary table `phone_regions`: by which country each number of
    the statement was read. New results are added to `staging.phones`.
    """
    columns = "phone_text varchar, company_domain varchar, region varchar"
    connection.execute(f"create or replace temp table phone_regions ({columns})")
    for texts, domains in _portions(connection, phones_statement):
        regions = [region_of(domain) or default_region or NO_REGION for domain in domains]
        page = {
            "phone_text": pa.array(texts, pa.string()),
            "company_domain": pa.array(domains, pa.string()),
            "region": pa.array(regions, pa.string()),
        }
        _insert(connection, page, "phone_regions")
    for texts, regions in _portions(connection, "find_unread_phones"):
        read = (to_e164(text, region or None) for text, region in zip(texts, regions, strict=True))
        page = {
            "phone_text": pa.array(texts, pa.string()),
            "region": pa.array(regions, pa.string()),
            "e164": pa.array(read, pa.string()),
        }
        _insert(connection, page, "staging.phones")


def learn_company_names(connection: duckdb.DuckDBPyConnection, new_names_statement: str) -> None:
    """Normalise the company names that a statement lists, and add them to `staging`."""
    for (names,) in _portions(connection, new_names_statement):
        companies = [read_company(name) for name in names]
        page = {
            "company_name": pa.array(names, pa.string()),
            "search_name": pa.array([c.search_name for c in companies], pa.string()),
            "company_key": pa.array([c.key for c in companies], pa.string()),
        }
        _insert(connection, page, "staging.company_names")


def learn_latin_names(connection: duckdb.DuckDBPyConnection, new_names_statement: str) -> None:
    """Put the name keys that a statement lists into Latin letters, and add them to `staging`."""
    for (keys,) in _portions(connection, new_names_statement):
        page = {
            "name_key": pa.array(keys, pa.string()),
            "latin_key": pa.array(map(latin_key, keys), pa.string()),
        }
        _insert(connection, page, "staging.latin_names")


def transliterate_names(connection: duckdb.DuckDBPyConnection, names_statement: str) -> None:
    """Leave the temporary table `foreign_names`: the names that a statement lists, in Latin."""
    connection.execute(
        "create or replace temp table foreign_names (name varchar, latin_key varchar)"
    )
    for (names,) in _portions(connection, names_statement):
        page = {
            "name": pa.array(names, pa.string()),
            "latin_key": pa.array(map(latin_key, names), pa.string()),
        }
        _insert(connection, page, "foreign_names")


def _portions(connection: duckdb.DuckDBPyConnection, statement: str) -> Iterator[list[list[str]]]:
    """The rows that a statement lists, portion by portion, each as its columns.

    They lie in a table meanwhile, which DuckDB spills where it has to: a result that is still to be
    fetched ends with the next statement. They are numbered, since a row that is not yet committed
    has no place in its table by which it could be found.
    """
    query = text_of(statement).rstrip().removesuffix(";")
    numbered = f"select row_number() over () as value_number, * from ({query}\n)"
    execute_text(connection, f"create or replace temp table values_to_read as {numbered}")
    portion = "value_number between ? and ?"
    for start in count(1, PORTION):
        found = connection.execute(
            f"select * exclude (value_number) from values_to_read where {portion}",
            [start, start + PORTION - 1],
        ).to_arrow_table()
        if found.num_rows == 0:
            break
        yield [column.to_pylist() for column in found.columns]
    connection.execute("drop table values_to_read")


def _insert(connection: duckdb.DuckDBPyConnection, page: dict[str, pa.Array], table: str) -> None:
    with registered(connection, "new_values", pa.table(page)):
        connection.execute(f"insert into {table} by name select * from new_values")
