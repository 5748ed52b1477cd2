"""Raw replies through the SQL files of one provider's folder, in a DuckDB of their own.

Here: cutting a reply into answers, reading these into profiles, and reading verifications. Not
here: whole warehouses (`warehouse/prepared.py`), and any test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from enrichment_pipeline.warehouse.verifications import readers
from enrichment_pipeline_tests.warehouse import reading_of

UNCUT = "create or replace temp table uncut_replies as select '1' as reply_id, ?::text as body"
UNREAD = """
create or replace temp view unread_answers as
select
    'call' as call_id, 'lookup' as call_kind, 1 as position, null::timestamptz as answered_at,
    answer
from cut_answers
order by answer_index
"""


def cut_by(provider: str) -> Callable[[bytes], dict[int, str]]:
    """What the provider's `cut_answers.sql` makes of a reply: its answers by their index."""

    def cut(body: bytes) -> dict[int, str]:
        with duckdb.connect() as connection:
            connection.execute(UNCUT, [body.decode()])
            connection.execute(reading_of(provider).answers)
            rows = connection.execute("select answer_index, answer from cut_answers").fetchall()
        return dict(rows)

    return cut


@contextmanager
def profiles_read_by(provider: str) -> Iterator[Callable[[bytes], list[dict[str, Any]]]]:
    """What the SQL of the provider's folder makes of a reply: one profile an answer."""
    reading = reading_of(provider)
    with duckdb.connect() as connection:
        connection.execute("create macro looks_like_json(value) as value[1] in ('{', '[')")

        def read(body: bytes) -> list[dict[str, Any]]:
            connection.execute(UNCUT, [body.decode()])
            connection.execute(reading.answers)
            connection.execute(UNREAD)
            connection.execute(reading.profiles)
            rows = connection.execute("from read_profiles")
            names = [column[0] for column in rows.description or []]
            return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

        yield read


@contextmanager
def verifications_read_by(provider: str) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """What the provider's `read_verifications.sql` makes of bodies, as texts: a row for each."""
    [reader] = [each for each in readers() if each.provider == provider]
    with duckdb.connect() as connection:
        connection.execute("create temp table unread_verifications (call_id text, body text)")
        connection.execute(reader.sql)

        def read(*bodies: str) -> list[dict[str, Any]]:
            connection.execute("delete from unread_verifications")
            connection.executemany(
                "insert into unread_verifications values (?, ?)",
                [(str(number), body) for number, body in enumerate(bodies)],
            )
            rows = connection.execute("from read_verifications order by cast(call_id as integer)")
            names = [column[0] for column in rows.description or []]
            return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

        yield read
