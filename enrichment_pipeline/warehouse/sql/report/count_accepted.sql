-- Look-ups of these runs whose answer was accepted as the contact's own, by provider.
--
-- reads: staging.judgements

select provider, count(distinct lookup_id) as accepted
from staging.judgements
where judgement = 'matched' and list_contains($run_ids, run_id)
group by provider;
