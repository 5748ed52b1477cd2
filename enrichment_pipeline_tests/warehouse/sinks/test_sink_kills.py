"""A process that fills a sink is killed with SIGKILL: nothing is half there, nothing twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from pydantic import SecretStr

from enrichment_pipeline.attachment import Database
from enrichment_pipeline.published_names import FOR_SINKS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline_tests.dying import exit_codes
from enrichment_pipeline_tests.warehouse.sinks import Publisher
from enrichment_pipeline_tests.warehouse.sinks.test_table_sink import asked, assert_equal

PROGRAM = """
import json, sys
from contextlib import contextmanager
from pathlib import Path
from pydantic import SecretStr
from enrichment_pipeline.attachment import Database
from enrichment_pipeline.published_names import FOR_SINKS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline.warehouse.sinks import filling
from enrichment_pipeline.warehouse.sinks.publications import newest_publication
from enrichment_pipeline_tests.dying import pass_instant, run_in_children

given = json.loads(sys.argv[1])
opened = filling._opened
newest = newest_publication(Path(given["published"]), given["ledger"])
sink = Sink("crm", Database("postgres", SecretStr(given["address"]), ""), "enrichment", FOR_SINKS)


class Mortal:
    def __init__(self, connection, dies_at):
        self.connection, self.dies_at = connection, dies_at

    def execute(self, *arguments):
        pass_instant(self.dies_at)
        return self.connection.execute(*arguments)

    def __getattr__(self, name):
        return getattr(self.connection, name)


def die(number):
    @contextmanager
    def mortal(spilled):
        with opened(spilled) as connection:
            yield Mortal(connection, given["instants"][number - 1])

    filling._opened = mortal
    filling.fill(sink, newest, Path(given["notes"]))


run_in_children(die, len(given["instants"]))
"""


@pytest.mark.long
def test_ten_kills_at_different_instants_leave_nothing_half_and_nothing_twice(
    publisher: Publisher, database: str, tmp_path: Path
) -> None:
    sink = Sink("crm", Database("postgres", SecretStr(database), ""), "enrichment", FOR_SINKS)
    publisher.fill(sink)
    before = asked(database, "select * from enrichment.contact_changes order by 1, 2")
    publisher.publish(
        "update enrichment.enriched_contacts set job_title = 'CEO'",
        "update enrichment.contact_status set reason = 'new'",
        "delete from enrichment.needs_review where contact_id = 'C2'",
        keep_for=[sink],
    )
    given = {
        "published": str(publisher.folder),
        "notes": str(publisher.notes),
        "ledger": publisher.ledger,
        "address": database,
        "instants": list(range(5, 60, 6)),
    }
    ends = exit_codes(PROGRAM, given, timeout=100)
    assert ends == [-signal.SIGKILL] * len(ends)
    assert asked(database, "select * from enrichment.contact_changes order by 1, 2") == before
    filled = publisher.fill(sink)
    assert filled["contact_status"].merged == 3
    assert_equal(publisher, database)
