"""Birch Data's stand-in: a real HTTP server over people made up by number.

Here: its contract and its faults. Not here: anything of the client's, and the account that every
made-up provider keeps (`account.py`).

`POST /v1/people` with `{"requests": [{"email": …}]}` answers 200 with
`{"responses": [{"email": …, "status": …, "data": …}]}`, in another order: a status of 200 for one
credit, 404 and 400 (no address) free of charge, each within the batch. 402 where credits do not
suffice for all, 429 to slow down.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import SplitResult

from enrichment_pipeline_tests.conformance.madeup.account import (
    AccountConfig,
    Handler,
    Running,
    email_of,
    running,
)

STRANGER = 999
"""The number of a person for whom nothing was sent."""


def person_of(number: int) -> dict[str, Any]:
    return {
        "id": f"birch-{number}",
        "full_name": f"Person {number}",
        "profile": f"https://www.linkedin.com/in/person-{number}",
        "work_email": email_of(number),
    }


class _Birch(Handler):
    """Its faults: error_500, torn, no_responses and stranger."""

    def get(self, url: SplitResult) -> None:
        if self._is_let_in():
            self.answer(200, {"credits": self.account.left})

    def post(self, document: Any) -> None:
        if self._is_let_in():
            self._look_up([each["email"] for each in document["requests"]])

    def _is_let_in(self) -> bool:
        is_known = self.headers["x-api-key"] == self.account.config.api_key
        if not is_known:
            self.answer(401, {"error": "unknown key"})
        return is_known

    def _look_up(self, emails: list[str]) -> None:
        if not self.account.has_room():
            self.answer(429, {"error": "too many requests"})
            return
        self.account.batches.append(len(emails))
        found = [email for email in emails if email in self.account.numbers]
        if len(found) > self.account.left:
            self.answer(402, {"error": "no credits"})
            return
        self.account.charges += [(email, 1) for email in found]
        self._answer_with([self._response(email) for email in reversed(emails)])

    def _response(self, email: str) -> dict[str, Any]:
        number = self.account.numbers.get(email)
        if number is None:
            return {"email": email, "status": 404 if "@" in email else 400}
        return {"email": email, "status": 200, "data": person_of(number)}

    def _answer_with(self, responses: list[dict[str, Any]]) -> None:
        """What was charged is answered, unless something goes wrong on purpose."""
        match self.account.config.fault:
            case "torn":
                self.close_connection = True
            case "error_500":
                self.answer(500, {"error": "internal"})
            case "no_responses":
                self.answer(200, {"results": responses})
            case "stranger":
                more = {"email": email_of(STRANGER), "status": 200, "data": person_of(STRANGER)}
                self.answer(200, {"responses": [more, *responses]})
            case _:
                self.answer(200, {"responses": responses})


def running_birch(config: AccountConfig) -> AbstractContextManager[Running]:
    return running(config, _Birch, "/v1")
