"""The command `enrichment suppress`: people and domains that may never be asked for.

Here: reading the arguments or a file. Not here: what an identifier is
(`warehouse/suppressed_identifiers.py`), and the list (`ledger/suppressions.py`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.settings import load_settings

if TYPE_CHECKING:
    from enrichment_pipeline.corrections import MailProviders

_out = Console(highlight=False, soft_wrap=True)


def suppress_command(
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IDENTIFIER]…", show_default=False, help="Of these people or domains."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A file with one identifier per line; - for what is piped in."),
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Take it back for these.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Suppress a mail provider's domain without asking.")
    ] = False,
) -> None:
    """Have people or whole domains never looked up, from now on; or lift that.

    An identifier is an e-mail address, its SHA-256, a LinkedIn profile URL, a phone number
    with country code, a domain, or contact:ID. Only its hash is kept. A domain such as gmail.com
    stands for all with an address there: how many these are is told, and asked first.
    """
    from enrichment_pipeline.corrections import Corrections
    from enrichment_pipeline.state import ensure_state_folder

    given = [*(identifiers or []), *([] if file is None else _lines(file))]
    if not any(text.strip() for text in given):
        raise ConfigurationError("suppress: no identifier is given; name some, or a --file of them")
    settings = load_settings(needs_key=False)
    corrections = Corrections(settings)
    if not (lift or yes) and not _is_meant(corrections.mail_providers_among(given)):
        _out.print("nothing was suppressed")
        return
    ensure_state_folder(settings)
    changed = corrections.suppress(given, is_lifted=lift)
    told = (
        f"{changed} lifted; what [source] suppressions lists stays suppressed"
        if lift
        else f"{changed} newly suppressed; what was bought before stays in the tables"
    )
    _out.print(f"{told} ({settings.home})")


def _is_meant(found: "MailProviders | None") -> bool:
    """Whether all addresses at a mail provider are meant; raises where there is no one to ask."""
    if found is None:
        return True
    domains = ", ".join(found.domains)
    contacts = (
        "an unknown number of contacts (a run has the warehouse open)"
        if found.contacts is None
        else f"{found.contacts:,} contacts of the source"
    )
    told = f"{domains}: a mail provider's; this would suppress {contacts}"
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{told}; --yes says that they are meant")
    _out.print(told)
    return typer.confirm("Suppress them all?")


def _lines(file: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"--file {file}: cannot be read ({reason})") from None
    return text.splitlines()
