"""The command `enrichment sandbox`: local stand-ins for the providers, in the foreground.

Here: which stand-in is meant, and what a mistake in its options is to this command line. Not here:
the options, which are each stand-in's own, and the stand-ins that a run brings along
(`own_servers.py`).
"""

import inspect
from collections.abc import Callable
from functools import wraps

import typer

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.sandbox.stand_ins import STAND_INS, UNNAMED

sandbox = typer.Typer(name="sandbox")


def _command(serve: Callable[..., None]) -> Callable[..., None]:
    """The stand-in as a command: the same options, and one line for a mistake."""

    @wraps(serve)
    def command(**options: object) -> None:
        try:
            serve(**options)
        except ValueError as error:  # a setting, the file of people, the journal: all one line
            raise ConfigurationError(str(error)) from None
        except OSError as error:
            raise ConfigurationError(
                f"sandbox on {options['host']}:{options['port']}: {error.strerror or error}; "
                "choose another --port"
            ) from None

    return command


def _unless_another_is_named(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which does nothing where a further word names another stand-in."""

    @wraps(command)
    def only_alone(context: typer.Context, **options: object) -> None:
        if context.invoked_subcommand is None:
            command(**options)

    signature = inspect.signature(command)
    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [context, *signature.parameters.values()]
    only_alone.__signature__ = signature.replace(parameters=parameters)  # ty: ignore[missing-attribute]
    only_alone.__annotations__ = {**command.__annotations__, "context": typer.Context}
    return only_alone


for _name, _stand_in in STAND_INS.items():
    if _name == UNNAMED:
        _unnamed = _unless_another_is_named(_command(_stand_in.serve))
        sandbox.callback(invoke_without_command=True)(_unnamed)
    else:
        sandbox.command(_name)(_command(_stand_in.serve))
