"""What starts a job besides the clock.

Here: looking, cheaply, whether there is something to do. Not here: doing it (`jobs.py`).
"""

import dagster as dg

from enrichment_pipeline.defs.jobs import late_answers as late_answers_job
from enrichment_pipeline.pipeline import Pipeline

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    name="late_answers",
    job=late_answers_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Settles what came by callback after its run had ended. Spends nothing, so it is "
    "on from the start.",
)
def late_answers(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.RunRequest | dg.SkipReason:
    """One run, while there are callbacks that nobody reads and no such run is under way."""
    waiting = pipeline.late_answers()
    if not waiting:
        return dg.SkipReason("every callback that came has been read")
    under_way = dg.RunsFilter(job_name=late_answers_job.name, statuses=UNDER_WAY)
    if context.instance.get_runs_count(under_way):
        return dg.SkipReason(f"{waiting} callbacks wait, and a run is on its way to them")
    return dg.RunRequest()
