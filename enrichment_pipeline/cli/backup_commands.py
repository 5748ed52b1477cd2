"""The commands `enrichment backup` and `enrichment restore`.

Here: arguments, and saying what was copied or put back. Not here: how (`backup.py` of the package).
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from enrichment_pipeline.settings import load_settings

_out = Console(highlight=False, soft_wrap=True)

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", show_default=False, help="The folder of the copy.")
]


def backup_command(folder: FolderArgument) -> None:
    """Copy the state folder into a new folder, while runs and the receiver go on.

    A copy is a state folder itself; a ledger in Postgres is in it as a file of SQLite.
    """
    from enrichment_pipeline.backup import back_up

    settings = load_settings(needs_key=False)
    target = folder.expanduser().absolute()
    copied = back_up(settings, target, _say)
    for name, size in copied.sizes.items():
        _say(f"{name}: {size / 1e6:,.1f} MB")
    _say(f"{copied.lookups:,} look-ups of {settings.home} are in {target}")
    _say(f"left out: {', '.join(copied.left_out)}")


def restore_command(folder: FolderArgument) -> None:
    """Put back the ledger, the warehouse or both, whichever is missing; nothing is overwritten.

    What a warehouse knows and the ledger lacks goes into the ledger, so that it is not
    bought again. End runs and the receiver first.
    """
    from enrichment_pipeline.backup import restore

    settings = load_settings(needs_key=False)
    restored = restore(settings, folder.expanduser().absolute(), _say)
    _say(f"restored in {settings.home}: {', '.join(restored.names)}")
    _say(f"{restored.lookups:,} look-ups are in the ledger")
    if restored.taken_over:
        _say(f"{restored.taken_over:,} of them were taken over from the warehouse")
    if restored.newer_published:
        _say(
            f"published/ is newer: {restored.newer_published:,} look-ups in it are not in this "
            "ledger. The next run stops and tells what each way out costs"
        )


def _say(line: str) -> None:
    _out.print(line, markup=False)
