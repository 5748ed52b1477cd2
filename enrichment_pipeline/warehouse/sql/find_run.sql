-- Whether a run has bought anything, and whether it was undone.

select
    exists (select 1 from raw.lookups as lookup where lookup.run_id = $run_id) as is_known,
    exists (select 1 from raw.undone_runs as undone where undone.run_id = $run_id) as is_undone;
