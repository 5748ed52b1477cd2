"""`enrichment run --dry-run`: everything but buying.

Here: what a run checks before it buys, then the plan over its arguments, taken back at the end.
Not here: the plan (`steps/plan.py`).
"""

from collections.abc import Sequence

from rich.console import Console

from enrichment_pipeline.cli.planned import print_plan
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.plan import plan
from enrichment_pipeline.steps.prepare import ask_providers
from enrichment_pipeline.stores import Stores


def dry_run(settings: Settings, lanes: Sequence[Lane], run: Run, console: Console) -> None:
    """Print what this run would look up, once keys, balances and clocks have been checked.

    Raises ConfigurationError or PipelineError where the run itself would.
    """
    balances = ask_providers(settings, run)
    print_plan(plan(RunContext(Stores(settings), run), lanes), settings, console)
    for provider, balance in balances.items():
        console.print(f"credits left at {PROVIDERS[provider].title}: {balance.credits_left:,}")
    console.print("a dry run: nothing was bought, and no table was changed")
