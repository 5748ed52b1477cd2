-- Company names that reviewers gave and that were never met before.
--
-- reads: raw.review_decisions, staging.company_names

select distinct value as company_name
from raw.review_decisions
where field = 'company_name'
    and value is not null
    and value not in (select company_name from staging.company_names);
