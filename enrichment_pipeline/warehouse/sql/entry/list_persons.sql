-- The persons that calls may tell of: those of the contacts that are loaded, and those that their
-- identifiers belong to.
--
-- reads: staging.contact_persons, staging.person_aliases

select person_key from staging.contact_persons
union
select person_key from staging.person_aliases;
