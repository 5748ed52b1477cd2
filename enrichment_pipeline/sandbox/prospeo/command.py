"""A local Prospeo in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path
from typing import Annotated

import typer

from enrichment_pipeline.sandbox.fates import shares_in
from enrichment_pipeline.sandbox.meter import WindowKind
from enrichment_pipeline.sandbox.prospeo.config import (
    FAULTS,
    ChargeWhen,
    NoMatchAs,
    ProspeoConfig,
    RecordOrder,
    SecondCounts,
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

_default = ProspeoConfig()


def prospeo(
    host: Host = "127.0.0.1",
    port: Port = 8087,
    people: Annotated[
        Path | None,
        typer.Option(help="Your own people: CSV with the columns of data/sample/people.csv."),
    ] = None,
    api_key: ApiKey = _default.api_key,
    account_restricted: Annotated[
        bool, typer.Option(help="Answer everything with ACCOUNT_RESTRICTED.")
    ] = _default.account_restricted,
    credits: Credits = _default.credits,
    charge_when: Annotated[ChargeWhen, typer.Option()] = _default.charge_when,
    charge_repeats: Annotated[
        bool, typer.Option(help="A match charged once is charged again all the same.")
    ] = _default.charge_repeats,
    free_days: Annotated[
        float, typer.Option(min=0, help="How long a repeat is free; 0: forever.")
    ] = _default.free_days,
    per_second: Annotated[int, typer.Option(min=0, help="Records.")] = _default.per_second,
    per_minute: Annotated[int, typer.Option(min=0, help="Records.")] = _default.per_minute,
    per_day: Annotated[int, typer.Option(min=0, help="Records.")] = _default.per_day,
    second_seconds: Annotated[float, typer.Option(min=0.001)] = _default.second_seconds,
    minute_seconds: Annotated[float, typer.Option(min=0.001)] = _default.minute_seconds,
    day_seconds: Annotated[float, typer.Option(min=0.001)] = _default.day_seconds,
    window_kind: Annotated[WindowKind, typer.Option()] = _default.window_kind,
    second_counts: Annotated[SecondCounts, typer.Option()] = _default.second_counts,
    refused_counts: Annotated[
        bool, typer.Option(help="Records of a refused request count towards the limits.")
    ] = _default.refused_counts,
    rate_headers: Annotated[
        bool, typer.Option(help="Headers say what is left of the limits.")
    ] = _default.rate_headers,
    no_match_as: Annotated[
        NoMatchAs, typer.Option(help="A request without any match: 200, or 400 NO_MATCH.")
    ] = _default.no_match_as,
    bad_record_spoils_batch: Annotated[
        bool, typer.Option(help="One insufficient record: INVALID_DATAPOINTS for all.")
    ] = _default.bad_record_spoils_batch,
    short_of_credits: Annotated[
        ShortOfCredits, typer.Option(help="What becomes of those beyond the credits.")
    ] = _default.short_of_credits,
    marks_free: Annotated[
        bool, typer.Option(help="Each match says whether it cost nothing.")
    ] = _default.marks_free,
    record_order: Annotated[RecordOrder, typer.Option()] = _default.record_order,
    latency_ms: Annotated[
        int, typer.Option(min=0, help="Time from a request to its answer.")
    ] = _default.latency_ms,
    known: Annotated[float, typer.Option(help="Share of the people.")] = _default.known,
    verified: Annotated[float, typer.Option(help="Share of work e-mails.")] = _default.verified,
    dead_email: Annotated[
        float, typer.Option(help="Share of work e-mails that do not exist.")
    ] = _default.dead_email,
    stale_employer: Annotated[
        float, typer.Option(help="Share of recent changes of job that it has not heard of.")
    ] = _default.stale_employer,
    wrong_person: Annotated[
        float, typer.Option(help="Share of people in whose place it gives another.")
    ] = _default.wrong_person,
    fault: Annotated[list[str] | None, fault_option(FAULTS)] = None,
    seed: Seed = _default.seed,
    journal: Journal = None,
    until_stdin_closes: UntilStdinCloses = False,
) -> None:
    """Serve a local Prospeo, over the sample's people or yours."""
    # The docstring is what --help shows. Raises ValueError for a wrong setting, file of people or
    # journal, and OSError where the address cannot be had, both before anything is announced.
    from enrichment_pipeline.sandbox.directory import people_elsewhere
    from enrichment_pipeline.sandbox.prospeo.stand_in import BASE_PATH, create_app

    def told(url: str) -> str:
        return (
            f"PROSPEO_BASE_URL={url} PROSPEO_API_KEY={api_key}\n"
            f"{per_second} records per {second_seconds:g} s, {per_minute} per "
            f"{minute_seconds:g} s, {per_day} per {day_seconds:g} s"
        )

    config = ProspeoConfig(
        api_key=api_key,
        account_restricted=account_restricted,
        credits=credits,
        charge_when=charge_when,
        charge_repeats=charge_repeats,
        free_days=free_days,
        per_second=per_second,
        per_minute=per_minute,
        per_day=per_day,
        second_seconds=second_seconds,
        minute_seconds=minute_seconds,
        day_seconds=day_seconds,
        window_kind=window_kind,
        second_counts=second_counts,
        refused_counts=refused_counts,
        rate_headers=rate_headers,
        no_match_as=no_match_as,
        bad_record_spoils_batch=bad_record_spoils_batch,
        short_of_credits=short_of_credits,
        marks_free=marks_free,
        record_order=record_order,
        latency_ms=latency_ms,
        known=known,
        verified=verified,
        dead_email=dead_email,
        stale_employer=stale_employer,
        wrong_person=wrong_person,
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
