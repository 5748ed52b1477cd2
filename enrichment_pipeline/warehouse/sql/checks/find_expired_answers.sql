-- Contacts that are shown as fresh although their answer is older than the policy allows: by
-- their status, read from the look-ups, and by their date of expiry, read from the facts.
--
-- reads: enrichment.contact_status, enrichment.enriched_contacts, enrichment.person_facts,
--        raw.lookups, raw.searches, staging.contact_persons, staging.told_changes

with
-- a person may be missed by a look-up or, before there is anything to look up, by a search
answers as (
    select
        lookup.person_key, lookup.outcome, greatest(lookup.answered_at, told.renewed_at) as said_at
    from raw.lookups as lookup
    left join staging.told_changes as told on told.lookup_id = lookup.lookup_id
    where lookup.state = 'answered'
    union all
    select person_key, 'no_match' as outcome, answered_at as said_at
    from raw.searches
    where state = 'answered'
),

last_answers as (
    select
        assigned.contact_id,
        max(answer.said_at) filter (answer.outcome = 'matched') as found_at,
        max(answer.said_at) filter (answer.outcome = 'no_match') as missed_at
    from answers as answer
    join staging.contact_persons as assigned on assigned.person_key = answer.person_key
    group by assigned.contact_id
),

-- a person's own value is an observation as well
last_observations as (
    select
        fact.contact_id, fact.person_key,
        max(greatest(fact.observed_at, told.renewed_at)) as observed_at
    from enrichment.person_facts as fact
    left join staging.told_changes as told on told.lookup_id = fact.lookup_id
    where fact.field <> 'lookup_outcome' or fact.value = 'matched'
    group by fact.contact_id, fact.person_key
)

select state.contact_id, 'fresh' as shown_as
from enrichment.contact_status as state
left join last_answers as answer on answer.contact_id = state.contact_id
where case state.freshness_reason
    when 'answer_is_recent'
        then coalesce(answer.found_at + to_days($max_age_days) <= $as_of, true)
    when 'miss_is_recent'
        then coalesce(answer.missed_at + to_days($no_match_days) <= $as_of, true)
    else false
end
union all
select best.contact_id, 'not_expired' as shown_as
from enrichment.enriched_contacts as best
join last_observations as latest
    on latest.contact_id = best.contact_id and latest.person_key = best.person_key
where best.expires_at > $as_of and latest.observed_at + to_days($max_age_days) <= $as_of
order by shown_as, contact_id;
