"""Where the `enrichment` command starts, as `python -m enrichment_pipeline.cli` too.

Here: what must be settled before anything is imported. Not here: the commands (`main.py`).
"""

import sys


def start() -> None:
    """Run the command."""
    # No command needs pandas, but pyarrow and duckdb import it wherever it is installed, which
    # takes half of a short command's time. None is how Python is told not to.
    sys.modules.setdefault("pandas", None)  # ty: ignore[no-matching-overload]
    from enrichment_pipeline.cli.main import main

    main()


if __name__ == "__main__":
    start()
