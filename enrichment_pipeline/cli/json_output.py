"""One JSON document on standard output, for programs: what `--json` gives.

Here: how values are written. Not here: what a command tells.
"""

import json
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import typer

JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")
]


def print_json(document: object) -> None:
    """Write the document, and nothing else; in ASCII, whatever the terminal's encoding."""
    typer.echo(json.dumps(document, default=_as_json, indent=2))


def _as_json(value: object) -> object:
    """What JSON has no word for: instants as ISO text, amounts as numbers."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
