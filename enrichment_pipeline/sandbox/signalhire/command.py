"""A local SignalHire in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path

import typer

from enrichment_pipeline.sandbox.sample_folder import SAMPLE
from enrichment_pipeline.sandbox.signalhire.config import FAULTS, SandboxConfig
from enrichment_pipeline.sandbox.stand_in_command import StandInApp, served_by_command

SAMPLE_PEOPLE = SAMPLE / "people.csv"

OPTIONS = {
    "items_per_window": typer.Option(min=1, help="Items that a window takes."),
    "window_seconds": typer.Option(min=0.001, help="How long a window is."),
    "window_kind": typer.Option(help="Whether a window slides, or begins at fixed times."),
    "refused_counts_towards_minute": typer.Option(
        help="Items of a refused search count towards the window."
    ),
    "charge_when": typer.Option(help="The answer is, for a callback, its delivery."),
    "charge_repeats": typer.Option(help="A profile charged once is charged again."),
    "duplicate_query_seconds": typer.Option(
        min=0, help="How long the same query is a duplicate; 0: never."
    ),
    "item_order": typer.Option(help="The items of an answer, against those of the request."),
    "bad_item_spoils_batch": typer.Option(help="One item of no known kind: 422 for all."),
    "echo_normalised": typer.Option(help="An item comes back in another spelling."),
    "rating_as_string": typer.Option(help="Ratings are text."),
    "callback_delay_min_ms": typer.Option(min=0, help="Least time from a search to its callback."),
    "callback_delay_max_ms": typer.Option(min=0, help="Most time; the least, where not given."),
    "callback_timeout_seconds": typer.Option(
        min=0.001, help="How long a receiver may take to answer 200."
    ),
    "callback_retry_seconds": typer.Option(min=0, help="Time between the attempts to deliver."),
    "callback_parts": typer.Option(min=1, help="POSTs in which one result comes."),
    "callback_concurrency": typer.Option(min=1, help="Callbacks being posted at once."),
    "search_allowed": typer.Option(help="The account may use the Search API."),
    "searches_per_day": typer.Option(
        min=0, help="Calls of the Search API that are answered on one UTC day."
    ),
    "searches_at_once": typer.Option(min=1, help="Calls of the Search API that may be under way."),
    "search_page_size": typer.Option(
        min=1, max=100, help="Profiles on a page, where a search names no size."
    ),
    "scroll_id_seconds": typer.Option(min=0.001, help="How long the next page can be asked for."),
    "search_name_match": typer.Option(help="Words of a name that a profile must have."),
    "search_reads_other_scripts": typer.Option(
        help="A search finds a name that is written in another script."
    ),
    "search_experience": typer.Option(help="What a found profile shows of a position."),
    "searches": typer.Option(help="File of answered calls of the Search API."),
    "late_seconds": typer.Option(min=0, help="How late the fault late makes a callback."),
    "deliveries": typer.Option(help="File of attempts to deliver a callback."),
}
"""By setting; those of every stand-in come of themselves."""


@served_by_command(
    "signalhire",
    SandboxConfig,
    OPTIONS,
    port=8086,
    faults=FAULTS,
    people="CSV with the columns of data/sample/people.csv (full_name and any others), or JSON "
    "Lines of SignalHire's candidates.",
)
def signalhire(config: SandboxConfig, people: Path | None) -> StandInApp:
    """Serve a local SignalHire, over its own directory of people or yours."""
    # the docstring is what --help shows
    from enrichment_pipeline.sandbox.signalhire.people import load_people
    from enrichment_pipeline.sandbox.signalhire.stand_in import BASE_PATH, create_app

    return StandInApp(
        create_app(config, load_people(people or SAMPLE_PEOPLE)),
        BASE_PATH,
        limits=f"{config.items_per_window} items per {config.window_seconds:g} s",
    )
