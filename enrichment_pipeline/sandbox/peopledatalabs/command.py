"""A local People Data Labs in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path

import typer

from enrichment_pipeline.sandbox.peopledatalabs.config import FAULTS, PeopleDataLabsConfig
from enrichment_pipeline.sandbox.stand_in_command import StandInApp, served_by_command

OPTIONS = {
    "charge_when": typer.Option(help="Before the answer is sent, or after."),
    "per_minute": typer.Option(min=0, help="Requests."),
    "minute_seconds": typer.Option(min=0.001, help="How long a minute is, for trials."),
    "window_kind": typer.Option(help="Whether a window slides, or begins at fixed times."),
    "refused_counts": typer.Option(help="A refused request counts towards the minute."),
    "reset_form": typer.Option(help="How x-ratelimit-reset is written."),
    "cost_headers": typer.Option(help="Headers say what a request cost."),
    "short_of_credits": typer.Option(help="402 for all, or for those beyond the credits."),
    "bad_record_spoils_batch": typer.Option(help="One insufficient record: 400 for all."),
    "error_type": typer.Option(help="How an error's type is written."),
    "record_order": typer.Option(
        help="The elements of an answer, against the records of the request."
    ),
    "echoes_metadata": typer.Option(help="Each element bears its record's metadata."),
    "default_min_likelihood": typer.Option(min=0, max=10, help="Where a record names none."),
    "obeys_required": typer.Option(help="A profile without what is required is a miss."),
    "obeys_titlecase": typer.Option(help="Names come in title case where a request asks for it."),
    "shows_contact_data": typer.Option(help="The plan has contact data; else booleans."),
    "most_answer_bytes": typer.Option(min=0, help="A longer answer is a 502."),
    "too_long_is_charged": typer.Option(help="An answer that is too long is charged."),
    "known": typer.Option(help="Share of the people."),
    "has_work_email": typer.Option(help="Share of work e-mails that it has."),
    "dead_email": typer.Option(help="Share of work e-mails that do not exist."),
    "stale_employer": typer.Option(help="Share of recent changes of job that it has not heard of."),
    "wrong_person": typer.Option(help="Share of people in whose place it gives another."),
    "doubtful": typer.Option(help="Share of people that are matched with a low likelihood."),
    "release": typer.Option(help="Of the data that is served: 33.0, 33.1, 33.2, 34.0 …"),
    "first_release": typer.Option(help="With which all are as the directory has them."),
    "updated": typer.Option(help="Share with another headline by each later release."),
    "touched": typer.Option(help="Share of which only the count of sources is new by it."),
    "merged": typer.Option(help="Share that gets another id by it."),
    "deleted": typer.Option(help="Share that it deletes."),
    "opted_out": typer.Option(help="Share that opts out by it."),
    "tells_release": typer.Option(help="A profile says of which release it is."),
    "changelog_allowed": typer.Option(help="The account may ask what has changed."),
    "changes_per_minute": typer.Option(min=0, help="Questions about changes."),
    "most_changes": typer.Option(min=0, help="Listed in a reply."),
    "merged_to": typer.Option(help="How the new id is told."),
}
"""By setting; those of every stand-in come of themselves."""


@served_by_command(
    "peopledatalabs",
    PeopleDataLabsConfig,
    OPTIONS,
    port=8088,
    faults=FAULTS,
)
def peopledatalabs(config: PeopleDataLabsConfig, people: Path | None) -> StandInApp:
    """Serve a local People Data Labs, over the sample's people or yours."""
    # the docstring is what --help shows
    from enrichment_pipeline.sandbox.directory import people_elsewhere
    from enrichment_pipeline.sandbox.peopledatalabs.stand_in import BASE_PATH, create_app

    return StandInApp(
        create_app(config, people_elsewhere(people)),
        BASE_PATH,
        limits=f"{config.per_minute} requests per {config.minute_seconds:g} s",
    )
