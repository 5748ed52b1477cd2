-- For the snapshot of the point of entry (attached as `known_draft`): what is left of answers that
-- were erased, which the ledger cannot tell any more.
--
-- reads: raw.provider_responses, staging.judgements
-- makes: known_draft.staging.judgements

create table known_draft.staging.judgements as
select *
from staging.judgements
where lookup_id in (select lookup_id from raw.provider_responses where is_erased)
order by contact_id;
