"""What a file of SQL reads and makes: by its head, and by its statements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

UNREADABLE = {"create_macros"}
"""What the parser does not know: macros with parameters of their own."""
_MAKING = (exp.Create, exp.Insert, exp.Merge, exp.Update, exp.Delete, exp.Drop, exp.Alter)
_HEAD = re.compile(r"^-- (reads|makes): (.+(?:\n--  +\S.*)*)$", re.MULTILINE)
WIDTH = 100


@dataclass(frozen=True)
class Relations:
    """Names of tables and views, stored ones with their schema."""

    reads: frozenset[str]
    makes: frozenset[str]


def by_head(text: str) -> Relations:
    """What the comment at the top of a file says."""
    said = {word: frozenset(re.findall(r"[\w.]+", names)) for word, names in _HEAD.findall(text)}
    return Relations(said.get("reads", frozenset()), said.get("makes", frozenset()))


def by_statements(text: str) -> Relations:
    """What the statements of a file read and make; one may read what an earlier one has made."""
    reads: set[str] = set()
    makes: set[str] = set()
    for statement in sqlglot.parse(text, read="duckdb"):
        if statement is None or isinstance(statement, exp.Comment):
            continue
        target = _target(statement)
        inner = {cte.alias for cte in statement.find_all(exp.CTE)}
        reads |= {
            _name(table)
            for table in statement.find_all(exp.Table)
            if table is not target
            and isinstance(table.this, exp.Identifier)
            and not (table.name in inner and not table.db)
        } - makes
        if target is not None and not isinstance(statement.this, exp.UserDefinedFunction):
            makes.add(_name(target))
    return Relations(frozenset(reads), frozenset(makes))


def head_lines(relations: Relations) -> str:
    """The lines that a file's head should have."""
    said = {"reads": relations.reads, "makes": relations.makes}
    return "\n".join(_wrapped(word, sorted(names)) for word, names in said.items() if names)


def _wrapped(word: str, names: list[str]) -> str:
    lines, line = [], f"-- {word}:"
    for position, name in enumerate(names):
        part = f" {name}" + ("," if position + 1 < len(names) else "")
        if len(line + part) > WIDTH:
            lines.append(line)
            line = "--       "
        line += part
    return "\n".join([*lines, line])


def _target(statement: exp.Expr) -> exp.Table | None:
    """What a statement makes or changes: a table, a view, or (as a table, too) a macro."""
    if not isinstance(statement, _MAKING):
        return None
    named = statement.this
    if isinstance(named, exp.Schema | exp.UserDefinedFunction):
        named = named.this
    return named if isinstance(named, exp.Table) else None


def _name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)


def sql_files(package: Path) -> list[Path]:
    """Every file of SQL of the package, also a provider's."""
    return sorted(package.rglob("*.sql"))
