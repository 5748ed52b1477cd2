-- Contacts for whom nobody may be asked: one of their identifiers, or of another contact of
-- the same person, is suppressed.

create or replace temp table suppressed_contacts as
with hits as (
    select contact_id, person_key
    from hashed_identifiers
    where identifier in (select identifier from staging.suppressions)
)

select contact_id from hits where contact_id is not null
union
select contact_id from staging.contact_persons
where person_key in (select person_key from hits where person_key is not null);
