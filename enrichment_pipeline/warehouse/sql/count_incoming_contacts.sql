-- Contacts that the source gives now, and that it gave before.

select
    (select count(*) from incoming_contacts) as incoming,
    (select count(*) from staging.contacts where left_at is null) as known;
