-- Values that are shown as verified without proof: neither is a provider's last rating of the value
-- for that contact one by which it says verified (registered as `verified_ratings`), nor the
-- verifier's of the address, and no person said so; or a fact says verified of another rating. The
-- ratings are read anew here, from what was given, and not from what they were mapped to.
--
-- reads: enrichment.enriched_contacts, enrichment.person_facts, staging.checked_addresses,
--        verified_ratings

with
proving as (
    select provider, coalesce(cast(try_cast(rating as double) as varchar), rating) as rating
    from verified_ratings
    union all
    select 'human' as provider, 'human' as rating
),

rated as (
    select
        fact.contact_id, fact.person_key, fact.provider, fact.field, fact.value, fact.status,
        fact.observed_at,
        proving.rating is not null
        or (of_check.rating is not null and checked.status = 'verified') as is_proof
    from enrichment.person_facts as fact
    left join proving
        on proving.provider = fact.provider
        and proving.rating
        = coalesce(cast(try_cast(fact.confidence as double) as varchar), fact.confidence)
    left join staging.checked_addresses as checked
        on checked.email = fact.value and fact.observed_at < checked.holds_until
        and fact.provider <> 'human'
    left join proving as of_check
        on of_check.provider = checked.provider and of_check.rating = checked.rating
    where fact.status is not null
),

proofs as (
    select contact_id, person_key, value
    from rated
    group by contact_id, person_key, provider, value
    having arg_max(is_proof, (observed_at, is_proof))
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
from rated
where status = 'verified' and not is_proof
order by contact_id, field;
