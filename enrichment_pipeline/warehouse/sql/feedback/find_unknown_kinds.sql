-- Kinds of feedback that have no meaning here.
--
-- reads: incoming_bounces

select distinct coalesce(kind, 'null') as kind
from incoming_bounces
where not coalesce(list_contains($kinds, kind), false)
order by kind;
