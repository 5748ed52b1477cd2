"""Statements that every batch executes: compiled once, and then given to the driver as they are.

Here: how a value gets from the caller to the driver. Not here: the statements (`admission.py`,
`journal.py`, `budget.py`). Several of them make a batch, and what SQLAlchemy looks up and sets up
anew for each execution takes longer than most of them do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Update
from sqlalchemy.sql.compiler import SQLCompiler

Statement = Insert | Update | Delete | Select


@dataclass(frozen=True)
class _Compiled:
    """One dialect's form: its text, the values it brings along, and how others are handed over."""

    text: str
    constants: Mapping[str, Any]
    hand_over: Mapping[str, Callable[[Any], Any]]
    positions: tuple[str, ...] | None

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any] | tuple[Any, ...]:
        given = {**self.constants, **values}
        for name, process in self.hand_over.items():
            given[name] = process(given[name])
        return given if self.positions is None else tuple(given[name] for name in self.positions)


class Prepared:
    """A statement, each time with values of the same names.

    What it returns comes as the driver gives it: texts and numbers, no instants.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._by_dialect: dict[str, _Compiled] = {}

    def execute(
        self, connection: Connection, values: Mapping[str, Any]
    ) -> CursorResult[*tuple[Any, ...]]:
        compiled = self._by_dialect.get(connection.dialect.name)
        if compiled is None:
            compiled = _compile(self._statement, connection.dialect, values)
            self._by_dialect[connection.dialect.name] = compiled
        return connection.exec_driver_sql(compiled.text, compiled.parameters(values))


def _compile(statement: Statement, dialect: Dialect, values: Mapping[str, Any]) -> _Compiled:
    form: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(values))
    all_values = form.construct_params(dict(values))
    processors = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect)
        for bind, name in form.bind_names.items()
    }
    return _Compiled(
        form.string,
        {name: value for name, value in all_values.items() if name not in values},
        {name: process for name, process in processors.items() if process is not None},
        tuple(form.positiontup) if form.positiontup is not None else None,
    )
