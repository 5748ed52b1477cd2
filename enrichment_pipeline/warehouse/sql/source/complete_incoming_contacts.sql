-- Those contacts of the source that were not read, since only newer rows were, as they are known.
-- Where an id repeats, the latest row wins, as in read_contacts.sql, whichever of its rows were
-- read; how many there are only a comparison of all of them tells.
--
-- reads: staging.contacts, staging.entered_contacts, staging.source_contact_ids
-- makes: incoming_contacts, known_contacts

create or replace temp view known_contacts as
select contact.* exclude (loaded_at, left_at), ids.source_rows
from staging.contacts as contact
join staging.source_contact_ids as ids on ids.contact_id = contact.contact_id
anti join (
    select contact_id from staging.entered_contacts where not is_in_source
) as entered on entered.contact_id = contact.contact_id
where contact.left_at is null;

delete from incoming_contacts as incoming
using known_contacts as known
where known.contact_id = incoming.contact_id
    and known.updated_at is not null
    and coalesce(known.updated_at > incoming.updated_at, true);

update incoming_contacts
set source_rows = greatest(incoming_contacts.source_rows, ids.source_rows)
from staging.source_contact_ids as ids
where ids.contact_id = incoming_contacts.contact_id;

insert into incoming_contacts by name
select known.*
from known_contacts as known
anti join incoming_contacts as incoming on incoming.contact_id = known.contact_id;
