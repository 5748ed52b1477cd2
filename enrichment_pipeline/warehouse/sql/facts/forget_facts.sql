-- Have every answer read anew, into the common profile first; but those that were erased, of which
-- what is left stays as it is.
--
-- reads: raw.provider_responses, staging.judgements
-- makes: enrichment.company_facts, staging.judgements, staging.profiles

delete from staging.profiles
where call_id not in (select lookup_id from raw.provider_responses where is_erased);

-- those of a company are made anew together
delete from enrichment.company_facts
where company_domain in (
    select company_domain
    from staging.judgements
    where company_domain is not null
        and lookup_id not in (select lookup_id from raw.provider_responses where is_erased)
);

delete from staging.judgements
where lookup_id not in (select lookup_id from raw.provider_responses where is_erased);
