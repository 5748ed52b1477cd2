"""A local SignalHire in the foreground, and its many settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path
from typing import Annotated

import typer

from enrichment_pipeline.sandbox.fates import shares_in
from enrichment_pipeline.sandbox.meter import WindowKind
from enrichment_pipeline.sandbox.signalhire.config import (
    FAULTS,
    ChargeWhen,
    ExperienceShown,
    ItemOrder,
    NameMatch,
    SandboxConfig,
)
from enrichment_pipeline.sandbox.stand_in_command import (
    ApiKey,
    Credits,
    Host,
    Journal,
    Port,
    Seed,
    UntilStdinCloses,
    fault_option,
    serve_announced,
)

SAMPLE_PEOPLE = Path(__file__).resolve().parents[3] / "data" / "sample" / "people.csv"

_default = SandboxConfig()


def sandbox(
    host: Host = "127.0.0.1",
    port: Port = 8086,
    people: Annotated[
        Path | None,
        typer.Option(
            help="Your own people: CSV with the columns of data/sample/people.csv (full_name and "
            "any others), or JSON Lines of SignalHire's candidates."
        ),
    ] = None,
    api_key: ApiKey = _default.api_key,
    credits: Credits = _default.credits,
    items_per_window: Annotated[int, typer.Option(min=1)] = _default.items_per_window,
    window_seconds: Annotated[float, typer.Option(min=0.001)] = _default.window_seconds,
    window_kind: Annotated[WindowKind, typer.Option()] = _default.window_kind,
    refused_counts_towards_minute: Annotated[
        bool, typer.Option(help="Items of a refused search count towards the window.")
    ] = _default.refused_counts_towards_minute,
    latency_ms: Annotated[
        int, typer.Option(min=0, help="Time from a search to its answer.")
    ] = _default.latency_ms,
    charge_when: Annotated[
        ChargeWhen, typer.Option(help="The answer is, for a callback, its delivery.")
    ] = _default.charge_when,
    charge_repeats: Annotated[
        bool, typer.Option(help="A profile charged once is charged again.")
    ] = _default.charge_repeats,
    duplicate_query_seconds: Annotated[
        float, typer.Option(min=0, help="How long the same query is a duplicate; 0: never.")
    ] = _default.duplicate_query_seconds,
    item_order: Annotated[ItemOrder, typer.Option()] = _default.item_order,
    bad_item_spoils_batch: Annotated[
        bool, typer.Option(help="One item of no known kind: 422 for all.")
    ] = _default.bad_item_spoils_batch,
    echo_normalised: Annotated[bool, typer.Option()] = _default.echo_normalised,
    rating_as_string: Annotated[bool, typer.Option()] = _default.rating_as_string,
    callback_delay_min_ms: Annotated[
        int, typer.Option(min=0, help="Least time from a search to its callback.")
    ] = _default.callback_delay_min_ms,
    callback_delay_max_ms: Annotated[
        int | None, typer.Option(min=0, help="Most time; the least, where not given.")
    ] = None,
    callback_timeout_seconds: Annotated[
        float, typer.Option(min=0.001, help="How long a receiver may take to answer 200.")
    ] = _default.callback_timeout_seconds,
    callback_retry_seconds: Annotated[
        float, typer.Option(min=0, help="Time between the attempts to deliver.")
    ] = _default.callback_retry_seconds,
    callback_parts: Annotated[
        int, typer.Option(min=1, help="POSTs in which one result comes.")
    ] = _default.callback_parts,
    callback_concurrency: Annotated[
        int, typer.Option(min=1, help="Callbacks being posted at once.")
    ] = _default.callback_concurrency,
    search_allowed: Annotated[
        bool, typer.Option(help="The account may use the Search API.")
    ] = _default.search_allowed,
    searches_per_day: Annotated[
        int, typer.Option(min=0, help="Calls of the Search API that are answered on one UTC day.")
    ] = _default.searches_per_day,
    searches_at_once: Annotated[int, typer.Option(min=1)] = _default.searches_at_once,
    search_page_size: Annotated[
        int, typer.Option(min=1, max=100, help="Profiles on a page, where a search names no size.")
    ] = _default.search_page_size,
    scroll_id_seconds: Annotated[
        float, typer.Option(min=0.001, help="How long the next page can be asked for.")
    ] = _default.scroll_id_seconds,
    search_name_match: Annotated[
        NameMatch, typer.Option(help="Words of a name that a profile must have.")
    ] = _default.search_name_match,
    search_reads_other_scripts: Annotated[bool, typer.Option()] = (
        _default.search_reads_other_scripts
    ),
    search_experience: Annotated[
        ExperienceShown, typer.Option(help="What a found profile shows of a position.")
    ] = _default.search_experience,
    searches: Annotated[
        Path | None, typer.Option(help="File of answered calls of the Search API.")
    ] = None,
    fault: Annotated[list[str] | None, fault_option(FAULTS)] = None,
    late_seconds: Annotated[
        float, typer.Option(min=0, help="How late the fault late makes a callback.")
    ] = _default.late_seconds,
    seed: Seed = _default.seed,
    journal: Journal = None,
    deliveries: Annotated[
        Path | None, typer.Option(help="File of attempts to deliver a callback.")
    ] = None,
    until_stdin_closes: UntilStdinCloses = False,
) -> None:
    """Serve a local SignalHire, over its own directory of people or yours."""
    # The docstring is what --help shows. Raises ValueError for a wrong setting, file of people or
    # journal, and OSError where the address cannot be had, both before anything is announced.
    from enrichment_pipeline.sandbox.signalhire.people import load_people
    from enrichment_pipeline.sandbox.signalhire.stand_in import BASE_PATH, create_app

    def told(url: str) -> str:
        return (
            f"SIGNALHIRE_BASE_URL={url} SIGNALHIRE_API_KEY={api_key}\n"
            f"{items_per_window} items per {window_seconds:g} s"
        )

    config = SandboxConfig(
        api_key=api_key,
        credits=credits,
        items_per_window=items_per_window,
        window_seconds=window_seconds,
        window_kind=window_kind,
        refused_counts_towards_minute=refused_counts_towards_minute,
        latency_ms=latency_ms,
        charge_when=charge_when,
        charge_repeats=charge_repeats,
        duplicate_query_seconds=duplicate_query_seconds,
        item_order=item_order,
        bad_item_spoils_batch=bad_item_spoils_batch,
        echo_normalised=echo_normalised,
        rating_as_string=rating_as_string,
        callback_delay_min_ms=callback_delay_min_ms,
        callback_delay_max_ms=(
            callback_delay_min_ms if callback_delay_max_ms is None else callback_delay_max_ms
        ),
        callback_timeout_seconds=callback_timeout_seconds,
        callback_retry_seconds=callback_retry_seconds,
        callback_parts=callback_parts,
        callback_concurrency=callback_concurrency,
        search_allowed=search_allowed,
        searches_per_day=searches_per_day,
        searches_at_once=searches_at_once,
        search_page_size=search_page_size,
        scroll_id_seconds=scroll_id_seconds,
        search_name_match=search_name_match,
        search_reads_other_scripts=search_reads_other_scripts,
        search_experience=search_experience,
        searches=searches,
        faults=shares_in(fault or (), FAULTS),
        late_seconds=late_seconds,
        seed=seed,
        journal=journal,
        deliveries=deliveries,
    )
    app = create_app(config, load_people(people or SAMPLE_PEOPLE))
    serve_announced(
        app,
        host,
        port,
        base_path=BASE_PATH,
        told=told,
        until_stdin_closes=until_stdin_closes,
    )
