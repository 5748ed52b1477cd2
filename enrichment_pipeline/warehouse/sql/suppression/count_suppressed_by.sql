-- How many contacts of the source these identifiers ($identifiers, hashed) suppress: those that
-- bear one of them, and those that are one person with such a contact.
--
-- reads: hashed_identifiers, staging.contact_identities

with hits as (
    select contact_id, person_key
    from hashed_identifiers
    where list_contains($identifiers, identifier)
)

select count(*)
from staging.contact_identities
where contact_id in (select contact_id from hits where contact_id is not null)
    or person_key in (select person_key from hits where person_key is not null);
