-- Which of these ids ($contacts) no contact has that the source or an entry gives.
--
-- reads: staging.contacts

select contact_id
from (select unnest(cast($contacts as varchar[])) as contact_id)
where contact_id not in (select contact_id from staging.contacts where left_at is null)
order by contact_id;
