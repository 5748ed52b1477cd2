-- Whose suppression has to be found out: everybody's.
--
-- reads: staging.contact_identities
-- makes: refreshed_contacts

create or replace temp table refreshed_contacts as
select contact_id, person_key from staging.contact_identities;
