"""Normalising new values in portions."""

from __future__ import annotations

import duckdb
import pytest

from enrichment_pipeline.warehouse import normalise
from enrichment_pipeline.warehouse.connection import transaction


@pytest.mark.parametrize("portion", [1, 2, 3, 100])
def test_every_value_is_read_once_whatever_the_portion(
    warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr(normalise, "PORTION", portion)
    with transaction(warehouse):  # as a load does: nothing of it is committed yet
        warehouse.execute(
            "create temp table changed_domains as select * from (values ('030 901820', 'acme.de'), "
            "('030 901820', null), ('+1 212 5550100', null)) as given (phone_text, company_domain)"
        )
        normalise.learn_phones(warehouse, "find_new_phones", "FR")
        normalise.learn_phones(warehouse, "find_new_phones", "FR")
    phones = warehouse.execute("select region, e164 from staging.phones order by 1, 2").fetchall()
    assert phones == [("DE", "+4930901820"), ("FR", "+12125550100"), ("FR", None)]
    regions = warehouse.execute("select count(*) from phone_regions").fetchall()
    assert regions == [(3,)]
