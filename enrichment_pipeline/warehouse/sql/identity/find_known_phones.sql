-- Which of the wanted phone numbers have been read before.
--
-- reads: phone_regions, staging.phones

select phone_text, region
from staging.phones
where phone_text in (select phone_text from phone_regions);
