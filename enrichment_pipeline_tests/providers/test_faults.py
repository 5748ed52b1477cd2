"""The tables of faults say the same in the code and in `docs/faults.md`, row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enrichment_pipeline.dispatch.settling import settlement_for
from enrichment_pipeline.providers.base import (
    Failing,
    Fault,
    Halt,
    ItemReading,
    Rejected,
    SlowDown,
    VerificationReading,
)
from enrichment_pipeline.providers.hunter import faults as hunter
from enrichment_pipeline.providers.peopledatalabs import change_faults
from enrichment_pipeline.providers.peopledatalabs import faults as peopledatalabs
from enrichment_pipeline.providers.prospeo import faults as prospeo
from enrichment_pipeline.providers.signalhire import faults as signalhire

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
TABLES = {
    "": signalhire.FAULTS,
    "prospeo:": prospeo.FAULTS,
    "peopledatalabs:": peopledatalabs.FAULTS,
    "peopledatalabs_changes:": change_faults.CHANGE_FAULTS,
    "hunter:": hunter.FAULTS,
    "hunter_verifier:": hunter.VERIFICATION_FAULTS,
}
"""By what the codes begin with on the page."""
UNITS = {"hunter_verifier:": "half a credit"}
"""What the page calls a unit, where it is not a credit."""
ROW = re.compile(
    r"^\| `(?P<of>\w+:|)(?P<code>\w+)` \| .+ \| (?P<outcome>[\w ]+) \| (?P<state>.+?)"
    r" \| (?P<run>.*)\|$"
)
SAID_OF_SIGNALS = {
    Halt: "stops",
    Rejected: "halves the batch",
    SlowDown: "all processes pause",
    Failing: "counts towards the breaker",
}


def documented(of: str) -> dict[str, dict[str, str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [row for line in lines if (row := ROW.match(line)) and row["of"] == of]
    return {row["code"]: row.groupdict() for row in rows}


@pytest.mark.parametrize("of", TABLES)
def test_every_fault_stands_in_both_tables_in_the_same_order(of: str):
    assert list(documented(of)) == list(TABLES[of])


@pytest.mark.parametrize(
    ("of", "code", "fault"),
    [
        pytest.param(of, code, fault, id=f"{of}{code}")
        for of, table in TABLES.items()
        for code, fault in table.items()
    ],
)
def test_the_page_says_of_a_fault_what_the_code_does(
    of: str, code: str, fault: Fault | VerificationReading
):
    row = documented(of)[code]
    outcome = re.sub(r"(?<!^)(?=[A-Z])", " ", type(fault.outcome).__name__).lower()
    assert row["outcome"] == outcome
    settlement = settlement_for(ItemReading(fault.outcome, units=fault.units))
    cost = UNITS.get(of, f"{settlement.units_charged} credit")
    charged = f", {cost}" if settlement.units_charged else ""
    assert row["state"] == f"`{settlement.state}`{charged}"
    for signal, said in SAID_OF_SIGNALS.items():
        assert (said in row["run"]) == isinstance(fault.signal, signal)
