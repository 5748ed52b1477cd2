-- Which of the wanted phone numbers, as they are read in a country, have never been read.
--
-- reads: phone_regions, staging.phones

select distinct wanted.phone_text, wanted.region
from phone_regions as wanted
anti join staging.phones as known
    on known.phone_text = wanted.phone_text and known.region = wanted.region;
