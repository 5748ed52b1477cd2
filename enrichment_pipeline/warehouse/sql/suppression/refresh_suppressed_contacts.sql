-- Bring staging.suppressed_contacts up to date for the contacts in $relation, which
-- holds whole persons: a contact may not be asked for where one of its identifiers, or of another
-- contact of the same person, is suppressed.
--
-- reads: known_identifiers, staging.contact_identities, staging.suppressions
-- makes: changed_identifiers, staging.suppressed_contacts

delete from staging.suppressed_contacts
where contact_id in (select contact_id from query_table($relation));

-- hashing is what costs: only theirs
create or replace temp table changed_identifiers as
select contact_id, person_key, kind, value
from known_identifiers
where contact_id in (select contact_id from query_table($relation))
union all
select contact_id, person_key, kind, value
from known_identifiers
where contact_id is null and person_key in (select person_key from query_table($relation));

insert into staging.suppressed_contacts (contact_id)
with hits as (
    select contact_id, person_key
    from changed_identifiers
    where concat(kind, ':', sha256(value)) in (select identifier from staging.suppressions)
)

select contact_id
from hits
where contact_id is not null
union
select contact_id
from staging.contact_identities
where person_key in (select person_key from hits where person_key is not null);
