-- Where every person stands who is known by name and company and by nothing better, or was when
-- it was searched for: which profile of $provider is the person, or which search there is due,
-- or why none is. A profile's id means nothing to another provider.
-- Whether a search is due is decided here and nowhere else, as whether a look-up is due is in
-- `derive_contact_states.sql`, which reads this.
-- Reviewers' decisions must have been selected.
--
-- reads: decided_contacts, enrichment.search_results, raw.lookups, raw.provider_responses,
--        raw.searches, staging.contact_identities, staging.contact_persons, staging.profiles
-- makes: person_searches

create or replace temp table person_searches as
with
-- the search that stands for each person: the one that nothing supersedes
heads as (
    select search_id, person_key, query_kind, state, reason, answered_at
    from raw.searches
    where provider = $provider
        and state <> 'released'
        and search_id not in (
            select supersedes from raw.searches where state <> 'released' and supersedes <> ''
        )
    qualify row_number() over (partition by person_key order by requested_at desc, search_id) = 1
),

released as (
    select person_key, max(requested_at) as released_at
    from raw.searches
    where provider = $provider and state = 'released'
    group by person_key
),

named as (
    select distinct person_key
    from staging.contact_identities
    where is_named
        and (
            (
                lookup_identity is null
                and ($is_search_on or provider_uids[$provider] is not null)
            )
            or person_key in (select person_key from raw.searches)
        )
),

accepted as (
    select assigned.person_key, max(lower(decided.accepted_profile.uid)) as uid
    from decided_contacts as decided
    join staging.contact_persons as assigned on assigned.contact_id = decided.contact_id
    where decided.accepted_profile.provider = $provider
    group by assigned.person_key
),

-- profiles that answers to other questions than their UID have shown
shown as (
    select response.person_key, lower(profile.uid) as uid
    from raw.provider_responses as response
    join raw.lookups as lookup on lookup.lookup_id = response.lookup_id
    join staging.profiles as profile
        on profile.call_id = response.lookup_id and profile.call_kind = 'lookup'
    where response.person_key in (select person_key from accepted)
        and response.provider = $provider
        and response.outcome = 'matched'
        and lookup.item_kind <> 'uid'
),

-- a reviewer's word on a profile that only a search has shown: that one is to be looked up
choices as (
    select accepted.person_key, accepted.uid
    from accepted
    where not exists (
        select 1 from shown
        where shown.person_key = accepted.person_key and shown.uid = accepted.uid
    )
),

rejected as (
    select distinct assigned.person_key, lower(decided.profile.uid) as uid
    from (
        select contact_id, unnest(rejected_profiles) as profile from decided_contacts
    ) as decided
    join staging.contact_persons as assigned on assigned.contact_id = decided.contact_id
    where decided.profile.provider = $provider
),

persons as (
    select person_key from named
    union
    select person_key from choices
),

answered as (
    select distinct person_key, provider_uids[$provider] as uid
    from staging.contact_identities
    where provider_uids[$provider] is not null
        and person_key in (select person_key from persons)
),

looked_up as (
    select distinct person_key, item
    from raw.lookups
    where provider = $provider and state <> 'released' and item_kind = 'uid'
),

-- the provider's last word on whether this account may search
access as (
    select coalesce(arg_max(reason, revision) = 'not_allowed', false) as is_refused
    from raw.searches
    where provider = $provider and state <> 'open'
),

known as (
    select
        person.person_key,
        coalesce(
            choice.uid, answered.uid, case when refuted.uid is null then result.uid end
        ) as uid,
        choice.uid is not null as is_chosen,
        choice.uid is not null and asked.item is null as is_choice_to_be_asked,
        head.search_id,
        head.query_kind,
        head.state,
        case when refuted.uid is null then result.verdict else 'none' end as verdict,
        result.detail,
        head.answered_at,
        released.released_at is not null as has_been_released,
        case
            when (result.verdict = 'none' or refuted.uid is not null)
                and head.query_kind = 'current_past'
                then head.answered_at + to_days($no_match_days)
            when result.verdict = 'ambiguous' then head.answered_at + to_days($max_age_days)
        end as due_at
    from persons as person
    left join choices as choice on choice.person_key = person.person_key
    left join answered on answered.person_key = person.person_key
    left join looked_up as asked
        on asked.person_key = person.person_key and asked.item = choice.uid
    left join heads as head on head.person_key = person.person_key
    left join enrichment.search_results as result on result.search_id = head.search_id
    left join rejected as refuted
        on refuted.person_key = person.person_key and refuted.uid = result.uid
    left join released on released.person_key = person.person_key
),

reasoned as (
    select
        *,
        case
            when uid is not null then null
            when state = 'open' then 'awaiting_answer'
            when verdict = 'refused' then 'refused_for_good'
            when verdict = 'ambiguous' and due_at > $as_of then 'choice_is_open'
            when verdict = 'none' and due_at > $as_of then 'miss_is_recent'
            when not $is_search_on then 'no_identity'
            when has_been_released and search_id is null then 'attempt_failed'
            when verdict = 'none' and query_kind = 'current_past' then 'miss_is_old'
            when verdict = 'ambiguous' then 'answer_is_old'
        end as freshness_reason
    from known
)

select
    person_key,
    uid,
    is_chosen,
    is_choice_to_be_asked,
    coalesce(search_id, '') as search_id,
    freshness_reason,
    due_at,
    -- the next search, where one is due
    case
        when uid is not null or not $is_search_on then null
        when freshness_reason in (
            'awaiting_answer', 'refused_for_good', 'choice_is_open', 'miss_is_recent'
        ) then null
        when verdict = 'none' and query_kind = 'current' then 'current_past'
        else 'current'
    end as search_kind,
    case
        when uid is not null then null
        when verdict = 'refused' then 'rejected_by_provider'
        when verdict = 'ambiguous' then 'ambiguous_match'
        when verdict = 'none' and query_kind = 'current_past' then 'no_match'
        when $is_search_on and (select is_refused from access) and coalesce(state, '') <> 'open'
            then 'insufficient_identity'
    end as search_reason,
    case
        when verdict = 'ambiguous' then detail
        when verdict = 'none' then null
        when (select is_refused from access)
            then 'only a name and a company, and ' || $provider
                || ' does not let this account search for them'
    end as search_detail
from reasoned;
