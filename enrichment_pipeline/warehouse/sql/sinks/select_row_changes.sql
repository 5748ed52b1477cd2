-- What a sink has to write: the published rows under the keys that differ, and the keys under which
-- there are none any more. Without a key it is all rows, where any differs.
--
-- reads: differing_rows, published_rows
-- makes: row_changes

create or replace temp table row_changes as
select published_rows.* exclude (row_key), false as is_gone
from published_rows
where row_key in (select row_key from differing_rows)
    or (not $has_key and exists (select 1 from differing_rows))
union all by name
select unnest(row_key), true as is_gone
from differing_rows
where $has_key and row_key not in (select row_key from published_rows);
