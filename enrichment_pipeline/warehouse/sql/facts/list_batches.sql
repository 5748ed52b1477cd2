-- The batches of answers that are to be read, and the times between which their answers lie.
--
-- reads: pending_answers

select batch, min(answered_at) as first_at, max(answered_at) as last_at
from pending_answers
group by batch
order by batch;
