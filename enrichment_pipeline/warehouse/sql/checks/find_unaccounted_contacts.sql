-- Contacts of the source and entries without a status, and statuses of none of them. Where
-- another run has loaded the source anew since these statuses were judged, that run will
-- account for what has changed, and only this is said.
--
-- reads: enrichment.contact_status, staging.source_contact_ids, staging.stamp

with overtaken as (
    select 1 as one
    from staging.stamp
    where key = 'judged_contacts'
        and value is distinct from (
            select concat(count(*), ':', bit_xor(md5_number_lower(contact_id)))
            from staging.source_contact_ids
        )
)

select null as contact_id, 'overtaken' as problem
from overtaken
union all
select source.contact_id, 'without_status' as problem
from staging.source_contact_ids as source
where source.contact_id not in (select contact_id from enrichment.contact_status)
    and not exists (select one from overtaken)
union all
select status.contact_id, 'not_in_source' as problem
from enrichment.contact_status as status
where status.contact_id not in (select contact_id from staging.source_contact_ids)
    and not exists (select one from overtaken)
order by problem, contact_id;
