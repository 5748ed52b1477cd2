-- Take back what became of answers that do not stand any more.
--
-- reads: withdrawn_answers
-- makes: staging.judgements

delete from staging.judgements as judged
where exists (
    select 1
    from withdrawn_answers as withdrawn
    where withdrawn.contact_id = judged.contact_id
        and withdrawn.lookup_id = judged.lookup_id
);
