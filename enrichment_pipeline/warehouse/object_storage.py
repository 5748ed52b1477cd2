"""S3, and whatever speaks its protocol, as DuckDB reads and writes it.

Here: telling a connection how it is reached, and which files lie under a prefix. Not here: keys and
endpoints (`storage_access.py`), and what the files hold (`data_files.py`).
"""

from urllib.parse import urlsplit

import duckdb

from enrichment_pipeline.storage_access import StorageAccess
from enrichment_pipeline.warehouse.extensions import load_extension
from enrichment_pipeline.warehouse.statements import literal


def reach_storage(
    connection: duckdb.DuckDBPyConnection,
    access: StorageAccess,
    place: str,
    *,
    name: str = "object_storage",
) -> None:
    """Let the connection read and write below `place`, such as `s3://bucket/prefix`.

    `name` is the secret's: a connection that reaches several places needs one for each. It lives
    as long as the connection, and is stored nowhere. Raises ConfigurationError where the extension
    is not installed.
    """
    load_extension(connection, "httpfs", extra="s3")
    # its default for one of its two HTTP clients is to take any certificate
    connection.execute("set enable_server_cert_verification = true")
    options = {
        "provider": "config",
        "scope": place,
        "region": access.region,
        "url_style": access.url_style,
    }
    if access.access_key_id is not None and access.secret_access_key is not None:
        options["key_id"] = access.access_key_id.get_secret_value()
        options["secret"] = access.secret_access_key.get_secret_value()
    if access.session_token is not None:
        options["session_token"] = access.session_token.get_secret_value()
    if access.endpoint_url is not None:
        endpoint = urlsplit(access.endpoint_url)
        options["endpoint"] = endpoint.netloc
        options["use_ssl"] = str(endpoint.scheme == "https").lower()
    told = "".join(f", {option} {literal(value)}" for option, value in options.items())
    connection.execute(f"create or replace temporary secret {name} (type s3{told})")


def files_below(connection: duckdb.DuckDBPyConnection, place: str) -> list[tuple[str, ...]]:
    """The files below a prefix, each as the names of its folders there and its own.

    Raises duckdb.Error where the bucket is not there, or may not be listed.
    """
    found = connection.execute("select file from glob(?)", [f"{place}/**"]).fetchall()
    below = (file.removeprefix(f"{place}/") for (file,) in found)
    return [tuple(file.split("/")) for file in below if not file.endswith("/")]
