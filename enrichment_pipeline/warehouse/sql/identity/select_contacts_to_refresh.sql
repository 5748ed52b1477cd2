-- Whose derived rows are to be brought up to date: the contacts of $relation, which the caller has
-- made.
--
-- makes: contacts_to_refresh

create or replace temp table contacts_to_refresh as
select distinct contact_id from query_table($relation);
