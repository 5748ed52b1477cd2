-- Rows of which it is not told when it happened, where that matters.
--
-- reads: incoming_bounces

select cast(coalesce(sum(undated), 0) as bigint) as undated
from incoming_bounces
where kind in ('hard', 'delivered');
