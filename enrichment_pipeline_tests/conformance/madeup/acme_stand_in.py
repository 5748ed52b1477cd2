"""Acme Directory's stand-in: a real HTTP server over people made up by number.

Here: its contract and its faults. Not here: anything of the client's, and the account that every
made-up provider keeps (`account.py`).

`GET /v2/people?email=` answers 200 with the person and what that cost in `X-Cost` (1; 2 with a
mobile phone, which every third person has), 404 free of charge, 403 to slow down, 429 where the
plan's credits are used up, 400 for what is no address, 451 for the suppressed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import SplitResult, parse_qs

from enrichment_pipeline_tests.conformance.madeup.account import (
    AccountConfig,
    Handler,
    Running,
    email_of,
    running,
)


def person_of(number: int) -> dict[str, Any]:
    has_mobile = number % 3 == 0
    return {
        "id": f"acme-{number}",
        "linkedin": f"https://www.linkedin.com/in/person-{number}",
        "email": email_of(number),
        "mobile": f"+491512345{number:03d}" if has_mobile else None,
    }


class _Acme(Handler):
    """Its faults: error_500, torn, garbled, no_person, no_cost and odd_cost."""

    def get(self, url: SplitResult) -> None:
        if self.headers["authorization"] != f"Bearer {self.account.config.api_key}":
            self.answer(401, {"error": "unknown key"})
        elif url.path == "/v2/account":
            self.answer(200, {}, {"X-Left": str(self.account.left)})
        elif url.path == "/v2/people":
            self._look_up(parse_qs(url.query).get("email", [""])[0])
        else:
            self.answer(410, {"error": "no such page"})

    def _look_up(self, email: str) -> None:
        number = self.account.numbers.get(email)
        person = None if number is None else person_of(number)
        cost = 0 if person is None else 1 if person["mobile"] is None else 2
        refusal = self._refusal(email, cost)
        if refusal is not None:
            self.answer(refusal, {"error": refusal})
        elif person is None:
            self.answer(404, {"error": "nobody"})
        else:
            self.account.charges.append((email, cost))
            self._answer_with(person, cost)

    def _refusal(self, email: str, cost: int) -> int | None:
        """The status of a request that is not answered; none of them costs anything."""
        config = self.account.config
        if not self.account.has_room():
            return 403
        self.account.batches.append(1)
        if "@" not in email:
            return 400
        if email in config.suppressed:
            return 451
        return 429 if cost > self.account.left else None

    def _answer_with(self, person: dict[str, Any], cost: int) -> None:
        """What was charged is answered, unless something goes wrong on purpose."""
        match self.account.config.fault:
            case "torn":
                self.close_connection = True
            case "error_500":
                self.answer(500, {"error": "internal"})
            case "garbled":
                self.write(200, b'{"person": {"id"', {"X-Cost": str(cost)})
            case "no_person":
                self.answer(200, {"somebody": person}, {"X-Cost": str(cost)})
            case "no_cost":
                self.answer(200, {"person": person})
            case "odd_cost":
                self.answer(200, {"person": person}, {"X-Cost": "9" * 30})
            case _:
                self.answer(200, {"person": person}, {"X-Cost": str(cost)})


def running_acme(config: AccountConfig) -> AbstractContextManager[Running]:
    return running(config, _Acme, "/v2")
