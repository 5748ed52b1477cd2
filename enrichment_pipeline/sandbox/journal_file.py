"""A file to which the sandbox adds lines of JSON, one for each thing that happened.

Belongs here: opening it and adding to it. Does not belong here: what a line says, and reading it
back (`account.py` does, for the charges).
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class JournalError(ValueError):
    """The file cannot be used; the message is one line for the user who started the sandbox."""


class Journal:
    """The file, open for as long as this object lives. Its folder is created.

    Raises `JournalError` if it cannot be written; `what` is what its message calls the file.
    """

    def __init__(self, path: Path, what: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise JournalError(
                f"{path}: {what} cannot be written ({error.strerror}); name a writable file"
            ) from None
        # no caller has to close it
        weakref.finalize(self, self._file.close)

    def add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add these lines; they are the system's to keep when this returns."""
        self._file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        self._file.flush()
