-- The addresses that answers give for $person_keys, each as verifications of it are keyed.
--
-- reads: staging.judgements

select distinct address_key(point.value) as address_key
from (
    select unnest(points) as point
    from staging.judgements
    where list_contains($person_keys, person_key)
)
where ends_with(point.field, 'email')
order by address_key;
