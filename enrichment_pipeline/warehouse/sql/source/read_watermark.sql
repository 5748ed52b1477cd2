-- How far the last load has read the contacts of this source, by this query and this column, when
-- all of them were last compared, and how many had no mark then; no row where that was another.
--
-- reads: staging.source_watermark

select newest, compared_at, blank
from staging.source_watermark
where read_from = $read_from;
