"""A contact as it comes over HTTP: its body read, or one line on what is wrong with it.

Here: JSON and the contact's columns. Not here: limits of size and time (`serving/bodies.py`), where
it may be told of (`addresses.py`), and the answer. What is said of a mistake quotes
nothing that was posted: it may end in logs that are not ours.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from enrichment_pipeline.entry.contact import EnteredContact, Text

NOTIFY_URL = "notify_url"
RefuseUrl = Callable[[str], str | None]
"""Says why a URL may not be notified; None where it may."""


class UnreadableError(ValueError):
    """The body is none of a contact; the message says why, without quoting it."""


class PostedContact(EnteredContact):
    """A contact, and where to tell what it has come to."""

    notify_url: Annotated[
        Text,
        Field(
            description="Where a signed notification is posted once the contact is decided: a URL "
            "whose host is among [entry] notify_hosts"
        ),
    ] = None

    @property
    def contact(self) -> EnteredContact:
        return EnteredContact.model_validate(self.model_dump(exclude={NOTIFY_URL}))

    @property
    def sha256(self) -> str:
        """Of all that was posted. Blanks and the order of keys do not count."""
        posted = json.dumps(self.model_dump(exclude_none=True), sort_keys=True)
        return hashlib.sha256(posted.encode()).hexdigest()


def read_posted(body: bytes, refuse_url: RefuseUrl) -> PostedContact:
    """The contact in a body. Raises UnreadableError."""
    try:
        posted = PostedContact.model_validate(_read_json(body))
    except ValidationError as error:
        raise UnreadableError(
            complaint(error.errors(include_url=False, include_input=False))
        ) from None
    if posted.notify_url is not None and (why := refuse_url(posted.notify_url)) is not None:
        raise UnreadableError(f"{NOTIFY_URL} {why}")
    return posted


def complaint(errors: Iterable[Mapping[str, Any]]) -> str:
    """One line on all that pydantic found, which names fields of ours and quotes no value."""
    return "; ".join(dict.fromkeys(map(_in_words, errors)))


def _in_words(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "extra_forbidden":  # the key may be anything, a person's name as well
            return f"an unknown key; known are {', '.join(PostedContact.model_fields)}"
        case "model_type":
            return "the body is no JSON object"
    name = ".".join(map(str, error["loc"])).removeprefix("header.")
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"


def _read_json(body: bytes) -> object:
    try:
        return json.loads(body.decode(), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableError(f"the body is no JSON: {where}") from None
    except UnreadableError:
        raise
    except ValueError:
        raise UnreadableError("the body is no JSON in UTF-8, or holds too long a number") from None
    except RecursionError:
        raise UnreadableError("the body is nested too deeply") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise UnreadableError("the body names a key twice: which value counts?")
    return read
