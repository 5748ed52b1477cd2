"""A person on the work list as a call that may be admitted.

Here: the one place where the warehouse's word for it becomes the ledger's. Not here: who is on the
list (`warehouse/worklist.py`), and admitting (`ledger/admission.py`).
"""

from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.warehouse.worklist import WorkItem


def candidate_of(item: WorkItem, *, seen_revision: int | None = None) -> Candidate:
    """The call that is due; `seen_revision` instead of the revision that the list was made at."""
    return Candidate(
        person_key=item.person_key,
        contact_id=item.contact_id,
        item=item.lookup_identity,
        item_kind=item.identity_kind,
        freshness=item.freshness,
        priority=item.priority,
        supersedes=item.supersedes,
        identifiers=item.identifiers,
        known_by=item.known_by,
        seen_revision=item.ledger_revision if seen_revision is None else seen_revision,
        is_entered=item.is_entered,
    )
