-- The contacts whose person has to be found (again), and the identifiers that count for
-- them: whatever is not shared by differently named contacts. Everybody else stays who
-- they are, since an identifier never changes its owner.
--
-- reads: all_identities, dirty_contacts, dirty_identifiers, flipped_identifiers,
--        staging.person_aliases, staging.shared_identifiers
-- makes: contacts_by_dirty_identifiers, contacts_to_resolve, identities, name_bearers

create or replace temp table contacts_by_dirty_identifiers as
select contact_id
from dirty_contacts
union
select contact_id
from all_identities
where alias in (select alias from flipped_identifiers);

-- A name with a company depends on who else bears it.
create or replace temp table name_bearers as
select contact_id, alias
from all_identities
where kind = 'name'
    and alias in (
        select alias from dirty_identifiers where kind = 'name'
        union all
        select alias
        from all_identities
        where kind = 'name' and contact_id in (select contact_id from contacts_by_dirty_identifiers)
    );

create or replace temp table contacts_to_resolve as
select contact_id
from contacts_by_dirty_identifiers
union
select bearer.contact_id
from name_bearers as bearer
where not exists (
    select 1 from staging.person_aliases as owned where owned.alias = bearer.alias
);

create or replace temp table identities as
select contact_id, kind, kind_rank, value, alias
from all_identities
where contact_id in (select contact_id from contacts_to_resolve)
    and alias not in (select alias from staging.shared_identifiers);
