-- Of whom answers have told more, or less: what they are known by, and whether that is suppressed.

create or replace temp table affected_contacts as
select distinct contact_id from touched_contacts;
