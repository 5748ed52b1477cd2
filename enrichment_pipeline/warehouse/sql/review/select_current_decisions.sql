-- The decisions of reviewers that hold today, and what they mean for each contact.
--
-- Of several the latest holds, by what they speak about: one profile, one field, or whether
-- to ask at all (so a `retry` takes back a `never`). A decision is about who the contact was
-- then: nothing but `never` outlives a change of its identity. One that does not say whose profile
-- it is about is from when there was one provider: the first that was asked.
--
-- reads: raw.lookups, raw.provider_responses, raw.review_decisions, raw.searches,
--        staging.contact_persons, staging.contacts, staging.profiles
-- makes: current_decisions, decided_answers, decided_contacts, decided_persons

create or replace temp table current_decisions as
with first_asked as (
    select arg_min(provider, revision) as provider
    from (
        select provider, revision from raw.lookups
        union all
        select provider, revision from raw.searches
    )
),

recorded as (
    select
        * replace (
            case
                when provider_uid is not null
                    then coalesce(provider, (select provider from first_asked))
            end as provider
        )
    from raw.review_decisions
),

about_them as (
    select
        decision.*,
        case
            when decision.decision in ('accept', 'reject')
                then concat_ws(' ', 'profile', decision.provider, decision.provider_uid)
            when decision.decision = 'replace' then 'field ' || decision.field
            else 'asking'
        end as subject
    from recorded as decision
    join staging.contacts as contact
        on contact.contact_id = decision.contact_id and contact.left_at is null
    left join staging.contact_persons as assigned on assigned.contact_id = decision.contact_id
    where decision.decision in ('never', 'retry')
        or decision.person_key is not distinct from assigned.person_key
),

latest as (
    select *
    from about_them
    qualify row_number() over (
        partition by contact_id, subject order by decided_at desc, recorded_at desc, decision_id
    ) = 1
)

select
    decision_id, contact_id, decision, lookup_id, provider, provider_uid, field, value, decided_by,
    decided_at, source, recorded_at
from latest
-- a contact is one profile: the one that was accepted last
qualify decision <> 'accept' or row_number() over (
    partition by contact_id, decision order by decided_at desc, recorded_at desc, decision_id
) = 1;

-- One row for each decided contact. `settled_profiles` are those on which a reviewer has
-- decided: until an answer shows another one there is nothing to review.
create or replace temp table decided_contacts as
select
    contact_id,
    any_value(profile_at(provider, provider_uid)) filter (decision = 'accept') as accepted_profile,
    coalesce(
        list(profile_at(provider, provider_uid)) filter (decision = 'reject'), []
    ) as rejected_profiles,
    coalesce(
        list(distinct profile_at(provider, provider_uid)) filter (provider_uid is not null), []
    ) as settled_profiles,
    coalesce(bool_or(decision in ('accept', 'reject', 'replace')), false) as is_settled,
    max(decided_at) filter (decision = 'replace') as replaced_at,
    coalesce(bool_or(decision = 'never'), false) as is_never,
    -- asked for again at once, until there is a later look-up than this one
    max(lookup_id) filter (decision = 'retry') as retry_after
from current_decisions
group by contact_id;

-- The profile that each answer to a decided contact shows, and what a reviewer decided on it:
-- `matched`, `rejected` or, where none did, null. An answer without an id is its own profile.
create or replace temp table decided_answers as
with shown as (
    select
        decided.contact_id,
        response.lookup_id,
        profile_at(response.provider, coalesce(profile.uid, response.lookup_id)) as profile,
        decided.accepted_profile,
        decided.rejected_profiles
    from decided_contacts as decided
    join staging.contact_persons as assigned on assigned.contact_id = decided.contact_id
    join raw.provider_responses as response on response.person_key = assigned.person_key
    left join staging.profiles as profile
        on profile.call_id = response.lookup_id and profile.call_kind = 'lookup'
    where response.outcome = 'matched'
)

select
    contact_id,
    lookup_id,
    profile,
    case
        when profile = accepted_profile then 'matched'
        when list_contains(rejected_profiles, profile) then 'rejected'
    end as judgement
from shown;

-- Whether to ask is about the person: every contact of this person shares it.
-- `seen_heads` are the look-ups that stood for the person when a reviewer said `retry` (the one
-- that they saw or, if it was released, the one before it), `seen_at` dates what they saw,
-- and `seen_providers` tells who had been asked.
create or replace temp table decided_persons as
select
    assigned.person_key,
    bool_or(decided.is_never) as is_never,
    max(seen.requested_at) as seen_at,
    list(case seen.state when 'released' then seen.supersedes else seen.lookup_id end)
        filter (seen.lookup_id is not null) as seen_heads,
    list(distinct seen.provider) filter (seen.lookup_id is not null) as seen_providers
from decided_contacts as decided
join staging.contact_persons as assigned on assigned.contact_id = decided.contact_id
left join raw.lookups as seen
    on seen.lookup_id = decided.retry_after and seen.person_key = assigned.person_key
group by assigned.person_key;
