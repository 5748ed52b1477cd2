-- The look-ups whose rows are the newest here, and the ledger's revision of each; all of them
-- where `count` is null.
--
-- reads: raw.lookups

select lookup_id, revision
from raw.lookups
order by revision desc, lookup_id
limit $count;
