"""Delivery to a real receiver: what acknowledges, what is tried again, what is given up."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment_pipeline.sandbox.journal_file import JournalError
from enrichment_pipeline.sandbox.signalhire.callbacks import Callback, Callbacks, Part
from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    NOW,
)
from enrichment_pipeline_tests.sandbox.signalhire.receiver import (
    PATIENCE_SECONDS,
    Receiver,
    receiver,
)

pytestmark = pytest.mark.timeout(60)


def part(*items: str) -> Part:
    return Part(items, json.dumps([{"item": item, "status": "failed"} for item in items]).encode())


def callback(url: str, *parts: Part, **changes: Any) -> Callback:
    settings: dict[str, Any] = {
        "request": 7,
        "url": url,
        "parts": parts or [part("a", "b")],
        "charge": lambda: None,
        "delay_seconds": 0.0,
        "repeated_after_seconds": None,
        "is_lost": False,
        **changes,
    }
    return Callback(**settings)


class Delivery:
    """Delivers callbacks to their end, with waiting that takes no time and is remembered."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.file = folder / "state" / "deliveries.jsonl"
        self.slept: list[float] = []
        self._config = SandboxConfig(deliveries=self.file, **settings)

    def deliver(self, *callbacks: Callback) -> list[dict[str, Any]]:
        """The lines of the file, once nothing is left to do."""
        asyncio.run(self._deliver(callbacks))
        return journal_lines(self.file)

    async def _deliver(self, callbacks: tuple[Callback, ...]) -> None:
        service = Callbacks(self._config, lambda: NOW, self._sleep)
        async with service.running(), asyncio.timeout(PATIENCE_SECONDS):
            for one in callbacks:
                service.post_later(one)
            while service._tasks:
                await asyncio.gather(*service._tasks)

    async def _sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)


@pytest.fixture
def delivery(tmp_path: Path) -> Callable[..., Delivery]:
    return lambda **settings: Delivery(tmp_path, **settings)


def attempts(lines: list[dict[str, Any]]) -> list[tuple[int, int | None, bool]]:
    return [(line["attempt"], line["status"], line["acknowledged"]) for line in lines]


def test_a_callback_is_posted_as_json_with_the_number_of_its_request(
    delivery: Callable[..., Delivery],
) -> None:
    with receiver() as target:
        lines = delivery().deliver(callback(f"{target.url}?secret=1"))
        (received,) = target.received
    assert received.path == "/callback?secret=1"
    assert (received.request_id, received.content_type) == ("7", "application/json")
    assert received.answers == [
        {"item": "a", "status": "failed"},
        {"item": "b", "status": "failed"},
    ]
    assert lines == [
        {
            "at": "2026-01-02T03:04:05+00:00",
            "request": 7,
            "part": 0,
            "attempt": 1,
            "items": ["a", "b"],
            "status": 200,
            "acknowledged": True,
        }
    ]


@pytest.mark.parametrize("status", [201, 202, 204, 301, 302, 307, 400, 404, 500, 503])
def test_only_a_200_acknowledges_and_no_redirect_is_followed(
    delivery: Callable[..., Delivery], status: int
) -> None:
    with receiver(status) as target:
        it = delivery(callback_retry_seconds=9)
        assert attempts(it.deliver(callback(target.url))) == [(1, status, False), (2, 200, True)]
        assert [received.path for received in target.received] == ["/callback"] * 2
    assert it.slept == [9]


def test_after_three_retries_a_callback_is_discarded(delivery: Callable[..., Delivery]) -> None:
    with receiver(500, 500, 500, 500) as target:
        it = delivery(callback_retry_seconds=9)
        assert attempts(it.deliver(callback(target.url))) == [
            (attempt, 500, False) for attempt in (1, 2, 3, 4)
        ]
        assert len(target.received) == 4
    assert it.slept == [9, 9, 9]


def test_no_answer_in_time_is_no_acknowledgement(delivery: Callable[..., Delivery]) -> None:
    with receiver(None, None) as target:
        lines = delivery(callback_timeout_seconds=0.3).deliver(callback(target.url))
    assert attempts(lines) == [(1, None, False), (2, None, False), (3, 200, True)]


def test_no_connection_is_no_acknowledgement(delivery: Callable[..., Delivery]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines = delivery().deliver(callback(f"http://127.0.0.1:{port}/"))
    assert attempts(lines) == [(attempt, None, False) for attempt in (1, 2, 3, 4)]


def test_a_host_that_does_not_exist_is_no_acknowledgement(
    delivery: Callable[..., Delivery],
) -> None:
    lines = delivery().deliver(callback("http://nobody.invalid/"))
    assert attempts(lines)[-1] == (4, None, False)


def test_what_answers_no_http_is_no_acknowledgement(delivery: Callable[..., Delivery]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(4):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        lines = delivery().deliver(callback(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join(PATIENCE_SECONDS)
    assert attempts(lines) == [(attempt, None, False) for attempt in (1, 2, 3, 4)]


def test_each_part_is_a_post_of_its_own_with_retries_of_its_own(
    delivery: Callable[..., Delivery],
) -> None:
    with receiver(500) as target:
        # one at a time, so that it is known who meets the 500
        it = delivery(callback_concurrency=1)
        lines = it.deliver(callback(target.url, part("a"), part("b")))
        assert sorted(received.items for received in target.received) == [["a"], ["a"], ["b"]]
        assert {received.request_id for received in target.received} == {"7"}
    assert sorted((line["part"], line["attempt"], line["items"]) for line in lines) == [
        (0, 1, ["a"]),
        (0, 2, ["a"]),
        (1, 1, ["b"]),
    ]


def test_the_charge_comes_after_the_delay_and_before_the_first_attempt(
    delivery: Callable[..., Delivery],
) -> None:
    it = delivery()
    posts_when_charged: list[tuple[int, list[float]]] = []
    with receiver(500) as target:

        def charge() -> None:
            posts_when_charged.append((len(target.received), list(it.slept)))

        it.deliver(callback(target.url, charge=charge, delay_seconds=2.5))
        assert len(target.received) == 2
    assert posts_when_charged == [(0, [2.5])]


def test_a_repeated_callback_is_delivered_whole_a_second_time_and_charged_once(
    delivery: Callable[..., Delivery],
) -> None:
    it = delivery()
    charges: list[int] = []
    with receiver() as target:
        lines = it.deliver(
            callback(
                target.url,
                part("a"),
                part("b"),
                repeated_after_seconds=4.0,
                charge=lambda: charges.append(1),
            )
        )
        assert sorted(received.items for received in target.received) == [["a"]] * 2 + [["b"]] * 2
    assert len(lines) == 4
    assert charges == [1]
    assert set(it.slept) == {4.0}


def test_a_lost_callback_is_charged_noted_and_never_posted(
    delivery: Callable[..., Delivery],
) -> None:
    charges: list[int] = []
    with receiver() as target:
        lines = delivery().deliver(
            callback(
                target.url, part("a"), part("b"), is_lost=True, charge=lambda: charges.append(1)
            )
        )
        assert target.received == []
    assert charges == [1]
    assert lines == [
        {
            "at": "2026-01-02T03:04:05+00:00",
            "request": 7,
            "part": 0,
            "attempt": 0,
            "items": ["a", "b"],
            "status": None,
            "acknowledged": False,
        }
    ]


def test_300_callbacks_of_100_items_can_be_posted_at_once(
    delivery: Callable[..., Delivery],
) -> None:
    hundred = part(*(f"item {n} {'x' * 2_000}" for n in range(100)))
    # nobody is answered before all have come
    barrier = threading.Barrier(300, timeout=PATIENCE_SECONDS)
    with receiver(before_answering=barrier.wait) as target:
        lines = delivery(callback_concurrency=300, callback_timeout_seconds=60).deliver(
            *(callback(target.url, hundred, request=n) for n in range(300))
        )
        assert {received.request_id for received in target.received} == set(map(str, range(300)))
    assert attempts(lines) == [(1, 200, True)] * 300


def test_no_more_callbacks_are_posted_at_once_than_the_setting_says() -> None:
    """Two that are not answered hold both slots; whoever else asks is answered before a third."""

    async def deliver(target: Receiver) -> None:
        config = SandboxConfig(callback_concurrency=2)
        async with (service := Callbacks(config, lambda: NOW)).running():
            for number in range(10):
                service.post_later(callback(target.url, part(str(number)), request=number))
            await asyncio.to_thread(target.wait_for, 2)
            for _ in range(3):
                async with httpx.AsyncClient() as client:
                    await client.post(target.url, content=part("another's").body)

    with receiver(None, None) as target:
        asyncio.run(deliver(target))
        items = [received.items for received in target.received]
        assert sorted(items[:2]) == [["0"], ["1"]]  # sent together, so either may come first
        assert items[2:] == [["another's"]] * 3


def test_a_callback_that_waits_takes_no_slot_from_others(tmp_path: Path) -> None:
    async def deliver(target: Receiver) -> None:
        config = SandboxConfig(callback_concurrency=1, callback_retry_seconds=3600)
        async with (service := Callbacks(config, lambda: NOW)).running():
            service.post_later(callback(target.url, part("refused")))
            await asyncio.to_thread(target.wait_for, 1)
            service.post_later(callback(target.url, part("late"), delay_seconds=3600))
            service.post_later(callback(target.url, part("now")))
            await asyncio.to_thread(target.wait_for, 2)
        assert not service._tasks  # what waits is dropped at the end

    with receiver(500) as target:
        asyncio.run(deliver(target))
        assert [received.items for received in target.received] == [["refused"], ["now"]]


def test_an_attempt_that_the_end_interrupts_is_noted_since_the_receiver_may_have_it(
    tmp_path: Path,
) -> None:
    config = SandboxConfig(deliveries=tmp_path / "deliveries.jsonl")

    async def deliver(target: Receiver) -> None:
        async with (service := Callbacks(config, lambda: NOW)).running():
            service.post_later(callback(target.url))
            await asyncio.to_thread(target.wait_for, 1)

    with receiver(None) as target:
        asyncio.run(deliver(target))
    assert attempts(journal_lines(tmp_path / "deliveries.jsonl")) == [(1, None, False)]


def test_a_file_of_deliveries_that_cannot_be_written_is_refused_in_one_line(
    tmp_path: Path,
) -> None:
    with pytest.raises(JournalError, match="file of deliveries cannot be written") as caught:
        Callbacks(SandboxConfig(deliveries=tmp_path), lambda: NOW)
    assert "\n" not in str(caught.value)
