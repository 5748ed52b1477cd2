-- Answers that were judged otherwise than a reviewer decided since: to be taken back and read
-- again as new ones. A decision that was taken back itself counts likewise.

create or replace temp table overruled_answers as
select outcome.contact_id, outcome.lookup_id
from enrichment.person_facts as outcome
join decided_answers as answer
    on answer.contact_id = outcome.contact_id and answer.lookup_id = outcome.lookup_id
where outcome.field = 'lookup_outcome'
    and case
        when answer.judgement is not null then outcome.value <> answer.judgement
        else outcome.confidence is not null
    end;
