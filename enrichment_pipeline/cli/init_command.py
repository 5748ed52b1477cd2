"""`enrichment init`: a policy file that works, from a few questions or from options.

Here: the questions, and their order; writing the file. Not here: what is proposed
(`warehouse/proposed_mapping.py`), the file's text (`policy_text.py`), showing (`proposed.py`).
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import uuid4

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from enrichment_pipeline.cli.policy_text import policy_text
from enrichment_pipeline.errors import ConfigurationError, refuse_full_disk
from enrichment_pipeline.privacy import owner_only
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.settings import Settings, key_variable, load_settings, place_of_policy
from enrichment_pipeline.state import check_stamp, ensure_state_folder, is_used, write_new

if TYPE_CHECKING:  # importing them at run time would have every command import DuckDB
    from enrichment_pipeline.warehouse.proposed_mapping import Proposal, SourceTable
    from enrichment_pipeline.warehouse.source_preview import ContactsPreview
    from enrichment_pipeline.warehouse.source_sql import Reading

T = TypeVar("T")
SHOWN_ROWS = 10
DATABASE_ENDINGS = (".duckdb", ".ddb", ".db", ".sqlite", ".sqlite3")

_out = Console(highlight=False, soft_wrap=True)


def init_command(
    attach: Annotated[
        str | None,
        typer.Option(
            help="Where the contacts are: a file, a folder of files, or postgres:…; "
            "docs/sources.md lists what can be read."
        ),
    ] = None,
    contacts: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="A table of contacts; may be given several times."),
    ] = None,
    accounts: Annotated[
        str | None, typer.Option(metavar="TABLE", help="The table of their accounts.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the source is called, wherever it moves.")
    ] = None,
    providers: Annotated[
        str | None, typer.Option(help=f"Comma list of {', '.join(PROVIDERS)}, in that order.")
    ] = None,
    replace_file: Annotated[
        bool, typer.Option("--replace", help="Write a policy file anew that is there already.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Write a policy file that works: find the contacts, map their columns, show what comes of it.

    Reads the source, spends nothing. Without a source it is for a trial of the sample.
    """
    place = place_of_policy()
    if place.exists() and not replace_file:
        raise ConfigurationError(
            f"policy file {place}: is there already; `enrichment init --replace` writes it anew"
        )
    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    if attach is None and asks:
        attach = _ask_where()
    if attach is None:
        if contacts or accounts or name:
            raise ConfigurationError("init: --attach is missing; it says where the contacts are")
        text = _text_for_sample(_order(providers))
    else:
        text = _text_for_source(
            attach, contacts or [], accounts, name, _order(providers), asks=asks
        )
    if asks and not typer.confirm(f"Write {place}?", default=True):
        _out.print("nothing was written")
        return
    _write(place, text, is_replacing=replace_file)
    _out.print(f"written: {place}\n{_next_steps(text, is_sample=attach is None)}", markup=False)


def _text_for_sample(providers: Sequence[str]) -> str:
    from enrichment_pipeline.cli.trial import trial_policy

    text = trial_policy()
    settings = load_settings(needs_key=False, draft=text)
    if settings.provider != "sandbox" or providers:
        raise ConfigurationError(
            "init: --attach is missing: the sample is for a trial with local stand-ins, and not "
            "for a provider's own answers"
        )
    ensure_state_folder(settings)
    check_stamp(settings, is_first_use=False)
    _out.print("no source is named: a trial of the sample, with a stand-in for each provider")
    return text


def _text_for_source(
    attach: str,
    contacts: Sequence[str],
    accounts: str | None,
    name: str | None,
    providers: Sequence[str],
    *,
    asks: bool,
) -> str:
    """The policy file over this source; what it comes to is shown on the way."""
    from enrichment_pipeline.attachment import as_absolute
    from enrichment_pipeline.cli.proposed import print_proposal, print_rows
    from enrichment_pipeline.warehouse.attached_source import attached_source
    from enrichment_pipeline.warehouse.proposed_mapping import propose, tables_of

    attach = as_absolute(attach, Path.cwd())
    settings = load_settings(needs_key=False, draft=policy_text(attach))
    name = name or _name_of(settings)
    with attached_source(settings.source) as reading:
        tables = tables_of(reading)
        if asks and not contacts:
            proposal = _ask_tables(tables, accounts)
        else:
            proposal = propose(tables, contacts=contacts, accounts=accounts)
        proposal, preview = _that_can_be_read(reading, proposal, is_chosen=bool(contacts))
    print_proposal(proposal, preview, _out)
    if sys.stdout.isatty():
        print_rows(preview, _out)
    if asks and not providers:
        providers = _ask("Providers, in the order in which they are asked", FIRST, _order)
    text = policy_text(
        attach,
        name=name,
        contacts=proposal.contacts_query,
        accounts=proposal.accounts_query,
        providers=providers,
    )
    settings = load_settings(needs_key=False, draft=text)
    ensure_state_folder(settings)
    _print_plan(settings)
    return text


def _that_can_be_read(
    reading: "Reading", proposal: "Proposal", *, is_chosen: bool
) -> "tuple[Proposal, ContactsPreview]":
    """The proposal without what a load would refuse or mix up, and what its contacts are like."""
    preview = _preview(reading, proposal)
    if len(proposal.contacts) > 1 and not is_chosen:
        each = [_preview(reading, replace(proposal, contacts=(one,))) for one in proposal.contacts]
        if preview.ids < sum(one.ids for one in each):
            first, *others = proposal.contacts
            left_out = ", ".join(other.table.label for other in others)
            _out.print(f"{left_out}: left out, since its ids are {first.table.label}'s as well")
            proposal, preview = replace(proposal, contacts=(first,)), each[0]
    if preview.nameless:
        _out.print(f"rows without an id, which are left out: {preview.nameless:,}")
        contacts = tuple(one.with_ids_only() for one in proposal.contacts)
        proposal = replace(proposal, contacts=contacts)
        preview = _preview(reading, proposal)
    return proposal, preview


def _preview(reading: "Reading", proposal: "Proposal") -> "ContactsPreview":
    from enrichment_pipeline.policy import SourcePolicy
    from enrichment_pipeline.warehouse.source_preview import preview_contacts

    source = SourcePolicy(contacts=proposal.contacts_query)
    return preview_contacts(reading, source, rows=SHOWN_ROWS)


def _print_plan(settings: Settings) -> None:
    """What a first run would buy; in a state folder that is in use, what the next one would."""
    from enrichment_pipeline.cli.planned import print_plan
    from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
    from enrichment_pipeline.run import Run
    from enrichment_pipeline.steps.context import RunContext
    from enrichment_pipeline.steps.plan import plan
    from enrichment_pipeline.stores import Stores

    lanes = LaneBlock(FRESHNESS, PRIORITIES).lanes
    run = Run(run_id=uuid4().hex, as_of=datetime.now(UTC))
    with TemporaryDirectory(prefix=".init-", dir=settings.home) as folder:
        # one that is not in use yet stays so: it belongs to the source that is used first
        reckoned = settings if is_used(settings) else _moved(settings, Path(folder))
        print_plan(plan(RunContext(Stores(reckoned), run), lanes), settings, _out)


def _moved(settings: Settings, home: Path) -> Settings:
    return replace(
        settings,
        home=home,
        warehouse_url=str(home / "warehouse.duckdb"),
        ledger_url=SecretStr(f"sqlite:///{home / 'ledger.sqlite'}"),
    )


# --- questions -----------------------------------------------------------------------------


def _ask_where() -> str | None:
    """What is to be attached; None for the sample."""
    found = _sources_in(Path.cwd())
    default = found[0] if len(found) == 1 else "the sample"
    _out.print(
        "Where are your contacts? A DuckDB or SQLite file, a file or a folder of CSV, JSON Lines "
        "or Parquet, or postgres:host=… dbname=… password=${NAME}"
    )
    answer = typer.prompt("Contacts are in", default=default).strip()
    return None if answer == "the sample" else answer


def _sources_in(folder: Path) -> list[str]:
    """The files of a folder that could be a source."""
    from enrichment_pipeline.warehouse.data_files import table_of

    return [
        entry.name
        for entry in sorted(folder.iterdir())
        if entry.is_file() and (table_of(str(entry)) or entry.suffix.lower() in DATABASE_ENDINGS)
    ]


def _ask_tables(tables: "Sequence[SourceTable]", accounts: str | None) -> "Proposal":
    from enrichment_pipeline.warehouse.proposed_mapping import people_in, propose

    for each in people_in(tables):
        _out.print(
            f"found {each.table.label}: {len(each.columns)} columns that we read", markup=False
        )
    proposal = propose(tables, accounts=accounts)
    chosen = _ask(
        "Tables of contacts",
        ", ".join(each.table.label for each in proposal.contacts),
        lambda answer: propose(tables, contacts=_split(answer), accounts=accounts),
    )
    if accounts is not None or chosen.accounts is None:
        return chosen
    contacts = [each.table.label for each in chosen.contacts]
    return _ask(
        "Table of accounts",
        chosen.accounts.table.label,
        lambda answer: propose(tables, contacts=contacts, accounts=answer),
    )


def _ask(question: str, default: str, read: Callable[[str], T]) -> T:
    """Ask until there is an answer that can be read."""
    while True:
        answer = typer.prompt(question, default=default)
        try:
            return read(answer)
        except ConfigurationError as error:
            _out.print(Text(str(error), style="yellow"))


def _order(text: str | None) -> list[str]:
    """The providers of a comma list."""
    order = _split(text or "")
    if unknown := [each for each in order if each not in PROVIDERS]:
        raise ConfigurationError(
            f"--providers: no provider is named {unknown[0]}; there is {', '.join(PROVIDERS)}"
        )
    return order


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _name_of(settings: Settings) -> str:
    """What the source is called where nobody says: by its file, or `crm`."""
    source = settings.source
    return source.name.split(".")[0] if isinstance(source, Path) else "crm"


# --- the file ------------------------------------------------------------------------------


def _write(place: Path, text: str, *, is_replacing: bool) -> None:
    """Write it whole or not at all; a file that came meanwhile stays, unless it is replaced."""
    try:
        if is_replacing:
            draft = place.with_name(f".{place.name}.{os.getpid()}")
            with owner_only():
                draft.write_text(text, encoding="utf-8")
            draft.replace(place)
        else:
            write_new(place, text)
    except OSError as error:
        refuse_full_disk(error)
        raise ConfigurationError(
            f"policy file {place}: cannot be written ({error.strerror})"
        ) from None


def _next_steps(text: str, *, is_sample: bool) -> str:
    if is_sample:
        return "next: enrichment run"
    providers = load_settings(needs_key=False, draft=text).used_providers
    keys = " ".join(f"{key_variable(provider)}=…" for provider in providers)
    return (
        "next: read it, and correct what is wrong\n"
        "      enrichment plan    what a run would buy; spends nothing\n"
        f"      ENRICHMENT_PROVIDER=live {keys} enrichment run --limit 50"
    )
