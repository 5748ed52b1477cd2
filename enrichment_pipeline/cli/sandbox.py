"""The command `enrichment sandbox`: a local stand-in for the provider, in the foreground.

Here: what a mistake in its options is to this command line. Not here: the options, which are the
stand-in's own, and the sandbox that a run brings along (`main.py`).
"""

from functools import wraps

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.sandbox.stand_ins import serve_stand_in


@wraps(serve_stand_in)
def sandbox(**options: object) -> None:
    try:
        serve_stand_in(**options)  # ty: ignore[invalid-argument-type]
    except ValueError as error:  # a setting, the file of people, the journal: all one line
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise ConfigurationError(
            f"sandbox on {options['host']}:{options['port']}: {error.strerror or error}; "
            "choose another --port"
        ) from None
