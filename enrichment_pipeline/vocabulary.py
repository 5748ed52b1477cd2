"""The words that more than one part of the product goes by, each with its sentence and its rank.

Here: every enumeration, in order of rank. SQL reads them as variables and macros
(`warehouse/macros.py`), and is held to them by `test_vocabulary.py`; `docs/reference/words.md` is
made of them;
the report, the review files and the commands read them from here. Not here: when a word applies,
what is told of one contact beyond these sentences (`warehouse/sql/`), the names of fields
(`policy.FieldsPolicy`; a new one goes where `company_industry` does), and the words of one provider
(its folder).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class Word(NamedTuple):
    """A word of an enumeration, and what it means."""

    word: str
    meaning: str


class _Named(Protocol):
    @property
    def word(self) -> str: ...


def words_of(enumeration: Iterable[_Named]) -> tuple[str, ...]:
    """The bare words, in the same order."""
    return tuple(each.word for each in enumeration)


def one_of(words: Sequence[str]) -> str:
    """The words as a sentence has them: `new, retry or stale`."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


# --- calls -----------------------------------------------------------------------------

LOOKUP = "lookup"
"""A kind of call: an identity is given, and the person's profile asked for."""
SEARCH = "search"
"""A kind of call: a name and a company are given, and profiles asked for."""
VERIFICATION = "verification"
"""A kind of call: an e-mail address is given, and asked whether mail to it arrives."""
CHANGES = "changes"
"""A kind of call: the id of a profile is given, and asked whether a release has changed it."""

RESERVED = "reserved"
SENT = "sent"
REPLIED = "replied"
APPLIED = "applied"
RELEASED = "released"
UNCONFIRMED = "unconfirmed"

CALL_STATES: tuple[Word, ...] = (
    Word(RESERVED, "committed, with its worst cost, and not sent yet"),
    Word(SENT, "sent, or about to be; there is no answer yet"),
    Word(REPLIED, "answered, and the answer is kept"),
    Word(APPLIED, "answered, and the answer is in the warehouse"),
    Word(RELEASED, "not sent, or refused unbilled: the person may be asked about again"),
    Word(UNCONFIRMED, "sent, and not answered by the deadline: may have been billed"),
)
"""The life of a call in the ledger."""

OPEN = "open"
ANSWERED = "answered"

LOOKUP_STATES: tuple[Word, ...] = (
    Word(OPEN, "reserved or sent"),
    Word(ANSWERED, "replied or applied"),
    *(state for state in CALL_STATES if state.word in (RELEASED, UNCONFIRMED)),
)
"""The same as the warehouse has it (`raw.lookups.state`, `raw.searches.state`)."""

MATCHED = "matched"
FOUND = "found"
CHECKED = "checked"
UNCHANGED = "unchanged"
CHANGED = "changed"
NO_MATCH = "no_match"
REFUSED = "refused"
LEGAL_STOP = "legal_stop"

OUTCOMES: tuple[Word, ...] = (
    Word(MATCHED, "a look-up found the person"),
    Word(FOUND, "a search gave profiles"),
    Word(CHECKED, "a verification says of the address whether mail to it arrives, or that it may"),
    Word(UNCHANGED, "a release of the provider's data has left the profile as it was"),
    Word(CHANGED, "a release of the provider's data has changed the profile"),
    Word(NO_MATCH, "there is nothing"),
    Word(REFUSED, "the provider does not take the item, unbilled, and would not if asked again"),
    Word(LEGAL_STOP, "the provider may not give data on the person"),
)
"""How an answered call has ended. A call without an answer has a reason instead."""

JUDGEMENTS: tuple[Word, ...] = (
    *(outcome for outcome in OUTCOMES if outcome.word not in (FOUND, CHECKED, UNCHANGED, CHANGED)),
    Word("identity_mismatch", "a profile was found that is another person's"),
    Word("unreadable_answer", "the answer does not have the documented shape"),
    Word("rejected", "a reviewer said that the profile is another person's"),
)
"""What an answer is to one contact."""

MISMATCHES: tuple[Word, ...] = (
    Word("name", "the profile found bears another name"),
    Word("company", "the profile found works elsewhere, and shows nothing of ours"),
    Word("namesake", "what was found may be another person's of that name at the company"),
)
"""By what an `identity_mismatch` was noticed."""

VERDICTS: tuple[Word, ...] = (
    Word("resolved", "one of the profiles is the person"),
    Word("ambiguous", "several may be, or none is certain"),
    Word("none", "there is none"),
    Word(REFUSED, "the provider does not take the search"),
)
"""The judgement on the profiles that a search gave."""


# --- contacts --------------------------------------------------------------------------

PRIORITIES: tuple[str, ...] = ("strategic", "target", "standard", "bulk")
"""How much an account matters, most first; its index is the rank used in sorting."""

NEW, RETRY, STALE = "new", "retry", "stale"

CONTACT_FRESHNESS: tuple[Word, ...] = (
    Word(NEW, "never looked up, or its identity has changed since"),
    Word(RETRY, "the last attempt failed for a passing reason"),
    Word(STALE, "the last answer is too old"),
    Word("fresh", "the last answer is recent enough"),
    Word("in_flight", "asked, and the answer is awaited, or may have been billed"),
    Word("suppressed", "may not be asked about"),
    Word("unusable", "has nothing to be asked by"),
)
"""Where a contact stands. The first three are due, and lanes."""

FRESHNESS: tuple[str, ...] = (NEW, RETRY, STALE)
"""Why a contact is due, in the order in which partitions are listed."""


class FreshnessReason(NamedTuple):
    """Why a contact stands where it does, and where that is."""

    word: str
    freshness: str
    meaning: str


FRESHNESS_REASONS: tuple[FreshnessReason, ...] = (
    FreshnessReason("never_looked_up", NEW, "there is no look-up of the person"),
    FreshnessReason("identity_changed", NEW, "no identifier is one of those it was asked by"),
    FreshnessReason("attempt_failed", RETRY, "the provider was down, out of credits or too slow"),
    FreshnessReason("never_answered", RETRY, "no answer came, and `unconfirmed_days` are over"),
    FreshnessReason("asked_again", RETRY, "a reviewer says so, or `enrichment ask-again`"),
    FreshnessReason("answer_is_old", STALE, "the answer is older than `max_age_days`"),
    FreshnessReason("address_bounced", STALE, "mail came back from where it had arrived before"),
    FreshnessReason("profile_changed", STALE, "the provider says that the profile has changed"),
    FreshnessReason("answer_erased", STALE, "the answer was erased, and nothing of it is shown"),
    FreshnessReason("miss_is_old", STALE, "not found, more than `no_match_days` ago"),
    FreshnessReason("answer_is_recent", "fresh", "answered"),
    FreshnessReason("miss_is_recent", "fresh", "not found lately"),
    FreshnessReason("refused_for_good", "fresh", "the provider does not take this identifier"),
    FreshnessReason("choice_is_open", "fresh", "a person is to choose one of several profiles"),
    FreshnessReason("awaiting_answer", "in_flight", "asked, and not answered yet"),
    FreshnessReason("perhaps_billed", "in_flight", "no answer came; not bought again for a while"),
    FreshnessReason("suppressed_by_list", "suppressed", "on the list of the suppressed"),
    FreshnessReason("suppressed_by_review", "suppressed", "a reviewer said `never`"),
    FreshnessReason("not_eligible", "suppressed", "not among those that `[eligibility]` gives"),
    FreshnessReason(LEGAL_STOP, "suppressed", "the provider may not give data on the person"),
    FreshnessReason("no_identity", "unusable", "no identifier, and no name with a company"),
)
"""Every `freshness_reason`, in the order of `CONTACT_FRESHNESS`."""

CONTACT_STATUSES: tuple[Word, ...] = (
    Word("enriched", "has an accepted answer, and nothing to look at"),
    Word("needs_review", "a person must look at it, whatever stands in `enriched_contacts`"),
    Word("queued", "is looked up by a run to come"),
    Word("in_flight", "was asked about; the answer is awaited"),
    Word("suppressed", "may not be asked about"),
)
"""What becomes of a contact of the source: exactly one of these (`contact_status.status`)."""

VALUE_STATUSES: tuple[Word, ...] = (
    Word("verified", "the provider says that it was checked and holds"),
    Word("likely", "the provider says that it probably holds"),
    Word("unverified", "given, and no more is said of it"),
)
"""How far an e-mail or a phone can be relied on, best first (`…_status`)."""

ADDRESS_STATUSES: tuple[Word, ...] = (
    *VALUE_STATUSES,
    Word("withdrawn", "mail to it does not arrive: it is shown nowhere"),
)
"""What a verification says of an address."""

FEEDBACK_KINDS: tuple[Word, ...] = (
    Word("hard", "there is no such mailbox: the address is withdrawn"),
    Word("soft", "it may arrive another time: says nothing"),
    Word("complaint", "the person does not want any: never asked about again"),
    Word("delivered", "it arrived"),
)
"""What became of a mail, as `[feedback] bounces` gives it."""

SENIORITIES: tuple[str, ...] = (
    *("owner", "c_suite", "vp", "director", "manager", "senior", "entry"),
)
"""How high a position stands, the highest first; by which words, says `word_lists.toml`."""


# --- review ----------------------------------------------------------------------------


class Reason(NamedTuple):
    """A reason in `needs_review`: what it means, and what a person can do about it."""

    word: str
    meaning: str
    advice: str


REVIEW_REASONS: tuple[Reason, ...] = (
    Reason(
        "no_match",
        "the provider does not know the person",
        "correct or add an identifier in the source, or fill in the values (replace)",
    ),
    Reason(
        "ambiguous_match",
        "a search gave several profiles, or none that is certain",
        "accept one of the candidates by its provider_uid, or reject them",
    ),
    Reason(
        "no_verified_email",
        "found, but not what the policy requires",
        "confirm what was found and accept it, or give another value (replace)",
    ),
    Reason(
        "identity_mismatch",
        "the profile found bears another name, works elsewhere and shows nothing of ours, or may "
        "be a namesake's",
        "compare both sides in evidence, then accept or reject the profile",
    ),
    Reason(
        "rejected_by_reviewer",
        "a reviewer said that the profile found is another person's, and no other was found",
        "nothing, or fill in the values (replace), or have it asked again (retry)",
    ),
    Reason(
        "unreadable_answer",
        "the answer does not have the documented shape",
        "read it in candidate; enrichment replay reads it anew after an upgrade",
    ),
    Reason(
        "job_changed",
        "works for another company now",
        "accept the new employer, or correct the contact in the source",
    ),
    Reason(
        "insufficient_identity",
        "nothing to look up by, or no longer",
        "add a profile URL, e-mail, phone, or a name with a company to the source",
    ),
    Reason(
        "invalid_identity",
        "the profile URL, e-mail or phone is malformed",
        "correct it in the source",
    ),
    Reason(
        "lookup_unconfirmed",
        "sent, but never answered; may have been billed",
        "wait, since it is not bought again for unconfirmed_days, or enrichment ask-again",
    ),
    Reason(
        "refresh_no_match",
        "found before, not found at the last refresh",
        "check whether the values still hold, then accept or replace them",
    ),
    Reason(
        "rejected_by_provider",
        "the provider does not take the identifier",
        "correct it in the source",
    ),
    Reason(
        "legal_stop",
        "the provider may not give data on the person",
        "fill in only what the person gave you (replace)",
    ),
    Reason(
        "undone",
        "what a run had bought was undone, and nothing else is known",
        "nothing until the contact is due, or have it asked again (retry)",
    ),
)
"""Every reason in `needs_review`, the commonest first."""

MEANINGS: dict[str, str] = {reason.word: reason.meaning for reason in REVIEW_REASONS}


class Decision(NamedTuple):
    """What a reviewer may say of a contact.

    `about_profile`: it is about one of the profiles found. `takes_values`: values may be given
    with it.
    """

    word: str
    meaning: str
    about_profile: bool = False
    takes_values: bool = False


REVIEW_DECISIONS: tuple[Decision, ...] = (
    Decision(
        "accept",
        "this profile is the contact: its answers count, now and in later refreshes",
        about_profile=True,
        takes_values=True,
    ),
    Decision(
        "replace",
        "these values instead: what you fill in on the right beats every provider",
        takes_values=True,
    ),
    Decision(
        "reject",
        "it is another person: this profile fills nothing, now and later",
        about_profile=True,
        takes_values=True,
    ),
    Decision("never", "never look this person up again"),
    Decision("retry", "look this contact up again in the next run"),
)
