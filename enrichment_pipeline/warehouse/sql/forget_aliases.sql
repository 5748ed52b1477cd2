-- An identifier that only withdrawn answers gave is its person's no more.

delete from staging.person_aliases as known
where known.origin = 'answer'
    and not exists (
        select 1
        from enrichment.person_facts as fact
        where fact.person_key = known.person_key
            and fact_alias(fact.field, fact.value) = known.alias
    );
