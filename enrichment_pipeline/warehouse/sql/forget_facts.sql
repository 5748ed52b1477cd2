-- Have every answer read anew, into the common profile first.

delete from staging.profiles;

delete from staging.judgements;

delete from enrichment.company_facts;
