-- Have every answer read anew, into the common profile first.
--
-- makes: enrichment.company_facts, staging.judgements, staging.profiles

delete from staging.profiles;

delete from staging.judgements;

delete from enrichment.company_facts;
