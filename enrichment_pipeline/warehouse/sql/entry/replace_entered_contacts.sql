-- Take over which contacts were entered. Each of them is accounted for, retired ones too.
--
-- reads: entered_rows, incoming_contacts, staging.source_contact_ids
-- makes: staging.entered_contacts, staging.source_contact_ids

delete from staging.entered_contacts;

insert into staging.entered_contacts by name
select
    contact_id,
    version,
    person_key,
    contact_id in (select contact_id from incoming_contacts) as is_in_source
from entered_rows;

insert into staging.source_contact_ids (contact_id, source_rows)
select entered.contact_id, 1
from entered_rows as entered
anti join staging.source_contact_ids as known on known.contact_id = entered.contact_id;
