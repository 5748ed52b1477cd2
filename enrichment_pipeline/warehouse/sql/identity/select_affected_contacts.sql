-- The contacts that a change concerns: those of $relation, which the caller has made.
--
-- makes: affected_contacts

create or replace temp table affected_contacts as
select distinct contact_id from query_table($relation);
