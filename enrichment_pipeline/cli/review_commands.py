"""`enrichment review`: the queue, a file of it for a spreadsheet, and the decisions in one.

Here: arguments and what is printed. Not here: what a decision may be (`review/`), and
what it leads to (`warehouse/`).
"""

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from enrichment_pipeline.cli.printable import printable
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.lanes import PRIORITIES, parse_choice
from enrichment_pipeline.settings import load_settings

review = typer.Typer(
    name="review",
    help="What waits for a person: show it, export it for a spreadsheet, import the decisions.",
    invoke_without_command=True,
)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)
ID_SHOWN = 60
"""Of an id that is longer than a spreadsheet's cell."""


@review.callback()
def show(context: typer.Context) -> None:
    """Show what waits for a person, by reason and priority."""
    if context.invoked_subcommand is not None:
        return
    from enrichment_pipeline.cli.terminal import table
    from enrichment_pipeline.corrections import Corrections

    counts = Corrections(load_settings(needs_key=False)).review_counts()
    if not counts:
        _out.print("nothing to review")
        return
    numbers = zip(*(row[1:] for row in counts), strict=True)
    rows = [*counts, ("all", *map(sum, numbers))]
    _out.print(table("For review", ("reason", *PRIORITIES, "contacts"), rows))


@review.command("export")
def export_file(
    output: Annotated[Path, typer.Option(help="The file to write, .csv or .xlsx.")],
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="csv or xlsx, where the file's name says neither."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Comma list of reasons; all, where not given.")
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(help=f"Comma list of {', '.join(PRIORITIES)}; all, where not given."),
    ] = None,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Also contacts whose profile was rejected before.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many contacts.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite the file where it exists.")] = False,
) -> None:
    """Write what waits for review to a file, highest priority first, with columns to fill in."""
    from enrichment_pipeline.corrections import Corrections
    from enrichment_pipeline.review.files import format_of, legend_path

    kind = format_of(output, file_format)
    written, left_out = Corrections(load_settings(needs_key=False)).export_review(
        output,
        kind,
        reasons=None if reason is None else _words(reason),
        priorities=parse_choice("--priority", priority, PRIORITIES),
        limit=limit,
        overwrites=force,
        shows_rejected=rejected,
    )
    _out.print(
        f"{written:,} contacts in {output}; fill in `decision`, then enrichment review import\n"
        f"what the columns mean: {'sheet `legend`' if kind == 'xlsx' else legend_path(output)}"
    )
    for contact_id in left_out:
        _err.print(
            f"left out, since it does not fit into a cell: {printable(contact_id[:ID_SHOWN])}…; "
            "mend the id in the source, or decide on it in [review] decisions",
            markup=False,
        )


@review.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A file of `enrichment review export`, filled in.")],
    decided_by: Annotated[
        str | None, typer.Option(help="Who decided, where a row does not say; else you.")
    ] = None,
) -> None:
    """Take the decisions in a file; all of them or, where anything is wrong, none."""
    from enrichment_pipeline.corrections import Corrections

    recorded = Corrections(load_settings(needs_key=False)).import_review(
        file, decided_by=decided_by or _who()
    )
    for problem in recorded.problems:
        _err.print(printable(str(problem)), markup=False)
    if recorded.problems:
        rows = len({problem.row for problem in recorded.problems})
        raise ConfigurationError(f"{file}: {rows} rows are wrong; nothing was imported")
    _out.print(
        f"{recorded.new:,} decisions recorded"
        + (f", {recorded.standing:,} stood already" if recorded.standing else "")
        + ("; the published tables follow with the next run" if recorded.new else "")
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user, as in some containers
        raise ConfigurationError("--decided-by: say who decided; the system does not") from None
