-- The contacts whose person has to be found (again), and the identifiers that count for
-- them: whatever is not shared by differently named contacts. Everybody else stays who
-- they are, since an identifier never changes its owner.
--
-- reads: all_identities, staging.person_aliases, staging.shared_identifiers, stirred_contacts,
--        stirred_identities, turned_identifiers
-- makes: identities, name_bearers, reconsidered_contacts, turned_contacts

create or replace temp table turned_contacts as
select contact_id
from stirred_contacts
union
select contact_id
from all_identities
where alias in (select alias from turned_identifiers);

-- A name with a company depends on who else bears it.
create or replace temp table name_bearers as
select contact_id, alias
from all_identities
where kind = 'name'
    and alias in (
        select alias from stirred_identities where kind = 'name'
        union all
        select alias
        from all_identities
        where kind = 'name' and contact_id in (select contact_id from turned_contacts)
    );

create or replace temp table reconsidered_contacts as
select contact_id
from turned_contacts
union
select bearer.contact_id
from name_bearers as bearer
where not exists (
    select 1 from staging.person_aliases as owned where owned.alias = bearer.alias
);

create or replace temp table identities as
select contact_id, kind, kind_rank, value, alias
from all_identities
where contact_id in (select contact_id from reconsidered_contacts)
    and alias not in (select alias from staging.shared_identifiers);
