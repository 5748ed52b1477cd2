-- Of whom an answer has just told more: what they are known by, and whether that is suppressed.

create or replace temp table affected_contacts as
select contact_id
from staging.contact_persons
where person_key in (select person_key from new_facts);
