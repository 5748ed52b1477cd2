-- E-mails and phones that differently named contacts share are nobody's. Judged anew for
-- each identifier that a touched contact had or has: one more contact can turn a personal
-- address into a shared one. All are compared with the longest name: `A Smith` would pass
-- for Anna Smith as well as for Adam Smith.
--
-- reads: all_identities, staging.shared_identifiers, stirred_identities
-- makes: shared_by_stirred, staging.shared_identifiers, turned_identifiers

create or replace temp table shared_by_stirred as
with
named as (
    select distinct alias, name_key
    from all_identities
    where kind in ('email', 'phone') and name_key <> ''
        and alias in (select alias from stirred_identities)
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
create or replace temp table turned_identifiers as
select alias
from shared_by_stirred
where alias not in (select alias from staging.shared_identifiers)
union all
select alias
from staging.shared_identifiers
where alias in (select alias from stirred_identities)
    and alias not in (select alias from shared_by_stirred);

delete from staging.shared_identifiers
where alias in (select alias from turned_identifiers);

insert into staging.shared_identifiers (alias)
select alias
from shared_by_stirred
where alias in (select alias from turned_identifiers);
