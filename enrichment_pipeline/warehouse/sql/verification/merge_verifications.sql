-- Take over a page of the ledger's verifications (registered as `verification_page`).
--
-- reads: verification_page
-- makes: raw.verifications

delete from raw.verifications as known
using verification_page as fresh
where fresh.verification_id = known.verification_id and fresh.revision > known.revision;

insert into raw.verifications by name
select fresh.*
from verification_page as fresh
anti join raw.verifications as known on known.verification_id = fresh.verification_id;
