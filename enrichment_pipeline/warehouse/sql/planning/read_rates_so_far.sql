-- What answered look-ups have cost at each provider, on average, the share of them whose answer
-- alone did not have all that $require asks for, so that the next provider was needed, and how many
-- verifications of addresses they have led to, with what these cost.
--
-- reads: enrichment.verifications, raw.lookups, staging.checked_judgements

select
    lookup.provider,
    count(*) as lookups,
    avg(lookup.credits_charged) as credits,
    1 - count(settling.lookup_id) / count(*) as open_share,
    coalesce(sum(verified.verifications), 0) / count(*) as verifications,
    coalesce(sum(verified.credits), 0) / count(*) as verification_credits
from raw.lookups as lookup
left join (
    select distinct lookup_id
    from staging.checked_judgements
    where judgement = 'matched'
        and len(list_filter(
            $require,
            lambda requirement: not has_required(
                points_by_kind(points, cast([] as varchar[])), requirement
            )
        )) = 0
) as settling on settling.lookup_id = lookup.lookup_id
left join (
    select
        lookup_id,
        count(*) as verifications,
        sum(credits_charged) as credits
    from enrichment.verifications
    where state <> 'released'
    group by lookup_id
) as verified on verified.lookup_id = lookup.lookup_id
where lookup.state = 'answered'
group by lookup.provider;
