"""Whatever is posted with a right token: no 500, and whatever was acknowledged is in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.inbox import LedgerInbox
from enrichment_pipeline_tests.dispatch import read_kept
from enrichment_pipeline_tests.ledger import Ledger, booked_budgets, recomputed_budgets
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.receiver import App, kept, opened, path_of, submitted

ITEMS = [f"p{n}@crowd.example" for n in range(3)]
LIMITS = ReceiverLimits(body_bytes=4_000)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
statuses = st.sampled_from(
    ["success", "failed", "credits_are_over", "duplicate_query", "timeout_exceeded", "Success", ""]
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "item": st.sampled_from([*ITEMS, ITEMS[0].upper(), "stranger@elsewhere.example"])
        | anything,
        "status": statuses | anything,
        "candidate": st.just({}) | anything,
        "more": anything,
    },
)
lists = st.lists(answers | anything, max_size=10)
documents = st.builds(json.dumps, lists | anything, ensure_ascii=st.booleans())
encoded = st.builds(
    lambda text, encoding: text.encode(encoding, "surrogatepass"),
    documents,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A document that lost its end, or has other bytes somewhere within."""
    body = draw(encoded)
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=4)) + draw(st.sampled_from([b"", body[at:]]))


deep = st.builds(
    lambda depth, opening: opening * depth, st.integers(1, 2_000), st.sampled_from([b"[", b'{"a":'])
)
bodies = st.binary(max_size=200) | encoded | damaged() | deep


@pytest.fixture(scope="module")
def one_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LedgerStore, Ledger]]:
    """One for all examples; each has a batch of its own."""
    path = tmp_path_factory.mktemp("fuzz") / "ledger.sqlite"
    with opened(f"sqlite:///{path}") as store_and_ledger:
        yield store_and_ledger


@draws(few=40, many=60)
@given(posted=st.lists(bodies, min_size=1, max_size=4), again=st.booleans())
def test_no_body_is_a_500_and_none_that_was_acknowledged_is_lost(
    one_ledger: tuple[LedgerStore, Ledger], posted: list[bytes], again: bool
) -> None:
    store, ledger = one_ledger
    batch = submitted(ledger)
    app = App(LedgerInbox(ledger.store, ledger.calls), limits=LIMITS)
    acknowledged = []
    for body in posted * (1 + again):
        status = app.post(path_of(batch), body).status_code
        assert status == (200 if len(body) <= LIMITS.body_bytes else 413)
        if status == 200:
            acknowledged.append(body)
    assert sorted(kept(store, batch)) == sorted(set(acknowledged))
    read_kept(ledger)
    assert list(ledger.unread_replies()) == []
    assert booked_budgets(store) == recomputed_budgets(store)
