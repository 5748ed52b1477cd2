-- The same (`shaped_bounces`), by addresses as they are compared. What is no address says nothing.
--
-- reads: shaped_bounces
-- makes: incoming_bounces

create or replace temp table incoming_bounces as
select email_address(email) as email, kind, first_at, last_at, undated
from shaped_bounces;
