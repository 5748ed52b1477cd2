-- E-mails and phones that differently named contacts share are nobody's. Made anew at each
-- load: one more contact can turn a personal address into a shared one. All are compared
-- with the longest name: `A Smith` would pass for Anna Smith as well as for Adam Smith.

delete from staging.shared_identifiers;

insert into staging.shared_identifiers (alias)
with
named as (
    select distinct concat(kind, ':', value) as alias, name_key
    from all_identities
    where kind in ('email', 'phone') and name_key <> ''
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
where not names_alike(several.anchor, named.name_key);
