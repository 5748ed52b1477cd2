"""A local People Data Labs in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path
from typing import Annotated

import typer

from enrichment_pipeline.sandbox.fates import shares_in
from enrichment_pipeline.sandbox.meter import WindowKind
from enrichment_pipeline.sandbox.peopledatalabs.config import (
    FAULTS,
    ChargeWhen,
    ErrorType,
    PeopleDataLabsConfig,
    RecordOrder,
    ResetForm,
    ShortOfCredits,
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

_default = PeopleDataLabsConfig()


def peopledatalabs(
    host: Host = "127.0.0.1",
    port: Port = 8088,
    people: Annotated[
        Path | None,
        typer.Option(help="Your own people: CSV with the columns of data/sample/people.csv."),
    ] = None,
    api_key: ApiKey = _default.api_key,
    credits: Credits = _default.credits,
    charge_when: Annotated[ChargeWhen, typer.Option()] = _default.charge_when,
    per_minute: Annotated[int, typer.Option(min=0, help="Requests.")] = _default.per_minute,
    minute_seconds: Annotated[float, typer.Option(min=0.001)] = _default.minute_seconds,
    window_kind: Annotated[WindowKind, typer.Option()] = _default.window_kind,
    refused_counts: Annotated[
        bool, typer.Option(help="A refused request counts towards the minute.")
    ] = _default.refused_counts,
    reset_form: Annotated[
        ResetForm, typer.Option(help="How x-ratelimit-reset is written.")
    ] = _default.reset_form,
    cost_headers: Annotated[
        bool, typer.Option(help="Headers say what a request cost.")
    ] = _default.cost_headers,
    short_of_credits: Annotated[
        ShortOfCredits, typer.Option(help="402 for all, or for those beyond the credits.")
    ] = _default.short_of_credits,
    bad_record_spoils_batch: Annotated[
        bool, typer.Option(help="One insufficient record: 400 for all.")
    ] = _default.bad_record_spoils_batch,
    error_type: Annotated[ErrorType, typer.Option()] = _default.error_type,
    record_order: Annotated[RecordOrder, typer.Option()] = _default.record_order,
    echoes_metadata: Annotated[
        bool, typer.Option(help="Each element bears its record's metadata.")
    ] = _default.echoes_metadata,
    default_min_likelihood: Annotated[
        int, typer.Option(min=0, max=10, help="Where a record names none.")
    ] = _default.default_min_likelihood,
    obeys_required: Annotated[
        bool, typer.Option(help="A profile without what is required is a miss.")
    ] = _default.obeys_required,
    obeys_titlecase: Annotated[bool, typer.Option()] = _default.obeys_titlecase,
    shows_contact_data: Annotated[
        bool, typer.Option(help="The plan has contact data; else booleans.")
    ] = _default.shows_contact_data,
    most_answer_bytes: Annotated[
        int, typer.Option(min=0, help="A longer answer is a 502.")
    ] = _default.most_answer_bytes,
    too_long_is_charged: Annotated[bool, typer.Option()] = _default.too_long_is_charged,
    latency_ms: Annotated[
        int, typer.Option(min=0, help="Time from a request to its answer.")
    ] = _default.latency_ms,
    known: Annotated[float, typer.Option(help="Share of the people.")] = _default.known,
    has_work_email: Annotated[
        float, typer.Option(help="Share of work e-mails that it has.")
    ] = _default.has_work_email,
    dead_email: Annotated[
        float, typer.Option(help="Share of work e-mails that do not exist.")
    ] = _default.dead_email,
    stale_employer: Annotated[
        float, typer.Option(help="Share of recent changes of job that it has not heard of.")
    ] = _default.stale_employer,
    wrong_person: Annotated[
        float, typer.Option(help="Share of people in whose place it gives another.")
    ] = _default.wrong_person,
    doubtful: Annotated[
        float, typer.Option(help="Share of people that are matched with a low likelihood.")
    ] = _default.doubtful,
    fault: Annotated[list[str] | None, fault_option(FAULTS)] = None,
    seed: Seed = _default.seed,
    journal: Journal = None,
    until_stdin_closes: UntilStdinCloses = False,
) -> None:
    """Serve a local People Data Labs, over the sample's people or yours."""
    # The docstring is what --help shows. Raises ValueError for a wrong setting, file of people or
    # journal, and OSError where the address cannot be had, both before anything is announced.
    from enrichment_pipeline.sandbox.directory import people_elsewhere
    from enrichment_pipeline.sandbox.peopledatalabs.stand_in import BASE_PATH, create_app

    def told(url: str) -> str:
        return (
            f"PEOPLEDATALABS_BASE_URL={url} PEOPLEDATALABS_API_KEY={api_key}\n"
            f"{per_minute} requests per {minute_seconds:g} s"
        )

    config = PeopleDataLabsConfig(
        api_key=api_key,
        credits=credits,
        charge_when=charge_when,
        per_minute=per_minute,
        minute_seconds=minute_seconds,
        window_kind=window_kind,
        refused_counts=refused_counts,
        reset_form=reset_form,
        cost_headers=cost_headers,
        short_of_credits=short_of_credits,
        bad_record_spoils_batch=bad_record_spoils_batch,
        error_type=error_type,
        record_order=record_order,
        echoes_metadata=echoes_metadata,
        default_min_likelihood=default_min_likelihood,
        obeys_required=obeys_required,
        obeys_titlecase=obeys_titlecase,
        shows_contact_data=shows_contact_data,
        most_answer_bytes=most_answer_bytes,
        too_long_is_charged=too_long_is_charged,
        latency_ms=latency_ms,
        known=known,
        has_work_email=has_work_email,
        dead_email=dead_email,
        stale_employer=stale_employer,
        wrong_person=wrong_person,
        doubtful=doubtful,
        faults=shares_in(fault or (), FAULTS),
        seed=seed,
        journal=journal,
    )
    serve_announced(
        create_app(config, people_elsewhere(people)),
        host,
        port,
        base_path=BASE_PATH,
        told=told,
        until_stdin_closes=until_stdin_closes,
    )
