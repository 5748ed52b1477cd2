"""`enrichment report`: the page that people look at, written as one file.

Here: from what is published to a file. Not here: what stands on the page
(`report/`). It opens neither the warehouse nor the ledger, and waits for no run.
"""

import os
from pathlib import Path

from rich.console import Console

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.report.page import render_page
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import check_stamp
from enrichment_pipeline.warehouse.figures import read_figures
from enrichment_pipeline.warehouse.publish import open_published


def write_report(settings: Settings, target: Path, console: Console) -> None:
    """Write the page to `target`, whole or not at all, and say where it is.

    Raises PipelineError where nothing is published, and ConfigurationError
    where the file cannot be written.
    """
    check_stamp(settings, is_first_use=False)
    with open_published(settings.published_dir) as published:
        figures = read_figures(published, settings.policy.freshness.max_age_days)
    page = render_page(figures, settings.policy)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(
            f"--out {target}: cannot be written ({error.strerror}); choose another"
        ) from None
    console.print(f"report: {target}")
