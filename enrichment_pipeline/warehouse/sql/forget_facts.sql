-- Have every answer read anew, into the common profile first.

delete from staging.profiles;

delete from staging.read_answers;

delete from enrichment.person_facts;

delete from enrichment.company_facts;
