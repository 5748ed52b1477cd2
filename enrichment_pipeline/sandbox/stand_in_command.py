"""What the command of every stand-in has in common: a few options, and serving until it is ended.

Belongs here: options that mean the same for each, and what is printed once it answers. Does not
belong here: a stand-in's own options (its `command.py`), and what its app needs of a server
(`stand_in_server.py`, which is imported late: a plan or `--help` needs none).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from starlette.applications import Starlette

_out = Console(highlight=False, soft_wrap=True)

Host = Annotated[str, typer.Option()]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]
ApiKey = Annotated[str, typer.Option(help="The key that is accepted.")]
Credits = Annotated[int, typer.Option(min=0, help="Balance at the start.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Journal = Annotated[
    Path | None, typer.Option(help="File of charges; the balance survives a restart.")
]
UntilStdinCloses = Annotated[bool, typer.Option(hidden=True)]


def fault_option(faults: Sequence[str]) -> Any:  # noqa: ANN401 - what typer.Option gives
    """The option `--fault`, of which `fates.shares_in` makes shares."""
    return typer.Option(
        metavar="NAME=SHARE",
        help=f"Let it hit that share, 0 to 1: {', '.join(faults)}, or all. Repeatable; of "
        "two for one fault the last one holds.",
    )


def serve_announced(
    app: "Starlette",
    host: str,
    port: int,
    *,
    base_path: str,
    told: Callable[[str], str],
    until_stdin_closes: bool,
) -> None:
    """Serve until it is ended, and say where: `told` makes of the URL what a person reads.

    For a parent process the URL alone is printed. Raises OSError where the address cannot be had,
    before anything is announced.
    """
    from enrichment_pipeline.sandbox.stand_in_server import serve

    def announce(url: str) -> None:
        if until_stdin_closes:
            print(url, flush=True)  # noqa: T201 - read by our parent process
        else:
            _out.print(f"sandbox: {told(url)}; Ctrl+C ends it")

    serve(
        app,
        host,
        port,
        base_path=base_path,
        announce=announce,
        exit_on_stdin_eof=until_stdin_closes,
    )
