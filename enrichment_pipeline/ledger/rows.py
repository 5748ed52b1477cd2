"""Many rows as one bound value: a JSON array of arrays, unnested by the database itself.

Here: the constructs in which SQLite and Postgres differ. Not here: statements
that use it (`admission.py`, `journal.py`, `budget.py`). A hundred calls are one
statement this way, and the interpreter is free while the database works.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    bindparam,
    cast,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

ROWS = "rows"
"""The name of the bound value; `as_json` makes it."""


class _EachRow(FunctionElement[Any]):
    """The rows of a bound JSON array, as a table with the one column `value`."""

    name = "each_row"
    inherit_cache = True


@compiles(_EachRow, "sqlite")
def _in_sqlite(element: _EachRow, compiler: SQLCompiler, **options: object) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_EachRow, "postgresql")
def _in_postgres(element: _EachRow, compiler: SQLCompiler, **options: object) -> str:
    return f"jsonb_array_elements(cast({compiler.process(element.clauses, **options)} as jsonb))"


class _IsBound(FunctionElement[bool]):
    """Whether a column is the first field of a bound row; its arguments: column, those fields."""

    name = "is_bound"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        return self  # a condition as it is, where SQLAlchemy would compare it with 1


@compiles(_IsBound, "sqlite")
def _is_bound_in_sqlite(element: _IsBound, compiler: SQLCompiler, **options: object) -> str:
    column, fields = element.clauses
    return f"{compiler.process(column, **options)} in {compiler.process(fields, **options)}"


@compiles(_IsBound, "postgresql")
def _is_bound_in_postgres(element: _IsBound, compiler: SQLCompiler, **options: object) -> str:
    column, fields = element.clauses
    return (
        f"{compiler.process(column, **options)} = any(array{compiler.process(fields, **options)})"
    )


bound_rows = _EachRow(bindparam(ROWS, type_=Text)).table_valued("value", name="bound_rows")


def text_field(position: int) -> ColumnElement[str]:
    """A row's field as text; null where it is null."""
    return bound_rows.c.value.op("->>", return_type=Text())(literal_column(str(position)))


def integer_field(position: int) -> ColumnElement[int]:
    return cast(text_field(position), Integer)


def number_field(position: int) -> ColumnElement[int]:
    """Like `integer_field`, for what may be greater than 2**31."""
    return cast(text_field(position), BigInteger)


def is_bound(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a column is the first field of a bound row, found by the column's index.

    As an array for Postgres: it joins a table that it has no statistics of yet by reading all
    of it, for each request more.
    """
    field = number_field(0) if isinstance(column.type, BigInteger) else text_field(0)
    return _IsBound(column, select(field).scalar_subquery())


def as_json(rows: Iterable[Sequence[object]]) -> str:
    return msgspec.json.encode(list(rows)).decode()
