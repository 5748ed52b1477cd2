"""The resource `warehouse`, for assets that a project has beside ours."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from enrichment_pipeline.defs.resources import WarehouseResource
from enrichment_pipeline.warehouse.connection import open_warehouse


def test_an_asset_reads_the_warehouse_with_its_macros_and_leaves_no_lock_where_it_fails(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "warehouse.duckdb")

    @dg.asset
    def of_the_project(warehouse: WarehouseResource) -> None:
        with warehouse.get_connection() as connection:
            assert connection.execute("select clean_text(' Ada ')").fetchall() == [("Ada",)]
            raise LookupError

    with pytest.raises(LookupError):
        dg.materialize([of_the_project], resources={"warehouse": WarehouseResource(database=path)})
    with open_warehouse(path, wait_seconds=0) as connection:
        assert connection.execute("select count(*) from enrichment.worklist").fetchall() == [(0,)]
