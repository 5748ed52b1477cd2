-- By what the ledger's calls about a contact are found: the ids of those that the warehouse knows,
-- and the keys under which there may be newer ones.
--
-- reads: enrichment.person_facts, raw.lookups, raw.profile_changes, raw.searches,
--        raw.verifications, staging.contact_persons

with person as (
    select person_key from staging.contact_persons where contact_id = $contact_id
),

addresses as (
    select distinct value as email
    from enrichment.person_facts
    where contact_id = $contact_id and field in ('work_email', 'personal_email')
)

select lookup_id as call_id, person_key as key
from raw.lookups
where contact_id = $contact_id or person_key in (select person_key from person)
union all
select search_id as call_id, person_key as key
from raw.searches
where contact_id = $contact_id or person_key in (select person_key from person)
union all
select verification_id as call_id, address_key as key
from raw.verifications
where email in (select email from addresses)
union all
select change_id as call_id, person_key as key
from raw.profile_changes
where contact_id = $contact_id or person_key in (select person_key from person)
union all
select null as call_id, person_key as key
from person
where person_key is not null
union all
select null as call_id, address_key(email) as key
from addresses;
