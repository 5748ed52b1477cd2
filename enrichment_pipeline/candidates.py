"""What is due as a call that may be admitted: a look-up, a search, a verification, or whether a
profile has changed.

Here: the one place where the warehouse's word for it becomes the ledger's. Not here: what is due
(`warehouse/`: `worklist.py`, `searches.py`, `verifications.py`, `profile_changes.py`), and
admitting (`ledger/admission.py`).
"""

from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.vocabulary import PRIORITIES, STALE
from enrichment_pipeline.warehouse.profile_changes import DueChange
from enrichment_pipeline.warehouse.searches import DueSearch
from enrichment_pipeline.warehouse.verifications import DueVerification
from enrichment_pipeline.warehouse.worklist import WorkItem


def candidate_of(item: WorkItem, *, seen_revision: int | None = None) -> Candidate:
    """The look-up that is due; `seen_revision` in place of the revision that the list is of."""
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


def search_candidate_of(due: DueSearch) -> Candidate:
    """The search that is due."""
    return Candidate(
        person_key=due.person_key,
        contact_id=due.contact_id,
        question=due.search_kind,
        item=due.full_name,
        item_kind="name",
        company=due.company,
        freshness=due.freshness,
        priority=due.priority,
        supersedes=due.last_search_id,
        identifiers=due.identifiers,
        is_entered=due.is_entered,
    )


def verification_candidate_of(due: DueVerification) -> Candidate:
    """The verification that is due: of an address, not of a person."""
    return Candidate(
        person_key=due.address_key,
        contact_id=due.contact_id,
        question="address",
        item=due.email,
        item_kind="email",
        freshness=due.freshness,
        priority=due.priority,
        supersedes=due.last_verification_id,
        identifiers=due.identifiers,
        is_entered=due.is_entered,
    )


def change_candidate_of(due: DueChange, release: str) -> Candidate:
    """The question whether this release has changed the profile.

    It costs nothing, and gives way to whatever else waits.
    """
    return Candidate(
        person_key=due.person_key,
        contact_id=due.contact_id,
        question=release,
        item=due.uid,
        item_kind="uid",
        freshness=STALE,
        priority=PRIORITIES[-1],
        supersedes=due.last_change_id,
        identifiers=due.identifiers,
        is_entered=due.is_entered,
    )
