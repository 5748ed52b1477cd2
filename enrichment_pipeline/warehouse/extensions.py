"""DuckDB's own extensions, from their wheels.

Here: loading one by its path: nothing is ever downloaded. Not here: what it is needed for.
"""

from importlib.resources import files

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.statements import literal


def load_extension(connection: duckdb.DuckDBPyConnection, name: str, *, extra: str) -> None:
    """Load an extension such as `sqlite_scanner`.

    Raises ConfigurationError, naming the extra of ours that brings it, where its wheel is not
    installed.
    """
    try:
        package = files(f"duckdb_extension_{name}")
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"DuckDB's extension {name} is not installed: install the extra {extra} "
            f"(`uv sync --extra {extra}`, or pip with `enrichment-pipeline[{extra}]`)"
        ) from None
    file = package / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not file.is_file():
        raise ConfigurationError(
            f"DuckDB's extension {name} is installed for another version than DuckDB "
            f"{duckdb.__version__}; install both of one version"
        )
    connection.execute(f"load {literal(str(file))}")
