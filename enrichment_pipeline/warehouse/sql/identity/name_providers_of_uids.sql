-- For a warehouse from before a profile's id told whose it is: it was the only provider's.
--
-- reads: raw.lookups
-- makes: staging.person_aliases

update staging.person_aliases
set alias = uid_alias(asked.provider, substr(alias, length('uid:') + 1))
from (select arg_min(provider, revision) as provider from raw.lookups) as asked
where is_uid_alias(alias)
    and asked.provider is not null;
