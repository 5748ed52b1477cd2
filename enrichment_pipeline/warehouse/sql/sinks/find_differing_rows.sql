-- The keys under which what is published and what a sink has are not the same rows.
--
-- reads: base_rows, published_rows
-- makes: differing_rows

create or replace temp table differing_rows as
select row_key
from (
    select row_key, hash(published_rows) as content, 1 as side from published_rows
    union all
    select row_key, hash(base_rows) as content, -1 as side from base_rows
)
group by row_key
having sum(side) <> 0 or sum(side * cast(content as hugeint)) <> 0;
