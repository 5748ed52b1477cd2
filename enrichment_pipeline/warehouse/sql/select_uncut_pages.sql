-- Of the pages of raw answers to searches that came (registered as `body_page`) one provider's:
-- makes `uncut_pages`, which its `cut_pages.sql` reads.

create or replace temp table uncut_pages as
select page.search_id, page.page, page.body
from body_page as page
join raw.searches as search on search.search_id = page.search_id
where search.provider = $provider;
