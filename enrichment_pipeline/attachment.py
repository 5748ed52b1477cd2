"""What `attach` in the policy file names: files, or a place that is reached by a scheme.

Here: reading such a text, with the ${NAME}s in it, and what of it may be shown. Not here:
attaching it (`warehouse/attaching.py`), and the keys of object storage (`storage_access.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import quote

from pydantic import SecretStr

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.storage_access import StorageAccess, read_storage_access

POSTGRES = "postgres"
SNOWFLAKE = "snowflake"
_POSTGRES = {"postgres", "postgresql"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+]+):")
_SECRET = re.compile(
    r"(?P<password>\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)"
    r"|(?P<session>^snowflake:(?://)?[^:/@\s]*:)\S*(?=@)"
    r"|(?P<user>//[^:/@\s]*:)[^@/\s]*(?=@)"
    r"|(?P<option>\b(?:access_key_id|secret_access_key|session_token|token|privatekey|passcode)=)"
    r"[^&]*",
    re.IGNORECASE,
)
"""Each with what stands before it, which may be shown."""


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


@dataclass(frozen=True)
class Bucket:
    """A bucket of object storage, or what is below a prefix in it.

    `place` is `s3://bucket/prefix`, without a slash at its end; `label` is what may be shown.
    """

    place: str
    access: StorageAccess
    label: str

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Lake:
    """A DuckLake: its catalogue, and how its files are reached if they are in object storage."""

    catalogue: Path | Database
    access: StorageAccess
    label: str

    def __str__(self) -> str:
        return self.label


Attachment = Path | Database | Bucket | Lake


class UnsetVariableError(ConfigurationError):
    """`attach` names a variable of the environment that is not set."""


def read_attachment(
    text: str, base: Path, environment: Mapping[str, str], *, key: str
) -> Attachment:
    """What is attached; a relative path is relative to `base`.

    Raises ConfigurationError, naming the policy's `key`, for a variable that is not set and for a
    scheme that nothing here can read.
    """
    if text.lower().startswith(f"{SNOWFLAKE}:"):  # its driver takes a URL
        environment = {name: quote(value, safe="") for name, value in environment.items()}
    written = _filled_in(text, environment, key)
    found = _SCHEME.match(written)
    if found is None or (base / written).exists():
        return _path(written, base, key)
    scheme, rest = found[1].lower(), written[found.end() :]
    label = _without_secrets(text)
    if scheme in _POSTGRES:
        return _postgres(rest, label)
    if scheme == "s3":
        return _bucket(rest, label, environment, key)
    if scheme == "ducklake":
        return _lake(rest, label, base, environment, key)
    if scheme == SNOWFLAKE:
        return Database(SNOWFLAKE, SecretStr(rest.removeprefix("//")), label)
    raise ConfigurationError(
        f"{key}: {scheme}: cannot be read; there are postgres:, s3:, ducklake:, snowflake:, a "
        "DuckDB or SQLite file, and CSV, JSON Lines or Parquet, as one file or in a folder"
    )


def _postgres(rest: str, label: str) -> Database:
    address = f"postgresql:{rest}" if rest.startswith("//") else rest
    return Database(POSTGRES, SecretStr(address), label)


def _lake(rest: str, label: str, base: Path, environment: Mapping[str, str], key: str) -> Lake:
    """What follows `ducklake:`: where the catalogue is, a DuckDB file or a Postgres database."""
    found = _SCHEME.match(rest)
    access = read_storage_access({}, environment, key=key)
    if found is None or (base / rest).exists():
        return Lake(_path(rest, base, key), access, label)
    scheme = found[1].lower()
    if scheme not in _POSTGRES:
        raise ConfigurationError(
            f"{key}: ducklake:{scheme}: cannot be read; the catalogue must be a DuckDB file, or "
            "postgres:"
        )
    return Lake(_postgres(rest[found.end() :], label), access, label)


def _bucket(rest: str, label: str, environment: Mapping[str, str], key: str) -> Bucket:
    """What follows `s3:`, with options behind a `?` as in a URL, but as they are written.

    Nothing is decoded: a secret key has the signs that a URL would have encoded.
    """
    place, _, given = rest.partition("?")
    bucket, _, prefix = place.removeprefix("//").partition("/")
    if not (place.startswith("//") and bucket):
        raise ConfigurationError(f"{key}: must name a bucket, as in s3://bucket/prefix")
    if set(place) & set("*["):  # DuckDB lists no prefix that holds these
        raise ConfigurationError(f"{key}: must be a prefix or an object, without * and [")
    options = dict(option.partition("=")[::2] for option in given.split("&") if option)
    path = f"{bucket}/{prefix}".rstrip("/")
    return Bucket(f"s3://{path}", read_storage_access(options, environment, key=key), label)


def as_absolute(text: str, base: Path) -> str:
    """The same for a policy file in any folder: a path is absolute.

    Raises ConfigurationError for a password that stands in the text itself.
    """
    if _without_secrets(text) != text:
        raise ConfigurationError(
            "attach: a secret must not stand in the policy file; put it into a variable of the "
            "environment, and write its name: password=${CRM_PASSWORD}"
        )
    if (base / text).exists():
        return str(base / text).replace("$", "$$")
    return text if _SCHEME.match(text) else str(base / Path(text).expanduser())


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


def _without_secrets(text: str) -> str:
    """The text as it is written, variables as their names, without a secret that stands there."""

    def hidden(found: re.Match[str]) -> str:
        shown = found["password"] or found["session"] or found["user"] or found["option"]
        return found[0] if "${" in found[0] else f"{shown}…"

    return _SECRET.sub(hidden, text)
