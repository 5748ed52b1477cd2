-- For how many people each provider was asked, and answered, from $since on; to how many it brought
-- a verified e-mail; and what that cost.
--
-- reads: enrichment.lookups, enrichment.person_facts, enrichment.providers

select
    asked.provider,
    count(*) as people,
    count(bringing.lookup_id) as brought,
    cast(sum(asked.credits_charged * coalesce(provider.price, 1)) as double) as cost
from enrichment.lookups as asked
left join (
    select distinct lookup_id
    from enrichment.person_facts
    where field in ('work_email', 'personal_email') and status = 'verified'
) as bringing on bringing.lookup_id = asked.lookup_id
left join enrichment.providers as provider on provider.provider = asked.provider
where asked.state = 'answered' and asked.requested_at >= cast($since as timestamptz)
group by asked.provider
order by asked.provider;
