-- Have every answer read anew.

delete from staging.read_answers;

delete from enrichment.person_facts;

delete from enrichment.company_facts;
