-- A lane in which nothing is due keeps what was looked up last, so that a run with nothing to do
-- changes no row; but no person who left, or who is due in any lane.
--
-- reads: due_persons, enrichment.worklist, looked_up_items, staging.contact_identities
-- makes: enrichment.worklist

insert into enrichment.worklist by name
select listed.*
from looked_up_items as listed
where not exists (
    select 1
    from enrichment.worklist as due
    where due.freshness = listed.freshness and due.priority = listed.priority
)
    and listed.contact_id in (select contact_id from staging.contact_identities)
    and listed.person_key not in (select person_key from due_persons);
