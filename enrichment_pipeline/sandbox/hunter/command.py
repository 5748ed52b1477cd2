"""A local Hunter in the foreground, and its settings as options of a command.

Here: the options, and what is printed. Not here: what a setting does (`config.py`,
`docs/sandbox.md`), and the command's name and exit statuses (the package's command line).
"""

from pathlib import Path
from typing import Annotated

import typer

from enrichment_pipeline.sandbox.fates import shares_in
from enrichment_pipeline.sandbox.hunter.config import (
    FAULTS,
    BalanceOf,
    ChargeWhen,
    HunterConfig,
    InProgressCharged,
)
from enrichment_pipeline.sandbox.meter import WindowKind
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

_default = HunterConfig()


def hunter(
    host: Host = "127.0.0.1",
    port: Port = 8089,
    people: Annotated[
        Path | None,
        typer.Option(help="Your own people: CSV with the columns of data/sample/people.csv."),
    ] = None,
    api_key: ApiKey = _default.api_key,
    credits: Credits = _default.credits,
    balance_of: Annotated[
        BalanceOf, typer.Option(help="What the account tells of.")
    ] = _default.balance_of,
    charge_when: Annotated[ChargeWhen, typer.Option()] = _default.charge_when,
    charge_repeats: Annotated[
        bool, typer.Option(help="What was charged once is charged again.")
    ] = _default.charge_repeats,
    free_days: Annotated[
        float, typer.Option(min=0, help="How long a repeat is free, where it is not charged.")
    ] = _default.free_days,
    in_progress_charged: Annotated[
        InProgressCharged, typer.Option(help="When a verification that takes long is charged.")
    ] = _default.in_progress_charged,
    per_second: Annotated[
        int, typer.Option(min=0, help="Requests to the finder.")
    ] = _default.per_second,
    per_minute: Annotated[
        int, typer.Option(min=0, help="Requests to the finder.")
    ] = _default.per_minute,
    verifications_per_second: Annotated[
        int, typer.Option(min=0)
    ] = _default.verifications_per_second,
    verifications_per_minute: Annotated[
        int, typer.Option(min=0)
    ] = _default.verifications_per_minute,
    second_seconds: Annotated[float, typer.Option(min=0.001)] = _default.second_seconds,
    minute_seconds: Annotated[float, typer.Option(min=0.001)] = _default.minute_seconds,
    window_kind: Annotated[WindowKind, typer.Option()] = _default.window_kind,
    refused_counts: Annotated[
        bool, typer.Option(help="A request that is answered with 403 counts.")
    ] = _default.refused_counts,
    latency_ms: Annotated[
        int, typer.Option(min=0, help="Time from a request to its answer.")
    ] = _default.latency_ms,
    in_progress_seconds: Annotated[
        float, typer.Option(min=0, help="How long the fault in_progress makes a verification.")
    ] = _default.in_progress_seconds,
    known: Annotated[float, typer.Option(help="Share of the people.")] = _default.known,
    guessed: Annotated[
        float, typer.Option(help="Share of the others for which it tries a guess.")
    ] = _default.guessed,
    sourced: Annotated[
        float, typer.Option(help="Share of addresses that it has seen on a page.")
    ] = _default.sourced,
    dead_email: Annotated[
        float, typer.Option(help="Share of work e-mails that do not exist.")
    ] = _default.dead_email,
    outdated: Annotated[
        float, typer.Option(help="Share of dead addresses that the finder calls valid.")
    ] = _default.outdated,
    stale_employer: Annotated[
        float, typer.Option(help="Share of recent changes of job that it has not heard of.")
    ] = _default.stale_employer,
    wrong_person: Annotated[
        float, typer.Option(help="Share of people in whose place it gives another.")
    ] = _default.wrong_person,
    accept_all: Annotated[
        float, typer.Option(help="Share of hosts that take every address.")
    ] = _default.accept_all,
    unknown: Annotated[
        float, typer.Option(help="Share of addresses of which the verifier can tell nothing.")
    ] = _default.unknown,
    legal_stop: Annotated[
        float, typer.Option(help="Share of people who asked not to be processed.")
    ] = _default.legal_stop,
    fault: Annotated[list[str] | None, fault_option(FAULTS)] = None,
    seed: Seed = _default.seed,
    journal: Journal = None,
    until_stdin_closes: UntilStdinCloses = False,
) -> None:
    """Serve a local Hunter, over the sample's people or yours."""
    # The docstring is what --help shows. Raises ValueError for a wrong setting, file of people or
    # journal, and OSError where the address cannot be had, both before anything is announced.
    from enrichment_pipeline.sandbox.directory import people_elsewhere
    from enrichment_pipeline.sandbox.hunter.stand_in import BASE_PATH, create_app

    def told(url: str) -> str:
        return (
            f"HUNTER_BASE_URL={url} HUNTER_API_KEY={api_key}\n"
            f"finder: {per_second} requests per {second_seconds:g} s, {per_minute} per "
            f"{minute_seconds:g} s; verifier: {verifications_per_second} and "
            f"{verifications_per_minute}"
        )

    config = HunterConfig(
        api_key=api_key,
        credits=credits,
        balance_of=balance_of,
        charge_when=charge_when,
        charge_repeats=charge_repeats,
        free_days=free_days,
        in_progress_charged=in_progress_charged,
        per_second=per_second,
        per_minute=per_minute,
        verifications_per_second=verifications_per_second,
        verifications_per_minute=verifications_per_minute,
        second_seconds=second_seconds,
        minute_seconds=minute_seconds,
        window_kind=window_kind,
        refused_counts=refused_counts,
        latency_ms=latency_ms,
        in_progress_seconds=in_progress_seconds,
        known=known,
        guessed=guessed,
        sourced=sourced,
        dead_email=dead_email,
        outdated=outdated,
        stale_employer=stale_employer,
        wrong_person=wrong_person,
        accept_all=accept_all,
        unknown=unknown,
        legal_stop=legal_stop,
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
