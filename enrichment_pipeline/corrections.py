"""What people change between runs: whom to ask again or never, what was bought, what they decided.

Here: each such change, over the stores of one state folder. Not here: the commands (`cli/`), and
how facts and tables are derived (`warehouse/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.errors import ConfigurationError, PipelineError, redact_unexpected_errors
from enrichment_pipeline.ledger.suppressions import BY_REVIEW
from enrichment_pipeline.review.decisions import read_rows
from enrichment_pipeline.review.files import Format, fits, read_file, write_file
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import check_stamp, check_used
from enrichment_pipeline.steps.copy_answers import take_over_answers
from enrichment_pipeline.steps.prepare import check_run
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse import judging, replay, review_log
from enrichment_pipeline.warehouse.connection import (
    open_warehouse,
    rolled_back,
    transaction,
)
from enrichment_pipeline.warehouse.macros import create_macros
from enrichment_pipeline.warehouse.replay import Change
from enrichment_pipeline.warehouse.review_log import Recorded
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.suppressed_identifiers import (
    count_suppressed_by,
    hash_identifiers,
    mail_providers,
    replace_suppressions,
)
from enrichment_pipeline.warehouse.verifications import address_keys

COUNT_WAIT_SECONDS = 2.0
"""How long a question waits for the warehouse, which a run has open for moments at a time."""


@dataclass(frozen=True)
class MailProviders:
    """Domains of mail providers, and the contacts that they would suppress; None: not known."""

    domains: tuple[str, ...]
    contacts: int | None


@dataclass(frozen=True)
class Freed:
    """How many calls that were never answered may be made again."""

    lookups: int
    verifications: int


class Corrections:
    """Changes to one state folder's ledger and warehouse that no run makes by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stores = Stores(settings)

    # --- asking ------------------------------------------------------------------------

    @redact_unexpected_errors
    def ask_again(self, contact_ids: Sequence[str]) -> Freed:
        """Free contacts whose calls may have been billed without an answer.

        The next run makes them again, before `unconfirmed_days`: look-ups, and verifications of
        addresses that answers give. Raises ConfigurationError for an id that is not in the source.
        """
        check_used(self._settings)
        with self._stores.open_warehouse() as connection:
            found = execute(connection, "find_persons", contact_ids=list(contact_ids)).fetchall()
            persons = dict(found)
            addresses = address_keys(connection, persons.values())
        unknown = sorted(set(contact_ids) - persons.keys())
        if unknown:
            raise ConfigurationError(
                f"no such contact: {', '.join(unknown[:10])}; ids are the source's contact_id"
            )
        release = partial(self._stores.release_unconfirmed, Clock())
        lookups = sum(
            release(provider, set(persons.values())) for provider in self._settings.asked_providers
        )
        verifier = self._settings.verifying_provider
        verifications = 0 if verifier is None else release(verifier, addresses, kind=VERIFICATION)
        self._stores.leave_whole_ledger()
        return Freed(lookups, verifications)

    @redact_unexpected_errors
    def suppress(self, identifiers: Sequence[str], *, is_lifted: bool = False) -> int:
        """Have nobody with one of these identifiers looked up, or lift that; how many were new.

        Effective at once, also for runs that are under way. Raises ConfigurationError
        for what is no identifier, by its position.
        """
        check_stamp(self._settings, is_first_use=False)
        hashed = self._hashed(identifiers)
        suppressions = self._stores.suppressions(Clock())
        changed = suppressions.lift(hashed) if is_lifted else suppressions.add(hashed)
        self._stores.leave_whole_ledger()
        return changed

    @redact_unexpected_errors
    def mail_providers_among(self, identifiers: Sequence[str]) -> MailProviders | None:
        """The mail providers' domains among these, and how many contacts they would suppress.

        None where there are none. Raises ConfigurationError as `suppress` does.
        """
        providers = mail_providers(self._hashed(identifiers))
        if not providers:
            return None
        names = tuple(sorted(providers))
        if not Path(self._settings.warehouse_url).exists():
            return MailProviders(names, 0)
        try:
            with open_warehouse(
                self._settings.warehouse_url,
                read_only=True,
                wait_seconds=COUNT_WAIT_SECONDS,
                on_wait=lambda _: None,
            ) as connection:
                return MailProviders(names, count_suppressed_by(connection, providers.values()))
        except PipelineError:  # a run has it open, and its end is not waited for
            return MailProviders(names, None)

    def _hashed(self, identifiers: Sequence[str]) -> frozenset[str]:
        with duckdb.connect() as connection:
            create_macros(connection)
            return hash_identifiers(
                connection,
                identifiers,
                "identifiers",
                phone_region=self._settings.policy.identity.phone_region,
            )

    # --- anew, and back ----------------------------------------------------------------

    @redact_unexpected_errors
    def replay(self, run: Run, *, is_applied: bool) -> list[Change]:
        """Derive facts and tables anew under today's policy; what changes, or would.

        Asks no provider: answers that the ledger keeps are taken over first.
        """
        self._take_over_answers(run)
        with self._derived(is_applied) as connection:
            return replay.replay(
                connection,
                self._settings.policy,
                waterfall=self._settings.waterfall,
                as_of=run.as_of,
                replayed_at=run.clock.business_now(),
            )

    @redact_unexpected_errors
    def undo(self, run: Run, run_id: str, *, undone_by: str, is_applied: bool) -> list[Change]:
        """Take back what the run `run_id` bought; what changes, or would.

        Raises ConfigurationError for a run that asked for nobody.
        """
        self._take_over_answers(run)
        with self._derived(is_applied) as connection:
            return replay.undo_run(
                connection,
                self._settings.policy,
                run_id,
                waterfall=self._settings.waterfall,
                as_of=run.as_of,
                undone_at=run.clock.business_now(),
                undone_by=undone_by,
            )

    def _take_over_answers(self, run: Run) -> None:
        check_run(self._settings, run)
        check_used(self._settings)
        with self._stores.open_warehouse() as connection:
            take_over_answers(connection, self._stores.ledger)
        self._stores.leave_whole_ledger()

    @contextmanager
    def _derived(self, is_applied: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse in a transaction, which is rolled back where nothing is to be applied."""
        ending = transaction if is_applied else rolled_back
        with self._stores.open_warehouse() as connection, ending(connection):
            yield connection

    # --- review ------------------------------------------------------------------------

    @redact_unexpected_errors
    def review_counts(self) -> list[tuple[str, int, int, int, int, int]]:
        """Contacts for review by reason: the reason, how many by priority, how many in all."""
        check_used(self._settings)
        with self._stores.open_warehouse() as connection:
            return review_log.queue_counts(connection)

    @redact_unexpected_errors
    def export_review(
        self,
        path: Path,
        kind: Format,
        *,
        reasons: Sequence[str] | None,
        priorities: Sequence[str],
        limit: int | None,
        overwrites: bool,
        shows_rejected: bool = False,
    ) -> tuple[int, list[str]]:
        """Write what waits for review to a file for a spreadsheet.

        How many contacts stand in it, and the ids of those whose id or profile's id is longer
        than any cell: these are left out, since a decision on them could not be read again.

        Without `reasons` for every reason, but for contacts whose profile a reviewer has
        rejected: these are added where `shows_rejected`. Raises ConfigurationError for a reason
        that nobody waits for, and for a file that is there already or cannot be written.
        """
        check_used(self._settings)
        with self._stores.open_warehouse() as connection:
            waiting = [row[0] for row in review_log.queue_counts(connection)]
            unknown = sorted(set(reasons or ()) - set(waiting))
            if unknown:
                raise ConfigurationError(
                    f"--reason: nothing waits for {', '.join(unknown)}; there is "
                    f"{', '.join(waiting) or 'nothing to review'}"
                )
            rows = review_log.review_queue(
                connection,
                reasons=reasons,
                priorities=priorities,
                limit=limit,
                shows_rejected=shows_rejected,
            )
        fitting = [row for row in rows if fits(row)]
        write_file(path, kind, fitting, overwrites=overwrites)
        return len(fitting), [row["contact_id"] for row in rows if not fits(row)]

    @redact_unexpected_errors
    def import_review(self, path: Path, *, decided_by: str) -> Recorded:
        """Record the decisions in a file and bring the tables up to date; or say what is wrong.

        Where there are problems, nothing was recorded. Raises ConfigurationError
        where the file as a whole cannot be read.
        """
        check_used(self._settings)
        rows, problems = read_file(path)
        now = datetime.now(UTC)
        proposals, found = read_rows(rows, decided_by=decided_by, decided_at=now)
        policy, waterfall = self._settings.policy, self._settings.waterfall
        with self._stores.open_warehouse() as connection, transaction(connection):
            recorded = review_log.record_file(
                connection,
                policy,
                proposals,
                problems + found,
                waterfall=waterfall,
                recorded_at=now,
            )
            if recorded.new:
                suppressions = self._stores.suppressions(Clock())
                suppressions.take_over(review_log.never_identifiers(connection), BY_REVIEW)
                replace_suppressions(connection, suppressions.everything())
                self._stores.leave_whole_ledger()
                judging.derive_facts(connection, policy, loaded_at=now)
                judging.derive_outcomes(
                    connection, policy, waterfall=waterfall, as_of=now, flagged_at=now
                )
        return recorded
