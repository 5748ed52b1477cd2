-- What a place was given by the exports so far.
--
-- makes: exported_rows

create temp table exported_rows as
select * from read_parquet($file);
