"""One run of the pipeline: what is fixed for its whole length.

Here: its id, its instant and its caps, and how they stand in the tags of a Dagster run. Not
here: what a run does (`steps/`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.errors import ConfigurationError

AS_OF_TAG = "enrichment/as_of"
SIMULATE_TAG = "enrichment/simulate"
MAX_CREDITS_TAG = "enrichment/max_credits"
MAX_LOOKUPS_TAG = "enrichment/max_lookups"
CONTACTS_TAG = "enrichment/contacts"
SHARES_CAP_TAG = "enrichment/shares_cap_with"
ACCEPT_SHRINK_TAG = "enrichment/accept_shrink"
ACCEPT_ROLLBACK_TAG = "enrichment/accept_rollback"
"""Tags of a Dagster run that carry what is fixed for it."""


@dataclass(frozen=True)
class Run:
    """What is fixed for a whole run: its id, the instant that ages are counted to, its caps.

    `earlier_run_ids` are the runs that it is one more try of, or the next part of: they share
    its caps. `accepts_shrink` lets it go on though the source has lost many contacts,
    `accepts_rollback` with a ledger that is an older copy; see `rollback.py`. `max_lookups` caps
    look-ups, the persons who are searched for, and verifications, each for themselves. `contacts`
    are the only ones that it is about, by their ids; None: all.
    """

    run_id: str
    as_of: datetime
    is_simulated: bool = False
    max_credits: int | None = None
    earlier_run_ids: tuple[str, ...] = ()
    accepts_shrink: bool = False
    accepts_rollback: bool = False
    max_lookups: int | None = None
    contacts: tuple[str, ...] | None = None

    @classmethod
    def none(cls) -> "Run":
        """For what happens outside of any run, now."""
        return cls(run_id="", as_of=datetime.now(UTC))

    @property
    def clock(self) -> Clock:
        return Clock(simulated_at=self.as_of if self.is_simulated else None)

    @property
    def tags(self) -> dict[str, str]:
        """As the tags of a Dagster run, from which `from_tags` reads it again."""
        tags = {AS_OF_TAG: self.as_of.isoformat()}
        if self.is_simulated:
            tags[SIMULATE_TAG] = "true"
        if self.max_credits is not None:
            tags[MAX_CREDITS_TAG] = str(self.max_credits)
        if self.max_lookups is not None:
            tags[MAX_LOOKUPS_TAG] = str(self.max_lookups)
        if self.contacts is not None:
            tags[CONTACTS_TAG] = json.dumps(self.contacts)
        if self.earlier_run_ids:
            tags[SHARES_CAP_TAG] = ",".join(self.earlier_run_ids)
        if self.accepts_shrink:
            tags[ACCEPT_SHRINK_TAG] = "true"
        if self.accepts_rollback:
            tags[ACCEPT_ROLLBACK_TAG] = "true"
        return tags

    @classmethod
    def from_tags(
        cls,
        run_id: str,
        tags: Mapping[str, str],
        created_at: datetime,
        earlier_run_ids: tuple[str, ...] = (),
    ) -> "Run":
        """Read off a Dagster run. Without an instant, ages are counted to its root's creation.

        So a run that is tried again selects the same work. Raises ConfigurationError.
        """
        as_of = tags.get(AS_OF_TAG)
        return cls(
            run_id=run_id,
            as_of=created_at if as_of is None else parse_instant(as_of, AS_OF_TAG),
            is_simulated=tags.get(SIMULATE_TAG) == "true",
            max_credits=_number(tags, MAX_CREDITS_TAG),
            earlier_run_ids=(
                *earlier_run_ids,
                *filter(None, tags.get(SHARES_CAP_TAG, "").split(",")),
            ),
            accepts_shrink=tags.get(ACCEPT_SHRINK_TAG) == "true",
            accepts_rollback=tags.get(ACCEPT_ROLLBACK_TAG) == "true",
            max_lookups=_number(tags, MAX_LOOKUPS_TAG),
            contacts=_contacts(tags),
        )


def _number(tags: Mapping[str, str], tag: str) -> int | None:
    text = tags.get(tag)
    if text is not None and not text.isdecimal():
        raise ConfigurationError(f"{tag}: {text!r} is no number")
    return None if text is None else int(text)


def _contacts(tags: Mapping[str, str]) -> tuple[str, ...] | None:
    text = tags.get(CONTACTS_TAG)
    if text is None:
        return None
    try:
        ids = json.loads(text)
    except ValueError:
        ids = None
    if not isinstance(ids, list):
        raise ConfigurationError(f"{CONTACTS_TAG}: is no list of ids in JSON")
    return tuple(map(str, ids))


def parse_instant(text: str, option: str = "--as-of") -> datetime:
    """An ISO 8601 instant; UTC where it names no zone. Raises ConfigurationError."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ConfigurationError(
            f"{option}: {text!r} is no ISO instant, such as 2026-01-31T05:00:00+00:00"
        ) from None
