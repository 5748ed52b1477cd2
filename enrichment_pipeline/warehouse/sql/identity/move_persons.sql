-- Make persons one with others: each old_key of $relation, which the caller has made, with its
-- new_key. Contacts move, with what they are known by. Who was found under the old key stays:
-- what was bought is kept under it, so the caller has left those out.
--
-- reads: staging.person_aliases
-- makes: moved_aliases, staging.contact_persons, staging.person_aliases

create or replace temp table moved_aliases as
select owned.alias, joined.old_key, joined.new_key
from query_table($relation) as joined
left join staging.person_aliases as owned on owned.person_key = joined.old_key;

update staging.contact_persons as assigned
set person_key = joined.new_key
from query_table($relation) as joined
where joined.old_key = assigned.person_key;

update staging.person_aliases as owned
set person_key = joined.new_key
from query_table($relation) as joined
where joined.old_key = owned.person_key;
