-- The identifiers of persons of which a reviewer said `never`, hashed as the ledger's
-- suppressed identifiers are. Only what is their own: a switchboard or a domain is not. It
-- holds for contacts that have left the source too.
--
-- reads: raw.review_decisions, staging.person_aliases

with never as (
    select contact_id, person_key
    from raw.review_decisions
    where decision in ('never', 'retry')
    qualify row_number() over (
        partition by contact_id order by decided_at desc, recorded_at desc, decision_id
    ) = 1 and decision = 'never'
)

select concat('contact:', sha256(contact_id)) as identifier from never
union
select
    concat(
        split_part(alias, ':', 1), ':', sha256(substr(alias, strpos(alias, ':') + 1))
    ) as identifier
from staging.person_aliases
where person_key in (select person_key from never)
    and split_part(alias, ':', 1) in ('email', 'linkedin', 'phone');
