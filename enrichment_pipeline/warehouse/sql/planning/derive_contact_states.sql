-- Where every contact of the source stands at $as_of with one provider: its priority, by which
-- identifier its person would be looked up at $provider, how the last look-up there ended, and
-- whether it is due there. What another provider said counts where it ends the matter: a legal stop
-- does for all of them, answers that are accepted do while they are recent and have what $require
-- asks for.
-- The work list and contact_status are both read off this. What reviewers decided on asking, and
-- by what each person is asked for, must have been selected before
-- (`select_current_decisions.sql`, `choose_identities.sql`).
--
-- reads: asked_identities, decided_contacts, decided_persons, person_searches, raw.lookups,
--        raw.profile_changes, raw.provider_responses, raw.undone_runs, raw.verifications,
--        staging.accounts, staging.agreed_addresses, staging.bounced_persons,
--        staging.checked_judgements, staging.contact_identities, staging.contact_persons,
--        staging.entered_contacts, staging.ineligible_contacts, staging.judgements,
--        staging.person_lookups, staging.suppressed_contacts, staging.told_changes
-- makes: account_priorities, aged_lookups, erased_answers, lookups_elsewhere, provider_states,
--        said_elsewhere, stopped_persons

-- How much each account matters. A tier that a band is named after decides the band;
-- without one the score does. Every term but the tier is 100 per power of ten, so that weights
-- of 1 compare like with like: 1 million in open pipeline counts 600, 1,000 heads 300.
create or replace temp table account_priorities as
with scored as (
    select
        account_id,
        case when list_contains(getvariable('priorities'), tier) then tier end as known_tier,
        -- 3 for the most important tier, 0 for the least and for none
        $tier_weight * (len(getvariable('priorities')) - 1 - priority_rank(tier))
        + $open_pipeline_weight * 100 * log10(1 + greatest(coalesce(open_pipeline, 0), 0))
        + $annual_revenue_weight * 100 * log10(1 + greatest(coalesce(annual_revenue, 0), 0))
        + $employee_count_weight * 100 * log10(1 + greatest(coalesce(employee_count, 0), 0))
            as priority_score
    from staging.accounts
    where left_at is null
)

select
    account_id,
    priority_score,
    coalesce(
        known_tier,
        case
            when priority_score >= $strategic_band then 'strategic'
            when priority_score >= $target_band then 'target'
            when priority_score >= $standard_band then 'standard'
            else 'bulk'
        end
    ) as priority
from scored;

-- Who is asked, the policy's numbers, and the instant: a view takes no parameters.
set variable asked_provider = $provider;

set variable entry_priority = $entry_priority;

set variable aging = {
    'as_of': cast($as_of as timestamptz),
    'max_age_days': $max_age_days,
    'no_match_days': $no_match_days,
    'unconfirmed_days': $unconfirmed_days,
    'spread_days': $spread_days,
    'retry_first_hours': $retry_first_hours,
    'retry_longest_days': $retry_longest_days,
    'retry_max_attempts': $retry_max_attempts
};

-- How the look-ups of each person at each provider have ended, and until when that is good.
create or replace temp view aged_lookups as
with
-- at a reviewer's word to ask again only what failed after it counts
failures_since as (
    select
        failed.person_key,
        failed.provider,
        count(distinct failed.run_id) as failed_runs,
        max(failed.requested_at) as last_failed_at
    from raw.lookups as failed
    join decided_persons as decided
        on decided.person_key = failed.person_key
        and list_contains(decided.seen_providers, failed.provider)
    join staging.person_lookups as lookup
        on lookup.person_key = failed.person_key and lookup.provider = failed.provider
    where failed.state = 'released'
        and failed_by_item(failed.provider, failed.reason)
        and failed.requested_at > decided.seen_at
        and failed.requested_at > coalesce(
            greatest(lookup.requested_at, lookup.asked_again_at),
            cast('-infinity' as timestamptz)
        )
    group by failed.person_key, failed.provider
),

decided_lookups as (
    select
        lookup.* exclude (failed_runs, last_failed_at),
        case when decided.seen_at is null then lookup.failed_runs else since.failed_runs end
            as failed_runs,
        case when decided.seen_at is null then lookup.last_failed_at else since.last_failed_at end
            as last_failed_at,
        -- by their ids, since the clock may have been set back in between
        coalesce(list_contains(decided.seen_heads, coalesce(lookup.lookup_id, '')), false)
            as is_asked_again,
        bounced.bounced_at,
        coalesce(bounced.bounced_at > lookup.answered_at and lookup.outcome = 'matched', false)
            as has_bounced_since,
        { 'renewed_at': told.renewed_at, 'changed_at': told.changed_at } as told,
        told.changed_at is not null as has_changed_since
    from staging.person_lookups as lookup
    left join staging.told_changes as told on told.lookup_id = lookup.lookup_id
    left join staging.bounced_persons as bounced on bounced.person_key = lookup.person_key
    -- a reviewer's word is about the provider whose look-up they saw
    left join decided_persons as decided
        on decided.person_key = lookup.person_key
        and list_contains(decided.seen_providers, lookup.provider)
    left join failures_since as since
        on since.person_key = lookup.person_key and since.provider = lookup.provider
)

select
    *,
    last_released_at > coalesce(requested_at, cast('-infinity' as timestamptz))
        as has_failed_since,
    -- when the answer stops being good enough; null for what is never asked again. Refreshes
    -- are spread over the days before the age limit, by a draw that is each look-up's own
    -- and the same every time: never later than the limit. Misses are not: that would be
    -- asking sooner than the policy allows.
    -- An answer is not good enough any more once mail to one of the person's addresses came back,
    -- or the provider says that it has changed; where it says that it has not, it is as new.
    case
        when state = 'unconfirmed'
            then requested_at + to_days(getvariable('aging').unconfirmed_days)
        when outcome = 'matched'
            then least(
                expiry(answered_at, told, getvariable('aging').max_age_days)
                - to_seconds(getvariable('aging').spread_days * 86400 * spread_draw),
                told.changed_at,
                case when has_bounced_since then bounced_at end
            )
        when outcome = 'no_match'
            then answered_at + to_days(getvariable('aging').no_match_days)
    end as due_at,
    due_at > getvariable('aging').as_of as is_recent,
    -- when to try again after failures in a row; null for at once
    last_failed_at + to_seconds(seconds_to_retry(failed_runs, getvariable('aging'))) as retry_at
from decided_lookups;

-- The contacts for which nothing is left of an answer to their person, since it was erased.
create or replace temp table erased_answers as
select contact.contact_id, response.lookup_id
from raw.provider_responses as response
join staging.contact_identities as contact on contact.person_key = response.person_key
anti join staging.judgements as judged
    on judged.contact_id = contact.contact_id and judged.lookup_id = response.lookup_id
where response.is_erased and response.outcome = 'matched';

-- What other providers than the asked one have said: as a table, so that it is known to be empty
-- where there are none.
create or replace temp table lookups_elsewhere as
select
    person_key, lookup_id, outcome, is_recent, due_at, attempts, last_attempt_at,
    lookup_id in (
        select lookup_id from raw.lookups
        where run_id in (select run_id from raw.undone_runs)
    ) as is_undone
from aged_lookups
where provider <> getvariable('asked_provider');

-- What that is for each contact; no row where no other provider was asked.
create or replace temp table said_elsewhere as
with told as (
    select
        contact.contact_id,
        lookup.*,
        judged.judgement,
        erased.lookup_id is not null as is_erased,
        points_by_kind(judged.points, agreed.emails) as points
    from lookups_elsewhere as lookup
    join staging.contact_identities as contact on contact.person_key = lookup.person_key
    left join erased_answers as erased
        on erased.contact_id = contact.contact_id and erased.lookup_id = lookup.lookup_id
    left join staging.checked_judgements as judged
        on judged.contact_id = contact.contact_id and judged.lookup_id = lookup.lookup_id
    left join (
        select contact_id, list(email) as emails
        from staging.agreed_addresses
        group by contact_id
    ) as agreed on agreed.contact_id = contact.contact_id
),

required as (
    select unnest($require) as requirement
),

-- until when each requirement is met; an answer that was not judged yet may be accepted
met as (
    select
        told.contact_id,
        required.requirement,
        max(told.due_at) filter (
            told.outcome = 'matched' and told.is_recent
            and not told.is_undone and not told.is_erased
            and (
                told.judgement is null
                or (told.judgement = 'matched' and has_required(told.points, required.requirement))
            )
        ) as met_until
    from told
    cross join required
    group by told.contact_id, required.requirement
),

accepted as (
    select
        contact_id,
        case when count(met_until) = count(*) then min(met_until) end as accepted_until,
        list(requirement) filter (met_until is null) as missing
    from met
    group by contact_id
)

select
    told.contact_id,
    bool_or(coalesce(told.outcome = 'legal_stop', false)) as is_stopped,
    cast(sum(told.attempts) as bigint) as attempts,
    max(told.last_attempt_at) as last_attempt_at,
    any_value(accepted.accepted_until) as accepted_until,
    any_value(accepted.missing) as missing
from told
join accepted on accepted.contact_id = told.contact_id
group by told.contact_id;

-- Persons of whose address a verifier may say nothing, for legal reasons, or whose profile a
-- provider has given up for such: that holds for all.
create or replace temp table stopped_persons as
select assigned.person_key
from raw.verifications as verification
join staging.contact_persons as assigned on assigned.contact_id = verification.contact_id
where verification.outcome = 'legal_stop'
union
select person_key
from raw.profile_changes
where outcome = 'legal_stop'
union
select assigned.person_key
from raw.profile_changes as told
join staging.contact_persons as assigned on assigned.contact_id = told.contact_id
where told.outcome = 'legal_stop';

create or replace temp view provider_states as
with
lookups as (
    select * from aged_lookups where provider = getvariable('asked_provider')
),

reasoned as (
    select
        contact.contact_id,
        contact.account_id,
        contact.person_key,
        contact.contact_count,
        -- an application waits for what it entered
        coalesce(
            account.priority,
            case when entered.contact_id is not null then getvariable('entry_priority') end,
            'bulk'
        ) as priority,
        -- contacts without an account come last in their band
        coalesce(account.priority_score, -1) as priority_score,
        case
            when searched.is_chosen then 'uid'
            when contact.identity_kind is not null then contact.identity_kind
            when searched.uid is not null then 'uid'
            when searched.search_kind is not null then 'name'
        end as identity_kind,
        case
            when searched.is_chosen then searched.uid
            else coalesce(contact.lookup_identity, searched.uid)
        end as lookup_identity,
        case when contact.lookup_identity is null then searched.search_kind end as search_kind,
        coalesce(searched.search_id, '') as last_search_id,
        case when contact.lookup_identity is null then searched.search_reason end as search_reason,
        searched.search_detail,
        coalesce(contact.is_named, false) or searched.person_key is not null as is_named,
        coalesce(lookup.lookup_id, '') as last_lookup_id,
        -- a look-up that was never answered needs no review once another provider has answered
        case when elsewhere.accepted_until is not null then 'answered' else lookup.state end
            as last_state,
        case
            when elsewhere.is_stopped or stopped.person_key is not null then 'legal_stop'
            when elsewhere.accepted_until is not null then 'matched'
            else lookup.outcome
        end as last_outcome,
        lookup.reason as last_reason,
        coalesce(lookup.attempts, 0) + coalesce(elsewhere.attempts, 0) as attempts,
        greatest(lookup.last_attempt_at, elsewhere.last_attempt_at) as last_attempt_at,
        case
            when lookup.state = 'open' then 'awaiting_answer'
            when decided.is_never or decided_person.is_never then 'suppressed_by_review'
            when suppressed.contact_id is not null then 'suppressed_by_list'
            when ineligible.contact_id is not null then 'not_eligible'
            when lookup.outcome = 'legal_stop' or elsewhere.is_stopped
                or stopped.person_key is not null then 'legal_stop'
            -- at a reviewer's word, however the last look-up ended
            when lookup.is_asked_again
                and coalesce(contact.lookup_identity, searched.uid) is not null
                then 'asked_again'
            when searched.is_choice_to_be_asked then 'identity_changed'
            when elsewhere.accepted_until is not null then 'answer_is_recent'
            -- refused for good: nothing but a changed identity makes it worth asking again
            when lookup.outcome = 'refused' then 'refused_for_good'
            when contact.lookup_identity is null and lookup.lookup_id is null
                and (searched.person_key is null or searched.freshness_reason is not null)
                then coalesce(searched.freshness_reason, 'no_identity')
            when lookup.lookup_id is null and lookup.has_failed_since then 'attempt_failed'
            when lookup.lookup_id is null and contact.has_changed then 'identity_changed'
            when lookup.lookup_id is null then 'never_looked_up'
            when lookup.is_recent and lookup.state = 'unconfirmed' then 'perhaps_billed'
            when lookup.is_recent and lookup.outcome = 'no_match' then 'miss_is_recent'
            when erased.contact_id is not null then 'answer_erased'
            when lookup.is_recent then 'answer_is_recent'
            when contact.lookup_identity is null
                and (searched.person_key is null or searched.freshness_reason is not null)
                then coalesce(searched.freshness_reason, 'no_identity')
            when lookup.state = 'unconfirmed' then 'never_answered'
            when lookup.has_failed_since then 'attempt_failed'
            when lookup.outcome = 'no_match' then 'miss_is_old'
            when lookup.has_bounced_since then 'address_bounced'
            when lookup.has_changed_since then 'profile_changed'
            else 'answer_is_old'
        end as freshness_reason,
        case
            when elsewhere.is_stopped or stopped.person_key is not null then null
            when lookup.is_asked_again then coalesce(lookup.retry_at, lookup.last_attempt_at)
            when elsewhere.accepted_until is not null and coalesce(lookup.state <> 'open', true)
                then greatest(lookup.due_at, elsewhere.accepted_until)
            when lookup.lookup_id is null
                then greatest(contact.assigned_at, lookup.retry_at, searched.due_at)
            when erased.contact_id is not null then greatest(lookup.answered_at, lookup.retry_at)
            when lookup.due_at is not null then greatest(lookup.due_at, lookup.retry_at)
        end as due_at,
        -- in the lane `retry`, and not due yet
        coalesce(lookup.retry_at > getvariable('aging').as_of, false) as is_backing_off
    from asked_identities as contact
    -- first, since a query for some outcome needs no more of the others
    left join lookups as lookup on lookup.person_key = contact.person_key
    left join said_elsewhere as elsewhere on elsewhere.contact_id = contact.contact_id
    left join account_priorities as account on account.account_id = contact.account_id
    left join staging.entered_contacts as entered on entered.contact_id = contact.contact_id
    left join person_searches as searched on searched.person_key = contact.person_key
    left join staging.suppressed_contacts as suppressed
        on suppressed.contact_id = contact.contact_id
    left join staging.ineligible_contacts as ineligible
        on ineligible.contact_id = contact.contact_id
    left join decided_contacts as decided on decided.contact_id = contact.contact_id
    left join decided_persons as decided_person
        on decided_person.person_key = contact.person_key
    left join stopped_persons as stopped on stopped.person_key = contact.person_key
    left join erased_answers as erased
        on erased.contact_id = contact.contact_id and erased.lookup_id = lookup.lookup_id
)

select
    *,
    priority_rank(priority) as priority_rank,
    getvariable('freshness_of')[freshness_reason] as freshness,
    freshness in ('new', 'retry', 'stale') and not is_backing_off as is_due
from reasoned;
