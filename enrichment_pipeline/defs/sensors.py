"""What starts a job besides the clock.

Here: looking, cheaply, whether there is something to do. Not here: doing it (`jobs.py`).
"""

import hashlib

import dagster as dg

from enrichment_pipeline.defs.jobs import Jobs, range_tags
from enrichment_pipeline.defs.naming import Naming
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import mark_runs_that_never_began, never_began
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.lanes import PRIORITIES, LaneBlock
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import dead_runs
from enrichment_pipeline.steps.triggers import count_late_answers, source_fingerprint

SENSOR_TAG = "dagster/sensor_name"
MOST_AT_ONCE = 3
"""Runs for new contacts that may be under way: a long one does not hold up the next contact,
and a source that changes all day does not start hundreds."""

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_sensors(
    naming: Naming, jobs: Jobs, *, reads_late_answers: bool
) -> list[dg.SensorDefinition]:
    """The sensors, which start these jobs.

    All are off until they are switched on, but in pages of our own the one that spends nothing.
    """
    of_late_answers = dg.sensor(
        name=naming.name("late_answers"),
        job=jobs.late_answers,
        minimum_interval_seconds=60,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if reads_late_answers else dg.DefaultSensorStatus.STOPPED
        ),
        description="Settles what came by callback after its run had ended. Spends nothing.",
    )
    of_new_contacts = dg.sensor(
        name=naming.name("new_contacts"),
        job=jobs.daily_refresh,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Looks whether the source's contacts changed, and has the new ones looked up. "
        "Spends money; off until you switch it on.",
    )
    return [of_late_answers(look_for_late_answers), of_new_contacts(look_for_new_contacts)]


def look_for_late_answers(
    context: dg.SensorEvaluationContext, enrichment_runs: dg.ResourceParam[Runs]
) -> dg.RunRequest | dg.SkipReason:
    """One run, while there are unread callbacks and no such run is under way."""
    # the one sensor that is always on where the pages are ours
    mark_runs_that_never_began(context.instance, enrichment_runs.settings)
    waiting = count_late_answers(enrichment_runs.stores)
    if not waiting:
        return dg.SkipReason("every callback that came has been read")
    if _under_way(context, enrichment_runs.settings):
        return dg.SkipReason(f"{waiting} callbacks wait, and a run is on its way to them")
    return dg.RunRequest()


def look_for_new_contacts(
    context: dg.SensorEvaluationContext, enrichment_runs: dg.ResourceParam[Runs]
) -> dg.RunRequest | dg.SkipReason:
    """One run of the lanes `new` for each change of the source; the first look is one."""
    try:
        found = source_fingerprint(enrichment_runs.settings)
    except PipelineError as error:
        return dg.SkipReason(str(error))
    before = context.cursor or ""
    if before.rpartition(":")[2] == found:
        return dg.SkipReason("the source's contacts have not changed")
    if _under_way(context, enrichment_runs.settings) >= MOST_AT_ONCE:
        return dg.SkipReason("the source's contacts have changed; a run follows when one has ended")
    # The key carries all changes before it: a source that is again as it once was is a change,
    # and Dagster would start no second run for a key that it knows.
    history = hashlib.sha256(f"{before}:{found}".encode()).hexdigest()[:12]
    run_key = f"{history}:{found}"
    context.update_cursor(run_key)
    return dg.RunRequest(run_key=run_key, tags=range_tags(LaneBlock(("new",), PRIORITIES)))


def _under_way(context: dg.SensorEvaluationContext, settings: Settings) -> int:
    """How many runs of this sensor's are; a killed one only seems to be, for many minutes."""
    mine = dg.RunsFilter(statuses=UNDER_WAY, tags={SENSOR_TAG: context.sensor_name})
    dead = set(dead_runs(settings.home))
    return sum(
        record.dagster_run.run_id not in dead and not never_began(record, settings)
        for record in context.instance.get_run_records(mine)
    )
