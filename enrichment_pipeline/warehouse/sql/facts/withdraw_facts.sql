-- Take back what became of answers that do not stand any more.
--
-- reads: withdrawn_answers
-- makes: enrichment.person_facts, staging.read_answers

delete from enrichment.person_facts as fact
where exists (
    select 1
    from withdrawn_answers as withdrawn
    where withdrawn.contact_id = fact.contact_id and withdrawn.lookup_id = fact.lookup_id
);

delete from staging.read_answers as read_before
where exists (
    select 1
    from withdrawn_answers as withdrawn
    where withdrawn.contact_id = read_before.contact_id
        and withdrawn.lookup_id = read_before.lookup_id
);
