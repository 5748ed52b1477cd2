-- The verifications whose rows are the newest here, and the ledger's revision of each; all of them
-- where `count` is null. Those without a revision are not the ledger's: an older version left them
-- out when it took over what a restored ledger lacked.
--
-- reads: raw.verifications

select verification_id, revision
from raw.verifications
where revision > 0
order by revision desc, verification_id
limit $count;
