-- Where every contact of the source stands at $as_of: its priority, by which identifier
-- its person would be looked up, what the last look-up came to, and whether it is due.
-- The work list and contact_status are both read off this. What reviewers decided on asking
-- must have been selected before (`select_current_decisions.sql`).

-- How much each account matters. A tier given by the source decides the band; without
-- one the score does. Every term but the tier is 100 per power of ten, so that weights
-- of 1 compare like with like: 1 million in open pipeline counts 600, 1,000 heads 300.
create or replace temp table account_priorities as
with scored as (
    select
        account_id,
        tier,
        $tier_weight
        * case tier when 'strategic' then 3 when 'target' then 2 when 'standard' then 1 else 0 end
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
        tier,
        case
            when priority_score >= $strategic_band then 'strategic'
            when priority_score >= $target_band then 'target'
            when priority_score >= $standard_band then 'standard'
            else 'bulk'
        end
    ) as priority
from scored;

-- By what each person would be asked for: the best identifier that is its own.
create or replace temp table person_identities as
select
    assigned.person_key,
    arg_min(mine.kind, (mine.kind_rank, mine.value)) as identity_kind,
    arg_min(
        case mine.kind
            when 'linkedin' then 'https://www.linkedin.com/in/' || url_encode(mine.value)
            else mine.value
        end,
        (mine.kind_rank, mine.value)
    ) as lookup_identity
from identities as mine
join staging.contact_persons as assigned on assigned.contact_id = mine.contact_id
join staging.person_aliases as owned
    on owned.alias = mine.alias and owned.person_key = assigned.person_key
where mine.kind <> 'name'
group by assigned.person_key;

-- The look-up that stands for each person (the one that nothing supersedes), the failed
-- attempts since, and until when these put off the next one.
create or replace temp table person_lookups as
with
heads as (
    select *
    from raw.lookups
    where state <> 'released'
        and lookup_id not in (
            select supersedes from raw.lookups where state <> 'released' and supersedes <> ''
        )
    qualify row_number() over (partition by person_key order by requested_at desc, lookup_id) = 1
),

attempts as (
    select
        person_key,
        count(*) as attempts,
        max(requested_at) as last_attempt_at,
        max(requested_at) filter (state = 'released') as last_released_at,
        -- a person's word to ask again makes up for whatever failed before
        max(requested_at) filter (reason = 'asked_again') as asked_again_at
    from raw.lookups
    group by person_key
),

-- Only what the provider says of the item counts: credits, the key, the network or a kill
-- are not the person's, and put nobody off once they are over.
failures as (
    select
        failed.person_key,
        count(distinct failed.run_id) as failed_runs,
        max(failed.requested_at) as last_failed_at
    from raw.lookups as failed
    join attempts on attempts.person_key = failed.person_key
    left join heads on heads.person_key = failed.person_key
    left join decided_persons as decided on decided.person_key = failed.person_key
    where failed.state = 'released'
        and failed.reason in ('duplicate_query', 'timeout_exceeded')
        and failed.requested_at > coalesce(
            greatest(heads.requested_at, attempts.asked_again_at, decided.seen_at),
            cast('-infinity' as timestamptz)
        )
    group by failed.person_key
)

select
    attempts.person_key,
    attempts.attempts,
    attempts.last_attempt_at,
    attempts.last_released_at,
    heads.lookup_id,
    heads.state,
    heads.outcome,
    heads.reason,
    heads.requested_at,
    heads.answered_at,
    attempts.last_released_at > coalesce(heads.requested_at, cast('-infinity' as timestamptz))
        as has_failed_since,
    coalesce(decided.seen_at >= coalesce(heads.requested_at, decided.seen_at), false)
        as is_asked_again,
    -- when the answer stops being good enough; null for what is never asked again. Refreshes
    -- are spread over the days before the age limit, by a draw that is each look-up's own
    -- and the same every time: never later than the limit. Misses are not: that would be
    -- asking sooner than the policy allows.
    case
        when heads.state = 'unconfirmed' then heads.requested_at + to_days($unconfirmed_days)
        when heads.outcome = 'matched' then
            heads.answered_at + to_days($max_age_days) - to_seconds(
                $spread_days * 86400
                * (md5_number_lower(concat(heads.person_key, '|', heads.lookup_id)) / pow(2, 64))
            )
        when heads.outcome = 'no_match' then heads.answered_at + to_days($no_match_days)
    end as due_at,
    -- when to try again after failures in a row; null for at once. The first distance is
    -- doubled with each further failure, up to the longest, which stays.
    failures.last_failed_at + to_seconds(
        case
            when failures.failed_runs >= $retry_max_attempts then $retry_longest_days * 86400
            else least(
                $retry_first_hours * 3600 * pow(
                    2, least(failures.failed_runs, $retry_max_attempts) - 1
                ),
                $retry_longest_days * 86400
            )
        end
    ) as retry_at
from attempts
left join heads on heads.person_key = attempts.person_key
left join failures on failures.person_key = attempts.person_key
left join decided_persons as decided on decided.person_key = attempts.person_key;

create or replace temp table contact_states as
with reasoned as (
    select
        contact.contact_id,
        contact.account_id,
        contact.loaded_at,
        assigned.person_key,
        coalesce(account.priority, 'bulk') as priority,
        case coalesce(account.priority, 'bulk')
            when 'strategic' then 0 when 'target' then 1 when 'standard' then 2 else 3
        end as priority_rank,
        -- contacts without an account come last in their band
        coalesce(account.priority_score, -1) as priority_score,
        case
            when searched.is_chosen then 'uid'
            when identity.identity_kind is not null then identity.identity_kind
            when searched.uid is not null then 'uid'
            when searched.search_kind is not null then 'name'
        end as identity_kind,
        case
            when searched.is_chosen then searched.uid
            else coalesce(identity.lookup_identity, searched.uid)
        end as lookup_identity,
        case when identity.lookup_identity is null then searched.search_kind end as search_kind,
        coalesce(searched.search_id, '') as last_search_id,
        case when identity.lookup_identity is null then searched.search_reason end as search_reason,
        searched.search_detail,
        searched.person_key is not null as is_named,
        coalesce(lookup.lookup_id, '') as last_lookup_id,
        lookup.state as last_state,
        lookup.outcome as last_outcome,
        lookup.reason as last_reason,
        coalesce(lookup.attempts, 0) as attempts,
        lookup.last_attempt_at,
        case
            when lookup.state = 'open' then 'awaiting_answer'
            when decided.is_never or decided_person.is_never then 'suppressed_by_review'
            when suppressed.contact_id is not null then 'suppressed_by_list'
            when lookup.outcome = 'legal_stop' then 'legal_stop'
            -- at a reviewer's word, whatever the last look-up came to
            when lookup.is_asked_again
                and coalesce(identity.lookup_identity, searched.uid) is not null
                then 'asked_again'
            when searched.is_choice_unasked then 'identity_changed'
            -- refused for good: nothing but a changed identity makes it worth asking again
            when lookup.outcome = 'refused' then 'refused_for_good'
            when identity.lookup_identity is null and lookup.lookup_id is null
                and (searched.person_key is null or searched.freshness_reason is not null)
                then coalesce(searched.freshness_reason, 'no_identity')
            when lookup.lookup_id is null and lookup.has_failed_since then 'attempt_failed'
            when lookup.lookup_id is null and assigned.has_changed then 'identity_changed'
            when lookup.lookup_id is null then 'never_looked_up'
            when lookup.due_at > $as_of and lookup.state = 'unconfirmed' then 'perhaps_billed'
            when lookup.due_at > $as_of and lookup.outcome = 'no_match' then 'miss_is_recent'
            when lookup.due_at > $as_of then 'answer_is_recent'
            when identity.lookup_identity is null
                and (searched.person_key is null or searched.freshness_reason is not null)
                then coalesce(searched.freshness_reason, 'no_identity')
            when lookup.state = 'unconfirmed' then 'never_answered'
            when lookup.has_failed_since then 'attempt_failed'
            when lookup.outcome = 'no_match' then 'miss_is_old'
            else 'answer_is_old'
        end as freshness_reason,
        case
            when lookup.is_asked_again then coalesce(lookup.retry_at, lookup.last_attempt_at)
            when lookup.lookup_id is null
                then greatest(assigned.assigned_at, lookup.retry_at, searched.due_at)
            when lookup.due_at is not null then greatest(lookup.due_at, lookup.retry_at)
        end as due_at,
        -- in the lane `retry`, and not due yet
        coalesce(lookup.retry_at > $as_of, false) as is_put_off,
        part.has_any_identifier,
        part.linkedin_slug,
        part.email,
        part.phone,
        part.phone_text,
        part.name_key,
        part.company_domain
    from staging.contacts as contact
    left join staging.contact_parts as part on part.contact_id = contact.contact_id
    left join staging.contact_persons as assigned on assigned.contact_id = contact.contact_id
    left join account_priorities as account on account.account_id = contact.account_id
    left join person_identities as identity on identity.person_key = assigned.person_key
    left join person_lookups as lookup on lookup.person_key = assigned.person_key
    left join person_searches as searched on searched.person_key = assigned.person_key
    left join suppressed_contacts as suppressed on suppressed.contact_id = contact.contact_id
    left join decided_contacts as decided on decided.contact_id = contact.contact_id
    left join decided_persons as decided_person
        on decided_person.person_key = assigned.person_key
    where contact.left_at is null
)

select
    *,
    case
        when freshness_reason in ('never_looked_up', 'identity_changed') then 'new'
        when freshness_reason in ('attempt_failed', 'never_answered', 'asked_again') then 'retry'
        when freshness_reason in ('answer_is_old', 'miss_is_old') then 'stale'
        when freshness_reason in (
            'answer_is_recent', 'miss_is_recent', 'refused_for_good', 'choice_is_open'
        ) then 'fresh'
        when freshness_reason in ('awaiting_answer', 'perhaps_billed') then 'in_flight'
        when freshness_reason in ('suppressed_by_list', 'suppressed_by_review', 'legal_stop')
            then 'suppressed'
        when freshness_reason = 'no_identity' then 'unusable'
    end as freshness
from reasoned;
