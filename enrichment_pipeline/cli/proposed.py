"""What `enrichment init` has found: which columns are read, how full they are, and some rows.

Here: showing it. Not here: finding it (`warehouse/proposed_mapping.py`, `source_preview.py`).
"""

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from enrichment_pipeline.cli.printable import printable
from enrichment_pipeline.cli.terminal import table
from enrichment_pipeline.warehouse.proposed_mapping import MADE_OF, Proposal
from enrichment_pipeline.warehouse.source_preview import ContactsPreview

LONGEST_VALUE = 60


def print_proposal(proposal: Proposal, preview: ContactsPreview, console: Console) -> None:
    """Print where each column of ours comes from, how full it is, and what was not found."""
    missing = proposal.not_found
    labels = [each.table.label for each in proposal.contacts]
    rows = [
        (
            ours,
            *(", ".join(each.columns.get(ours, ("–",))) for each in proposal.contacts),
            _share(filled, preview.contacts),
        )
        for ours, filled in preview.filled.items()
        if filled or ours not in missing["contacts"]
    ]
    title = f"{preview.contacts:,} contacts in {' and '.join(labels)}"
    console.print(table(title, ("column", *labels, "filled"), rows))
    for line in _notes(proposal, preview):
        console.print(line, markup=False)


def print_rows(preview: ContactsPreview, console: Console) -> None:
    """Print a few contacts as they are read: for the person at the terminal only."""
    console.print(Text("The first of them, as they are read", style="bold"))
    for row in preview.first:
        values = Text()
        for ours, value in row.items():
            values.append(f"{ours} ", style="dim")
            values.append(f"{printable(value[:LONGEST_VALUE])}  ")
        console.print(Padding(values, (0, 0, 0, 2)), soft_wrap=False)


def _notes(proposal: Proposal, preview: ContactsPreview) -> Iterator[str]:
    """What else there is to know of it, for people to read."""
    accounts, missing = proposal.accounts, proposal.not_found
    if preview.ids < preview.contacts:
        yield f"{preview.contacts - preview.ids:,} rows have the id of another: the latest counts"
    if any(each.id_is_made for each in proposal.contacts):
        made_of = ", ".join(name for name in MADE_OF if name not in missing["contacts"])
        yield (
            f"no column is an id, so that it is made of {made_of}: where one of them changes, the "
            "contact counts as a new one"
        )
    if accounts is not None:
        read = (f"{ours} from {', '.join(theirs)}" for ours, theirs in accounts.columns.items())
        yield f"accounts in {accounts.table.label}: {', '.join(read)}"
    for each in (*proposal.contacts, *((accounts,) if accounts else ())):
        if each.conditions:
            yield f"{each.table.label}: rows are left out by {', '.join(each.conditions)}"
    for whose, names in missing.items():
        if names:
            yield f"not found of {whose}: {', '.join(names)}"
    if accounts is None:
        yield "no table looks like accounts, which tell a contact's priority: all are bulk"
    elif "account_id" in missing["contacts"]:
        yield "contacts name no account, which would tell their priority: all are bulk"


def _share(part: int, of: int) -> str:
    return f"{100 * part / of:.0f} %" if of else "–"
