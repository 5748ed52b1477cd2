-- Of whom answers have told more, or less: what they are known by, and whether that is suppressed.
--
-- reads: touched_contacts
-- makes: affected_contacts

create or replace temp table affected_contacts as
select distinct contact_id from touched_contacts;
