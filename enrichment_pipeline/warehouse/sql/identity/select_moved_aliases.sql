-- Identifiers that have got another owner, or none: those of $relation, which the caller has made,
-- with the person whose they were, and the one whose they are now.
--
-- makes: moved_aliases

create or replace temp table moved_aliases as
select alias, old_key, new_key from query_table($relation);
