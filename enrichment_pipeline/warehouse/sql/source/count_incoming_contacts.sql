-- Contacts that the source gives now, that it gave before, and of these those that it lacks now.
-- What applications entered it never gave.
--
-- reads: incoming_contacts, staging.contacts, staging.entered_contacts

select
    (select count(*) from incoming_contacts) as incoming,
    count(*) as known,
    count(*) filter (
        contact_id not in (select contact_id from incoming_contacts)
    ) as gone
from staging.contacts
where left_at is null
    and contact_id not in (
        select contact_id from staging.entered_contacts where not is_in_source
    );
