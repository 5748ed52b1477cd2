-- E-mails and phones that differently named contacts share identify none of them. Judged anew for
-- each identifier that a dirty contact had or has: one more contact can turn a personal
-- address into a shared one. All are compared with the longest name: `A Smith` would pass
-- for Anna Smith as well as for Adam Smith.
--
-- reads: all_identities, dirty_identifiers, staging.shared_identifiers
-- makes: flipped_identifiers, shared_dirty_identifiers, staging.shared_identifiers

create or replace temp table shared_dirty_identifiers as
with
named as (
    select distinct alias, name_key
    from all_identities
    where kind in ('email', 'phone') and name_key <> ''
        and alias in (select alias from dirty_identifiers)
),

several as (
    select alias, arg_max(name_key, (length(name_key), name_key)) as anchor
    from named
    group by alias
    having count(*) > 1
)

select distinct named.alias
from named
join several on several.alias = named.alias
where not names_alike(several.anchor, named.name_key)
    and not (
        starts_with(named.alias, 'email:')
        and is_in_other_script(several.anchor) <> is_in_other_script(named.name_key)
        and spell_name(
            identifier_letters(substr(named.alias, 7)),
            case when is_in_other_script(several.anchor) then named.name_key else several.anchor end
        )
    );

-- those of which that is news
create or replace temp table flipped_identifiers as
select alias
from shared_dirty_identifiers
where alias not in (select alias from staging.shared_identifiers)
union all
select alias
from staging.shared_identifiers
where alias in (select alias from dirty_identifiers)
    and alias not in (select alias from shared_dirty_identifiers);

delete from staging.shared_identifiers
where alias in (select alias from flipped_identifiers);

insert into staging.shared_identifiers (alias)
select alias
from shared_dirty_identifiers
where alias in (select alias from flipped_identifiers);
