-- The views that people read: coverage, spend, what falls due, and what a provider is worth.
-- They stand over tables of the schema `enrichment` only, so that the same text makes them
-- in the warehouse and in the published file. Days and weeks are UTC's; make_timestamp reads
-- an instant as UTC whatever the reader's time zone, and needs no extension of DuckDB. Each of
-- them is published. A new one also needs a step in `migrations.py` and a row in
-- `personal_data.py`.
--
-- reads: enrichment.accounts, enrichment.bounces, enrichment.contact_status,
--        enrichment.enriched_contacts, enrichment.lookups, enrichment.person_facts,
--        enrichment.providers, enrichment.verifications
-- makes: enrichment.coverage_by_account, enrichment.coverage_by_priority, enrichment.lookup_costs,
--        enrichment.provider_scorecard, enrichment.refresh_debt, enrichment.spend_by_day

create or replace view enrichment.coverage_by_account as
select
    state.account_id,
    any_value(account.name) as account_name,
    any_value(account.domain) as account_domain,
    state.priority,
    count(*) as contacts,
    count(*) filter (state.status = 'enriched') as enriched,
    count(*) filter (state.status = 'needs_review') as needs_review,
    count(*) filter (state.status in ('queued', 'in_flight')) as waiting,
    count(*) filter (state.status = 'suppressed') as suppressed,
    count(*) filter (
        best.work_email_status = 'verified' or best.personal_email_status = 'verified'
    ) as with_verified_email,
    count(*) filter (
        best.direct_phone_status = 'verified' or best.mobile_phone_status = 'verified'
    ) as with_verified_phone,
    round(count(*) filter (state.status = 'enriched') / count(*), 4) as enriched_share,
    min(best.enriched_at) as oldest_answer_at,
    count(best.contact_id) as with_answer
from enrichment.contact_status as state
left join enrichment.enriched_contacts as best on best.contact_id = state.contact_id
left join enrichment.accounts as account on account.account_id = state.account_id
-- an entry that retired is counted as the source's contact
where state.reason is distinct from 'entered_as'
group by state.account_id, state.priority
order by contacts desc, state.account_id;
comment on view enrichment.coverage_by_account
is 'How far the contacts of each account are enriched, one row per account that has contacts';
comment on column enrichment.coverage_by_account.account_id
is 'The source''s id; null for contacts without an account';
comment on column enrichment.coverage_by_account.account_name is 'As the source has it';
comment on column enrichment.coverage_by_account.account_domain is 'As the source has it';
comment on column enrichment.coverage_by_account.priority
is 'strategic, target, standard or bulk: from the tier or the score';
comment on column enrichment.coverage_by_account.contacts
is 'Contacts of the source, and entered ones that it does not have';
comment on column enrichment.coverage_by_account.enriched
is 'Contacts with the status enriched: their answer meets [acceptance], and nothing waits for a reviewer';
comment on column enrichment.coverage_by_account.needs_review
is 'Contacts with the status needs_review: a person must look at them, whether or not an answer is shown';
comment on column enrichment.coverage_by_account.waiting
is 'Contacts that are queued or in flight';
comment on column enrichment.coverage_by_account.suppressed
is 'Contacts that are not to be looked up';
comment on column enrichment.coverage_by_account.with_verified_email
is 'Contacts with a verified e-mail, at work or personal, whatever their status';
comment on column enrichment.coverage_by_account.with_verified_phone
is 'Contacts with a verified phone, direct or mobile, whatever their status';
comment on column enrichment.coverage_by_account.enriched_share is 'enriched ÷ contacts, 0 to 1';
comment on column enrichment.coverage_by_account.oldest_answer_at
is 'When the oldest answer came that is still shown';
comment on column enrichment.coverage_by_account.with_answer
is 'Rows of enriched_contacts: contacts that show an answer, whatever their status';

create or replace view enrichment.coverage_by_priority as
select
    band.priority,
    count(coverage.account_id) as accounts,
    cast(coalesce(sum(coverage.contacts), 0) as bigint) as contacts,
    cast(coalesce(sum(coverage.enriched), 0) as bigint) as enriched,
    cast(coalesce(sum(coverage.needs_review), 0) as bigint) as needs_review,
    cast(coalesce(sum(coverage.waiting), 0) as bigint) as waiting,
    cast(coalesce(sum(coverage.suppressed), 0) as bigint) as suppressed,
    cast(coalesce(sum(coverage.with_verified_email), 0) as bigint) as with_verified_email,
    cast(coalesce(sum(coverage.with_verified_phone), 0) as bigint) as with_verified_phone,
    round(sum(coverage.enriched) / sum(coverage.contacts), 4) as enriched_share,
    min(coverage.oldest_answer_at) as oldest_answer_at,
    cast(coalesce(sum(coverage.with_answer), 0) as bigint) as with_answer
from (
    values ('strategic', 1), ('target', 2), ('standard', 3), ('bulk', 4)
) as band (priority, place)
left join enrichment.coverage_by_account as coverage on coverage.priority = band.priority
group by band.priority, band.place
order by band.place;
comment on view enrichment.coverage_by_priority
is 'How far the contacts of each priority are enriched: four rows, the most important first';
comment on column enrichment.coverage_by_priority.priority
is 'strategic, target, standard or bulk';
comment on column enrichment.coverage_by_priority.accounts
is 'Accounts that have contacts';
comment on column enrichment.coverage_by_priority.contacts
is 'Contacts of the source, and entered ones that it does not have';
comment on column enrichment.coverage_by_priority.enriched
is 'Contacts with the status enriched: their answer meets [acceptance], and nothing waits for a reviewer';
comment on column enrichment.coverage_by_priority.needs_review
is 'Contacts with the status needs_review: a person must look at them, whether or not an answer is shown';
comment on column enrichment.coverage_by_priority.waiting
is 'Contacts that are queued or in flight';
comment on column enrichment.coverage_by_priority.suppressed
is 'Contacts that are not to be looked up';
comment on column enrichment.coverage_by_priority.with_verified_email
is 'Contacts with a verified e-mail, at work or personal, whatever their status';
comment on column enrichment.coverage_by_priority.with_verified_phone
is 'Contacts with a verified phone, direct or mobile, whatever their status';
comment on column enrichment.coverage_by_priority.enriched_share
is 'enriched ÷ contacts, 0 to 1; null where there are none';
comment on column enrichment.coverage_by_priority.oldest_answer_at
is 'When the oldest answer came that is still shown';
comment on column enrichment.coverage_by_priority.with_answer
is 'Rows of enriched_contacts: contacts that show an answer, whatever their status';

create or replace view enrichment.spend_by_day as
with calls as (
    select true as is_lookup, provider, state, outcome, credits_charged, requested_at
    from enrichment.lookups
    union all
    select false as is_lookup, provider, state, outcome, credits_charged, requested_at
    from enrichment.verifications
),

daily as (
    select
        cast(make_timestamp(epoch_us(requested_at)) as date) as day,
        provider,
        count(*) filter (is_lookup) as lookups,
        count(*) filter (outcome = 'matched') as matched,
        count(*) filter (outcome = 'no_match') as no_match,
        count(*) filter (is_lookup and outcome in ('refused', 'legal_stop')) as refused,
        count(*) filter (is_lookup and state = 'unconfirmed') as unconfirmed,
        count(*) filter (is_lookup and state = 'open') as in_flight,
        round(
            count(*) filter (outcome = 'matched')
            / nullif(count(*) filter (is_lookup and state = 'answered'), 0),
            4
        ) as match_rate,
        cast(coalesce(sum(credits_charged) filter (is_lookup), 0) as bigint) as credits_charged,
        count(*) filter (not is_lookup) as verifications,
        cast(coalesce(sum(credits_charged), 0) as decimal(18, 6)) as all_credits
    from calls
    where state <> 'released'
    group by day, provider
)

select
    daily.* exclude (verifications, all_credits),
    cast(
        sum(daily.credits_charged) over (
            partition by daily.provider, date_trunc('month', daily.day) order by daily.day
        ) as bigint
    ) as credits_month_to_date,
    daily.verifications,
    cast(daily.all_credits * coalesce(provider.price, 1) as decimal(18, 6)) as cost
from daily
left join enrichment.providers as provider on provider.provider = daily.provider
order by daily.day, daily.provider;
comment on view enrichment.spend_by_day
is 'What was looked up and verified, and what it cost, one row per day and provider';
comment on column enrichment.spend_by_day.day
is 'UTC, of the request: the day whose budget it drew on';
comment on column enrichment.spend_by_day.provider is 'Who was asked';
comment on column enrichment.spend_by_day.lookups
is 'Look-ups that were sent, or are about to be';
comment on column enrichment.spend_by_day.matched is 'Look-ups that found the person';
comment on column enrichment.spend_by_day.no_match is 'Look-ups that did not find the person; they cost nothing';
comment on column enrichment.spend_by_day.refused is 'Look-ups that the provider does not take';
comment on column enrichment.spend_by_day.unconfirmed
is 'Look-ups that were never answered; perhaps billed';
comment on column enrichment.spend_by_day.in_flight is 'Look-ups whose answer is still awaited';
comment on column enrichment.spend_by_day.match_rate is 'matched ÷ answered, 0 to 1';
comment on column enrichment.spend_by_day.credits_charged is 'The credits that look-ups cost';
comment on column enrichment.spend_by_day.credits_month_to_date
is 'The credits that the month''s look-ups cost up to and with this day';
comment on column enrichment.spend_by_day.verifications
is 'Verifications of addresses that were sent, or are about to be';
comment on column enrichment.spend_by_day.cost
is 'What look-ups and verifications cost: credits at their price, in the unit of [budget]';

create or replace view enrichment.refresh_debt as
with
answered as (
    select
        person_key,
        provider,
        outcome,
        credits_charged,
        lag(outcome) over newer as outcome_before,
        lead(outcome) over newer is null as is_last
    from enrichment.lookups
    where state = 'answered'
    window newer as (partition by person_key, provider order by answered_at, lookup_id)
),

-- A person found once is found again far more often than one that was not: what a
-- look-up costs on average is told by the provider's answer before it, once there are enough of
-- them. Until then a person that was found is taken to be found again.
costs as (
    select provider, outcome_before, avg(credits_charged) as credits
    from answered
    group by provider, outcome_before
    having count(*) >= 30
),

averages as (
    select
        provider,
        avg(credits_charged) as credits,
        avg(credits_charged) filter (outcome = 'matched') as credits_of_a_match
    from answered
    group by provider
),

-- several contacts that are one person are one look-up
due as (
    select
        person_key,
        min(make_timestamp(epoch_us(next_lookup_at))) as due_at,
        count(*) as contacts
    from enrichment.contact_status
    where next_lookup_at is not null and person_key is not null
    group by person_key
),

-- Those that have answered about a person are asked again, unless they are asked no more; about one
-- of whom none has, the first.
asked_again as (
    select
        due.person_key,
        coalesce(latest.provider, (
            select arg_min(provider, place) from enrichment.providers where place is not null
        )) as provider,
        latest.outcome
    from due
    left join (
        select answered.*
        from answered
        left join enrichment.providers as listed on listed.provider = answered.provider
        where answered.is_last and (listed.provider is null or listed.place is not null)
    ) as latest on latest.person_key = due.person_key
),

expected as (
    select
        person_key,
        sum(credits) as credits,
        sum(credits * price) as cost,
        count(*) as worst_credits,
        sum(price) as worst_cost
    from (
        select
            asked.person_key,
            coalesce(
                cost.credits,
                case when asked.outcome = 'matched' then average.credits_of_a_match end,
                average.credits,
                1
            ) as credits,
            coalesce(listed.price, 1) as price
        from asked_again as asked
        left join costs as cost
            on cost.provider = asked.provider
            and cost.outcome_before is not distinct from asked.outcome
        left join averages as average on average.provider = asked.provider
        left join enrichment.providers as listed on listed.provider = asked.provider
    )
    group by person_key
)

select
    cast(date_trunc('week', due.due_at) as date) as week_starts_on,
    strftime(due.due_at, '%G-W%V') as iso_week,
    cast(sum(due.contacts) as bigint) as contacts,
    count(*) as lookups,
    round(sum(expected.credits), 1) as expected_credits,
    cast(sum(expected.worst_credits) as bigint) as worst_case_credits,
    round(cast(sum(expected.cost) as double), 2) as expected_cost,
    cast(sum(expected.worst_cost) as decimal(18, 6)) as worst_case_cost
from due
join expected on expected.person_key = due.person_key
group by week_starts_on, iso_week
order by week_starts_on;
comment on view enrichment.refresh_debt
is 'What falls due, one row per week: the look-ups, and what they will cost. Weeks that are over hold what is overdue';
comment on column enrichment.refresh_debt.week_starts_on is 'The week''s Monday, UTC';
comment on column enrichment.refresh_debt.iso_week is 'The week as ISO 8601 names it: 2026-W10';
comment on column enrichment.refresh_debt.contacts is 'Contacts that fall due';
comment on column enrichment.refresh_debt.lookups
is 'People that they are: each is looked up once at each provider, however many contacts it has';
comment on column enrichment.refresh_debt.expected_credits
is 'What that costs at the average of look-ups so far, by what each provider''s last answer about the person was: those found once are mostly found again. 1 each before the first answer';
comment on column enrichment.refresh_debt.worst_case_credits
is 'What it costs if everybody is found by each provider that has answered about them: a credit each';
comment on column enrichment.refresh_debt.expected_cost
is 'expected_credits at the price of each provider, in the unit of [budget]';
comment on column enrichment.refresh_debt.worst_case_cost
is 'worst_case_credits at the price of each provider, in the unit of [budget]';

create or replace view enrichment.lookup_costs as
with verified as (
    select
        verification.lookup_id,
        sum(verification.credits_charged * coalesce(verifier.price, 1)) as cost
    from enrichment.verifications as verification
    left join enrichment.providers as verifier on verifier.provider = verification.provider
    group by verification.lookup_id
)

select
    lookup.lookup_id,
    lookup.provider,
    cast(coalesce(verified.cost, 0) as decimal(18, 6)) as verification_cost,
    cast(
        coalesce(lookup.credits_charged, 0) * coalesce(provider.price, 1)
        + coalesce(verified.cost, 0)
        as decimal(18, 6)
    ) as cost
from enrichment.lookups as lookup
left join enrichment.providers as provider on provider.provider = lookup.provider
left join verified on verified.lookup_id = lookup.lookup_id;
comment on view enrichment.lookup_costs
is 'What each look-up cost in the unit of [budget], with what verifying the addresses that it gave cost';
comment on column enrichment.lookup_costs.lookup_id is 'The look-up in the ledger';
comment on column enrichment.lookup_costs.provider is 'Who was asked';
comment on column enrichment.lookup_costs.verification_cost
is 'What was paid for verifying addresses that it gave, to whoever verified them';
comment on column enrichment.lookup_costs.cost
is 'Its credits at their price, and verification_cost';

create or replace view enrichment.provider_scorecard as
with
-- In a round each provider is asked once about a person; a further look-up there begins the next.
rounds as (
    select
        *,
        row_number() over (
            partition by person_key, provider order by requested_at, lookup_id
        ) as round
    from enrichment.lookups
    where state <> 'released'
),

asked as (
    select
        *,
        row_number() over (
            partition by person_key, round order by requested_at, lookup_id
        ) as place
    from rounds
),

accepted as (
    select distinct lookup_id
    from enrichment.person_facts
    where field = 'lookup_outcome' and value = 'matched'
),

shown as (
    select
        lookup_id,
        count(*) as contacts,
        count(*) filter (
            'verified' in (
                work_email_status, personal_email_status, direct_phone_status, mobile_phone_status
            )
        ) as verified_contacts
    from enrichment.enriched_contacts
    group by lookup_id
),

verified_emails as (
    select contact_id, 'work_email' as field, work_email as value
    from enrichment.enriched_contacts
    where work_email_status = 'verified'
    union all
    select contact_id, 'personal_email' as field, personal_email as value
    from enrichment.enriched_contacts
    where personal_email_status = 'verified'
),

-- the look-up that an address is owed to: the first that gave it, of those by which it still holds
givers as (
    select
        email.contact_id,
        arg_min(
            fact.lookup_id,
            (fact.status is distinct from 'verified', fact.observed_at, fact.lookup_id)
        ) as lookup_id,
        min(fact.observed_at) as given_at
    from verified_emails as email
    join enrichment.person_facts as fact
        on fact.contact_id = email.contact_id
        and fact.field = email.field
        and fact.value = email.value
    where fact.valid_to is null and fact.provider <> 'human'
    group by email.contact_id, email.field
),

usable as (
    select lookup_id, count(*) as contacts, count(*) filter (is_first) as added
    from (
        select
            contact_id,
            lookup_id,
            row_number() over (
                partition by contact_id order by min(given_at), lookup_id
            ) = 1 as is_first
        from givers
        group by contact_id, lookup_id
    )
    group by lookup_id
),

bounced as (
    select lookup_id, count(*) as addresses
    from enrichment.bounces
    group by lookup_id
),

brought as (
    select
        asked.provider,
        asked.place,
        asked.priority,
        count(*) as asked,
        count(*) filter (asked.outcome = 'matched') as matched,
        count(*) filter (asked.outcome = 'no_match') as no_match,
        count(*) filter (asked.outcome in ('refused', 'legal_stop')) as refused,
        count(*) filter (asked.state = 'unconfirmed') as unconfirmed,
        count(*) filter (asked.state = 'answered') as answered,
        count(accepted.lookup_id) as accepted,
        cast(coalesce(sum(usable.contacts), 0) as bigint) as verified_usable,
        cast(coalesce(sum(usable.added), 0) as bigint) as added,
        cast(coalesce(sum(bounced.addresses), 0) as bigint) as bounced,
        cast(coalesce(sum(asked.credits_charged), 0) as bigint) as credits_charged,
        cast(sum(priced.verification_cost) as decimal(18, 6)) as verification_cost,
        cast(sum(priced.cost) as decimal(18, 6)) as cost,
        cast(coalesce(sum(shown.contacts), 0) as bigint) as enriched_contacts,
        cast(coalesce(sum(shown.verified_contacts), 0) as bigint) as verified_contacts,
        max(asked.answered_at) as last_answer_at
    from asked
    left join accepted on accepted.lookup_id = asked.lookup_id
    left join usable on usable.lookup_id = asked.lookup_id
    left join shown on shown.lookup_id = asked.lookup_id
    left join bounced on bounced.lookup_id = asked.lookup_id
    join enrichment.lookup_costs as priced on priced.lookup_id = asked.lookup_id
    group by asked.provider, asked.place, asked.priority
)

select
    provider,
    place,
    priority,
    asked,
    matched,
    accepted,
    verified_usable,
    added,
    bounced,
    cost,
    verification_cost,
    round(cast(cost as double) / nullif(verified_usable, 0), 4) as cost_per_verified_usable,
    no_match,
    refused,
    unconfirmed,
    round(matched / nullif(answered, 0), 4) as match_rate,
    credits_charged,
    enriched_contacts,
    verified_contacts,
    round(credits_charged / nullif(matched, 0), 4) as credits_per_match,
    round(credits_charged / nullif(verified_contacts, 0), 4) as credits_per_verified_contact,
    last_answer_at,
    asked as lookups,
    verified_usable as with_verified_email,
    round(credits_charged / nullif(verified_usable, 0), 4) as credits_per_verified_email
from brought
order by place, provider, list_position(['strategic', 'target', 'standard', 'bulk'], priority);
comment on view enrichment.provider_scorecard
is 'What each provider brought and cost so far, one row per provider, place in the chain and priority';
comment on column enrichment.provider_scorecard.provider is 'Who was asked';
comment on column enrichment.provider_scorecard.place
is '1 where it was asked first about the person, 2 where one other was asked before and had left the contact open, and so on';
comment on column enrichment.provider_scorecard.priority
is 'strategic, target, standard or bulk: of the contact when it was asked about';
comment on column enrichment.provider_scorecard.asked
is 'Look-ups that were sent, or are about to be';
comment on column enrichment.provider_scorecard.matched is 'Look-ups that found a profile';
comment on column enrichment.provider_scorecard.accepted
is 'Look-ups whose profile was accepted as the contact''s, by the identity check or a reviewer';
comment on column enrichment.provider_scorecard.verified_usable
is 'Contacts that show a verified e-mail, at work or personal, which one of these look-ups gave';
comment on column enrichment.provider_scorecard.added
is 'Of these, contacts to which no provider before it had given a verified e-mail';
comment on column enrichment.provider_scorecard.bounced
is 'Addresses that these look-ups were the first of the provider''s to give for the person, and from which mail came back';
comment on column enrichment.provider_scorecard.cost
is 'What all of them cost, refreshes included, and verifying the addresses that they gave: credits at their price, in the unit of [budget]';
comment on column enrichment.provider_scorecard.verification_cost
is 'What of cost was paid for verifying addresses, to whoever verified them';
comment on column enrichment.provider_scorecard.cost_per_verified_usable
is 'cost ÷ verified_usable';
comment on column enrichment.provider_scorecard.no_match is 'Look-ups that did not find the person';
comment on column enrichment.provider_scorecard.refused is 'Look-ups that it does not take';
comment on column enrichment.provider_scorecard.unconfirmed
is 'Look-ups that were never answered; perhaps billed, and not in cost';
comment on column enrichment.provider_scorecard.match_rate is 'matched ÷ answered, 0 to 1';
comment on column enrichment.provider_scorecard.credits_charged
is 'The credits that all of them cost, refreshes included';
comment on column enrichment.provider_scorecard.enriched_contacts
is 'Contacts whose newest accepted answer is one of these';
comment on column enrichment.provider_scorecard.verified_contacts
is 'Of these, contacts with a verified e-mail or a verified phone';
comment on column enrichment.provider_scorecard.credits_per_match is 'credits_charged ÷ matched';
comment on column enrichment.provider_scorecard.credits_per_verified_contact
is 'credits_charged ÷ verified_contacts, a verified e-mail or phone each; credits_per_verified_email counts e-mails alone';
comment on column enrichment.provider_scorecard.last_answer_at is 'When it last answered';
comment on column enrichment.provider_scorecard.lookups is 'Older name of asked';
comment on column enrichment.provider_scorecard.with_verified_email
is 'Older name of verified_usable';
comment on column enrichment.provider_scorecard.credits_per_verified_email
is 'credits_charged ÷ verified_usable: all that was paid so far, refreshes included, for each contact that shows a verified e-mail';
