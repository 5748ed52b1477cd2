-- How many contacts were entered, and how many of them retired.
--
-- reads: staging.entered_contacts, staging.retired_entries

select
    (select count(*) from staging.entered_contacts) as entered,
    (select count(*) from staging.retired_entries) as retired;
