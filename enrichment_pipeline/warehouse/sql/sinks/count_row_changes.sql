-- How many rows are to be written, how many are gone, and whether anything differs.
--
-- reads: differing_rows, row_changes

select
    count(*) filter (not is_gone) as merged,
    count(*) filter (is_gone) as deleted,
    (select count(*) from differing_rows) > 0 as differs
from row_changes;
