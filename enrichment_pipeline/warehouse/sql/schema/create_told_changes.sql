-- What the provider has told since of the profile that an answer gave: until when it was the same,
-- and since when it is not.
--
-- reads: raw.lookups, raw.profile_changes
-- makes: staging.told_changes

create or replace view staging.told_changes as
select
    lookup.lookup_id,
    max(told.answered_at) filter (told.outcome = 'unchanged') as renewed_at,
    min(told.answered_at) filter (told.outcome = 'changed') as changed_at
from raw.profile_changes as told
join raw.lookups as lookup
    on lookup.person_key = told.person_key
    and lookup.provider = told.provider
    and lookup.outcome = 'matched'
    and lookup.answered_at < told.answered_at
where told.state = 'answered'
group by lookup.lookup_id;
comment on view staging.told_changes
is 'When a provider last said that what an answer gave is still so, and when that it is not';
comment on column staging.told_changes.lookup_id is 'The look-up that gave the answer';
comment on column staging.told_changes.renewed_at
is 'When it was last said to be unchanged: its age counts from there';
comment on column staging.told_changes.changed_at is 'When it was first said to have changed';
