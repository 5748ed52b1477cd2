-- An identifier that only withdrawn answers gave is its person's no more. While none of the
-- person's contacts is in the source, nothing is known of what they gave but that it was paid
-- for: a contact that comes with such an identifier is that person, and not bought again.
--
-- reads: enrichment.person_facts, raw.provider_responses, raw.undone_runs, staging.contact_persons,
--        staging.contacts, staging.person_aliases
-- makes: forgotten_aliases, staging.person_aliases

create or replace temp table forgotten_aliases as
select known.alias, known.person_key as old_key, cast(null as varchar) as new_key
from staging.person_aliases as known
where known.origin = 'answer'
    and not exists (
        select 1
        from enrichment.person_facts as fact
        where fact.person_key = known.person_key
            and fact_alias(fact.provider, fact.field, fact.value) = known.alias
    )
    and (
        exists (
            select 1
            from staging.contact_persons as assigned
            join staging.contacts as contact
                on contact.contact_id = assigned.contact_id and contact.left_at is null
            where assigned.person_key = known.person_key
        )
        or not exists (
            select 1
            from raw.provider_responses as response
            where response.person_key = known.person_key
                and response.run_id not in (select run_id from raw.undone_runs)
        )
    );

delete from staging.person_aliases as known
where exists (
    select 1
    from forgotten_aliases as forgotten
    where forgotten.alias = known.alias and forgotten.old_key = known.person_key
);
