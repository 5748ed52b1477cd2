-- Values that are shown as verified without proof: no fact of that contact has the value with
-- the provider's highest rating as it was given, and no person said so. The ratings are read
-- anew here, from what was given, and not from what they were mapped to.

with
proofs as (
    select contact_id, person_key, value
    from enrichment.person_facts
    where try_cast(confidence as double) = 100 or confidence = 'human'
),

shown as (
    select contact_id, person_key, 'work_email' as field, work_email as value
    from enrichment.enriched_contacts
    where work_email_status = 'verified'
    union all
    select contact_id, person_key, 'personal_email' as field, personal_email as value
    from enrichment.enriched_contacts
    where personal_email_status = 'verified'
    union all
    select contact_id, person_key, 'direct_phone' as field, direct_phone as value
    from enrichment.enriched_contacts
    where direct_phone_status = 'verified'
    union all
    select contact_id, person_key, 'mobile_phone' as field, mobile_phone as value
    from enrichment.enriched_contacts
    where mobile_phone_status = 'verified'
    union all
    select contact_id, person_key, field, value
    from enrichment.person_facts
    where status = 'verified'
)

select distinct shown.contact_id, shown.field
from shown
where not exists (
    select 1
    from proofs
    where proofs.contact_id = shown.contact_id
        and proofs.person_key = shown.person_key
        and proofs.value = shown.value
)
order by shown.contact_id, shown.field;
