-- Identifiers as a user wrote them (registered as `given_identifiers`), in normalised form
-- where they are what SQL can read.
--
-- reads: given_identifiers

select
    position,
    clean_text(text) as text,
    email_address(text) as email,
    linkedin_slug(text) as linkedin_slug
from given_identifiers
order by position;
