-- How many people the source's contacts are, and how many contacts could be told at all.
--
-- reads: staging.contact_persons, staging.contacts

select count(distinct assigned.person_key) as persons, count(*) as identified_contacts
from staging.contact_persons as assigned
join staging.contacts as contact on contact.contact_id = assigned.contact_id
where contact.left_at is null;
