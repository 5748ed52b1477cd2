-- What was observed later takes over from that instant on. Of two answers from one instant
-- the one with the lower look-up id counts as the later, here as everywhere.
--
-- reads: enrichment.person_facts, staging.read_answers, touched_contacts, withdrawn_answers
-- makes: enrichment.person_facts

update enrichment.person_facts as fact
set valid_to = spans.valid_to
from (
    select
        contact_id, provider, field, lookup_id,
        lead(observed_at) over (
            partition by contact_id, provider, field order by observed_at, lookup_id desc
        ) as valid_to
    from (
        select distinct contact_id, provider, field, lookup_id, observed_at
        from enrichment.person_facts
        where contact_id in (
            -- whoever has one answer only has no fact that could be closed
            select contact_id from withdrawn_answers
            union
            select contact_id
            from staging.read_answers
            where contact_id in (select contact_id from touched_contacts)
            group by contact_id
            having count(*) > 1
        )
    )
) as spans
where spans.contact_id = fact.contact_id
    and spans.provider = fact.provider
    and spans.field = fact.field
    and spans.lookup_id = fact.lookup_id
    and spans.valid_to is distinct from fact.valid_to;
