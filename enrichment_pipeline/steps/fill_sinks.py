"""The step `fill_sinks`: what is published goes to the sinks of the policy file.

Here: each in turn, whatever becomes of the others. Not here: filling one (`warehouse/sinks/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from enrichment_pipeline.errors import PipelineError, redact_unexpected_errors
from enrichment_pipeline.state import stamped_ledger
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.warehouse.sinks.filling import fill
from enrichment_pipeline.warehouse.sinks.publications import newest_publication
from enrichment_pipeline.warehouse.sinks.row_changes import Changes


class SinksBehindError(PipelineError):
    """Some sinks could not be filled. What was asked for is bought, derived and published."""


@dataclass
class SinkReport:
    """By sink: what went there, by table; and of those that could not be filled why."""

    filled: dict[str, Mapping[str, Changes]] = field(default_factory=dict)
    behind: dict[str, str] = field(default_factory=dict)

    def refuse_behind(self) -> None:
        """Raise SinksBehindError where a sink could not be filled."""
        if self.behind:
            raise SinksBehindError(
                f"{'; '.join(self.behind.values())}. All is published, and what it lacks it gets "
                "with the next run"
            )


@redact_unexpected_errors
def fill_sinks(context: RunContext) -> SinkReport:
    """Bring every sink to what is published last."""
    settings, report = context.settings, SinkReport()
    publication = newest_publication(settings.published_dir, stamped_ledger(settings) or "")
    for sink in settings.sinks:
        try:
            report.filled[sink.name] = fill(sink, publication, settings.sinks_dir).tables
        except PipelineError as error:
            report.behind[sink.name] = str(error)
    return report
