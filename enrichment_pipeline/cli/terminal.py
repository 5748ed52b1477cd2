"""What the command line shows: the progress bar and the closing tables.

Here: rich, and nothing but showing. Not here: where the numbers come from.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from threading import Lock

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from enrichment_pipeline.cli.printable import printable


class ProgressBar:
    """How far searching and buying are: contacts, credits, time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=15),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counted]} ·"),
            TimeElapsedColumn(),
            TextColumn("· left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._lock = Lock()
        self._total = self._credits = self._outstanding = 0
        self._task = self._progress.add_task("looking up", total=None, counted=self._counted)
        self._search_task: TaskID | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar while the body runs; afterwards it stays where there was work to do."""
        with self._progress:
            yield
            if not self._total:
                self._progress.remove_task(self._task)

    def add_total(self, calls: int) -> None:
        with self._lock:
            self._total += calls
            self._progress.update(self._task, total=self._total)

    def advance(self, calls: int, credits: int) -> None:
        with self._lock:
            self._credits += credits
            self._progress.update(self._task, advance=calls, counted=self._counted)

    def outstanding(self, calls: int) -> None:
        with self._lock:
            self._outstanding = calls
            self._progress.update(self._task, counted=self._counted)

    def searched(self, done: int, total: int) -> None:
        with self._lock:
            if self._search_task is None:
                self._search_task = self._progress.add_task(
                    "searching", total=total, counted="searches"
                )
            self._progress.update(self._search_task, completed=done, total=total)

    @property
    def _counted(self) -> str:
        outstanding = f" · {self._outstanding} outstanding" if self._outstanding else ""
        return f"contacts · {self._credits} credits{outstanding}"

    def say(self, message: str) -> None:
        with suppress(OSError):  # a terminal that was closed is no reason to drop what was bought
            self._console.print(Text.assemble(("·", "yellow"), " ", printable(message)))


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1
) -> Table:
    """A table whose first columns, so many, are text; the others are numbers, to the right."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for index, column in enumerate(columns):
        # where it is too narrow, nothing is cut off
        shown.add_column(column, justify="left" if index < texts else "right", overflow="fold")
    for row in rows:
        shown.add_row(
            *(
                f"{cell:,}" if isinstance(cell, int | Decimal) else Text(printable(str(cell)))
                for cell in row
            )
        )
    return shown


def duration(seconds: float) -> str:
    """Such as `12 s`, `4 min` or `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
