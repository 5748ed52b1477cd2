-- Which state of the warehouse a published file is.

create table published_draft.enrichment.publication as
select cast($published_at as timestamptz) as published_at, cast($run_id as varchar) as run_id;

comment on table published_draft.enrichment.publication
is 'One row: which state of the warehouse this file is';
comment on column published_draft.enrichment.publication.published_at is 'When it was published';
comment on column published_draft.enrichment.publication.run_id is 'The run that published it';
