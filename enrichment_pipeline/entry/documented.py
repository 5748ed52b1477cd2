"""What the OpenAPI document says of the point of entry beyond the signatures of its routes.

Here: the words and examples of `/docs`, and the schema of a posted contact, whose body the app
reads itself once it knows who posts it. Not here: what is answered (`contact_routes.py`). The
people in the examples do not exist.
"""

from typing import Any

from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from enrichment_pipeline.entry.contact import LONGEST_ID
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.posted import NOTIFY_URL, PostedContact
from enrichment_pipeline.providers.registry import FIRST

_Responses = dict[int | str, dict[str, Any]]

TITLE = "The point of entry"
DESCRIPTION = """
Post a contact the moment your application has it. The answer holds it enriched where that is
known or bought in time, else where to look for it later. Each contact that got a 2xx is recorded:
the next run has it, and never buys the person again.
"""
TAGS = [
    {"name": "contacts", "description": "Enter a contact, ask after it, take it back."},
    {"name": "health", "description": "For supervisors and load balancers; no token is needed."},
]

_CONTACT = {
    "full_name": "Ada Example",
    "company_name": "Example Works",
    "linkedin_url": "https://www.linkedin.com/in/ada-example",
}
_ENRICHED = {
    "contact_id": "entry-3f6c1d1e0b9a4d5c8e7f2a10",
    "status": "enriched",
    "reason": None,
    "needs_manual_enrichment": False,
    "fields": {
        "work_email": {
            "value": "ada@example.com",
            "status": "verified",
            "provider": FIRST,
            "observed_at": "2026-11-27T09:30:00Z",
        },
    },
    "credits": 1,
    "next_lookup_at": "2027-02-25T09:30:00Z",
}
_QUEUED = {
    "contact_id": "entry-3f6c1d1e0b9a4d5c8e7f2a10",
    "status": "queued",
    "reason": "budget",
    "needs_manual_enrichment": False,
    "fields": {},
    "credits": 0,
    "next_lookup_at": None,
}
_FOR_REVIEW = {**_QUEUED, "status": "needs_review", "reason": "insufficient_identity"} | {
    "needs_manual_enrichment": True
}
_COLUMNS = {
    "contact_id": "Your id of the contact. Where it is missing, one is made from the identity, and "
    "is the same each time",
    "account_id": "Your id of the contact's account, as in the source; its tier gives the priority",
    "linkedin_url": "The URL of the profile: the best identity there is",
    "phone": "With its country code, such as +44 20 7946 0000",
    "company_domain": "Such as example.com",
    "created_at": "ISO 8601",
    "updated_at": "ISO 8601",
}


class Problem(BaseModel):
    """Why a request was not done. It quotes nothing that was posted."""

    detail: str = Field(description="One line: what is wrong, and where")


def _posted_body() -> dict[str, Any]:
    """The request's body, for `openapi_extra`."""
    schema = PostedContact.model_json_schema()
    schema["description"] = (
        "The columns that a source's contacts have; each may be missing. The more of them, the "
        "more certainly the person is found."
    )
    for name, description in _COLUMNS.items():
        schema["properties"][name]["description"] = description
    schema["examples"] = [_CONTACT]
    examples = {
        "profile": {"summary": "A profile", "value": _CONTACT},
        "email": {
            "summary": "An e-mail, with an id of yours and a notification",
            "value": {
                "contact_id": "lead-17",
                "email": "ada@example.com",
                NOTIFY_URL: "https://hooks.example.com/enriched",
            },
        },
    }
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def _operation(
    method: str,
    operation_id: str,
    summary: str,
    responses: _Responses,
    *,
    tag: str = "contacts",
    **more: Any,
) -> dict[str, Any]:
    """What a route is added to the app with, beside its path and its function."""
    return {
        "methods": [method],
        "operation_id": operation_id,
        "summary": summary,
        "responses": responses,
        "tags": [tag],
        **more,
    }


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _decided(description: str, **headers: Any) -> dict[str, Any]:
    examples = {
        "enriched": {"summary": "Enriched", "value": _ENRICHED},
        "needs_review": {"summary": "For review", "value": _FOR_REVIEW},
    }
    return {
        "model": Enrichment,
        "description": description,
        "headers": headers,
        "content": {"application/json": {"examples": examples}},
    }


def _problem(description: str, example: str, **headers: Any) -> dict[str, Any]:
    return {
        "model": Problem,
        "description": description,
        "headers": headers,
        "content": {"application/json": {"example": {"detail": example}}},
    }


_RETRY = {"Retry-After": _header("Seconds after which to try again", "integer")}
_APPLIED = {
    "Preference-Applied": _header(
        "`wait=SECONDS`, where Prefer said so: how long was waited at most"
    )
}
_NOT_LET_IN: _Responses = {
    401: _problem(
        "No token, or a wrong one",
        "a bearer token of ENRICHMENT_API_TOKENS is needed",
        **{"WWW-Authenticate": _header("`Bearer`")},
    ),
    429: _problem(
        "More requests than a token may send", "more than 100 requests a second", **_RETRY
    ),
}
_NOT_ENTERED = _problem("Nobody entered a contact with this id", "no such entry")
_UNAVAILABLE = _problem(
    "The database cannot be used now", "cannot be read now; try again", **_RETRY
)
_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_ID_IN_PATH = {
    "parameters": [
        {
            "name": "contact_id",
            "in": "path",
            "required": True,
            "description": "As the answer to the posted contact told it, percent-encoded",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
        }
    ]
}

ENTER = _operation(
    "POST",
    "enter_contact",
    "Enter a contact",
    {
        200: _decided("It is decided: enriched, for review, or not to be asked about", **_APPLIED),
        202: {
            "model": Enrichment,
            "description": "Recorded, and still under way: ask again at Location, or be notified",
            "headers": {"Location": _header("`/v1/contacts/ID`"), **_APPLIED},
            "content": {"application/json": {"example": _QUEUED}},
        },
        **_NOT_LET_IN,
        400: _problem("The body ended early", "the body ended early"),
        408: _problem("The body took too long", "the body took too long"),
        409: _problem(
            "A request with the same Idempotency-Key is being answered",
            "a request with this Idempotency-Key is being answered",
            **_RETRY,
        ),
        413: _problem("The body is over 64 KiB", "the body is too large"),
        415: _problem("The body is not sent as JSON", "send the contact as application/json"),
        422: _problem(
            "A malformed body or header, or the same Idempotency-Key with another body",
            "email: Input should be a valid string",
        ),
        503: _problem(
            "It could not be recorded: nothing was bought, try again",
            "the contact could not be recorded, and nothing was bought; try again",
            **_RETRY,
        ),
    },
    openapi_extra=_posted_body(),
)
FIND = _operation(
    "GET",
    "find_contact",
    "What a contact has come to",
    {
        200: _decided("As it stands now, decided or not"),
        **_NOT_LET_IN,
        404: _NOT_ENTERED,
        503: _UNAVAILABLE,
    },
    openapi_extra=_ID_IN_PATH,
)
TAKE_BACK = _operation(
    "DELETE",
    "take_back_contact",
    "Take a contact back before it is bought",
    {
        204: {"description": "Taken back: nothing is bought for it any more"},
        **_NOT_LET_IN,
        404: _NOT_ENTERED,
        409: _problem("It was bought already", "bought already; the answer stays"),
        503: _UNAVAILABLE,
    },
    status_code=204,
    openapi_extra=_ID_IN_PATH,
)
ALIVE = _operation(
    "GET",
    "healthz",
    "The process is alive",
    {200: {"description": "It is"}},
    tag="health",
    response_class=PlainTextResponse,
)
READY = _operation(
    "GET",
    "readyz",
    "Contacts can be recorded",
    {
        200: {"description": "They can"},
        503: {
            "description": "Nothing can be recorded now",
            # without a model, which FastAPI would take for one of plain text
            "content": {"application/json": {"schema": _PROBLEM_SCHEMA}},
        },
    },
    tag="health",
    response_class=PlainTextResponse,
)
