-- Answers that were judged otherwise than a reviewer decided since: what they became is
-- taken back, so that they are read again as new ones. A decision that was taken back
-- itself counts likewise.

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

create or replace temp table overruled_aliases as
select distinct fact_alias(fact.field, fact.value) as alias, fact.person_key
from enrichment.person_facts as fact
join overruled_answers as overruled
    on overruled.contact_id = fact.contact_id and overruled.lookup_id = fact.lookup_id
where fact_alias(fact.field, fact.value) is not null;

delete from enrichment.person_facts as fact
where exists (
    select 1 from overruled_answers as overruled
    where overruled.contact_id = fact.contact_id and overruled.lookup_id = fact.lookup_id
);

-- somebody else's profile names our person no more, unless another answer does too
delete from staging.person_aliases as known
where known.origin = 'answer'
    and exists (
        select 1 from overruled_aliases as overruled
        where overruled.alias = known.alias and overruled.person_key = known.person_key
    )
    and not exists (
        select 1 from enrichment.person_facts as fact
        where fact.person_key = known.person_key
            and fact_alias(fact.field, fact.value) = known.alias
    );
