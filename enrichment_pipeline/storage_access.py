"""How object storage is reached: keys, region and endpoint, by the names that AWS's tools use.

Here: reading them from the environment, or from what stands behind the `?` of an address. Not here:
telling DuckDB (`warehouse/object_storage.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from enrichment_pipeline.errors import ConfigurationError

DEFAULT_REGION = "us-east-1"
URL_STYLES = ("path", "vhost")
CREDENTIALS = ("access_key_id", "secret_access_key", "session_token")
"""Belong together: whose key, that key, and for a key that expires a token."""
OPTIONS = (*CREDENTIALS, "region", "endpoint_url", "url_style")
"""What may stand behind the `?` of an address, named like AWS's variables."""


@dataclass(frozen=True)
class StorageAccess:
    """How object storage is reached; without a key, as anybody.

    `endpoint_url` is that of another server than AWS's own, `url_style` where it expects the
    bucket's name: in the path, or in the host's name.
    """

    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    region: str = DEFAULT_REGION
    endpoint_url: str | None = None
    url_style: str = "vhost"


def read_storage_access(
    options: Mapping[str, str], environment: Mapping[str, str], *, key: str
) -> StorageAccess:
    """The access that an address's options give, and the environment where they do not.

    Raises ConfigurationError, naming the policy's `key`, for an option that there is not, half a
    pair of keys, and an endpoint that is no URL.
    """
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise ConfigurationError(
            f"{key}: the option {unknown[0]} is not known; there are {', '.join(OPTIONS)}"
        )
    credentials = _credentials(options, environment, key)
    endpoint = _first(
        options.get("endpoint_url"),
        environment.get("AWS_ENDPOINT_URL_S3"),
        environment.get("AWS_ENDPOINT_URL"),
    )
    if endpoint is not None and not _is_url(endpoint):
        raise ConfigurationError(
            f"{key}: the endpoint of the object storage must be a URL without a path, such as "
            "https://minio.example.com:9000 (option endpoint_url, or AWS_ENDPOINT_URL_S3)"
        )
    style = options.get("url_style") or ("vhost" if endpoint is None else "path")
    if style not in URL_STYLES:
        raise ConfigurationError(f"{key}: url_style must be {' or '.join(URL_STYLES)}")
    region = _first(
        options.get("region"), environment.get("AWS_REGION"), environment.get("AWS_DEFAULT_REGION")
    )
    return StorageAccess(
        **credentials, region=region or DEFAULT_REGION, endpoint_url=endpoint, url_style=style
    )


def _credentials(
    options: Mapping[str, str], environment: Mapping[str, str], key: str
) -> dict[str, SecretStr]:
    """All from one place: a token of another key would only be refused."""
    given = {name: options.get(name, "") for name in CREDENTIALS}
    names = {name: f"the option {name}" for name in CREDENTIALS}
    if not any(given.values()):
        names = {name: f"AWS_{name.upper()}" for name in CREDENTIALS}
        given = {name: environment.get(variable, "") for name, variable in names.items()}
    if bool(given["access_key_id"]) != bool(given["secret_access_key"]):
        raise ConfigurationError(
            f"{key}: {names['access_key_id']} and {names['secret_access_key']} belong together; "
            "set both, or neither for what everybody may read"
        )
    return {name: SecretStr(value) for name, value in given.items() if value}


def _first(*given: str | None) -> str | None:
    return next((each for each in given if each), None)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_host = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # broken brackets, or a port that is no number
        return False
    return is_host and parts.path in {"", "/"} and not (parts.query or parts.username)
