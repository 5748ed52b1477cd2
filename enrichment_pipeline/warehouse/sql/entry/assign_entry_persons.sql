-- Make entries the persons that the point of entry took them for, and what they are known by these
-- persons'. An entry with an identifier of another person is resolved as any contact.
--
-- reads: entry_identities, entry_persons, staging.person_aliases
-- makes: staging.contact_persons, staging.person_aliases

merge into staging.contact_persons as known
using (
    select entry.contact_id, entry.person_key
    from entry_persons as entry
    where not exists (
        select 1
        from entry_identities as mine
        join staging.person_aliases as owned on owned.alias = mine.alias
        where mine.contact_id = entry.contact_id and owned.person_key <> entry.person_key
    )
) as taken
on known.contact_id = taken.contact_id
when matched then update set
    person_key = taken.person_key, assigned_at = $loaded_at, has_changed = true
when not matched then insert (contact_id, person_key, assigned_at, has_changed)
    values (taken.contact_id, taken.person_key, $loaded_at, false);

-- a name with a company counts only where there is nothing better
insert into staging.person_aliases (alias, person_key, origin, added_at)
select mine.alias, min(mine.person_key), 'entry', $loaded_at
from entry_identities as mine
join staging.contact_persons as assigned
    on assigned.contact_id = mine.contact_id and assigned.person_key = mine.person_key
where not exists (select 1 from staging.person_aliases as owned where owned.alias = mine.alias)
    and (
        mine.kind <> 'name'
        or mine.contact_id not in (select contact_id from entry_identities where kind <> 'name')
    )
group by mine.alias;
