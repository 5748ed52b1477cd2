"""Reading Hunter's replies to `GET /email-finder` and `GET /email-verifier`.

Here: the query that asks; decoding a reply, and recognising what it says. Not here: what that means
(`faults.py`), HTTP itself (`client.py`), and the contents of an answer (they are read in SQL).

A reply is `{"data": {…}, "meta": {…}}`, which is one answer; an error is `{"errors": [{"id",
"code", "details"}]}`, and its status says it all.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from enrichment_pipeline.providers.base import (
    Fault,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    Reading,
    VerificationReading,
    fault_of_status,
)
from enrichment_pipeline.providers.data_object import data_in
from enrichment_pipeline.providers.hunter.facts import MAX_DURATION_SECONDS
from enrichment_pipeline.providers.hunter.faults import (
    FAULTS,
    VERIFICATION_FAULTS,
    verification_of_http_status,
    verification_of_status,
)
from enrichment_pipeline.providers.items import name_at_company

_LONGEST_TEXT = 200
"""What of a text is asked: a URL has room for so much only, and no name is longer."""


def question(item: str) -> dict[str, str]:
    """The query that asks the finder for this item."""
    named = name_at_company(item)
    if named is None:
        told = {"full_name": item}
    else:
        company = "domain" if named.has_domain else "company"
        told = {company: named.company, "full_name": named.full_name}
    asked = {name: text[:_LONGEST_TEXT] for name, text in told.items()}
    return asked | {"max_duration": str(MAX_DURATION_SECONDS)}


def read_reply(http_status: int, body: bytes) -> Reading:
    """The outcome of the one item that was asked for; see `Provider.read`."""
    if http_status != 200:
        return _read(fault_of_status(FAULTS, http_status))
    data = data_in(body)
    if data is None or "email" not in data:
        return _read(FAULTS["malformed_body"])
    email = data["email"]
    if email is None or email == "":
        return _read(FAULTS["not_found"])
    if not isinstance(email, str):
        return _read(FAULTS["malformed_body"])
    return _read(FAULTS["found"], tuple(_identifiers(data)))


def read_verification(http_status: int, body: bytes) -> VerificationReading:
    """See `EmailVerifier.read_verification`."""
    if http_status != 200:
        return verification_of_http_status(http_status)
    data = data_in(body) or {}
    status = data.get("status")
    # as `read_verifications.sql` does, which would make nothing of it
    if not isinstance(status, str) or not isinstance(data.get("email"), str):
        return VERIFICATION_FAULTS["malformed_body"]
    return verification_of_status(status)


def _read(fault: Fault, identifiers: tuple[tuple[str, str], ...] = ()) -> Reading:
    is_answer = isinstance(fault.outcome, Matched | NoMatch | LegalStop)
    item = ItemReading(fault.outcome, 0 if is_answer else None, fault.units, identifiers)
    return Reading((item,), fault.signal)


def _identifiers(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """By what the person found goes: a profile, and an address that is more than a guess.

    A guess may be a namesake's, who would then pass for bought.
    """
    given = [("linkedin", data.get("linkedin_url"))]
    verification = data.get("verification")
    is_valid = isinstance(verification, dict) and verification.get("status") == "valid"
    if is_valid or data.get("sources"):
        given.append(("email", data.get("email")))
    for kind, text in given:
        if isinstance(text, str) and text:
            yield kind, text
