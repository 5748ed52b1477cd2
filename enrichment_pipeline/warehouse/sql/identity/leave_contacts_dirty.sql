-- Contacts whose identity may have changed since identifiers got another owner, or none: those
-- that bear one of them, and those of the person that has or had one.
--
-- reads: all_identities, staging.contact_persons
-- makes: moved_contacts, staging.contacts_left_dirty

create or replace temp table moved_contacts as
select contact_id
from all_identities
where alias in (select alias from query_table($relation))
union
select assigned.contact_id
from staging.contact_persons as assigned
where assigned.person_key in (
    select old_key from query_table($relation)
    union all
    select new_key from query_table($relation)
);

insert into staging.contacts_left_dirty (contact_id)
select contact_id from moved_contacts;
