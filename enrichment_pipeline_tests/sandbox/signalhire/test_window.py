"""The window of items, through the API."""

from __future__ import annotations

from enrichment_pipeline_tests.sandbox import Clock
from enrichment_pipeline_tests.sandbox.signalhire import crowd, start, statuses


def test_the_unit_is_items_and_not_requests() -> None:
    api = start(crowd(0))
    for _ in range(6):
        assert statuses(api.search(*["x"] * 100)) == ["failed"] * 100
    assert api.search("x").status_code == 429


def test_length_and_kind_of_the_window_are_settings() -> None:
    for kind, seconds_to_wait in (("sliding", 10), ("fixed", 1)):
        clock = Clock()
        clock.seconds = 1_009.0
        settings = {"items_per_window": 2, "window_seconds": 10, "window_kind": kind}
        api = start(crowd(0), clock=clock, **settings)
        assert api.search("x", "x").status_code == 200
        assert api.search("x").status_code == 429
        clock.seconds += seconds_to_wait
        assert api.search("x", "x").status_code == 200


def test_a_refused_request_does_not_count() -> None:
    api = start(crowd(0), items_per_window=10)
    assert api.search(*["x"] * 11).status_code == 429
    assert api.search(1, 2).status_code == 422
    assert api.search(*["x"] * 101).status_code == 406
    assert api.search(*["x"] * 10).status_code == 200


def test_a_request_refused_for_credits_does_not_count() -> None:
    api = start(crowd(0), items_per_window=10, credits=0)
    assert api.search(*["x"] * 10).status_code == 402
    assert api.search(*["x"] * 10, withoutContacts=True).status_code == 200


def test_a_refused_request_may_count() -> None:
    clock = Clock()
    settings = {"items_per_window": 10, "refused_counts_towards_minute": True}
    api = start(crowd(0), clock=clock, **settings)
    assert api.search(*["x"] * 11).status_code == 429
    assert api.search("x").status_code == 429
    clock.seconds += 60
    assert api.search(*[1] * 10).status_code == 422
    assert api.search("x").status_code == 429
    # what never named items has nothing to count
    clock.seconds += 60
    assert api.post({"withoutWaterfall": True}).status_code == 422
    assert api.search(*["x"] * 10).status_code == 200
