-- Keep how far this load has read the source's contacts.
--
-- makes: staging.source_watermark

delete from staging.source_watermark;

insert into staging.source_watermark (read_from, newest, compared_at, blank)
values ($read_from, $newest, $compared_at, $blank);
