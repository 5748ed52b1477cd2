"""A local Prospeo in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path

import typer

from enrichment_pipeline.sandbox.prospeo.config import FAULTS, ProspeoConfig
from enrichment_pipeline.sandbox.stand_in_command import StandInApp, served_by_command

OPTIONS = {
    "account_restricted": typer.Option(help="Answer everything with ACCOUNT_RESTRICTED."),
    "charge_when": typer.Option(help="Before the answer is sent, or after."),
    "charge_repeats": typer.Option(help="A match charged once is charged again all the same."),
    "free_days": typer.Option(min=0, help="How long a repeat is free; 0: forever."),
    "per_second": typer.Option(min=0, help="Records."),
    "per_minute": typer.Option(min=0, help="Records."),
    "per_day": typer.Option(min=0, help="Records."),
    "second_seconds": typer.Option(min=0.001, help="How long a second is, for trials."),
    "minute_seconds": typer.Option(min=0.001, help="How long a minute is, for trials."),
    "day_seconds": typer.Option(min=0.001, help="How long a day is, for trials."),
    "window_kind": typer.Option(help="Whether a window slides, or begins at fixed times."),
    "second_counts": typer.Option(help="What the limit of a second counts."),
    "refused_counts": typer.Option(help="Records of a refused request count towards the limits."),
    "rate_headers": typer.Option(help="Headers say what is left of the limits."),
    "no_match_as": typer.Option(help="A request without any match: 200, or 400 NO_MATCH."),
    "bad_record_spoils_batch": typer.Option(
        help="One insufficient record: INVALID_DATAPOINTS for all."
    ),
    "short_of_credits": typer.Option(help="What becomes of those beyond the credits."),
    "marks_free": typer.Option(help="Each match says whether it cost nothing."),
    "record_order": typer.Option(
        help="The lists of an answer, against the records of the request."
    ),
    "known": typer.Option(help="Share of the people."),
    "verified": typer.Option(help="Share of work e-mails."),
    "dead_email": typer.Option(help="Share of work e-mails that do not exist."),
    "stale_employer": typer.Option(help="Share of recent changes of job that it has not heard of."),
    "wrong_person": typer.Option(help="Share of people in whose place it gives another."),
}
"""By setting; those of every stand-in come of themselves."""


@served_by_command(
    "prospeo",
    ProspeoConfig,
    OPTIONS,
    port=8087,
    faults=FAULTS,
)
def prospeo(config: ProspeoConfig, people: Path | None) -> StandInApp:
    """Serve a local Prospeo, over the sample's people or yours."""
    # the docstring is what --help shows
    from enrichment_pipeline.sandbox.directory import people_elsewhere
    from enrichment_pipeline.sandbox.prospeo.stand_in import BASE_PATH, create_app

    return StandInApp(
        create_app(config, people_elsewhere(people)),
        BASE_PATH,
        limits=f"{config.per_second} records per {config.second_seconds:g} s, "
        f"{config.per_minute} per {config.minute_seconds:g} s, "
        f"{config.per_day} per {config.day_seconds:g} s",
    )
