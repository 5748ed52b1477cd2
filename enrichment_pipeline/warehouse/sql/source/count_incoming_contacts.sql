-- Contacts that the source gives now, that it gave before, and of these those that it lacks now.
--
-- reads: incoming_contacts, staging.contacts

select
    (select count(*) from incoming_contacts) as incoming,
    count(*) as known,
    count(*) filter (
        contact_id not in (select contact_id from incoming_contacts)
    ) as gone
from staging.contacts
where left_at is null;
