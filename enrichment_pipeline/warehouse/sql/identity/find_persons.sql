-- The persons of these contacts; no row for a contact that is not in the source.
--
-- reads: staging.contact_persons, staging.contacts

select assigned.contact_id, assigned.person_key
from staging.contact_persons as assigned
join staging.contacts as contact on contact.contact_id = assigned.contact_id
where contact.left_at is null
    and list_contains($contact_ids, assigned.contact_id);
