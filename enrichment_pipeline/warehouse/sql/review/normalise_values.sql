-- Texts as an e-mail address, as a profile URL and as plain text; null where one is none.

select
    email_address(text) as email,
    'https://www.linkedin.com/in/' || url_encode(linkedin_slug(text)) as linkedin_url,
    clean_text(text) as plain
from (select unnest($texts) as text, generate_subscripts($texts, 1) as given_order)
order by given_order;
