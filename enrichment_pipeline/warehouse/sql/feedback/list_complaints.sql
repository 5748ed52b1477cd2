-- The addresses of people who complained, hashed as the ledger's suppressed identifiers are.
--
-- reads: staging.address_feedback

select hashed_identifier('email', email) as identifier
from staging.address_feedback
where has_complained;
