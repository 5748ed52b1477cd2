"""Is everything in place? What is wrong with a state folder and its surroundings, and what to do.

Here: the checks of `enrichment doctor`, which change nothing but ask each provider for the balance,
as a run does. Not here: showing what they find (`cli/doctor_command.py`), and the checks of a run's
results (`defs/checks.py`).
"""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb
import httpx

from enrichment_pipeline.callback_urls import CALLBACK_PATH
from enrichment_pipeline.errors import ConfigurationError, PipelineError, redact_unexpected_errors
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings, key_variable, load_settings
from enrichment_pipeline.spill import lack_of_space
from enrichment_pipeline.state import check_stamp, is_used
from enrichment_pipeline.steps.prepare import refuse_wrong_clock
from enrichment_pipeline.steps.provider import ask_balance
from enrichment_pipeline.stores import Stores, refuse_missing_ledger, stamped
from enrichment_pipeline.warehouse.attached_source import attached_source, select_rows
from enrichment_pipeline.warehouse.connection import connect
from enrichment_pipeline.warehouse.states import requirements_it_can_give

OK, NOTE, WRONG = "ok", "note", "wrong"
ANSWERS_WITHIN_SECONDS = 5.0
OPENS_WITHIN_SECONDS = 2.0
EXTENSIONS = ("postgres-scanner", "sqlite-scanner")
VERSIONS = ("enrichment_pipeline", "dagster", "duckdb", "sqlalchemy")


@dataclass(frozen=True)
class Finding:
    """What a check found: that it is `ok`, a `note`, or `wrong`, and then what to do."""

    check: str
    verdict: str
    told: str


Check = Callable[[Settings], Iterator[Finding]]


def examine(entry_url: str | None = None) -> list[Finding]:
    """Everything that is looked at, in order. `entry_url`: where the point of entry is reached."""
    try:
        settings = load_settings(needs_key=False)
    except ConfigurationError as error:
        return [*_versions(), Finding("configuration", WRONG, str(error))]
    findings = list(_versions())
    for name, check in CHECKS.items():
        findings += _found_by(name, check, settings)
    if settings.callback_url is not None:
        findings.append(_receiver(settings))
    if entry_url is not None:
        findings.append(_entry(entry_url))
    return findings


def _found_by(name: str, check: Check, settings: Settings) -> Iterator[Finding]:
    """What a check finds, errors included: a message of ours says what to do."""

    @redact_unexpected_errors
    def examined() -> list[Finding]:
        return list(check(settings))

    try:
        yield from examined()
    except PipelineError as error:
        yield Finding(name, WRONG, str(error))


# --- each check ----------------------------------------------------------------------------


def _configuration(settings: Settings) -> Iterator[Finding]:
    place = settings.policy_path or "none: the packaged defaults"
    yield Finding("configuration", OK, f"policy file {place}; answers: {settings.provider}")
    useless = [
        provider
        for provider in settings.asked_providers
        if not requirements_it_can_give(provider, settings.policy)
    ]
    require = ", ".join(settings.policy.acceptance.require)
    for provider in useless:
        yield Finding(
            "waterfall",
            WRONG,
            f"{PROVIDERS[provider].title} is never asked: it gives nothing of what [acceptance] "
            f"requires ({require}); take it out of [waterfall] order, have addresses verified "
            "([waterfall] verify), or require less",
        )


def _state(settings: Settings) -> Iterator[Finding]:
    check_stamp(settings, is_first_use=False)
    home = settings.home
    if not home.exists():
        yield Finding("state folder", NOTE, f"{home}: not there yet; the first run makes it")
        return
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding(
            "state folder",
            WRONG,
            f"{home}: cannot be written by this user; set ENRICHMENT_HOME to a folder that can",
        )
        return
    used = "in use" if is_used(settings) else "not used by any run yet"
    yield Finding("state folder", OK, f"{home}: {used}")


def _disk(settings: Settings) -> Iterator[Finding]:
    folders = {_existing(settings.home), _existing(Path(settings.warehouse_url).parent)}
    for folder in sorted(folders):
        if halt := lack_of_space(folder):
            yield Finding("disk", WRONG, f"{halt.message}. Make room")
        else:
            free = shutil.disk_usage(folder).free / 2**30
            yield Finding("disk", OK, f"{folder}: {free:,.1f} GB free")


def _ledger(settings: Settings) -> Iterator[Finding]:
    if not is_used(settings):
        return
    refuse_missing_ledger(settings)
    stores = Stores(settings)
    stamped(stores.ledger, settings)
    yield Finding("ledger", OK, f"{stores.ledger.name}: opens, and is this source's")


def _warehouse(settings: Settings) -> Iterator[Finding]:
    file = settings.warehouse_url
    if not Path(file).exists():
        again = "; the next run derives it again, and buys nothing for that"
        told = f"{file}: not there{again if is_used(settings) else ' yet'}"
        yield Finding("warehouse", NOTE, told)
        return
    waits: list[str] = []
    try:
        connect(
            file, read_only=True, wait_seconds=OPENS_WITHIN_SECONDS, on_wait=waits.append
        ).close()
    except PipelineError:
        if not waits:
            raise
        yield Finding("warehouse", NOTE, f"{file}: another process has it open, perhaps a run")
        return
    yield Finding("warehouse", OK, f"{file}: opens")


def _source(settings: Settings) -> Iterator[Finding]:
    policy = settings.policy.source
    if policy.attach is None and not settings.sample_source.exists():
        yield Finding("source", NOTE, "the sample, which the first run makes")
        return
    with attached_source(settings.source) as reading:
        for key, query, column in (
            ("contacts", policy.contacts, "contact_id"),
            ("accounts", policy.accounts, "account_id"),
        ):
            if query is None:
                continue
            select_rows(reading, f"[source] {key}", query, required=column)
            try:
                rows = reading.execute("select 1 from source_rows limit 1").fetchall()
            except duckdb.Error as error:
                raise ConfigurationError(
                    f"[source] {key}: its first row cannot be read ({type(error).__name__})"
                ) from None
            if not rows:
                verdict = WRONG if key == "contacts" else NOTE
                yield Finding("source", verdict, f"[source] {key}: gives no row")
            else:
                yield Finding("source", OK, f"[source] {key}: gives rows ({settings.source_label})")


def _providers(settings: Settings) -> Iterator[Finding]:
    for provider in settings.used_providers:
        title = PROVIDERS[provider].title
        account = settings.account(provider)
        if provider in settings.stand_ins_to_start:
            yield Finding(title, OK, "a local stand-in is started with each run")
        elif account is None or not account.api_key.get_secret_value():
            yield Finding(
                title,
                WRONG,
                f"{key_variable(provider)}: not set; ENRICHMENT_PROVIDER=live needs your "
                "account's key",
            )
        else:
            yield from _found_by(title, lambda of, each=provider: _account(of, each), settings)


def _account(settings: Settings, provider: str) -> Iterator[Finding]:
    title, balance = PROVIDERS[provider].title, ask_balance(settings, provider)
    refuse_wrong_clock(datetime.now(UTC), balance.dated_at)
    if balance.credits_left <= 0:
        yield Finding(title, WRONG, "its key is accepted, but no credits are left: buy some")
        return
    yield Finding(title, OK, f"its key is accepted; {balance.credits_left:,} credits left")
    if balance.dated_at is not None:
        apart = abs(datetime.now(UTC) - balance.dated_at).total_seconds()
        yield Finding("clock", OK, f"{apart:.0f} s from {title}'s")


def _published(settings: Settings) -> Iterator[Finding]:
    current = settings.published_dir / "current"
    if not current.exists():
        return
    written = datetime.fromtimestamp(current.stat().st_mtime, UTC)
    hours = (datetime.now(UTC) - written).total_seconds() / 3600
    verdict = NOTE if hours > 48 else OK
    yield Finding("published", verdict, f"last written {written:%Y-%m-%d %H:%M} UTC")


def _versions() -> Iterator[Finding]:
    named = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    yield Finding("versions", OK, f"{named}, Python {platform.python_version()}")
    for extension in EXTENSIONS:
        package = f"duckdb-extension-{extension}"
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue
        if installed != version("duckdb"):
            yield Finding(
                "versions",
                WRONG,
                f"{package} {installed} is for another DuckDB than {version('duckdb')}; install "
                "both of one version",
            )


CHECKS: dict[str, Check] = {
    "configuration": _configuration,
    "state folder": _state,
    "disk": _disk,
    "ledger": _ledger,
    "warehouse": _warehouse,
    "published": _published,
    "source": _source,
    "providers": _providers,
}


# --- what several need ---------------------------------------------------------------------


def _receiver(settings: Settings) -> Finding:
    """By a route that takes POST only: the proxy need pass no other."""
    named = dict.fromkeys(("batch", "token"), "doctor")
    path = CALLBACK_PATH.format(provider=settings.called_back_provider, **named)
    return _answers("receiver", f"{settings.callback_url}{path}", httpx.codes.METHOD_NOT_ALLOWED)


def _entry(url: str) -> Finding:
    address = f"{url.rstrip('/')}/v1/contacts/doctor"
    return _answers("entry", address, httpx.codes.UNAUTHORIZED)


def _answers(what: str, address: str, as_ours: int) -> Finding:
    """Whether one of our servers answers at its public URL, by the refusal that is its own."""
    try:
        status = httpx.get(address, timeout=ANSWERS_WITHIN_SECONDS).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(
            what,
            WRONG,
            f"{address}: does not answer ({type(error).__name__}); is it running, and does the "
            "proxy lead there?",
        )
    if status != as_ours:
        return Finding(
            what,
            WRONG,
            f"{address}: answers {status}, and not {as_ours:d} as our server does; does the proxy "
            "lead to it?",
        )
    return Finding(what, OK, f"{address}: answers")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return folder if folder.exists() or folder == folder.parent else _existing(folder.parent)
