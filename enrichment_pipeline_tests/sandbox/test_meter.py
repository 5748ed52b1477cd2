"""The meter of items, alone; through an API see `signalhire/test_window.py`."""

from __future__ import annotations

from enrichment_pipeline.sandbox.meter import ItemMeter
from enrichment_pipeline_tests.sandbox import Clock


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
