-- Log that what this run bought does not count any more.
--
-- makes: raw.undone_runs

insert into raw.undone_runs (run_id, undone_at, undone_by)
values ($run_id, $undone_at, $undone_by);
