-- What is known of these contacts, to check decisions against: their person's look-ups, the
-- profiles that were found, and whether they can be asked for. `contact_states` must have
-- been derived before. No row for a contact that is not in the source.
--
-- reads: contact_states, enrichment.needs_review, raw.lookups, raw.provider_responses,
--        raw.searches, staging.profiles

with wanted as (
    select *
    from contact_states
    where contact_id in (select unnest($contact_ids))
),

looked_up as (
    select
        person_key,
        list(lookup_id) as lookup_ids,
        arg_max(lookup_id, (requested_at, lookup_id)) as lookup_id
    from raw.lookups
    where person_key in (select person_key from wanted)
    group by person_key
),

answered as (
    select
        person_key,
        list(
            profile_at(provider, provider_uid) order by answered_at, lookup_id
        ) filter (provider_uid is not null) as profiles,
        arg_max_null(provider_uid, (answered_at, lookup_id)) as last_uid
    from (
        select
            response.person_key, response.provider, response.answered_at, response.lookup_id,
            case
                when response.outcome = 'matched' then coalesce(profile.uid, response.lookup_id)
            end as provider_uid
        from raw.provider_responses as response
        left join staging.profiles as profile
            on profile.call_id = response.lookup_id and profile.call_kind = 'lookup'
        where response.person_key in (select person_key from wanted)
    )
    group by person_key
)

select
    wanted.contact_id,
    wanted.person_key,
    coalesce(looked_up.lookup_id, '') as lookup_id,
    coalesce(looked_up.lookup_ids, []) as lookup_ids,
    answered.last_uid,
    -- profiles that were found and not looked up are in the evidence only; the last of those that
    -- have one id is meant
    list_concat(
        list_transform(
            json_extract_string(review.candidate, '$..uid'),
            lambda uid: profile_at(search.provider, uid)
        ),
        answered.profiles
    ) as profiles,
    wanted.lookup_identity is not null as can_be_asked,
    coalesce(wanted.last_outcome = 'legal_stop', false) as is_legally_blocked
from wanted
left join looked_up on looked_up.person_key = wanted.person_key
left join answered on answered.person_key = wanted.person_key
left join enrichment.needs_review as review on review.contact_id = wanted.contact_id
left join raw.searches as search on search.search_id = wanted.last_search_id;
