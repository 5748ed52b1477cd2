"""Which tables of a source are its contacts and accounts, and which of their columns are ours.

Here: the proposal that `enrichment init` makes, by names alone, and the SQL that it comes to. Not
here: the names (`column_names.toml`), what the rows hold (`source_preview.py`), and asking whether
the proposal is right (`cli/init_command.py`).
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.attaching import ALIAS
from enrichment_pipeline.warehouse.data_files import quoted
from enrichment_pipeline.warehouse.source_sql import Reading
from enrichment_pipeline.warehouse.statements import execute

MADE_OF = ("linkedin_url", "email", "full_name", "first_name", "last_name", "company_name")
"""What the id of a contact is made of where its table has none."""
_IDS = frozenset({"contact_id", "account_id"})
_MAIN_SCHEMA = "main"
"""Of files, and of databases without schemas: not worth naming."""


@dataclass(frozen=True)
class SourceTable:
    """A table or view of the source: the types of its columns by their names, in order."""

    schema: str
    name: str
    columns: Mapping[str, str]

    @property
    def label(self) -> str:
        """As people write it."""
        return self.name if self.schema == _MAIN_SCHEMA else f"{self.schema}.{self.name}"

    @property
    def in_sql(self) -> str:
        parts = (self.name,) if self.schema == _MAIN_SCHEMA else (self.schema, self.name)
        return ".".join(map(quoted, parts))


@dataclass(frozen=True)
class TableMapping:
    """How one table is read.

    `columns`: theirs for each of ours that was found, the best first. `conditions`: what must hold
    of a row that counts, as SQL by the column of theirs that it is about.
    """

    table: SourceTable
    columns: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, str]

    @property
    def id_is_made(self) -> bool:
        """Whether a contact's id has to be made of other columns; see MADE_OF."""
        return "contact_id" not in self.columns

    def with_ids_only(self) -> "TableMapping":
        """The same without the rows that have no id."""
        [column] = self.columns["contact_id"]
        is_there = f"{self._filled(column)} is not null"
        return replace(self, conditions={**self.conditions, column: is_there})

    def query(self, ours: Iterable[str]) -> str:
        """The select that gives our columns of these names, as far as the table has them."""
        terms = [
            f"    {term}" if term == quoted(name) else f"    {term} as {name}"
            for name in ours
            if (term := self._term(name)) is not None
        ]
        conditions = list(self.conditions.values())
        if "contact_id" in ours and self.id_is_made:
            conditions.append(f"concat_ws('', {', '.join(self._made_of())}) <> ''")
        where = "".join(
            f"\n{'where' if place == 0 else '    and'} {condition}"
            for place, condition in enumerate(conditions)
        )
        return "select\n{}\nfrom {}{}".format(",\n".join(terms), self.table.in_sql, where)

    def _term(self, name: str) -> str | None:
        if name == "contact_id" and self.id_is_made:
            return f"md5(concat_ws('|', {', '.join(self._made_of())}))"
        theirs = self.columns.get(name)
        if theirs is None:
            return None
        *better, last = theirs
        if not better:
            return quoted(last)
        return f"coalesce({', '.join([*map(self._filled, better), quoted(last)])})"

    def _made_of(self) -> list[str]:
        theirs = [each for name in MADE_OF for each in self.columns.get(name, ())]
        return [f"lower(trim(cast({quoted(each)} as varchar)))" for each in theirs]

    def _filled(self, column: str) -> str:
        """The column, and null for an empty text."""
        is_text = _is_text(self.table.columns[column])
        return f"nullif(trim({quoted(column)}), '')" if is_text else quoted(column)


@dataclass(frozen=True)
class Proposal:
    """The tables whose rows are the contacts, and the one whose rows are the accounts."""

    contacts: tuple[TableMapping, ...]
    accounts: TableMapping | None

    @property
    def contacts_query(self) -> str:
        return "\nunion all by name\n".join(each.query(_names().contacts) for each in self.contacts)

    @property
    def accounts_query(self) -> str | None:
        return None if self.accounts is None else self.accounts.query(_names().accounts)

    @property
    def not_found(self) -> dict[str, list[str]]:
        """Of `contacts` and of `accounts`, the columns of ours that no table of theirs has."""
        found = {name for each in self.contacts for name in each.columns}
        missing = {"contacts": [name for name in _names().contacts if name not in found]}
        if self.accounts is not None:
            has = self.accounts.columns
            missing["accounts"] = [name for name in _names().accounts if name not in has]
        return missing


def tables_of(reading: Reading) -> list[SourceTable]:
    """Every table and view of the attached source.

    Raises ConfigurationError for Snowflake, whose tables are not looked through.
    """
    if reading.snowflake is not None:
        raise ConfigurationError(
            "init: the tables of Snowflake are not looked through; write [source] contacts into "
            "the policy file yourself, see docs/sources.md"
        )
    rows = execute(reading.connection, "list_source_columns", catalogue=ALIAS).fetchall()
    return [
        SourceTable(schema, name, {column: type_ for *_, column, type_ in of_table})
        for (schema, name), of_table in groupby(rows, lambda row: row[:2])
    ]


def propose(
    tables: Sequence[SourceTable], *, contacts: Sequence[str] = (), accounts: str | None = None
) -> Proposal:
    """Which tables to read, and how; those that are named, where any are.

    Raises ConfigurationError, naming the option, where a table is not there or there is nothing in
    it that we could use.
    """
    people = [_named("--contacts", tables, name, _as_people) for name in contacts]
    people = people or _found_people(tables)
    if not people:
        labels = ", ".join(sorted(table.label for table in tables)) or "none"
        raise ConfigurationError(
            "init: no table looks like contacts, with an id and an e-mail, phone, profile URL, or "
            f"name and company; name one with --contacts (there are {labels})"
        )
    if accounts is not None:
        of_accounts = _named("--accounts", tables, accounts, _as_accounts)
    else:
        schema = people[0].table.schema
        found = [
            mapping
            for table in tables
            if _has_word(table, _names().account_words) and (mapping := _as_accounts(table))
        ]
        of_accounts = min(
            found, key=lambda each: (each.table.schema != schema, *_by_fit(each)), default=None
        )
    return Proposal(_without_converted(people), of_accounts)


def people_in(tables: Iterable[SourceTable]) -> list[TableMapping]:
    """Every table that looks like contacts or leads, the best first."""
    words = _names().contact_words | _names().lead_words
    found = (_as_people(table) for table in tables if _has_word(table, words))
    return sorted(filter(None, found), key=_by_fit)


def _found_people(tables: Sequence[SourceTable]) -> list[TableMapping]:
    """The best table of contacts, with the leads beside it; else of leads; else of any name."""
    all_people = people_in(tables)
    leads = [each for each in all_people if _is_of_leads(each)]
    contacts = [each for each in all_people if each not in leads][:1]
    if contacts:
        schema = contacts[0].table.schema
        return contacts + [each for each in leads if each.table.schema == schema][:1]
    others = (_as_people(table) for table in tables if not _has_word(table, _names().account_words))
    return leads[:1] or sorted(filter(None, others), key=_by_fit)[:1]


def _without_converted(people: Sequence[TableMapping]) -> tuple[TableMapping, ...]:
    """Where contacts are read as well, the leads that have become contacts are left out."""
    if all(map(_is_of_leads, people)):
        return tuple(people)
    converted = {"where_converted": "try_cast({} as boolean) is not true"}
    return tuple(
        replace(each, conditions={**each.conditions, **_conditions(each.table, converted)})
        if _is_of_leads(each)
        else each
        for each in people
    )


def _named(
    option: str,
    tables: Iterable[SourceTable],
    name: str,
    as_role: Callable[[SourceTable], TableMapping | None],
) -> TableMapping:
    wanted = name.strip().lower()
    found = [table for table in tables if table.label.lower() == wanted]
    found = found or [table for table in tables if table.name.lower() == wanted]
    if len(found) != 1:
        labels = ", ".join(sorted(table.label for table in found or tables)) or "none"
        problem = "is in several schemas" if found else "is no table of the source"
        raise ConfigurationError(f"{option} {name}: {problem}; there are {labels}")
    mapping = as_role(found[0])
    if mapping is None:
        has = ", ".join(found[0].columns)
        raise ConfigurationError(
            f"{option} {name}: has no columns that we know how to read (it has {has}); write the "
            "query into the policy file yourself"
        )
    return mapping


def _as_people(table: SourceTable) -> TableMapping | None:
    """How the table is read as contacts; None where nobody could be told by it."""
    columns = _matched(table, _names().contacts)
    has_name = not columns.keys().isdisjoint({"full_name", "last_name"})
    has_company = not columns.keys().isdisjoint({"account_id", "company_name", "company_domain"})
    is_told = not columns.keys().isdisjoint({"email", "phone", "linkedin_url"})
    if not is_told and not (has_name and has_company):
        return None
    return TableMapping(table, columns, _conditions(table, _LEFT_OUT))


def _as_accounts(table: SourceTable) -> TableMapping | None:
    columns = _matched(table, _names().accounts)
    if "account_id" not in columns or columns.keys().isdisjoint({"name", "domain"}):
        return None
    return TableMapping(table, columns, _conditions(table, _LEFT_OUT))


def _matched(table: SourceTable, wanted: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Their columns for ours: all that are text, since each may be empty in some row."""
    theirs: dict[str, str] = {}
    for column, type_ in table.columns.items():
        if not type_.endswith("]") and not type_.startswith(("STRUCT", "MAP", "UNION")):
            theirs.setdefault(_key(column), column)
    matched: dict[str, tuple[str, ...]] = {}
    for ours, keys in wanted.items():
        found = [theirs[key] for key in keys if key in theirs]
        if not found:
            continue
        texts = [each for each in found if _is_text(table.columns[each])]
        is_single = ours in _IDS or found[0] not in texts
        matched[ours] = (found[0],) if is_single else tuple(texts)
    return matched


_LEFT_OUT = {
    "where_true": "try_cast({} as boolean) is not true",
    "where_false": "try_cast({} as boolean) is not false",
    "where_set": "{} is null",
}
"""What must hold of a row that counts, by the list in `[left_out]` that has the column's name."""


def _conditions(table: SourceTable, kinds: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for column, type_ in table.columns.items():
        for kind, condition in kinds.items():
            if _key(column) in _names().left_out[kind]:
                is_empty_text = kind == "where_set" and _is_text(type_)
                term = f"nullif(trim({quoted(column)}), '')" if is_empty_text else quoted(column)
                found[column] = condition.format(term)
    return found


def _by_fit(mapping: TableMapping) -> tuple[int, int, str]:
    """The best first: who has most of our columns; of two of them, the one with the plainer name.

    So a table goes before the history of it, and a raw one before what was made of it.
    """
    return -len(mapping.columns), len(_words(mapping.table.name)), mapping.table.label


def _is_of_leads(mapping: TableMapping) -> bool:
    names = _names()
    return _has_word(mapping.table, names.lead_words) and not _has_word(
        mapping.table, names.contact_words
    )


def _has_word(table: SourceTable, words: frozenset[str]) -> bool:
    return not words.isdisjoint(_words(table.name))


def _words(name: str) -> list[str]:
    """The words of a table's name: `stg_salesforce__contact` and `OpportunityContactRole` alike."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", apart.casefold())


def _is_text(type_: str) -> bool:
    return type_ == "VARCHAR"


# --- the names -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Names:
    """What `column_names.toml` says, in the form in which names are compared."""

    contact_words: frozenset[str]
    lead_words: frozenset[str]
    account_words: frozenset[str]
    contacts: Mapping[str, tuple[str, ...]]
    accounts: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, frozenset[str]]


@cache
def _document() -> dict[str, Any]:
    file = files("enrichment_pipeline").joinpath("column_names.toml")
    return tomllib.loads(file.read_text("utf-8"))


@cache
def _names() -> _Names:
    document = _document()
    tables = {role: frozenset(words) for role, words in document["tables"].items()}
    of_role = {
        role: {ours: tuple(map(_key, names)) for ours, names in document[role].items()}
        for role in ("contacts", "accounts")
    }
    left_out = {kind: frozenset(map(_key, names)) for kind, names in document["left_out"].items()}
    return _Names(
        contact_words=tables["contacts"],
        lead_words=tables["leads"],
        account_words=tables["accounts"],
        left_out=left_out,
        **of_role,
    )


def _key(name: str) -> str:
    """The form in which names are compared: without case, punctuation, and what tools add."""
    text = unicodedata.normalize("NFKC", name).casefold()
    for prefix in _document()["prefixes"]:
        text = text.removeprefix(prefix)
    for suffix in _document()["suffixes"]:
        text = text.removesuffix(suffix)
    return "".join(each for each in text if each.isalnum())
