"""The step `derive_facts`: raw answers are read into facts, in one transaction.

Here: the transaction and the step's figures. Not here: the rules (`warehouse/sql/`).
"""

from dataclasses import dataclass

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.warehouse import judging
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.findings import RunComparison, compare_verified_share
from enrichment_pipeline.warehouse.table_figures import TableFigures, read_table_figures


@dataclass(frozen=True)
class DerivedFacts:
    """The tables of facts, and how many of those who were found have a verified e-mail.

    `verified_share` is None where nothing was answered yet.
    """

    person_facts: TableFigures
    company_facts: TableFigures
    verified_share: RunComparison | None


@redact_unexpected_errors
def derive_facts(context: RunContext) -> DerivedFacts:
    """Bring person and company facts to what the raw answers say."""
    with context.stores.open_warehouse() as connection:
        with transaction(connection):
            judging.derive_facts(connection, context.policy, loaded_at=context.now)
        return DerivedFacts(
            person_facts=read_table_figures(connection, "person_facts"),
            company_facts=read_table_figures(connection, "company_facts"),
            verified_share=compare_verified_share(connection),
        )
