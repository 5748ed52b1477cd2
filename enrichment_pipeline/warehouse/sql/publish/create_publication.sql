-- Which state of the warehouse a published file is.
--
-- makes: enrichment.publication

create table enrichment.publication as
select cast($published_at as timestamptz) as published_at, cast($run_id as varchar) as run_id;

comment on table enrichment.publication
is 'One row: which state of the warehouse this file is';
comment on column enrichment.publication.published_at is 'When it was published';
comment on column enrichment.publication.run_id is 'The run that published it';
