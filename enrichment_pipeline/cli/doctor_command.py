"""`enrichment doctor`: what is wrong, and what to do about it.

Here: showing it, and the exit status. Not here: the checks (`checkup.py`).
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from enrichment_pipeline.cli.json_output import JsonOption, print_json
from enrichment_pipeline.cli.printable import printable

STYLES = {"ok": "green", "note": "yellow", "wrong": "red"}

_out = Console(highlight=False, soft_wrap=True)


def doctor_command(
    entry_url: Annotated[
        str | None,
        typer.Option(help="Where applications reach `enrichment serve`, to see whether they do."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check configuration, source, keys, balances, clock, disk, stores and servers.

    Status 1 where something is wrong. Spends nothing: providers are asked for the balance only.
    """
    from enrichment_pipeline.cli.checkup import WRONG, examine

    findings = examine(entry_url)
    wrong = [each for each in findings if each.verdict == WRONG]
    if as_json:
        print_json({"is_well": not wrong, "findings": findings})
    else:
        for each in findings:
            told = " ".join(each.told.split())
            parts = [(f"{each.verdict:<6}", STYLES[each.verdict]), f"{each.check}: "]
            _out.print(Text.assemble(*parts, printable(told)))
        summary = "nothing is wrong" if not wrong else f"{len(wrong)} things are wrong"
        _out.print("1 thing is wrong" if len(wrong) == 1 else summary)
    if wrong:
        raise typer.Exit(1)
