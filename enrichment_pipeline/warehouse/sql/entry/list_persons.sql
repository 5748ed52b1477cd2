-- Of whom calls may tell: the persons of the contacts that are loaded, and those that their
-- identifiers belong to.
--
-- reads: staging.contact_persons, staging.person_aliases

select person_key from staging.contact_persons
union
select person_key from staging.person_aliases;
