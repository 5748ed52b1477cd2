"""A code location of somebody's, with the enrichment merged into it.

dlt loads the CRM's export into a DuckDB file; the enrichment buys what is missing; an asset of the
project's own reads the result. One graph, one run. See README.md beside this file.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import dlt
from dagster_dlt import DagsterDltResource, dlt_assets
from dagster_duckdb import DuckDBResource
from dlt.extract import DltResource

from enrichment_pipeline import build_definitions

HERE = Path(__file__).resolve().parent


@dlt.source(name="crm")
def crm_export() -> DltResource:
    """The CRM's nightly export."""

    @dlt.resource(primary_key="contact_id", write_disposition="merge")
    def contacts() -> Iterator[dict[str, str]]:
        with (HERE / "export" / "contacts.csv").open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    return contacts


@dlt_assets(
    dlt_source=crm_export(),
    dlt_pipeline=dlt.pipeline(
        "crm",
        destination=dlt.destinations.duckdb(str(HERE / "state" / "lake.duckdb")),
        dataset_name="crm",
        pipelines_dir=str(HERE / "state" / "dlt"),
    ),
    group_name="crm",
)
def loaded_by_dlt(context: dg.AssetExecutionContext, dlt_resource: DagsterDltResource) -> Iterator:
    """The asset dlt_crm_contacts: the table crm.contacts of the lake."""
    yield from dlt_resource.run(context=context)


@dg.asset(
    deps=[dg.AssetKey(["enrichment", "enriched_contacts"])], group_name="outreach", kinds={"csv"}
)
def mailing_list(enrichment_warehouse: DuckDBResource) -> dg.MaterializeResult:
    """Whom we may write to: contacts with a verified e-mail at work."""
    with enrichment_warehouse.get_connection() as connection:
        rows = connection.sql(
            """
            select contact_id, work_email, job_title, company_name
            from enrichment.enriched_contacts
            where work_email_status = 'verified'
            order by contact_id
            """
        )
        rows.write_csv(str(HERE / "state" / "mailing_list.csv"))
        return dg.MaterializeResult(metadata={"dagster/row_count": len(rows)})


defs = dg.Definitions.merge(
    dg.Definitions(
        assets=[loaded_by_dlt, mailing_list],
        jobs=[dg.define_asset_job("everything", selection="*")],
        resources={"dlt_resource": DagsterDltResource()},
    ),
    # what the policy file attaches is what dlt has written: the asset is what to wait for
    build_definitions(
        key_prefix="enrichment", group_prefix="enrichment", contacts="dlt_crm_contacts"
    ),
)
