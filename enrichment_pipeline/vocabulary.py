"""The words that more than one part of the product goes by, each with its sentences.

Here: the kinds of call, and the reasons for which a contact needs review, which SQL (as a value
of `judge_contacts.sql`), the report, the review commands, the README and the tests read. Not
here: when a reason applies, and what is told of one contact beyond these sentences
(`warehouse/sql/outcomes/judge_contacts.sql`).
"""

from typing import NamedTuple

LOOKUP = "lookup"
"""A kind of call: an identity is given, and the person's profile asked for."""
SEARCH = "search"
"""A kind of call: a name and a company are given, and profiles asked for."""


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
        "the profile found bears another name, or works elsewhere and shows nothing of ours",
        "compare both sides in evidence, then accept or reject the profile",
    ),
    Reason(
        "rejected_by_reviewer",
        "a reviewer said that the profile found is somebody else's, and no other was found",
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
