"""The commands: arguments and exit statuses.

Here: parsing and preparing. A command with many options has its arguments in a
module of its own, which is added here. Not here: `enrichment run` (`run_command.py`), the servers
that a command brings along (`own_servers.py`), how other things are shown (`terminal.py`), and what
they do (`steps/`, `defs/`).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn
from uuid import uuid4

import typer
from rich.console import Console
from rich.text import Text

from enrichment_pipeline.cli.backup_commands import backup_command, restore_command
from enrichment_pipeline.cli.doctor_command import doctor_command
from enrichment_pipeline.cli.explain_command import explain_command
from enrichment_pipeline.cli.export_command import export_command
from enrichment_pipeline.cli.history_command import history_command
from enrichment_pipeline.cli.init_command import init_command
from enrichment_pipeline.cli.json_output import JsonOption, print_json
from enrichment_pipeline.cli.own_servers import start_receiver, start_stand_ins
from enrichment_pipeline.cli.printable import printable
from enrichment_pipeline.cli.receiver import receiver
from enrichment_pipeline.cli.replay_commands import replay_command, undo_command
from enrichment_pipeline.cli.review_commands import review
from enrichment_pipeline.cli.sandbox import sandbox
from enrichment_pipeline.cli.suppress import suppress_command
from enrichment_pipeline.errors import (
    DISK_FULL,
    ConfigurationError,
    PipelineError,
    is_disk_full,
    refuse_full_disk,
)
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane, lane_blocks, parse_choice
from enrichment_pipeline.privacy import OWNER_ONLY
from enrichment_pipeline.settings import Settings, load_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]  # ty: ignore[invalid-assignment]
"""Every mistake in arguments. It is click's; newer typers carry click inside and do not name it."""
INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
UI_STOP_SECONDS = 10.0

FreshnessOption = Annotated[
    str | None, typer.Option(help=f"Comma list of {', '.join(FRESHNESS)}; all, where not given.")
]
PriorityOption = Annotated[
    str | None, typer.Option(help=f"Comma list of {', '.join(PRIORITIES)}; all, where not given.")
]
AsOfOption = Annotated[
    str | None, typer.Option(help="Count ages to this ISO instant, within a day of now.")
]
HostOption = Annotated[str, typer.Option(help="Where it listens.")]
SimulateOption = Annotated[
    bool, typer.Option(help="Let --as-of be any instant, and date everything with it. For trials.")
]


@app.callback(invoke_without_command=True)
def show_version(
    wanted: Annotated[bool, typer.Option("--version", help="Show the version, and end.")] = False,
) -> None:
    """Enrich contacts in the warehouse: never pay twice, never guess."""
    if wanted:
        _out.print(version("enrichment_pipeline"))
        raise typer.Exit


@app.command()
def run(
    freshness: FreshnessOption = None,
    priority: PriorityOption = None,
    as_of: AsOfOption = None,
    simulate: SimulateOption = False,
    max_credits: Annotated[
        int | None,
        typer.Option(min=0, help="Spend at most this many credits, those perhaps billed included."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Make at most this many look-ups, the most important first."),
    ] = None,
    contact: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this contact; may be given several times."),
    ] = None,
    is_dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything and show what would be bought, no more."),
    ] = False,
    accept_shrink: Annotated[
        bool, typer.Option(help="Go on though the source has lost more than [source] max_shrink.")
    ] = False,
    callbacks: Annotated[
        bool,
        typer.Option(
            help="Ask the local sandbox asynchronously, with a receiver of our own on loopback."
        ),
    ] = False,
    accept_rollback: Annotated[
        bool,
        typer.Option(
            "--accept-rollback",
            help="Go on with a ledger that is older than what was made of it; people may be "
            "bought again.",
        ),
    ] = False,
) -> None:
    """Refresh the chosen lanes once: load, look up what is due, bring every table up to date."""
    chosen = (
        parse_choice("--freshness", freshness, FRESHNESS),
        parse_choice("--priority", priority, PRIORITIES),
    )
    instant = _instant(as_of)
    contacts = None if contact is None else tuple(dict.fromkeys(contact))
    with _ready_settings(brings_receiver=callbacks) as settings:
        if is_dry:
            from enrichment_pipeline.cli.dry_run import dry_run
            from enrichment_pipeline.run import Run

            planned = Run(
                uuid4().hex,
                instant,
                simulate,
                accepts_shrink=accept_shrink,
                max_lookups=limit,
                contacts=contacts,
            )
            dry_run(settings, _lanes(*chosen), planned, _out)
            return
        from enrichment_pipeline.cli.run_command import refresh

        _write_dagster_yaml(settings)
        refresh(
            settings,
            lane_blocks(*chosen),
            as_of=instant,
            is_simulated=simulate,
            max_credits=max_credits,
            max_lookups=limit,
            contacts=contacts,
            accepts_shrink=accept_shrink,
            accepts_rollback=accept_rollback,
            console=_out,
        )


@app.command()
def plan(
    freshness: FreshnessOption = None,
    priority: PriorityOption = None,
    as_of: AsOfOption = None,
    simulate: SimulateOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a run would look up, by lane. Spends nothing, and changes no table."""
    from enrichment_pipeline.cli.planned import as_document, print_plan
    from enrichment_pipeline.run import Run
    from enrichment_pipeline.steps.context import RunContext
    from enrichment_pipeline.steps.plan import plan as plan_run
    from enrichment_pipeline.stores import Stores

    lanes = _lanes(
        parse_choice("--freshness", freshness, FRESHNESS),
        parse_choice("--priority", priority, PRIORITIES),
    )
    settings = _sampled_settings(needs_key=False)
    if settings.stand_ins_to_start:
        settings = settings.with_own_sandbox_limits()
    planned = Run(run_id=uuid4().hex, as_of=_instant(as_of), is_simulated=simulate)
    result = plan_run(RunContext(Stores(settings), planned), lanes)
    if as_json:
        print_json(as_document(result))
    else:
        print_plan(result, settings, _out)


@app.command("ask-again")
def ask_again(
    contact_ids: Annotated[
        list[str],
        typer.Argument(metavar="CONTACT_ID…", show_default=False, help="Their ids in the source."),
    ],
) -> None:
    """Let what was never answered about contacts be asked again, though it was perhaps billed."""
    from enrichment_pipeline.corrections import Corrections

    settings = load_settings(needs_key=False)
    freed = Corrections(settings).ask_again(contact_ids)
    if not (freed.lookups or freed.verifications):
        _out.print("none of them has an unconfirmed look-up or verification")
        return
    _out.print(
        f"{freed.lookups} unconfirmed look-ups and {freed.verifications} verifications of "
        "addresses freed: the next run asks for them again"
    )


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show what is in the tables, in the lanes and in the ledger."""
    from enrichment_pipeline.cli import status as showing

    settings = load_settings(needs_key=False)
    if settings.stand_ins_to_start:
        settings = settings.with_own_sandbox_limits()
    found = showing.read_status(settings)
    if as_json:
        print_json(showing.as_document(found, settings))
    else:
        showing.print_status(found, settings, _out)


@app.command()
def report(
    out: Annotated[
        Path | None, typer.Option(help="The file to write; report.html in the state folder.")
    ] = None,
) -> None:
    """Write a page on what is published: coverage, ages, spend, reviews, what falls due."""
    from enrichment_pipeline.cli.report import write_report

    settings = load_settings(needs_key=False)
    target = settings.home / "report.html" if out is None else out.expanduser().absolute()
    write_report(settings, target, _out)


@app.command()
def serve(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8090,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Loopback port of /metrics; 0: no metrics.")
    ] = 8091,
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve a page with a form as well, for trying it out.")
    ] = False,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Take contacts over HTTP, one at a time, and answer each as soon as it is decided."""
    from enrichment_pipeline.cli.serve import check_served, serve_entry

    settings = load_settings()
    check_served(settings)
    _check_state(settings)
    # a parent process reads our URL, and nothing else, from standard output
    console = _err if until_stdin_closes else _out
    with ExitStack() as servers:
        if settings.stand_ins_to_start:
            settings = start_stand_ins(settings, servers, console)
        serve_entry(
            settings,
            host,
            port,
            metrics_port=metrics_port,
            with_demo=demo,
            console=console,
            until_stdin_closes=until_stdin_closes,
        )


@app.command()
def ui(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the pages are.")] = 3000,
    daemon: Annotated[
        bool,
        typer.Option(
            "--daemon/--no-daemon",
            help="Run Dagster's daemon beside the pages, or leave it to a service of its own.",
        ),
    ] = True,
) -> None:
    """Open Dagster's web UI on the same state; its daemon runs the schedule, once switched on.

    Only its own pages are answered, under the names of this machine and of [ui] hosts.
    """
    with _ready_settings() as settings:
        from enrichment_pipeline.cli.dagster_home import refuse_damage

        _refuse_taken_port(host, port)
        _write_dagster_yaml(settings)
        refuse_damage(settings.dagster_home)
        command = [
            *(sys.executable, "-m", "enrichment_pipeline.cli", "ui-services"),
            *("--host", host, "--port", str(port)),
            *(() if daemon else ("--no-daemon",)),
        ]
        environment = os.environ | settings.told_to_children
        shown = f"[{host}]" if ":" in host else host
        _out.print(
            f"Dagster's UI, in some ten seconds: http://{shown}:{port}  (Ctrl+C ends it)",
            markup=False,
        )
        status = _run_until_stopped(command, environment)
    raise typer.Exit(status)


@app.command("ui-services", hidden=True)
def ui_services(
    host: Annotated[str, typer.Option()],
    port: Annotated[int, typer.Option()],
    daemon: Annotated[bool, typer.Option("--daemon/--no-daemon")] = True,
) -> None:
    """What `ui` runs in a session of its own, so that Ctrl+C reaches `ui` alone."""
    from enrichment_pipeline.cli.ui import serve_ui

    serve_ui(host, port, load_settings().policy.ui.hosts, has_daemon=daemon)


app.command("init")(init_command)
app.command("explain")(explain_command)
app.command("history")(history_command)
app.command("doctor")(doctor_command)
app.command("suppress")(suppress_command)
app.command("replay")(replay_command)
app.command("undo")(undo_command)
app.command("export")(export_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.add_typer(sandbox)
app.command()(receiver)
app.add_typer(review)


def main() -> None:
    """Run the command; 0 for done, 2 for a mistake in arguments or configuration, else 1."""
    os.umask(OWNER_ONLY)
    end_as_by_ctrl_c()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what an encoding has no sign for is spelt out
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except UsageError as error:
        _fail(f"{error.format_message().rstrip('.')}; see --help", 2)
    except typer.Abort:  # the end of the input, in place of an answer
        _fail("there was no answer to the question, and nothing was changed", 1)
    except ConfigurationError as error:
        _fail(str(error), 2)
    except PipelineError as error:
        _fail(str(error), 1)
    except OSError as error:
        if not is_disk_full(error):
            raise
        _fail(DISK_FULL, 1)
    if status == INTERRUPTED:
        _fail("interrupted; every answer that came is kept, and the next run goes on", 1)
    sys.exit(status)


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl+C does: end, but keep the answers on the wire.

    SIGTERM comes from cron, systemd or a container, SIGHUP from a terminal that is closed: from
    the shell and from the system, so that only the first one counts. `nohup` has it ignored.
    """

    def interrupt(number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)
        signal.raise_signal(signal.SIGINT)

    for number in STOP_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)


def _fail(message: str, status: int) -> NoReturn:
    # Text, since a message such as "[source] attach" is no markup; one line, whatever it quotes
    _err.print(Text.assemble(("error:", "red"), " ", printable(" ".join(message.split()))))
    sys.exit(status)


def _sampled_settings(*, needs_key: bool = True) -> Settings:
    """The settings, with the sample made where it is the source, and a trial's policy with it."""
    from enrichment_pipeline.cli.trial import begin_trial

    settings = load_settings(needs_key=needs_key)
    _check_state(settings)
    if begin_trial(settings):
        settings = load_settings(needs_key=needs_key)
    _create_sample(settings)
    return settings


@contextmanager
def _ready_settings(*, brings_receiver: bool = False) -> Iterator[Settings]:
    """The settings, with the sample made and what servers they ask for running."""
    settings = _sampled_settings()
    with ExitStack() as servers:
        if settings.stand_ins_to_start:
            settings = start_stand_ins(settings, servers, _out)
        if brings_receiver:
            settings = start_receiver(settings, servers, _out)
        yield settings


def _run_until_stopped(command: list[str], environment: dict[str, str]) -> int:
    """Run a command that has processes of its own until it ends or we are told to; its status.

    It has a session of its own, so that Ctrl+C reaches us alone; then it is asked to
    take its processes down, and what is left of them after a while is killed.
    """
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:  # noqa: S603
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(UI_STOP_SECONDS)
            finally:  # also where an impatient second Ctrl+C ends the waiting
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            return 0


def _check_state(settings: Settings) -> None:
    from enrichment_pipeline.state import check_stamp, ensure_state_folder

    ensure_state_folder(settings)
    check_stamp(settings, is_first_use=False)


def _create_sample(settings: Settings) -> None:
    if not settings.reads_sample:
        return
    from enrichment_pipeline.sandbox.sample_folder import SAMPLE
    from enrichment_pipeline.sandbox.sample_warehouse import create_sample_warehouse

    try:
        create_sample_warehouse(SAMPLE, settings.sample_source)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"the sample's {error.args[0]} is missing; name a source of your own in [source] attach"
        ) from None


def _write_dagster_yaml(settings: Settings) -> None:
    """Put our dagster.yaml into a DAGSTER_HOME of ours; one that the user named is the user's."""
    target = settings.dagster_home / "dagster.yaml"
    if not settings.owns_dagster_home and target.exists():
        return
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".dagster.yaml.{os.getpid()}")
        with files("enrichment_pipeline").joinpath("dagster.yaml").open("rb") as packaged:
            draft.write_bytes(packaged.read())
        shutil.move(draft, target)
    except OSError as error:
        refuse_full_disk(error)
        raise ConfigurationError(
            f"DAGSTER_HOME {settings.dagster_home}: cannot be written ({error.strerror})"
        ) from None


def _refuse_taken_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port}: {error.strerror}; choose another --port"
        ) from None


def _lanes(freshness: Sequence[str], priorities: Sequence[str]) -> list[Lane]:
    return [Lane(f, p) for p in priorities for f in freshness]


def _instant(text: str | None) -> datetime:
    from enrichment_pipeline.run import parse_instant

    return datetime.now(UTC) if text is None else parse_instant(text)
