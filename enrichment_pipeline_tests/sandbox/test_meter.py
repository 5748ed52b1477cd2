"""The meter of items, alone and through the API."""

from __future__ import annotations

from enrichment_pipeline.sandbox.meter import ItemMeter
from enrichment_pipeline_tests.sandbox import Clock, crowd, start, statuses


def test_a_sliding_window_gives_each_item_back_one_window_after_it() -> None:
    clock = Clock()
    meter = ItemMeter(10, 60, "sliding", clock)
    meter.count(6)
    clock.seconds += 30
    meter.count(4)
    assert not meter.admits(1)
    clock.seconds += 29.9
    assert not meter.admits(1)
    clock.seconds += 0.1
    assert meter.admits(6)
    assert not meter.admits(7)
    clock.seconds += 30
    assert meter.admits(10)


def test_a_fixed_window_gives_all_items_back_when_the_next_one_starts() -> None:
    clock = Clock()
    clock.seconds = 60 * 20 + 59.9
    meter = ItemMeter(10, 60, "fixed", clock)
    meter.count(10)
    assert not meter.admits(1)
    clock.seconds = 60 * 21
    assert meter.admits(10)
    meter.count(10)
    clock.seconds = 60 * 21 + 59.9
    assert not meter.admits(1)


def test_asking_the_meter_counts_nothing() -> None:
    meter = ItemMeter(10, 60, "sliding", Clock())
    assert meter.admits(10)
    assert meter.admits(10)


def test_more_items_than_the_limit_never_fit() -> None:
    assert not ItemMeter(5, 60, "sliding", Clock()).admits(6)


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
