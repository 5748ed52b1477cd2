-- What was observed later takes over from that instant on. Of two answers from one instant
-- the one with the lower look-up id counts as the later, here as everywhere.
--
-- reads: enrichment.person_facts, rejudged_contacts, staging.judgements, withdrawn_answers
-- makes: staging.judgements

update staging.judgements as judged
set closed = spans.closed
from (
    select
        contact_id,
        lookup_id,
        list({ 'field': field, 'valid_to': valid_to } order by field)
            filter (valid_to is not null) as closed
    from (
        select
            contact_id, field, lookup_id,
            lead(observed_at) over (
                partition by contact_id, provider, field order by observed_at, lookup_id desc
            ) as valid_to
        from (
            select distinct contact_id, provider, field, lookup_id, observed_at
            from enrichment.person_facts
            where provider <> 'human'
                and contact_id in (
                    -- with one answer only there is no fact that could be closed
                    select contact_id from withdrawn_answers
                    union
                    select contact_id
                    from staging.judgements
                    where contact_id in (select contact_id from rejudged_contacts)
                    group by contact_id
                    having count(*) > 1
                )
        )
    )
    group by contact_id, lookup_id
) as spans
where spans.contact_id = judged.contact_id
    and spans.lookup_id = judged.lookup_id
    and spans.closed is distinct from judged.closed;
