-- Which of the numbers at hand have been read before.

select distinct known.phone_text, known.region
from staging.phones as known
join phone_regions as wanted
    on wanted.phone_text = known.phone_text and wanted.region = known.region;
