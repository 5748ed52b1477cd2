"""A local Hunter in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path

import typer

from enrichment_pipeline.sandbox.hunter.config import FAULTS, HunterConfig
from enrichment_pipeline.sandbox.stand_in_command import StandInApp, served_by_command

OPTIONS = {
    "balance_of": typer.Option(help="What the account tells of."),
    "charge_when": typer.Option(help="Before the answer is sent, or after."),
    "charge_repeats": typer.Option(help="What was charged once is charged again."),
    "free_days": typer.Option(min=0, help="How long a repeat is free, where it is not charged."),
    "in_progress_charged": typer.Option(help="When a verification that takes long is charged."),
    "per_second": typer.Option(min=0, help="Requests to the finder."),
    "per_minute": typer.Option(min=0, help="Requests to the finder."),
    "verifications_per_second": typer.Option(min=0, help="Verifications."),
    "verifications_per_minute": typer.Option(min=0, help="Verifications."),
    "second_seconds": typer.Option(min=0.001, help="How long a second is, for trials."),
    "minute_seconds": typer.Option(min=0.001, help="How long a minute is, for trials."),
    "window_kind": typer.Option(help="Whether a window slides, or begins at fixed times."),
    "refused_counts": typer.Option(help="A request that is answered with 403 counts."),
    "in_progress_seconds": typer.Option(
        min=0, help="How long the fault in_progress makes a verification."
    ),
    "known": typer.Option(help="Share of the people."),
    "guessed": typer.Option(help="Share of the others for which it tries a guess."),
    "sourced": typer.Option(help="Share of addresses that it has seen on a page."),
    "dead_email": typer.Option(help="Share of work e-mails that do not exist."),
    "outdated": typer.Option(help="Share of dead addresses that the finder calls valid."),
    "stale_employer": typer.Option(help="Share of recent changes of job that it has not heard of."),
    "wrong_person": typer.Option(help="Share of people in whose place it gives another."),
    "accept_all": typer.Option(help="Share of hosts that take every address."),
    "unknown": typer.Option(help="Share of addresses of which the verifier can tell nothing."),
    "legal_stop": typer.Option(help="Share of people who asked not to be processed."),
}
"""By setting; those of every stand-in come of themselves."""


@served_by_command(
    "hunter",
    HunterConfig,
    OPTIONS,
    port=8089,
    faults=FAULTS,
)
def hunter(config: HunterConfig, people: Path | None) -> StandInApp:
    """Serve a local Hunter, over the sample's people or yours."""
    # the docstring is what --help shows
    from enrichment_pipeline.sandbox.directory import people_elsewhere
    from enrichment_pipeline.sandbox.hunter.stand_in import BASE_PATH, create_app

    return StandInApp(
        create_app(config, people_elsewhere(people)),
        BASE_PATH,
        limits=f"finder: {config.per_second} requests per {config.second_seconds:g} s, "
        f"{config.per_minute} per {config.minute_seconds:g} s; verifier: "
        f"{config.verifications_per_second} and {config.verifications_per_minute}",
    )
