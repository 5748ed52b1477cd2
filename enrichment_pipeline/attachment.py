"""What `attach` in the policy file names: files, or a database that is reached by a scheme.

Here: reading such a text, with the ${NAME}s in it, and what of it may be shown. Not here:
attaching it (`warehouse/attaching.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from pydantic import SecretStr

from enrichment_pipeline.errors import ConfigurationError

POSTGRES = "postgres"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+]+):")
_SCHEMES = {"postgres": POSTGRES, "postgresql": POSTGRES}
_PASSWORD = re.compile(
    r"(?P<before>\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)|(?P<user>//[^:/@\s]*:)[^@/\s]*(?=@)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Database:
    """A database that is reached by a scheme.

    `address` is what the database's own client takes; `label` is what may be shown and kept.
    """

    scheme: str
    address: SecretStr
    label: str

    def __str__(self) -> str:
        return self.label


Attachment = Path | Database


class UnsetVariableError(ConfigurationError):
    """`attach` names a variable of the environment that is not set."""


def read_attachment(
    text: str, base: Path, environment: Mapping[str, str], *, key: str
) -> Attachment:
    """What is attached; a relative path is relative to `base`.

    Raises ConfigurationError, naming the policy's `key`, for a variable that is not set and for a
    scheme that nothing here can read.
    """
    written = _filled_in(text, environment, key)
    scheme = _SCHEME.match(written)
    if scheme is None or (base / written).exists():
        return _path(written, base, key)
    kind = _SCHEMES.get(scheme[1].lower())
    if kind is None:
        raise ConfigurationError(
            f"{key}: {scheme[1].lower()}: cannot be read; there are postgres:, a DuckDB or SQLite "
            "file, and CSV, JSON Lines or Parquet, as one file or in a folder"
        )
    rest = written[scheme.end() :]
    address = f"postgresql:{rest}" if rest.startswith("//") else rest
    return Database(kind, SecretStr(address), _without_password(text))


def _filled_in(text: str, environment: Mapping[str, str], key: str) -> str:
    try:
        return Template(text).substitute(environment)
    except KeyError as error:
        raise UnsetVariableError(
            f"{key}: the environment variable {error.args[0]} is not set"
        ) from None
    except ValueError:
        raise ConfigurationError(
            f"{key}: a $ must begin the name of an environment variable, as in ${{NAME}}; "
            "write $$ for the sign itself"
        ) from None


def _path(written: str, base: Path, key: str) -> Path:
    try:
        return (base / Path(written).expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # ~nobody, links in a circle
        raise ConfigurationError(f"{key}: {error}".rstrip(".")) from None


def _without_password(text: str) -> str:
    """The text as it is written, variables as their names, without a password that stands there."""
    return _PASSWORD.sub(
        lambda found: f"{found['before'] or found['user']}…" if "${" not in found[0] else found[0],
        text,
    )
