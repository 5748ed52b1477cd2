-- Whether a run has bought anything, and whether it was undone.
--
-- reads: raw.lookups, raw.undone_runs, raw.verifications

select
    $run_id in (select run_id from raw.lookups)
    or $run_id in (select run_id from raw.verifications) as is_known,
    $run_id in (select run_id from raw.undone_runs) as is_undone;
