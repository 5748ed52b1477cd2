-- Values that are shown as verified without proof: the last answer that rated the value for that
-- contact did not give it the provider's highest rating, and no person said so; or a fact says
-- verified of another rating. The ratings are read anew here, from what was given, and not from
-- what they were mapped to.
--
-- reads: enrichment.enriched_contacts, enrichment.person_facts

with
proofs as (
    select contact_id, person_key, value
    from enrichment.person_facts
    where confidence is not null
    group by contact_id, person_key, value
    having bool_or(confidence = 'human')
        or arg_max(
            try_cast(confidence as double), (observed_at, try_cast(confidence as double))
        ) = 100
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
)

select contact_id, field
from shown
where not exists (
    select 1
    from proofs
    where proofs.contact_id = shown.contact_id
        and proofs.person_key = shown.person_key
        and proofs.value = shown.value
)
union
select contact_id, field
from enrichment.person_facts
where status = 'verified'
    and confidence is distinct from 'human'
    and try_cast(confidence as double) is distinct from 100
order by contact_id, field;
