-- Contacts that are shown as fresh although their answer is older than the policy allows: by
-- their status, read from the look-ups, and by their date of expiry, read from the facts.

with
last_answers as (
    select
        assigned.contact_id,
        max(lookup.answered_at) as answered_at,
        arg_max(lookup.outcome, (lookup.answered_at, lookup.lookup_id)) as outcome
    from raw.lookups as lookup
    join staging.contact_persons as assigned on assigned.person_key = lookup.person_key
    where lookup.state = 'answered'
    group by assigned.contact_id
),

-- a person's own value is an observation as well
last_observations as (
    select contact_id, person_key, max(observed_at) as observed_at
    from enrichment.person_facts
    where field <> 'lookup_outcome' or value = 'matched'
    group by contact_id, person_key
)

select state.contact_id, 'fresh' as shown_as
from enrichment.contact_status as state
join last_answers as answer on answer.contact_id = state.contact_id
where state.freshness = 'fresh'
    and case answer.outcome
        when 'matched' then answer.answered_at + to_days($max_age_days) <= $as_of
        when 'no_match' then answer.answered_at + to_days($no_match_days) <= $as_of
        else false
    end
union all
select best.contact_id, 'not_expired' as shown_as
from enrichment.enriched_contacts as best
join last_observations as latest
    on latest.contact_id = best.contact_id and latest.person_key = best.person_key
where best.expires_at > $as_of and latest.observed_at + to_days($max_age_days) <= $as_of
order by shown_as, contact_id;
