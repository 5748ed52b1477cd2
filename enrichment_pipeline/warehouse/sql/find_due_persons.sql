-- Everybody who is due, in whichever lane.

create or replace temp table due_persons as
select *, count(*) over (partition by person_key) as contact_count
from contact_states
where freshness in ('new', 'retry', 'stale') and not is_put_off
qualify row_number() over (
    partition by person_key
    order by priority_rank, priority_score desc, due_at, contact_id
) = 1;
