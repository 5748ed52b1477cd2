"""What is published: the names of its tables and views, and by which columns a row is known.

Here: names and keys, for the policy file's checks and for whatever passes published rows on. Not
here: publishing (`warehouse/publish.py`), and the columns (SQL).
"""

from collections.abc import Mapping

KEYS: Mapping[str, tuple[str, ...]] = {
    "enriched_contacts": ("contact_id",),
    "needs_review": ("contact_id",),
    "contact_status": ("contact_id",),
    "contact_changes": ("contact_id", "field", "changed_at", "run_id"),
    "person_facts": ("contact_id", "lookup_id", "field", "position"),
    "lookups": ("lookup_id",),
    "verifications": ("verification_id",),
    "bounces": (),
    "accounts": ("account_id",),
    "providers": ("provider",),
    "publication": (),
    "coverage_by_account": (),
    "coverage_by_priority": (),
    "lookup_costs": ("lookup_id",),
    "spend_by_day": (),
    "refresh_debt": (),
    "provider_scorecard": (),
}
"""Each published table and view, with the columns that together occur once in it, never null.

None for what is short and computed as a whole: its rows have no key that is never null."""

FOR_SINKS = ("enriched_contacts", "needs_review", "contact_status", "contact_changes")
"""What a sink gets where it names no tables."""
