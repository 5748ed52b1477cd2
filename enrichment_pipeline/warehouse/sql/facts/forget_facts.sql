-- Have every answer read anew.
--
-- makes: enrichment.company_facts, enrichment.person_facts, staging.read_answers

delete from staging.read_answers;

delete from enrichment.person_facts;

delete from enrichment.company_facts;
