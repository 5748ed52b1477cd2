"""The commands `enrichment replay` and `enrichment undo`: what would change, then the change.

Here: showing, and asking before anything is written. Not here: what is derived and how
(`warehouse/replay.py`).
"""

import getpass
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer
from rich.console import Console

from enrichment_pipeline.settings import load_settings

if TYPE_CHECKING:  # importing it at run time would have every command import DuckDB
    from enrichment_pipeline.warehouse.replay import Change

_out = Console(highlight=False, soft_wrap=True)

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Apply it without asking.")]
AsOfOption = Annotated[
    str | None, typer.Option(help="Count ages to this ISO instant, within a day of now.")
]
SimulateOption = Annotated[
    bool, typer.Option(help="Let --as-of be any instant, and date everything with it. For trials.")
]


def replay_command(
    yes: YesOption = False, as_of: AsOfOption = None, simulate: SimulateOption = False
) -> None:
    """Derive all facts and tables anew from the kept answers, under today's policy. Spends nothing.

    Shows first what would change.
    """
    from enrichment_pipeline.corrections import Corrections

    run = _run(as_of, simulate)
    corrections = Corrections(load_settings(needs_key=False))
    _shown_then_applied(lambda is_applied: corrections.replay(run, is_applied=is_applied), yes)


def undo_command(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", show_default=False, help="The id told at its end.")
    ],
    yes: YesOption = False,
    as_of: AsOfOption = None,
    simulate: SimulateOption = False,
    by: Annotated[
        str | None, typer.Option(help="Who says so; your login name, where not given.")
    ] = None,
) -> None:
    """Take back what one run bought and wrote, field by field; later runs and people's word stay.

    Shows first what would change. The answers stay in raw.provider_responses, and no one is
    looked up again sooner for it.
    """
    from enrichment_pipeline.corrections import Corrections

    run = _run(as_of, simulate)
    corrections = Corrections(load_settings(needs_key=False))
    who = by or _login_name()
    _shown_then_applied(
        lambda is_applied: corrections.undo(run, run_id, undone_by=who, is_applied=is_applied), yes
    )


def _shown_then_applied(derive: Callable[[bool], "Sequence[Change]"], yes: bool) -> None:
    from enrichment_pipeline.cli.terminal import table

    changes = derive(yes)
    if not changes:
        _out.print("nothing changes")
        return
    rows = [
        (each.table, each.field or "(row)", each.change, each.count, *each.examples[:1])
        for each in changes
    ]
    _out.print(
        table(
            "What changed" if yes else "What would change",
            ("table", "field", "change", "count", "such as"),
            rows,
        )
    )
    if not yes:
        if not (sys.stdin.isatty() and typer.confirm("Apply this?")):
            _out.print("nothing was changed; --yes applies it")
            return
        derive(True)
    _out.print(
        "applied; `enrichment run` publishes it (with --max-credits 0 it buys nothing meanwhile)"
    )


def _run(as_of: str | None, is_simulated: bool):  # noqa: ANN202 - importing its type costs a second
    from enrichment_pipeline.run import Run, parse_instant

    instant = datetime.now(UTC) if as_of is None else parse_instant(as_of)
    return Run(run_id=uuid4().hex, as_of=instant, is_simulated=is_simulated)


def _login_name() -> str:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return ""
