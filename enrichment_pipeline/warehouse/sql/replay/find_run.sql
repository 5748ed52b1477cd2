-- Whether a run has bought anything, and whether it was undone.
--
-- reads: raw.lookups, raw.undone_runs

select
    $run_id in (select run_id from raw.lookups) as is_known,
    $run_id in (select run_id from raw.undone_runs) as is_undone;
