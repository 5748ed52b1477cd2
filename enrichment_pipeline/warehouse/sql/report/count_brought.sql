-- For how many people each provider was asked, and answered, from $since on; to how many it brought
-- a verified e-mail; and what that cost, verifying its addresses included.
--
-- reads: enrichment.lookup_costs, enrichment.lookups, enrichment.person_facts

select
    asked.provider,
    count(*) as people,
    count(bringing.lookup_id) as brought,
    cast(sum(priced.cost) as double) as cost
from enrichment.lookups as asked
join enrichment.lookup_costs as priced on priced.lookup_id = asked.lookup_id
left join (
    select distinct lookup_id
    from enrichment.person_facts
    where field in ('work_email', 'personal_email') and status = 'verified'
) as bringing on bringing.lookup_id = asked.lookup_id
where asked.state = 'answered' and asked.requested_at >= cast($since as timestamptz)
group by asked.provider
order by asked.provider;
