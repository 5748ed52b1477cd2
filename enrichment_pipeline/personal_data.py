"""Where a person stands: every table, column, file and body that can hold a person's data.

Here: the list, by store, with what each place holds. Not here: erasing, and looking for what
was left, which read it. A new table, view, column or file is listed here with what it holds, also
one that holds nothing personal; a test compares the list with the schemas.

A column is listed by what can be found or learned in it about one person. Ids of our own
(lookup_id, run_id), states, times and amounts tell nothing about a person once the columns
listed beside them in their row are gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Holds(Enum):
    """In what form a person's data stands somewhere."""

    CONTACT_ID = "the source's id of a contact"
    VALUE = "a name, an address, a number, a title or a profile, readable"
    COMPANY = "a company's name, domain or figure: a person's where they work, or are, the company"
    DIGEST = "a hash of identifiers or of a row: confirms a known identifier, and tells none"
    TEXT = "free text, JSON or raw bytes, in which any of these can stand, of several people too"
    COLLEAGUE = "who of the users decided something: a login name"


@dataclass(frozen=True)
class Table:
    """What each column of a table holds; `nothing` are the columns without a person's data."""

    personal: Mapping[str, Holds]
    nothing: frozenset[str]


@dataclass(frozen=True)
class Files:
    """Files of a state folder by their path there, and what they hold.

    The pattern is for `fnmatch`, whose `*` spans folders, too.
    """

    pattern: str
    holds: tuple[Holds, ...]
    what: str


def _table(
    *,
    contact_ids: str = "",
    values: str = "",
    companies: str = "",
    digests: str = "",
    texts: str = "",
    colleagues: str = "",
    nothing: str = "",
) -> Table:
    """A table by its columns' names, each group separated by blanks."""
    groups = {
        Holds.CONTACT_ID: contact_ids,
        Holds.VALUE: values,
        Holds.COMPANY: companies,
        Holds.DIGEST: digests,
        Holds.TEXT: texts,
        Holds.COLLEAGUE: colleagues,
    }
    personal = {name: holds for holds, names in groups.items() for name in names.split()}
    return Table(personal, frozenset(nothing.split()))


_JUDGEMENTS = _table(
    contact_ids="contact_id",
    values="provider_uid full_name location linkedin_url job_title points",
    companies="company_name company_domain company_website company_industry company_employee_count",
    digests="person_key basis",
    nothing="lookup_id provider answered_at run_id judgement is_decided detail seniority closed",
)
WAREHOUSE: Mapping[str, Table] = {
    # as the source gives it, and who is who
    "staging.accounts": _table(
        companies="name domain annual_revenue employee_count open_pipeline",
        digests="row_hash",
        nothing="account_id tier loaded_at left_at",
    ),
    "staging.company_names": _table(companies="company_name search_name company_key"),
    "staging.contact_identities": _table(
        contact_ids="contact_id",
        values="lookup_identity provider_uids",
        digests="person_key",
        nothing="account_id assigned_at has_changed contact_count identity_kind is_named",
    ),
    "staging.contact_parts": _table(
        contact_ids="contact_id",
        values="name_key linkedin_slug email email_domain phone phone_text",
        companies="company_domain company_key account_name account_domain name_company",
        digests="row_hash",
        nothing="phone_region_default has_any_identifier",
    ),
    "staging.contact_persons": _table(
        contact_ids="contact_id", digests="person_key", nothing="assigned_at has_changed"
    ),
    "staging.contacts": _table(
        contact_ids="contact_id",
        values="first_name last_name full_name email phone linkedin_url job_title",
        companies="company_name company_domain",
        digests="row_hash",
        nothing="account_id created_at updated_at loaded_at left_at",
    ),
    "staging.entered_contacts": _table(
        contact_ids="contact_id", digests="person_key", nothing="version is_in_source"
    ),
    "staging.hosts": _table(
        # the host of an e-mail address can be a person's own
        companies="host registrable_domain",
        nothing="is_free_mail is_disposable",
    ),
    "staging.ineligible_contacts": _table(contact_ids="contact_id"),
    "staging.checked_judgements": _JUDGEMENTS,
    "staging.judgements": _JUDGEMENTS,
    "staging.latin_names": _table(values="name_key latin_key"),
    "staging.person_aliases": _table(
        values="alias", digests="person_key", nothing="origin added_at"
    ),
    "staging.person_lookups": _table(
        digests="person_key",
        nothing="provider revision attempts last_attempt_at last_released_at lookup_id state "
        "outcome reason requested_at answered_at asked_again_at spread_draw failed_runs "
        "last_failed_at",
    ),
    "staging.phones": _table(values="phone_text e164", nothing="region"),
    "staging.shown_contacts": _table(contact_ids="contact_id", values="shown"),
    "staging.profiles": _table(
        values="uid full_name headline location profile_urls contact_points positions",
        nothing="call_id call_kind position provider answered_at path unreadable_part release "
        "reading",
    ),
    "staging.address_feedback": _table(
        values="email",
        nothing="first_bounced_at bounced_at first_delivered_at last_delivered_at has_complained",
    ),
    "staging.agreed_addresses": _table(
        contact_ids="contact_id", values="email", nothing="providers"
    ),
    "staging.bounced_persons": _table(digests="person_key", nothing="bounced_at"),
    "staging.checked_addresses": _table(
        values="email", nothing="status is_personal rating provider checked_at holds_until"
    ),
    "staging.checked_points": _table(
        contact_ids="contact_id", values="points", nothing="lookup_id"
    ),
    "staging.due_verifications": _table(
        contact_ids="contact_id",
        values="email",
        digests="person_key",
        nothing="freshness priority priority_rank priority_score last_verification_id",
    ),
    "staging.told_changes": _table(nothing="lookup_id renewed_at changed_at"),
    "staging.verification_readings": _table(
        nothing="verification_id provider reading status rating is_personal"
    ),
    "staging.contacts_left_dirty": _table(contact_ids="contact_id"),
    "staging.retired_entries": _table(contact_ids="contact_id entered_as"),
    "staging.shared_identifiers": _table(values="alias"),
    "staging.source_contact_ids": _table(contact_ids="contact_id", nothing="source_rows"),
    "staging.source_watermark": _table(nothing="read_from newest compared_at blank"),
    "staging.stamp": _table(nothing="key value"),
    "staging.suppressed_contacts": _table(contact_ids="contact_id"),
    "staging.suppressions": _table(digests="identifier"),
    # what was bought, found and decided
    "raw.lookups": _table(
        contact_ids="contact_id",
        values="item",
        digests="person_key",
        nothing="lookup_id provider supersedes item_kind freshness priority run_id state outcome "
        "reason reply_id answer_index credits_charged requested_at answered_at revision",
    ),
    "raw.provider_responses": _table(
        values="item",
        digests="person_key",
        texts="answer",
        nothing="lookup_id provider outcome answered_at run_id is_erased",
    ),
    "raw.profile_changes": _table(
        contact_ids="contact_id",
        values="uid moved_to",
        digests="person_key",
        nothing="change_id provider release supersedes freshness priority run_id state outcome "
        "reason reply_id requested_at answered_at revision reading",
    ),
    "raw.review_decisions": _table(
        contact_ids="contact_id",
        values="provider_uid value",
        digests="decision_id person_key",
        texts="note",
        colleagues="decided_by",
        nothing="decision lookup_id provider field decided_at source recorded_at",
    ),
    "raw.search_profiles": _table(values="uid", texts="profile", nothing="search_id position"),
    "raw.searches": _table(
        contact_ids="contact_id",
        values="full_name",
        companies="company",
        digests="person_key",
        nothing="search_id provider query_kind supersedes freshness priority run_id state outcome "
        "reason is_complete requested_at answered_at revision",
    ),
    "raw.verifications": _table(
        contact_ids="contact_id",
        values="email",
        digests="address_key",
        texts="answer",
        nothing="verification_id provider supersedes freshness priority run_id state outcome "
        "reason reply_id credits_charged requested_at answered_at revision",
    ),
    "raw.undone_runs": _table(colleagues="undone_by", nothing="run_id undone_at"),
    # what people read
    "enrichment.accounts": _table(
        companies="name domain annual_revenue employee_count open_pipeline",
        nothing="account_id tier",
    ),
    "enrichment.bounces": _table(
        contact_ids="contact_id", digests="person_key", nothing="provider lookup_id bounced_at"
    ),
    "enrichment.company_facts": _table(
        companies="company_domain value",
        nothing="field provider observed_at lookup_id run_id valid_from valid_to",
    ),
    "enrichment.contact_changes": _table(
        contact_ids="contact_id",
        values="old_value new_value",
        nothing="field old_status new_status changed_at run_id provider lookup_id",
    ),
    "enrichment.contact_status": _table(
        contact_ids="contact_id",
        companies="company_domain company_name company_website company_industry "
        "company_employee_count",
        digests="person_key",
        nothing="status freshness priority reason next_lookup_at freshness_reason account_id",
    ),
    "enrichment.coverage_by_account": _table(
        companies="account_name account_domain",
        nothing="account_id priority contacts enriched needs_review waiting suppressed "
        "with_verified_email with_verified_phone enriched_share oldest_answer_at with_answer",
    ),
    "enrichment.coverage_by_priority": _table(
        nothing="priority accounts contacts enriched needs_review waiting suppressed "
        "with_verified_email with_verified_phone enriched_share oldest_answer_at with_answer"
    ),
    "enrichment.enriched_contacts": _table(
        contact_ids="contact_id",
        values="full_name job_title work_email personal_email direct_phone mobile_phone "
        "linkedin_url location provider_uid seniority previous_job_title source_full_name "
        "source_job_title source_email source_phone source_linkedin_url",
        companies="company_name company_domain company_website company_industry "
        "company_employee_count previous_company_name previous_company_domain "
        "source_company_name source_company_domain",
        digests="person_key",
        nothing="account_id work_email_status personal_email_status direct_phone_status "
        "mobile_phone_status provider job_changed enriched_at expires_at lookup_id run_id "
        "needs_manual_enrichment agreed_by employer_disputed_by",
    ),
    "enrichment.lookup_costs": _table(nothing="lookup_id provider verification_cost cost"),
    "enrichment.lookups": _table(
        contact_ids="contact_id",
        digests="person_key",
        nothing="lookup_id provider freshness priority run_id state outcome reason "
        "credits_charged requested_at answered_at",
    ),
    "enrichment.needs_review": _table(
        contact_ids="contact_id",
        values="full_name email",
        companies="company_name",
        texts="detail candidate evidence",
        nothing="account_id reason priority attempts first_flagged_at last_attempt_at "
        "needs_manual_enrichment",
    ),
    "enrichment.person_facts": _table(
        contact_ids="contact_id",
        values="value",
        digests="person_key",
        nothing="field position provider confidence status observed_at lookup_id run_id "
        "valid_from valid_to given_type given_sub_type",
    ),
    "enrichment.provider_scorecard": _table(
        nothing="provider place priority asked matched accepted verified_usable added bounced "
        "cost verification_cost cost_per_verified_usable no_match refused unconfirmed match_rate "
        "credits_charged enriched_contacts verified_contacts credits_per_match "
        "credits_per_verified_contact last_answer_at lookups with_verified_email "
        "credits_per_verified_email"
    ),
    "enrichment.providers": _table(nothing="provider place price"),
    "enrichment.refresh_debt": _table(
        nothing="week_starts_on iso_week contacts lookups expected_credits worst_case_credits "
        "expected_cost worst_case_cost"
    ),
    "enrichment.search_results": _table(
        contact_ids="contact_id",
        values="uid",
        digests="person_key",
        texts="detail candidates",
        nothing="search_id query_kind verdict score lead answered_at run_id scored_by",
    ),
    "enrichment.spend_by_day": _table(
        nothing="day provider lookups matched no_match refused unconfirmed in_flight match_rate "
        "credits_charged credits_month_to_date verifications cost"
    ),
    "enrichment.verifications": _table(
        contact_ids="contact_id",
        nothing="verification_id provider freshness priority run_id state outcome reason "
        "credits_charged requested_at answered_at lookup_id",
    ),
    "enrichment.worklist": _table(
        contact_ids="contact_id",
        values="lookup_identity",
        digests="person_key",
        nothing="freshness priority priority_score identity_kind provider supersedes contact_count "
        "waiting_since run_id freshness_reason search_kind last_search_id ledger_revision",
    ),
}
"""Every table and view of the DuckDB file, temporary ones aside: they end with their process."""

LEDGER: Mapping[str, Table] = {
    "balances": _table(
        nothing="balance_id provider run_id observed_at credits_left ledger_charged "
        "ledger_unconfirmed"
    ),
    "budgets": _table(nothing="pool period reserved charged"),
    "call_identifiers": _table(digests="identifier", nothing="call_id"),
    "calls": _table(
        contact_ids="contact_id",
        values="item",
        companies="company",
        digests="person_key",
        nothing="call_id provider kind question supersedes item_kind freshness priority run_id "
        "request_id state outcome reason reply_id answer_index is_complete units_charged "
        "unit_cost cost_reserved budget_day reserved_at requested_at answered_at revision "
        "is_released",
    ),
    "entries": _table(
        contact_ids="contact_id",
        digests="content_sha256 person_key",
        # the contact as it was posted, and what was found
        texts="contact answer",
        nothing="version entered_at due_at notify_urls answer_revision answered_at good_until "
        "is_decided withdrawn_at revision",
    ),
    "entry_identifiers": _table(contact_ids="contact_id", digests="identifier"),
    "entry_places": _table(nothing="run_id provider priority units until"),
    "entry_requests": _table(
        contact_ids="contact_id",
        digests="body_sha256",
        texts="key answer",
        nothing="token_sha256 received_at answering_until",
    ),
    "gates": _table(
        nothing="provider pause_until rate_share rate_share_at failures_in_a_row probe_until"
    ),
    "ledger_head": _table(nothing="id revision suppressions_revision"),
    "ledger_stamp": _table(nothing="key value"),
    "notifications": _table(
        contact_ids="contact_id",
        texts="body",
        nothing="notification_id url host owed_since next_try_at tries",
    ),
    "replies": _table(
        # a body answers for a whole batch: the other people's answers in it were paid for, too
        texts="body",
        digests="body_sha256",
        nothing="reply_id request_id received_at answered_at is_callback http_status",
    ),
    "requests": _table(
        nothing="request_id provider kind run_id item_count rate_units call_id series page "
        "reserved_at sent_at deadline_at responded_at counts_from credits_left units_told error "
        "request_ref awaits_callback"
    ),
    "suppressions": _table(digests="identifier", nothing="origin added_at"),
    "unread_replies": _table(nothing="reply_id provider kind received_at"),
}
"""Every table of the ledger, in SQLite or Postgres."""

_ANYTHING = tuple(Holds)

FILES: tuple[Files, ...] = (
    Files("warehouse.duckdb*", _ANYTHING, "the warehouse, its log, and what a restore left of one"),
    Files("ledger.sqlite*", _ANYTHING, "the ledger, its log, and what a restore left of one"),
    Files(".init-*", _ANYTHING, "what an `enrichment init` that was killed reckoned with"),
    Files(".restoring-*", _ANYTHING, "drafts of a restore that was killed"),
    Files("published/*", _ANYTHING, "snapshots of `enrichment`, in DuckDB and in Parquet"),
    Files("known/*", _ANYTHING, "what the point of entry knows of contacts, as of the last run"),
    Files("exports/*", _ANYTHING, "what `enrichment export` has given to each place"),
    Files("sinks/*", _ANYTHING, "which publication each sink has; what filling one spilled"),
    Files("spilled/*", (Holds.TEXT,), "replies that the ledger could not take, as they came"),
    Files("sandbox_journal*.jsonl", (Holds.VALUE,), "what the local stand-ins charged for"),
    Files(
        "*handed_in.duckdb*",
        (Holds.CONTACT_ID, Holds.VALUE, Holds.COMPANY, Holds.TEXT),
        "what a Dagster asset has handed in as the contacts, with whatever columns it has",
    ),
    Files("sample_source.duckdb*", (Holds.VALUE, Holds.COMPANY), "the sample; made-up people"),
    Files("dagster/*", (Holds.CONTACT_ID,), "runs, events and logs: contacts by id only"),
    Files("runs/*", (), "a lock for each run"),
    Files("report.html", (), "sums and charts"),
    Files("stamp.json", (), "what the state folder belongs to"),
    Files("enrichment.toml", (), "the policy file"),
    Files(".*", (), "locks, and what probes whether the folder can be written"),
)
"""Every file of a state folder; the first pattern that fits a file tells what it holds."""

ELSEWHERE: tuple[str, ...] = (
    "the stores that ENRICHMENT_WAREHOUSE_URL, ENRICHMENT_LEDGER_URL and DAGSTER_HOME name",
    "the folders that `enrichment backup` has written: copies of the stores and of spilled/",
    "the files that `enrichment review export` has written: what was found, readable",
    "the files that `enrichment export` has written for a CRM's import",
    "the page that `enrichment report --out` has written: sums only",
    "the sinks that [[sinks]] in the policy file names: copies of published tables",
    "the source, which is only ever read, and the table that [review] decisions reads",
)
"""Where a person can stand outside the state folder: only users know these places."""
