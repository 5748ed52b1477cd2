"""What a person goes by, as it is compared: normalised as in SQL, and hashed.

Here: e-mails, profile URLs, phones and a provider's ids, one at a time, for those who have no
warehouse at hand. Not here: the same rules over tables (`warehouse/sql/schema/create_macros.sql`; a
test holds the two together), and whose an identifier is.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from enrichment_pipeline.word_lists import ROLE_ADDRESSES

KINDS = frozenset({"email", "linkedin", "phone", "uid"})

_EMAIL = re.compile(
    r"(?:mailto:)?(?:[^<>]*<)?"
    r"([a-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24})"
    r">?(?:\?.*)?",
    re.ASCII,
)
_PROFILE = re.compile(
    r"(?:https?://)?(?:[a-z0-9-]+\.)*linkedin\.com/(?:mwlite/)?in/([^/?#\s]+)",
    re.ASCII | re.IGNORECASE,
)
_NO_SLUG = re.compile(r"[\s\x00-\x1f\x7f-\x9f]|%[01][0-9a-f]|%7f", re.IGNORECASE)
LONGEST_EMAIL = 254
LONGEST_SLUG = 200


def hashed(kind: str, value: str) -> str:
    """As the ledger keeps it, and as `sql/suppression/create_hashed_identifiers.sql` writes it."""
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()}"


def hashed_all(given: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Identifiers as somebody wrote them, each with its kind; those that name one person only."""
    normalised = ((kind, _NORMALISED[kind](text)) for kind, text in given)
    return frozenset(hashed(kind, value) for kind, value in normalised if value)


def personal_email(text: str) -> str | None:
    """A bare, lower-case address; None for what is none, and for a function's mailbox."""
    found = _EMAIL.fullmatch(text.strip().lower())
    if found is None or len(found[1]) > LONGEST_EMAIL:
        return None
    return None if found[1].partition("@")[0] in ROLE_ADDRESSES else found[1]


def linkedin_slug(text: str) -> str | None:
    """The part of a personal profile URL that names the person; None for any other page."""
    found = _PROFILE.match(text.strip())
    if found is None:
        return None
    slug = found[1]
    if "%" in slug:
        # what is not UTF-8 stays as it is written
        with suppress(UnicodeDecodeError):
            slug = re.split(r"[/?#]", unquote_to_bytes(slug).decode(), maxsplit=1)[0].strip()
    if not 1 <= len(slug) <= LONGEST_SLUG or _NO_SLUG.search(slug):
        return None
    return unicodedata.normalize("NFC", slug).lower()


def phone_number(text: str) -> str | None:
    """A phone with its country code in E.164; None for what is no valid one."""
    from enrichment_pipeline.identity import to_e164

    return to_e164(text, None)


_NORMALISED = {
    "email": personal_email,
    "linkedin": linkedin_slug,
    "phone": phone_number,
    "uid": lambda text: text.strip().lower() or None,
}
