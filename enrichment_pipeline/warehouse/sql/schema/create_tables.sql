-- Every table of the warehouse. No primary keys, unique indexes, sequences, enums or
-- checks: DuckLake has none of them. MERGE over de-duplicated rows and blocking asset
-- checks keep keys unique. Comments are what Dagster and BI tools show.
--
-- makes: enrichment, enrichment.company_facts, enrichment.contact_changes,
--        enrichment.contact_status, enrichment.enriched_contacts, enrichment.needs_review,
--        enrichment.providers, enrichment.search_results, enrichment.worklist, raw, raw.lookups,
--        raw.profile_changes, raw.provider_responses, raw.review_decisions, raw.search_profiles,
--        raw.searches, raw.undone_runs, raw.verifications, staging, staging.accounts,
--        staging.address_feedback, staging.agreed_addresses, staging.bounced_persons,
--        staging.checked_addresses, staging.checked_points, staging.company_names,
--        staging.contact_identities, staging.contact_parts, staging.contact_persons,
--        staging.contacts, staging.contacts_left_dirty, staging.due_verifications,
--        staging.entered_contacts, staging.hosts, staging.ineligible_contacts, staging.judgements,
--        staging.latin_names, staging.person_aliases, staging.person_lookups, staging.phones,
--        staging.profiles, staging.retired_entries, staging.shared_identifiers,
--        staging.shown_contacts, staging.source_contact_ids, staging.source_watermark,
--        staging.stamp, staging.suppressed_contacts, staging.suppressions,
--        staging.verification_readings

create schema if not exists staging;
create schema if not exists raw;
create schema if not exists enrichment;

-- staging ------------------------------------------------------------------------------

create table if not exists staging.stamp (key varchar, value varchar);
comment on table staging.stamp
is 'What this warehouse belongs to: the source of its contacts, and who answers';

create table if not exists staging.contacts (
    contact_id varchar,
    account_id varchar,
    first_name varchar,
    last_name varchar,
    full_name varchar,
    email varchar,
    phone varchar,
    linkedin_url varchar,
    company_name varchar,
    company_domain varchar,
    job_title varchar,
    created_at timestamptz,
    updated_at timestamptz,
    row_hash varchar,
    loaded_at timestamptz,
    left_at timestamptz
);
comment on table staging.contacts
is 'Contacts as the source gives them, or as applications entered them, one row per contact_id';
comment on column staging.contacts.account_id is 'The source''s id of its account';
comment on column staging.contacts.first_name is 'As the source has it';
comment on column staging.contacts.last_name is 'As the source has it';
comment on column staging.contacts.full_name
is 'As the source has it; else first and last name count';
comment on column staging.contacts.email is 'As the source has it, whatever its form';
comment on column staging.contacts.phone is 'As the source has it, whatever its form';
comment on column staging.contacts.linkedin_url is 'As the source has it, whatever its form';
comment on column staging.contacts.company_name is 'As the source has it';
comment on column staging.contacts.company_domain is 'As the source has it, a domain or a URL';
comment on column staging.contacts.job_title is 'As the source has it';
comment on column staging.contacts.created_at is 'In the source; UTC where it names no zone';
comment on column staging.contacts.updated_at is 'In the source; UTC where it names no zone';
comment on column staging.contacts.contact_id is 'The source''s id';
comment on column staging.contacts.row_hash
is 'Digest of the row''s content, by which a change is noticed';
comment on column staging.contacts.loaded_at is 'When this version of the row was loaded';
comment on column staging.contacts.left_at
is 'When the contact was missing from the source; null while it is there';

create table if not exists staging.accounts (
    account_id varchar,
    name varchar,
    domain varchar,
    tier varchar,
    annual_revenue double,
    employee_count double,
    open_pipeline double,
    row_hash varchar,
    loaded_at timestamptz,
    left_at timestamptz
);
comment on table staging.accounts is 'Accounts as the source gives them, one row per account_id';
comment on column staging.accounts.account_id is 'The source''s id';
comment on column staging.accounts.name is 'As the source has it';
comment on column staging.accounts.domain is 'As the source has it';
comment on column staging.accounts.annual_revenue is 'In the source''s currency';
comment on column staging.accounts.employee_count is 'Heads';
comment on column staging.accounts.open_pipeline is 'In the source''s currency';
comment on column staging.accounts.row_hash
is 'Digest of the row''s content, by which a change is noticed';
comment on column staging.accounts.loaded_at is 'When this version of the row was loaded';
comment on column staging.accounts.tier
is 'As the source has it, in lower case; only strategic, target, standard and bulk decide a band';
comment on column staging.accounts.left_at
is 'When the account was missing from the source; null while it is there';

create table if not exists staging.source_contact_ids (contact_id varchar, source_rows bigint);
comment on table staging.source_contact_ids
is 'Every contact_id of the source and of entries as the last load saw it, and how many rows of the source bore it';

create table if not exists staging.source_watermark (
    read_from varchar, newest varchar, compared_at timestamptz, blank bigint
);
comment on table staging.source_watermark
is 'How far the last load has read the contacts, where only newer ones are read';
comment on column staging.source_watermark.read_from
is 'Digest of the source, the query and the column by which rows are newer';
comment on column staging.source_watermark.newest is 'The greatest value of that column, as text';
comment on column staging.source_watermark.compared_at
is 'When all contacts of the source were last read';
comment on column staging.source_watermark.blank
is 'How many rows had no value in that column then';

create table if not exists staging.hosts (
    host varchar, registrable_domain varchar, is_free_mail boolean, is_disposable boolean
);
comment on table staging.hosts
is 'Host names met so far and their registrable domain, read with the public-suffix list';

create table if not exists staging.phones (phone_text varchar, region varchar, e164 varchar);
comment on table staging.phones
is 'Phone numbers met so far, as written, and in E.164 where they are valid';

create table if not exists staging.company_names (
    company_name varchar, search_name varchar, company_key varchar
);
comment on table staging.company_names
is 'Company names met so far, without legal form and article: as one asks for them, and as they are compared';

create table if not exists staging.latin_names (name_key varchar, latin_key varchar);
comment on table staging.latin_names
is 'Name keys of other scripts met so far, in Latin letters';

create table if not exists staging.contact_parts (
    contact_id varchar,
    row_hash varchar,
    phone_region_default varchar,
    name_key varchar,
    linkedin_slug varchar,
    email varchar,
    email_domain varchar,
    company_domain varchar,
    phone varchar,
    phone_text varchar,
    has_any_identifier boolean
);
alter table staging.contact_parts add column if not exists company_key varchar;
alter table staging.contact_parts add column if not exists account_name varchar;
alter table staging.contact_parts add column if not exists account_domain varchar;
alter table staging.contact_parts add column if not exists name_company varchar;
comment on table staging.contact_parts
is 'The identifying parts of each contact in normalised form';
comment on column staging.contact_parts.account_name
is 'Its account''s name, where the contact has no company name of its own; null otherwise';
comment on column staging.contact_parts.account_domain
is 'Its account''s domain, where the contact has no company domain of its own; null otherwise';
comment on column staging.contact_parts.name_company
is 'The company with which the name is an identity: the contact''s own, else its account''s';

create table if not exists staging.shared_identifiers (alias varchar);
comment on table staging.shared_identifiers
is 'E-mails and phones that differently named contacts share: never a key';

create table if not exists staging.person_aliases (
    alias varchar, person_key varchar, origin varchar, added_at timestamptz
);
comment on table staging.person_aliases
is 'Every identifier that the source, an entry or an answer gave, and the one person it belongs to';

create table if not exists staging.contact_persons (
    contact_id varchar, person_key varchar, assigned_at timestamptz
);
alter table staging.contact_persons add column if not exists has_changed boolean;
comment on table staging.contact_persons is 'Which person each contact is';
comment on column staging.contact_persons.has_changed
is 'True where the contact was another person before; null or false where it never was';

create table if not exists staging.entered_contacts (
    contact_id varchar, version integer, person_key varchar, is_in_source boolean
);
comment on table staging.entered_contacts
is 'The contacts that applications entered, as of the last load';
comment on column staging.entered_contacts.version
is 'Of the entry: each change of what was entered raises it';
comment on column staging.entered_contacts.person_key
is 'The person that the point of entry took it for; null where it has not told';
comment on column staging.entered_contacts.is_in_source
is 'Whether the source has a contact of the same id, whose row counts then';

create table if not exists staging.retired_entries (contact_id varchar, entered_as varchar);
comment on table staging.retired_entries
is 'Entered contacts in whose place the source''s contact of the same person stands';
comment on column staging.retired_entries.entered_as is 'The source''s id of that contact';

create table if not exists staging.ineligible_contacts (contact_id varchar);
comment on table staging.ineligible_contacts
is 'The contacts in the source that [eligibility] does not let anybody ask about, as of the last load';

create table if not exists staging.suppressions (identifier varchar);
comment on table staging.suppressions
is 'Hashed identifiers of persons that may not be asked for; a copy of the ledger''s';

create table if not exists staging.suppressed_contacts (contact_id varchar);
comment on table staging.suppressed_contacts
is 'The contacts in the source that have a suppressed identifier, or whose person has one';

create table if not exists staging.contact_identities (
    contact_id varchar,
    account_id varchar,
    person_key varchar,
    assigned_at timestamptz,
    has_changed boolean,
    contact_count bigint,
    identity_kind varchar,
    lookup_identity varchar,
    is_named boolean
);
alter table staging.contact_identities drop column if exists provider_uid;
alter table staging.contact_identities
add column if not exists provider_uids map (varchar, varchar);
comment on table staging.contact_identities
is 'What planning needs of each contact in the source, kept up to date with who is who';
comment on column staging.contact_identities.contact_count
is 'How many contacts of the source its person has';
comment on column staging.contact_identities.lookup_identity
is 'By what the person would be asked for; null where only a search could find the profile';
comment on column staging.contact_identities.is_named
is 'Whether the person is known by a name and a company';
comment on column staging.contact_identities.provider_uids
is 'By provider, the profile that its last answer gave; null for none';

create table if not exists staging.contacts_left_dirty (contact_id varchar);
comment on table staging.contacts_left_dirty
is 'Contacts of which answers or searches have told more: the next load finds out anew who they are, though the source has not changed them';

-- raw ----------------------------------------------------------------------------------

create table if not exists raw.lookups (
    lookup_id varchar,
    provider varchar,
    person_key varchar,
    supersedes varchar,
    contact_id varchar,
    item varchar,
    item_kind varchar,
    freshness varchar,
    priority varchar,
    run_id varchar,
    state varchar,
    outcome varchar,
    reason varchar,
    reply_id varchar,
    answer_index integer,
    credits_charged integer,
    requested_at timestamptz,
    answered_at timestamptz,
    revision bigint
);
comment on table raw.lookups is 'A copy of the ledger''s look-ups, as of the last run';
comment on column raw.lookups.state is 'open, answered, released or unconfirmed';
comment on column raw.lookups.revision is 'The ledger''s revision in which this row last changed';

create table if not exists staging.person_lookups (
    person_key varchar,
    revision bigint,
    attempts bigint,
    last_attempt_at timestamptz,
    last_released_at timestamptz,
    lookup_id varchar,
    state varchar,
    outcome varchar,
    reason varchar,
    requested_at timestamptz,
    answered_at timestamptz,
    asked_again_at timestamptz,
    spread_draw double,
    failed_runs bigint,
    last_failed_at timestamptz
);
alter table staging.person_lookups add column if not exists provider varchar;
comment on table staging.person_lookups
is 'What raw.lookups comes down to for each person and provider, kept up to date with it: the look-up that stands, and the failed attempts since';
comment on column staging.person_lookups.provider is 'Who was asked';
comment on column staging.person_lookups.revision
is 'The newest of its look-ups'' revisions; the greatest of all tells how far the table is';
comment on column staging.person_lookups.lookup_id
is 'The look-up that nothing supersedes; null where all were released';
comment on column staging.person_lookups.asked_again_at
is 'When a user last let it be asked for again: what failed before does not count';
comment on column staging.person_lookups.spread_draw
is 'From 0 to 1, the look-up''s own: its place in the days over which refreshes are spread';
comment on column staging.person_lookups.failed_runs
is 'Runs since in which a look-up failed for a reason that is the person''s own';

create table if not exists raw.provider_responses (
    lookup_id varchar,
    provider varchar,
    person_key varchar,
    item varchar,
    outcome varchar,
    answer json,
    answered_at timestamptz,
    run_id varchar
);
alter table raw.provider_responses add column if not exists is_erased boolean;
comment on table raw.provider_responses
is 'Each paid answer as the provider gave it, one row per look-up; facts are derived from here and can be again';
comment on column raw.provider_responses.lookup_id is 'The look-up in the ledger';
comment on column raw.provider_responses.provider is 'Who answered';
comment on column raw.provider_responses.person_key is 'Who was looked up';
comment on column raw.provider_responses.item is 'What was asked for';
comment on column raw.provider_responses.answered_at is 'When the answer came';
comment on column raw.provider_responses.run_id is 'The run that bought it';
comment on column raw.provider_responses.is_erased
is 'Whether the answer was erased, being older than retain_days; null where it was not';
comment on column raw.provider_responses.outcome is 'matched, no_match, refused or legal_stop';
comment on column raw.provider_responses.answer is 'The provider''s JSON for this one item';

create table if not exists raw.review_decisions (
    decision_id varchar,
    contact_id varchar,
    person_key varchar,
    decision varchar,
    lookup_id varchar,
    provider_uid varchar,
    field varchar,
    value varchar,
    decided_by varchar,
    decided_at timestamptz,
    note varchar,
    source varchar,
    recorded_at timestamptz
);
alter table raw.review_decisions add column if not exists provider varchar;
comment on table raw.review_decisions
is 'Every decision of a reviewer, as it was made; rows are only ever added, and a replay honours them';
comment on column raw.review_decisions.decision_id
is 'Digest of the decision''s content: the same one is recorded once';
comment on column raw.review_decisions.contact_id is 'The source''s id of the contact';
comment on column raw.review_decisions.person_key
is 'Who the contact was when it was decided; a decision does not hold for another person';
comment on column raw.review_decisions.decision is 'accept, replace, reject, never or retry';
comment on column raw.review_decisions.lookup_id
is 'The person''s last look-up when it was decided: what the reviewer had seen; empty for none';
comment on column raw.review_decisions.provider_uid
is 'accept: this profile is the contact. reject: it is not. replace: the profile that was seen';
comment on column raw.review_decisions.provider
is 'Whose id of a profile provider_uid is; null for none, and where there was one provider only';
comment on column raw.review_decisions.field
is 'replace: the field that gets the value, one row for each; null otherwise';
comment on column raw.review_decisions.value is 'replace: the value, normalised; null otherwise';
comment on column raw.review_decisions.decided_by is 'Who decided';
comment on column raw.review_decisions.decided_at is 'When; of two that disagree the later holds';
comment on column raw.review_decisions.note is 'In the reviewer''s words';
comment on column raw.review_decisions.source
is 'import: a file that was imported. table: the query [review] decisions';
comment on column raw.review_decisions.recorded_at is 'When it came here';

create table if not exists raw.searches (
    search_id varchar,
    provider varchar,
    query_kind varchar,
    person_key varchar,
    supersedes varchar,
    contact_id varchar,
    full_name varchar,
    company varchar,
    freshness varchar,
    priority varchar,
    run_id varchar,
    state varchar,
    outcome varchar,
    reason varchar,
    is_complete boolean,
    requested_at timestamptz,
    answered_at timestamptz,
    revision bigint
);
comment on table raw.searches is 'A copy of the ledger''s searches, as of the last run';
comment on column raw.searches.query_kind
is 'current: who works at the company; current_past: who works there or has done so';
comment on column raw.searches.state is 'open, answered or released';
comment on column raw.searches.outcome is 'found, nothing or refused; retriable where released';
comment on column raw.searches.is_complete
is 'Whether all profiles that the provider has for it were given';

create table if not exists raw.search_profiles (
    search_id varchar, position integer, uid varchar, profile json
);
comment on table raw.search_profiles
is 'Each profile that a search gave, as the provider gave it; which of them it is, is scored from here and can be again';

create table if not exists raw.verifications (
    verification_id varchar,
    provider varchar,
    address_key varchar,
    supersedes varchar,
    contact_id varchar,
    email varchar,
    freshness varchar,
    priority varchar,
    run_id varchar,
    state varchar,
    outcome varchar,
    reason varchar,
    reply_id varchar,
    credits_charged double,
    requested_at timestamptz,
    answered_at timestamptz,
    revision bigint,
    answer varchar
);
comment on table raw.verifications
is 'A copy of the ledger''s verifications of addresses, as of the last run, with their raw answers';
comment on column raw.verifications.address_key
is 'What keeps two runs from verifying one address at once: a digest of it';
comment on column raw.verifications.contact_id is 'The contact for which it was bought';
comment on column raw.verifications.email is 'The address that was asked about';
comment on column raw.verifications.state is 'open, answered, released or unconfirmed';
comment on column raw.verifications.outcome is 'checked, refused or legal_stop where answered';
comment on column raw.verifications.answer
is 'As the provider gave it; null where nothing definite was said';

create table if not exists raw.profile_changes (
    change_id varchar,
    provider varchar,
    release varchar,
    person_key varchar,
    uid varchar,
    supersedes varchar,
    contact_id varchar,
    freshness varchar,
    priority varchar,
    run_id varchar,
    state varchar,
    outcome varchar,
    reason varchar,
    reply_id varchar,
    requested_at timestamptz,
    answered_at timestamptz,
    revision bigint,
    moved_to varchar,
    reading integer
);
comment on table raw.profile_changes
is 'A copy of the ledger''s questions whether a release has changed a profile, as of the last run';
comment on column raw.profile_changes.release
is 'The release of the provider''s data that was asked about, the one before it being known';
comment on column raw.profile_changes.uid is 'The profile that was asked about';
comment on column raw.profile_changes.contact_id is 'A contact of the person';
comment on column raw.profile_changes.state is 'open, answered or released';
comment on column raw.profile_changes.outcome
is 'unchanged, changed or legal_stop where answered';
comment on column raw.profile_changes.moved_to
is 'The profile that it has become by this release; null for none';
comment on column raw.profile_changes.reading
is 'The number of the SQL that read moved_to; null until it is read';

create table if not exists staging.verification_readings (
    verification_id varchar,
    provider varchar,
    reading integer,
    status varchar,
    rating varchar,
    is_personal boolean
);
comment on table staging.verification_readings
is 'What each verification says, as its provider''s SQL reads it';
comment on column staging.verification_readings.reading
is 'The number of that SQL; another one has all answers read anew';

create table if not exists staging.checked_addresses (
    email varchar,
    status varchar,
    is_personal boolean,
    rating varchar,
    provider varchar,
    checked_at timestamptz,
    holds_until timestamptz
);
comment on table staging.checked_addresses
is 'The last word on each address that was verified by itself, or bounced';
comment on column staging.checked_addresses.status
is 'verified, likely or unverified; withdrawn where mail to it does not arrive';
comment on column staging.checked_addresses.holds_until
is 'What answers say of the address before then gives way to it';

create table if not exists staging.address_feedback (
    email varchar,
    first_bounced_at timestamptz,
    bounced_at timestamptz,
    first_delivered_at timestamptz,
    last_delivered_at timestamptz,
    has_complained boolean
);
comment on table staging.address_feedback
is 'What became of mail to each address, as the source tells it';
comment on column staging.address_feedback.first_bounced_at
is 'The first time, since mail was delivered there';
comment on column staging.address_feedback.bounced_at
is 'The last time that there was no such mailbox; other bounces say nothing';

create table if not exists staging.bounced_persons (person_key varchar, bounced_at timestamptz);
comment on table staging.bounced_persons
is 'Persons of whom an address bounced that mail had been delivered to: they may have moved on';

create table if not exists staging.agreed_addresses (
    contact_id varchar, email varchar, providers varchar[]
);
comment on table staging.agreed_addresses
is 'The addresses that several providers give for a contact, by their newest answers';

create table if not exists staging.due_verifications (
    contact_id varchar,
    person_key varchar,
    email varchar,
    freshness varchar,
    priority varchar,
    priority_rank integer,
    priority_score double,
    last_verification_id varchar
);
comment on table staging.due_verifications
is 'The addresses that are to be verified, one for each contact, as of when that was last asked';

create table if not exists staging.checked_points (
    contact_id varchar,
    lookup_id varchar,
    points struct(
        field varchar, value varchar, position integer, given_type varchar,
        given_sub_type varchar, confidence varchar, status varchar
    )[]
);
comment on table staging.checked_points
is 'In place of the e-mails and phones of judgements of which an address was checked';

create table if not exists staging.profiles (
    call_id varchar,
    call_kind varchar,
    position integer,
    provider varchar,
    answered_at timestamptz,
    path varchar,
    unreadable_part varchar,
    uid varchar,
    full_name varchar,
    headline varchar,
    location varchar,
    profile_urls varchar[],
    contact_points struct(
        kind varchar, field varchar, value varchar, status varchar, rating varchar,
        given_type varchar, given_sub_type varchar
    )[],
    positions struct(
        title varchar, company_name varchar, company_website varchar, company_industry varchar,
        company_employee_count varchar, started varchar, is_current boolean
    )[],
    reading integer
);
alter table staging.profiles add column if not exists release varchar;
comment on table staging.profiles
is 'The common profile: what an answer says of a person, one row for each answer that does and each profile that a search gave, read by the SQL file of its provider';
comment on column staging.profiles.call_id is 'The look-up or the search in the ledger';
comment on column staging.profiles.call_kind is 'lookup or search';
comment on column staging.profiles.position
is 'Its place among what the search gave, as in raw.search_profiles; 1 for a look-up';
comment on column staging.profiles.path
is 'Where the profile stands in the raw answer, as a JSON path';
comment on column staging.profiles.unreadable_part
is 'What of the answer does not have the shape that is read; null where all has it';
comment on column staging.profiles.uid is 'The provider''s id of the profile, as given';
comment on column staging.profiles.full_name is 'As given';
comment on column staging.profiles.headline is 'As given: what the person says of themself';
comment on column staging.profiles.location is 'As given; the first of several';
comment on column staging.profiles.profile_urls is 'Pages of the person elsewhere, as given';
comment on column staging.profiles.contact_points
is 'E-mails and phones in the order given: kind email or phone, the field that it is for, the value and the rating as given, and the rating mapped (verified, likely, unverified)';
comment on column staging.profiles.positions
is 'Where the person works or worked, in the order given; is_current is null where it is not said';
comment on column staging.profiles.release
is 'The release of the provider''s data that it is of; null where the answer does not say';
comment on column staging.profiles.reading
is 'The version of the provider''s reading: an answer that was read by another one is read anew';

-- enrichment ---------------------------------------------------------------------------

create table if not exists enrichment.worklist (
    contact_id varchar,
    person_key varchar,
    freshness varchar,
    priority varchar,
    priority_score double,
    lookup_identity varchar,
    identity_kind varchar,
    supersedes varchar,
    contact_count bigint,
    waiting_since timestamptz,
    run_id varchar
);
alter table enrichment.worklist add column if not exists freshness_reason varchar;
alter table enrichment.worklist add column if not exists search_kind varchar;
alter table enrichment.worklist add column if not exists last_search_id varchar;
alter table enrichment.worklist add column if not exists ledger_revision bigint;
alter table enrichment.worklist add column if not exists provider varchar;
comment on table enrichment.worklist
is 'What was due in each lane when a run last found work in it, one row per person to look up';
comment on column enrichment.worklist.contact_id is 'The person''s contact of the highest priority';
comment on column enrichment.worklist.person_key
is 'One key per human being; contacts that share it share the look-up';
comment on column enrichment.worklist.freshness is 'new, retry or stale';
comment on column enrichment.worklist.freshness_reason
is 'Why it is due, in one of the words listed in docs/reference/words.md';
comment on column enrichment.worklist.priority is 'strategic, target, standard or bulk';
comment on column enrichment.worklist.priority_score is 'Order within the priority, higher first';
comment on column enrichment.worklist.lookup_identity
is 'What the provider is asked for: a profile URL or UID, an e-mail, a phone number, or a name with a company';
comment on column enrichment.worklist.identity_kind
is 'linkedin, email, phone, uid or name; with a search_kind a search must find the profile first';
comment on column enrichment.worklist.search_kind
is 'The search that is due first: current, or current_past as the second try; null for none';
comment on column enrichment.worklist.last_search_id
is 'The person''s last search, which that one would replace; empty for none';
comment on column enrichment.worklist.supersedes
is 'The person''s last look-up at this provider, which this one would replace; empty for none';
comment on column enrichment.worklist.provider is 'Who is to be asked; a person may be due at several in turn';
comment on column enrichment.worklist.contact_count is 'How many contacts get the answer';
comment on column enrichment.worklist.waiting_since is 'Since when it has been due';
comment on column enrichment.worklist.run_id is 'The run that selected the row';
comment on column enrichment.worklist.ledger_revision
is 'Up to which of the ledger''s revisions its look-ups were known then';

create table if not exists enrichment.search_results (
    search_id varchar,
    person_key varchar,
    contact_id varchar,
    query_kind varchar,
    verdict varchar,
    detail varchar,
    uid varchar,
    score double,
    lead double,
    candidates json,
    answered_at timestamptz,
    run_id varchar,
    scored_by varchar
);
comment on table enrichment.search_results
is 'The verdict on each answered search for a name and a company, by the policy''s rules';
comment on column enrichment.search_results.search_id is 'The search in the ledger';
comment on column enrichment.search_results.person_key is 'Who was searched for';
comment on column enrichment.search_results.contact_id
is 'The contact whose name and company were compared';
comment on column enrichment.search_results.query_kind is 'current or current_past';
comment on column enrichment.search_results.verdict
is 'resolved, ambiguous, none or refused';
comment on column enrichment.search_results.detail is 'Why it is ambiguous, in words';
comment on column enrichment.search_results.uid is 'The profile that is the person; null for none';
comment on column enrichment.search_results.score is 'Of the best profile, 0 to 1';
comment on column enrichment.search_results.lead is 'How far it is before the next one';
comment on column enrichment.search_results.candidates
is 'All profiles that may be the person, the best first, with their scores';
comment on column enrichment.search_results.answered_at is 'When the answer came';
comment on column enrichment.search_results.run_id is 'The run that asked';
comment on column enrichment.search_results.scored_by
is 'Digest of the rules and values by which it was scored: another one is scored again';

create table if not exists enrichment.company_facts (
    company_domain varchar,
    field varchar,
    value varchar,
    provider varchar,
    observed_at timestamptz,
    lookup_id varchar,
    run_id varchar
);
comment on table enrichment.company_facts
is 'What answers say of companies, by registrable domain: the newest value of each field';
comment on column enrichment.company_facts.company_domain is 'The company''s registrable domain';
comment on column enrichment.company_facts.value is 'As the provider gives it';
comment on column enrichment.company_facts.provider is 'Who said so';
comment on column enrichment.company_facts.observed_at is 'When the answer came';
comment on column enrichment.company_facts.lookup_id is 'The look-up that gave it';
comment on column enrichment.company_facts.run_id is 'The run that bought it';
comment on column enrichment.company_facts.field is 'name, website, industry or employee_count';

create table if not exists enrichment.enriched_contacts (
    contact_id varchar,
    account_id varchar,
    person_key varchar,
    full_name varchar,
    job_title varchar,
    company_name varchar,
    company_domain varchar,
    work_email varchar,
    work_email_status varchar,
    personal_email varchar,
    personal_email_status varchar,
    direct_phone varchar,
    direct_phone_status varchar,
    mobile_phone varchar,
    mobile_phone_status varchar,
    linkedin_url varchar,
    location varchar,
    provider varchar,
    provider_uid varchar,
    job_changed boolean,
    enriched_at timestamptz,
    expires_at timestamptz,
    lookup_id varchar,
    run_id varchar,
    needs_manual_enrichment boolean
);
comment on table enrichment.enriched_contacts
is 'The best current value of each field for every contact with an accepted answer';
comment on column enrichment.enriched_contacts.contact_id is 'The source''s id of the contact';
comment on column enrichment.enriched_contacts.account_id is 'The source''s id of its account';
comment on column enrichment.enriched_contacts.person_key
is 'One key per human being; contacts that share it share their answers';
comment on column enrichment.enriched_contacts.full_name
is 'As the provider gives it, else as the source does';
comment on column enrichment.enriched_contacts.job_title is 'Of the current position';
comment on column enrichment.enriched_contacts.company_name is 'Current employer';
comment on column enrichment.enriched_contacts.company_domain
is 'The employer''s registrable domain';
comment on column enrichment.enriched_contacts.work_email
is 'Only ever from a provider''s answer or a reviewer';
comment on column enrichment.enriched_contacts.work_email_status
is 'verified, likely or unverified';
comment on column enrichment.enriched_contacts.personal_email
is 'Only ever from a provider''s answer or a reviewer';
comment on column enrichment.enriched_contacts.personal_email_status
is 'verified, likely or unverified';
comment on column enrichment.enriched_contacts.direct_phone is 'At work, E.164 where valid';
comment on column enrichment.enriched_contacts.direct_phone_status
is 'verified, likely or unverified';
comment on column enrichment.enriched_contacts.mobile_phone is 'E.164 where valid';
comment on column enrichment.enriched_contacts.mobile_phone_status
is 'verified, likely or unverified';
comment on column enrichment.enriched_contacts.linkedin_url is 'Profile';
comment on column enrichment.enriched_contacts.location is 'As the provider words it';
comment on column enrichment.enriched_contacts.provider
is 'Who answered; human where a reviewer gave all there is';
comment on column enrichment.enriched_contacts.provider_uid is 'The provider''s id of the profile';
comment on column enrichment.enriched_contacts.job_changed
is 'The current employer is another than the source''s';
comment on column enrichment.enriched_contacts.enriched_at
is 'When the latest accepted answer came';
comment on column enrichment.enriched_contacts.expires_at
is 'When it is too old; contact_status.next_lookup_at tells when it is looked up again';
comment on column enrichment.enriched_contacts.lookup_id
is 'The look-up of that answer; null where there is none';
comment on column enrichment.enriched_contacts.run_id is 'The run that bought it';
comment on column enrichment.enriched_contacts.needs_manual_enrichment
is 'True where the contact stands in needs_review';

create table if not exists enrichment.contact_changes (
    contact_id varchar,
    field varchar,
    old_value varchar,
    new_value varchar,
    old_status varchar,
    new_status varchar,
    changed_at timestamptz,
    run_id varchar,
    provider varchar,
    lookup_id varchar
);
comment on table enrichment.contact_changes
is 'Each change of a value that enriched_contacts shows, from its first publication on; rows are only added';
comment on column enrichment.contact_changes.contact_id is 'The source''s id of the contact';
comment on column enrichment.contact_changes.field is 'The column of enriched_contacts';
comment on column enrichment.contact_changes.old_value is 'What was shown; null for nothing';
comment on column enrichment.contact_changes.new_value
is 'What is shown now; null where it was withdrawn, or the contact left';
comment on column enrichment.contact_changes.old_status
is 'verified, likely or unverified; of e-mails and phones';
comment on column enrichment.contact_changes.new_status
is 'verified, likely or unverified; of e-mails and phones';
comment on column enrichment.contact_changes.changed_at is 'The instant of the run that published it';
comment on column enrichment.contact_changes.run_id is 'The run that published it';
comment on column enrichment.contact_changes.provider
is 'Who gave the new value; human for a reviewer, null where it is the source''s own';
comment on column enrichment.contact_changes.lookup_id is 'The look-up that the new value comes from';

create table if not exists staging.shown_contacts (
    contact_id varchar,
    shown struct(field varchar, value varchar, status varchar)[]
);
comment on table staging.shown_contacts
is 'What was published last of each contact: what contact_changes goes on from';

create table if not exists enrichment.providers (
    provider varchar,
    place integer,
    price decimal(18, 6)
);
comment on table enrichment.providers
is 'The providers that are asked, or have been, as the policy had them at the last run';
comment on column enrichment.providers.provider is 'Its name in the policy file';
comment on column enrichment.providers.place
is 'Its place in [waterfall] order; null where it is not asked any more';
comment on column enrichment.providers.price is 'Of one credit, in the unit of [budget]';

create table if not exists enrichment.needs_review (
    contact_id varchar,
    account_id varchar,
    reason varchar,
    detail varchar,
    candidate json,
    priority varchar,
    attempts bigint,
    first_flagged_at timestamptz,
    last_attempt_at timestamptz,
    needs_manual_enrichment boolean
);
comment on table enrichment.needs_review is 'Contacts that a person must look at, and why';
comment on column enrichment.needs_review.contact_id is 'The source''s id of the contact';
comment on column enrichment.needs_review.account_id is 'The source''s id of its account';
comment on column enrichment.needs_review.reason is 'One of the reasons listed in docs/reference/words.md';
comment on column enrichment.needs_review.detail is 'The reason in words, with what is wrong or was found, and what to do';
comment on column enrichment.needs_review.candidate
is 'What was found and not accepted, as evidence';
comment on column enrichment.needs_review.priority is 'strategic, target, standard or bulk';
comment on column enrichment.needs_review.attempts is 'Look-ups of this person so far';
comment on column enrichment.needs_review.first_flagged_at is 'Since when it has been here';
comment on column enrichment.needs_review.last_attempt_at is 'When the last look-up was made';
comment on column enrichment.needs_review.needs_manual_enrichment is 'Always true';

create table if not exists enrichment.contact_status (
    contact_id varchar,
    status varchar,
    freshness varchar,
    priority varchar,
    reason varchar,
    next_lookup_at timestamptz
);
alter table enrichment.contact_status add column if not exists freshness_reason varchar;
alter table enrichment.contact_status add column if not exists account_id varchar;
alter table enrichment.contact_status add column if not exists person_key varchar;
comment on table enrichment.contact_status
is 'Exactly one row for every contact of the source, and for every entry';
comment on column enrichment.contact_status.contact_id is 'The source''s id of the contact';
comment on column enrichment.contact_status.status
is 'enriched, needs_review, queued, in_flight or suppressed';
comment on column enrichment.contact_status.freshness
is 'new, retry, stale, fresh, in_flight, suppressed or unusable';
comment on column enrichment.contact_status.freshness_reason
is 'Why it is so, in one of the words listed in docs/reference/words.md';
comment on column enrichment.contact_status.priority is 'strategic, target, standard or bulk';
comment on column enrichment.contact_status.reason
is 'Why it needs review; not_eligible where [eligibility] leaves it out; entered_as where an entry is a contact of the source, whose status this is; waiting_for_provider where others have been asked and one is still to be; null otherwise';
comment on column enrichment.contact_status.next_lookup_at
is 'When it is, or was, due to be looked up; null where it will not be';
comment on column enrichment.contact_status.account_id is 'The source''s id of its account';
comment on column enrichment.contact_status.person_key
is 'One key per human being; contacts that share it share their look-ups; null where it is no known person';

-- outcomes that can be replayed and undone ------------------------------------------------

create table if not exists staging.judgements (
    contact_id varchar,
    lookup_id varchar,
    basis varchar,
    person_key varchar,
    provider varchar,
    answered_at timestamptz,
    run_id varchar,
    judgement varchar,
    is_decided boolean,
    detail varchar,
    provider_uid varchar,
    full_name varchar,
    location varchar,
    linkedin_url varchar,
    job_title varchar,
    seniority varchar,
    company_name varchar,
    company_domain varchar,
    company_website varchar,
    company_industry varchar,
    company_employee_count varchar,
    points struct(
        field varchar, value varchar, position integer, given_type varchar,
        given_sub_type varchar, confidence varchar, status varchar
    )[],
    closed struct(field varchar, valid_to timestamptz)[]
);
comment on table staging.judgements
is 'How each answer was judged for each contact of its person, and the values that it gives where it was accepted: one wide row, which person_facts shows as one row for each value';
comment on column staging.judgements.basis
is 'Digest of what else the judgement depends on: the contact as it was then';
comment on column staging.judgements.judgement
is 'matched where it was accepted; else why not, or what the provider said';
comment on column staging.judgements.is_decided is 'Whether a reviewer decided it';
comment on column staging.judgements.detail
is 'What is wrong with an answer that was not accepted; null otherwise';
comment on column staging.judgements.points
is 'E-mails and phones, normalised, in no order: position is the place in its field, the best first';
comment on column staging.judgements.closed
is 'The fields that the same provider gave anew later, and when; null for none';

create table if not exists raw.undone_runs (
    run_id varchar, undone_at timestamptz, undone_by varchar
);
comment on table raw.undone_runs
is 'Runs whose answers do not count; rows are only ever added, and a replay honours them';
comment on column raw.undone_runs.run_id is 'The run whose answers do not count';
comment on column raw.undone_runs.undone_at is 'When a user said so';
comment on column raw.undone_runs.undone_by is 'Who said so';

alter table enrichment.company_facts add column if not exists valid_from timestamptz;
alter table enrichment.company_facts add column if not exists valid_to timestamptz;
comment on table enrichment.company_facts
is 'What answers say of companies, by registrable domain: each value of each field, and when it was said';
comment on column enrichment.company_facts.observed_at is 'When the last answer came that said so';
comment on column enrichment.company_facts.valid_from
is 'When the first of these answers came';
comment on column enrichment.company_facts.valid_to
is 'When an answer said something else; null for the newest value';

alter table enrichment.enriched_contacts add column if not exists seniority varchar;
alter table enrichment.enriched_contacts add column if not exists company_website varchar;
alter table enrichment.enriched_contacts add column if not exists company_industry varchar;
alter table enrichment.enriched_contacts add column if not exists company_employee_count varchar;
alter table enrichment.enriched_contacts add column if not exists previous_company_name varchar;
alter table enrichment.enriched_contacts add column if not exists previous_company_domain varchar;
alter table enrichment.enriched_contacts add column if not exists previous_job_title varchar;
alter table enrichment.enriched_contacts add column if not exists source_full_name varchar;
alter table enrichment.enriched_contacts add column if not exists source_job_title varchar;
alter table enrichment.enriched_contacts add column if not exists source_company_name varchar;
alter table enrichment.enriched_contacts add column if not exists source_company_domain varchar;
alter table enrichment.enriched_contacts add column if not exists source_email varchar;
alter table enrichment.enriched_contacts add column if not exists source_phone varchar;
alter table enrichment.enriched_contacts add column if not exists source_linkedin_url varchar;
comment on column enrichment.enriched_contacts.seniority
is 'owner, c_suite, vp, director, manager, senior or entry, as far as the title tells';
comment on column enrichment.enriched_contacts.company_website is 'The employer''s';
comment on column enrichment.enriched_contacts.company_industry is 'The employer''s';
comment on column enrichment.enriched_contacts.company_employee_count
is 'Heads of the employer, a number or a range, as the provider gives it';
comment on column enrichment.enriched_contacts.previous_company_name
is 'The source''s employer where the current one is another; null otherwise';
comment on column enrichment.enriched_contacts.previous_company_domain
is 'The domain of the source''s employer where the current one is another; null otherwise';
comment on column enrichment.enriched_contacts.previous_job_title
is 'The source''s title where the current employer is another; null otherwise';
comment on column enrichment.enriched_contacts.source_full_name is 'As the source has it';
comment on column enrichment.enriched_contacts.source_job_title is 'As the source has it';
comment on column enrichment.enriched_contacts.source_company_name is 'As the source has it';
comment on column enrichment.enriched_contacts.source_company_domain is 'As the source has it';
comment on column enrichment.enriched_contacts.source_email
is 'As the source has it: neither verified nor of a known kind';
comment on column enrichment.enriched_contacts.source_phone
is 'As the source has it: neither verified nor of a known kind';
comment on column enrichment.enriched_contacts.source_linkedin_url is 'As the source has it';

alter table enrichment.enriched_contacts add column if not exists agreed_by varchar;
alter table enrichment.enriched_contacts add column if not exists employer_disputed_by varchar;
comment on column enrichment.enriched_contacts.agreed_by
is 'The providers that give the same e-mail, where there are two or more';
comment on column enrichment.enriched_contacts.employer_disputed_by
is 'The providers whose recent answer names another employer than the newest answer does';

alter table enrichment.needs_review add column if not exists evidence json;
alter table enrichment.needs_review add column if not exists full_name varchar;
alter table enrichment.needs_review add column if not exists company_name varchar;
alter table enrichment.needs_review add column if not exists email varchar;
comment on column enrichment.needs_review.full_name is 'The contact''s name, as the source has it';
comment on column enrichment.needs_review.company_name
is 'Where we have the contact: its own company, else its account''s';
comment on column enrichment.needs_review.email is 'As the source has it, whatever its form';
comment on column enrichment.needs_review.evidence
is 'Where another person may have been found: what differs, with our side and theirs';

alter table enrichment.contact_status add column if not exists company_domain varchar;
alter table enrichment.contact_status add column if not exists company_name varchar;
alter table enrichment.contact_status add column if not exists company_website varchar;
alter table enrichment.contact_status add column if not exists company_industry varchar;
alter table enrichment.contact_status add column if not exists company_employee_count varchar;
comment on column enrichment.contact_status.company_domain
is 'Of the current employer where the person was found, else as the source has it';
comment on column enrichment.contact_status.company_name is 'As the company_domain';
comment on column enrichment.contact_status.company_website
is 'From any answer on a person of the company, whether or not this contact was found';
comment on column enrichment.contact_status.company_industry is 'As the company_website';
comment on column enrichment.contact_status.company_employee_count is 'As the company_website';

-- what was listed before a row said who is to be asked: there was one provider then
update enrichment.worklist
set provider = (select min(provider) from raw.lookups)
where provider is null;
