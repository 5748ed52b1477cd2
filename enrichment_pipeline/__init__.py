"""Contact enrichment in the warehouse: Dagster, DuckDB and a ledger of paid calls."""
