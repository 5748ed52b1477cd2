-- Judgements with the e-mails and phones as they stand now: an address that was verified by itself
-- has the status that this gave it, and one that was withdrawn is left out.
--
-- reads: staging.checked_points, staging.judgements
-- makes: staging.checked_judgements

create or replace view staging.checked_judgements as
select
    judged.* replace (
        case when checked.lookup_id is null then judged.points else checked.points end as points
    )
from staging.judgements as judged
left join staging.checked_points as checked
    on checked.contact_id = judged.contact_id and checked.lookup_id = judged.lookup_id;
comment on view staging.checked_judgements
is 'Judgements, with the status of each address that its verification has given it';
