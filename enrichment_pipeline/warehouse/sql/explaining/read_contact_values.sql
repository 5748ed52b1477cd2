-- Every value that is shown of a contact or was given for it, with where it comes from; those that
-- are shown first. What is shown and nobody gave is the source's own.
--
-- reads: enrichment.enriched_contacts, enrichment.person_facts, staging.checked_addresses

with shown as (
    select unnest(shown_values(contact), recursive := true)
    from enrichment.enriched_contacts as contact
    where contact.contact_id = $contact_id
),

given as (
    select field, value, status, confidence, provider, observed_at, valid_to, lookup_id, run_id
    from enrichment.person_facts
    where contact_id = $contact_id
        and field not in ('lookup_outcome', 'outcome_detail', 'provider_uid')
)

select
    coalesce(given.field, shown.field) as field,
    coalesce(given.value, shown.value) as value,
    coalesce(shown.status, given.status) as status,
    shown.field is not null as is_shown,
    given.provider,
    given.confidence,
    given.observed_at,
    given.valid_to,
    given.lookup_id,
    given.run_id,
    checked.status as checked_status,
    checked.checked_at
from given
full join shown on shown.field = given.field and shown.value = given.value
left join staging.checked_addresses as checked
    on checked.email = coalesce(given.value, shown.value)
order by
    coalesce(given.field, shown.field), shown.field is null, given.observed_at desc,
    given.provider, value;
