-- How the source's contacts stand now, by the column in which they are newer: what is added,
-- changed or removed changes the greatest of its values or their number.
--
-- reads: source_rows

select
    count(*) as contacts,
    concat(count(enrichment_watermark), '-', max(enrichment_watermark)) as marks
from source_rows;
