-- Take over a page of the ledger's verifications (registered as `verification_page`), what they
-- cost in credits: a unit of each of $providers is so many $credits.
--
-- reads: verification_page
-- makes: raw.verifications

delete from raw.verifications as known
using verification_page as fresh
where fresh.verification_id = known.verification_id and fresh.revision > known.revision;

insert into raw.verifications by name
select
    fresh.* exclude (units_charged),
    fresh.units_charged * list_extract($credits, list_position($providers, fresh.provider))
        as credits_charged
from verification_page as fresh
anti join raw.verifications as known on known.verification_id = fresh.verification_id;
