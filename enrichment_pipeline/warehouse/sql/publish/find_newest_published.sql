-- The look-ups of a published file that were asked for last; all of them where `count` is null.
--
-- reads: enrichment.lookups

select lookup_id, state = 'answered' as is_answered, credits_charged
from enrichment.lookups
order by requested_at desc, lookup_id
limit $count;
