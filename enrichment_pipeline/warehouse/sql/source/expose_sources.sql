-- What readers are given of the schemas `raw` and `staging`, under the names that it bears
-- in the published file, where these are tables. Nothing by which a person could be told.
--
-- reads: raw.lookups, raw.verifications, staging.accounts, staging.address_feedback,
--        staging.judgements
-- makes: enrichment.accounts, enrichment.bounces, enrichment.lookups, enrichment.verifications

create or replace view enrichment.lookups as
select
    lookup_id, provider, person_key, contact_id, freshness, priority, run_id, state, outcome,
    reason, credits_charged, requested_at, answered_at
from raw.lookups;
comment on view enrichment.lookups is 'Every paid look-up: its person, its outcome, its cost';
comment on column enrichment.lookups.lookup_id is 'The look-up in the ledger';
comment on column enrichment.lookups.provider is 'Who was asked';
comment on column enrichment.lookups.person_key is 'Who was looked up';
comment on column enrichment.lookups.contact_id is 'The contact for which it was made';
comment on column enrichment.lookups.freshness is 'Why it was due: new, retry or stale';
comment on column enrichment.lookups.priority is 'strategic, target, standard or bulk';
comment on column enrichment.lookups.run_id is 'The run that bought it';
comment on column enrichment.lookups.state
is 'open, answered, released (not sent, or refused unbilled) or unconfirmed (perhaps billed)';
comment on column enrichment.lookups.outcome
is 'Of an answer: matched, no_match, refused or legal_stop; null otherwise';
comment on column enrichment.lookups.reason is 'What the provider or the ledger says to it';
comment on column enrichment.lookups.credits_charged is 'What it cost';
comment on column enrichment.lookups.requested_at is 'When it was asked for';
comment on column enrichment.lookups.answered_at is 'When the answer came';

create or replace view enrichment.verifications as
with given as (
    select contact_id, lookup_id, answered_at, unnest(points).value as email
    from staging.judgements
    where judgement = 'matched'
        and contact_id in (select contact_id from raw.verifications)
),

givers as (
    select
        verification.verification_id,
        arg_max(given.lookup_id, (given.answered_at, given.lookup_id)) as lookup_id
    from raw.verifications as verification
    join given
        on given.contact_id = verification.contact_id
        and given.email = verification.email
        and given.answered_at <= verification.requested_at
    group by verification.verification_id
)

select
    verification.verification_id, verification.provider, verification.contact_id,
    verification.freshness, verification.priority, verification.run_id, verification.state,
    verification.outcome, verification.reason, verification.credits_charged,
    verification.requested_at, verification.answered_at, givers.lookup_id
from raw.verifications as verification
left join givers on givers.verification_id = verification.verification_id;
comment on view enrichment.verifications
is 'Every verification of an address, without the address: its outcome and its cost';
comment on column enrichment.verifications.verification_id is 'The verification in the ledger';
comment on column enrichment.verifications.provider is 'Who was asked';
comment on column enrichment.verifications.contact_id is 'The contact for which it was made';
comment on column enrichment.verifications.freshness is 'Of the contact when it was asked about';
comment on column enrichment.verifications.priority is 'strategic, target, standard or bulk';
comment on column enrichment.verifications.run_id is 'The run that bought it';
comment on column enrichment.verifications.state
is 'open, answered, released (not sent, or refused unbilled) or unconfirmed (perhaps billed)';
comment on column enrichment.verifications.outcome
is 'Of an answer: checked, refused or legal_stop; null otherwise';
comment on column enrichment.verifications.reason is 'What the provider or the ledger says to it';
comment on column enrichment.verifications.credits_charged is 'What it cost; may be half a credit';
comment on column enrichment.verifications.requested_at is 'When it was asked for';
comment on column enrichment.verifications.answered_at is 'When the answer came';
comment on column enrichment.verifications.lookup_id
is 'The last look-up before it whose accepted answer gave the address; null where none does any more';

create or replace view enrichment.bounces as
with given as (
    select
        person_key, contact_id, provider, lookup_id, answered_at, unnest(points).value as email
    from staging.judgements
    where judgement = 'matched'
        and exists (select 1 from staging.address_feedback where bounced_at is not null)
)

select
    min(given.contact_id) as contact_id,
    given.person_key,
    given.provider,
    arg_min(given.lookup_id, (given.answered_at, given.lookup_id)) as lookup_id,
    feedback.bounced_at
from given
join staging.address_feedback as feedback on feedback.email = given.email
where feedback.bounced_at is not null
group by given.person_key, given.provider, given.email, feedback.bounced_at;
comment on view enrichment.bounces
is 'Addresses that a provider gave for a person and from which mail came back, without the address: one row for each person, provider and address';
comment on column enrichment.bounces.contact_id is 'One of the person''s contacts';
comment on column enrichment.bounces.person_key is 'Whose address it was taken for';
comment on column enrichment.bounces.provider is 'Who gave it';
comment on column enrichment.bounces.lookup_id is 'The first of its look-ups that gave it';
comment on column enrichment.bounces.bounced_at is 'When mail came back last';

create or replace view enrichment.accounts as
select account_id, name, domain, tier, annual_revenue, employee_count, open_pipeline
from staging.accounts
where left_at is null;
comment on view enrichment.accounts is 'Accounts as the source gives them, one row per account_id';
comment on column enrichment.accounts.account_id is 'The source''s id';
comment on column enrichment.accounts.name is 'As the source has it';
comment on column enrichment.accounts.domain is 'As the source has it';
comment on column enrichment.accounts.tier
is 'As the source has it, in lower case; the priority counts, see coverage_by_account';
comment on column enrichment.accounts.annual_revenue is 'In the source''s currency';
comment on column enrichment.accounts.employee_count is 'Heads';
comment on column enrichment.accounts.open_pipeline is 'In the source''s currency';
