"""Errors whose message is meant for the person at the terminal.

Here: exceptions that the command line turns into one clear line and an exit
status. Not here: errors that a module raises and handles by itself.
"""


class PipelineError(Exception):
    """Something went wrong that the user must know of; the command line exits with 1.

    The message says what happened, to which thing, and what to do next. It
    never carries a key, and names contacts by id only.
    """


class ConfigurationError(PipelineError):
    """A mistake in arguments, environment, policy file or source; exit status 2.

    Raised before anything is written, or inside a transaction that is rolled back.
    """
