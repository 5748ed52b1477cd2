"""The whole of it: `enrichment sandbox prospeo` as `child_server` starts it, and our own client."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from pathlib import Path

from enrichment_pipeline.providers.base import Balance, Matched, Reading
from enrichment_pipeline.providers.prospeo.client import ProspeoClient
from enrichment_pipeline.providers.prospeo.facts import MAX_BATCH
from enrichment_pipeline.serving.child import child_server

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
LIMITS = ("--per-second", "100000", "--per-minute", "100000", "--per-day", "100000")


def some(name: str) -> list[str]:
    """The profile URLs of some people of a file, who have e-mails there."""
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["linkedin_url"] and row["work_email"]]
    return [row["linkedin_url"] for row in rows[: 3 * MAX_BATCH]]


async def ask(base_url: str, items: list[str]) -> tuple[list[Reading], Balance]:
    client = ProspeoClient(base_url, "sandbox")
    try:
        readings = []
        for start in range(0, len(items), MAX_BATCH):
            batch = items[start : start + MAX_BATCH]
            reply = await client.lookup(batch)
            readings.append(client.read(reply.http_status, reply.body, batch))
        return readings, await client.balance()
    finally:
        await client.close()


def test_it_knows_over_half_of_those_in_either_file_and_charges_for_them() -> None:
    with child_server("sandbox prospeo", LIMITS) as base_url:
        found: Counter[str] = Counter()
        units = 0
        for name in ("people.csv", "people_elsewhere.csv"):
            readings, balance = asyncio.run(ask(base_url, some(name)))
            items = [item for reading in readings for item in reading.items]
            found[name] = sum(isinstance(item.outcome, Matched) for item in items)
            # a person who was given before, by mistake or not, costs nothing
            units += sum(item.units for item in items)
        assert balance.credits_left == 100_000 - units
        assert found.total() - 5 < units <= found.total()
    assert all(60 <= count <= 120 for count in found.values()), found
