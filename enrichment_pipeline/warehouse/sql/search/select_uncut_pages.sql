-- Of the pages of raw answers to searches that came (registered as `body_page`) one provider's,
-- for its `cut_pages.sql`.
--
-- reads: body_page, raw.searches
-- makes: uncut_pages

create or replace temp table uncut_pages as
select page.search_id, page.page, page.body
from body_page as page
join raw.searches as search on search.search_id = page.search_id
where search.provider = $provider;
