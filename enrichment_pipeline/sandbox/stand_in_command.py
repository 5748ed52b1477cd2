"""The command of a stand-in: its settings as options, and serving until it is ended.

Belongs here: options that every stand-in has, what is printed once it answers, and the signature
that Typer reads, made of a stand-in's settings. Does not belong here: which settings a stand-in
has (`config.py`), with which help each is an option (its `command.py`), and what its app needs of
a server (`stand_in_server.py`, which is imported late: a plan or `--help` needs none).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer
from rich.console import Console

from enrichment_pipeline.sandbox.fates import shares_in

if TYPE_CHECKING:
    from starlette.applications import Starlette

Config = TypeVar("Config")

_out = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class StandInApp:
    """What is served, under which path, and its rate limits as a person reads them."""

    app: "Starlette"
    base_path: str
    limits: str


def served_by_command(
    provider: str,
    config_of: Callable[..., Config],
    options: Mapping[str, Any],
    *,
    port: int,
    faults: Sequence[str],
    people: str = "CSV with the columns of data/sample/people.csv.",
) -> Callable[[Callable[[Config, Path | None], StandInApp]], Callable[..., None]]:
    """Make a command of the function that makes a provider's app, by its settings and people.

    Each of `options`, a `typer.Option` by the name of a setting, is an option with that setting's
    type and default; a setting that is not among them is none. The command raises ValueError for a
    wrong setting, file of people or journal, and OSError where the address cannot be had, both
    before anything is announced.
    """

    def decorate(create: Callable[[Config, Path | None], StandInApp]) -> Callable[..., None]:
        @wraps(create)
        def command(
            *,
            host: str,
            port: int,
            people: Path | None,
            fault: list[str] | None,
            until_stdin_closes: bool,
            **settings: Any,
        ) -> None:
            config = config_of(**settings, faults=shares_in(fault or (), faults))
            made = create(config, people)
            variable = provider.upper()

            def announce(url: str) -> None:
                if until_stdin_closes:
                    print(url, flush=True)  # noqa: T201 - read by our parent process
                else:
                    key = settings["api_key"]
                    _out.print(f"sandbox: {variable}_BASE_URL={url} {variable}_API_KEY={key}")
                    _out.print(f"{made.limits}; Ctrl+C ends it")

            _serve(made, host, port, announce=announce, exit_on_stdin_eof=until_stdin_closes)

        parameters = [
            _parameter("host", str, "127.0.0.1", typer.Option(help="Where it listens.")),
            _parameter(
                "port", int, port, typer.Option(min=0, max=65535, help="0 takes a free one.")
            ),
            _parameter(
                "people", Path | None, None, typer.Option(help=f"Your own people: {people}")
            ),
            *_settings(config_of, {**_OF_EVERY_STAND_IN, **options}),
            _parameter("fault", list[str] | None, None, _fault_option(faults)),
            _parameter("until_stdin_closes", bool, False, typer.Option(hidden=True)),
        ]
        command.__signature__ = inspect.Signature(parameters)  # ty: ignore[missing-attribute]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


_OF_EVERY_STAND_IN = {
    "api_key": typer.Option(help="The key that is accepted."),
    "credits": typer.Option(min=0, help="Balance at the start."),
    "latency_ms": typer.Option(min=0, help="Time from a request to its answer."),
    "seed": typer.Option(help="Of everything random."),
    "journal": typer.Option(help="File of charges; the balance survives a restart."),
}


def _settings(config_of: Callable[..., Any], options: Mapping[str, Any]) -> list[inspect.Parameter]:
    types = get_type_hints(config_of)
    default = config_of()
    return [
        _parameter(name, types[name], getattr(default, name), option)
        for name, option in options.items()
    ]


def _parameter(name: str, kind: Any, default: object, option: Any) -> inspect.Parameter:  # noqa: ANN401 - a type, and what typer.Option gives
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _fault_option(faults: Sequence[str]) -> Any:  # noqa: ANN401 - what typer.Option gives
    """The option `--fault`, of which `fates.shares_in` makes shares."""
    return typer.Option(
        metavar="NAME=SHARE",
        help=f"Let it hit that share, 0 to 1: {', '.join(faults)}, or all. Repeatable; of "
        "two for one fault the last one holds.",
    )


def _serve(
    made: StandInApp,
    host: str,
    port: int,
    *,
    announce: Callable[[str], None],
    exit_on_stdin_eof: bool,
) -> None:
    from enrichment_pipeline.sandbox.stand_in_server import serve

    serve(
        made.app,
        host,
        port,
        base_path=made.base_path,
        announce=announce,
        exit_on_stdin_eof=exit_on_stdin_eof,
    )
