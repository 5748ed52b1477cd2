-- Put the collected rows aside as what the tables were.
--
-- reads: collected_facts, collected_rows
-- makes: facts_before, rows_before

create or replace temp table rows_before as select * from collected_rows;

create or replace temp table facts_before as select * from collected_facts;
