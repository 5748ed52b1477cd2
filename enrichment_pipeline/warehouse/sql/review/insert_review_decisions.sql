-- Add decisions (registered as `decision_page`) to the log.
--
-- reads: decision_page
-- makes: raw.review_decisions

insert into raw.review_decisions by name
select * from decision_page;
