-- The rows of a table that has another name now.
--
-- reads: staging.contacts_left_dirty, staging.restated_contacts
-- makes: staging.contacts_left_dirty

insert into staging.contacts_left_dirty (contact_id)
select contact_id
from staging.restated_contacts
where contact_id not in (select contact_id from staging.contacts_left_dirty);

drop table staging.restated_contacts;
