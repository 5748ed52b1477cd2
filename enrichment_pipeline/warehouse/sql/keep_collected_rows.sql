-- Put the collected rows aside as what the tables were.

create or replace temp table rows_before as select * from collected_rows;

create or replace temp table facts_before as select * from collected_facts;
