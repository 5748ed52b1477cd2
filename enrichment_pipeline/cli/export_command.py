"""`enrichment export`: a file of what has changed, for the import of a CRM.

Here: arguments and what is printed. Not here: what stands in the file (`warehouse/crm_export.py`).
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.settings import load_settings

Crm = Literal["salesforce", "hubspot"]
_FIELD = re.compile(r"[A-Za-z]\w*")
_out = Console(highlight=False, soft_wrap=True)


def export_command(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="FILE-OR-FOLDER",
            help="The CSV file to write, or a folder that gets a file named by the time.",
        ),
    ],
    crm: Annotated[Crm, typer.Option("--for", help="Whose import it is for.")],
    id_field: Annotated[
        str | None,
        typer.Option(
            help="The CRM's field that holds our contact_id: Contact_ID__c in Salesforce, "
            "contact_id in HubSpot; name Id or hs_object_id where the ids are the CRM's own."
        ),
    ] = None,
    likely: Annotated[
        bool, typer.Option("--likely", help="Also e-mails and phones that are likely.")
    ] = False,
    exports_all: Annotated[
        bool, typer.Option("--all", help="All rows, and not only those that changed since.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Overwrite the file where it exists.")] = False,
) -> None:
    """Write what changed since the last export to this place, for Salesforce's or HubSpot's import.

    Only contacts that are enriched, and of their e-mails and phones those that are verified.
    """
    from enrichment_pipeline.state import check_used
    from enrichment_pipeline.warehouse.crm_export import ID_FIELDS, export_changes

    settings = load_settings(needs_key=False)
    check_used(settings)
    if id_field is not None and not _FIELD.fullmatch(id_field):
        raise ConfigurationError(f"--id-field: {id_field!r} is no name of a field")
    place = place.expanduser().absolute()
    file = place
    if place.is_dir():
        file = place / f"enrichment-{crm}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"
    elif place.suffix.lower() != ".csv":
        raise ConfigurationError(f"{place}: is neither a folder nor a file that ends in .csv")
    rows = export_changes(
        settings.published_dir,
        settings.exports_dir,
        place,
        file,
        crm=crm,
        id_field=id_field or ID_FIELDS[crm],
        statuses=("verified", "likely") if likely else ("verified",),
        exports_all=exports_all,
        overwrites=force,
    )
    _out.print(
        f"{rows:,} contacts in {file}"
        if rows
        else "nothing has changed since the last export to this place; --all exports everything",
        markup=False,
    )
