-- The other contacts of the same person ($person_key), which share its look-ups.
--
-- reads: staging.contact_identities

select contact_id
from staging.contact_identities
where person_key = $person_key and contact_id <> $contact_id
order by contact_id;
