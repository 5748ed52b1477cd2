-- The identifiers that count: whatever is not shared by differently named contacts.

create or replace temp table identities as
select contact_id, kind, kind_rank, value, concat(kind, ':', value) as alias
from all_identities
where concat(kind, ':', value) not in (select alias from staging.shared_identifiers);
