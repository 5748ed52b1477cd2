"""The stores of one state folder: its ledger and its warehouse.

Here: opening them, the ledger's stamp, and the ledger as seen by a clock (calls, questions,
suppressions). Not here: what a run does with them (`steps/`), and what people change between runs
(`corrections.py`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from uuid import uuid4

import duckdb

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.copying import sqlite_path
from enrichment_pipeline.ledger.questions import Questions
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.ledger.suppressions import Suppressions
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import refuse_other_stamp, stamp_of
from enrichment_pipeline.terms import calls_of, credits_per_unit
from enrichment_pipeline.vocabulary import LOOKUP
from enrichment_pipeline.warehouse.connection import open_warehouse


class Stores:
    """Cheap to make: the ledger is opened when first needed, the warehouse for moments only."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def ledger(self) -> LedgerStore:
        return open_store(self.settings.ledger_url.get_secret_value())

    @contextmanager
    def open_warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(self.settings.warehouse_url) as connection:
            yield connection

    def leave_whole_ledger(self) -> None:
        """At the end of whatever wrote to the ledger; see `LedgerStore.checkpoint`."""
        if "ledger" in vars(self):  # else it was not opened
            self.ledger.checkpoint()

    def calls(self, clock: Clock, kind: str = LOOKUP, *, provider: str | None = None) -> Calls:
        """One kind of call to a provider; to the first that is asked, where none is named."""
        return calls_of(self.settings, provider or self.settings.asked_provider, kind, clock)

    def questions(
        self, clock: Clock, kind: str = LOOKUP, *, provider: str | None = None
    ) -> Questions:
        """What the ledger tells of a kind of call to it, by this clock."""
        of = self.calls(clock, kind, provider=provider)
        return Questions(self.ledger, of, credits_per_unit=credits_per_unit(of.provider))

    def suppressions(self, clock: Clock) -> Suppressions:
        """The ledger's list of those who must not be asked about."""
        return Suppressions(self.ledger, clock)

    def release_unconfirmed(
        self, clock: Clock, provider: str, keys: Iterable[str], *, kind: str = LOOKUP
    ) -> int:
        """Free these persons, or addresses, to be asked about again there, at a person's word.

        How many calls there were.
        """
        asked_about = list(keys)
        calls = self.calls(clock, kind, provider=provider)
        return self.ledger.transact(
            lambda transaction: calls.release_unconfirmed(transaction, asked_about)
        )


def refuse_missing_ledger(settings: Settings) -> None:
    """Raise PipelineError where the ledger's file is gone: a question must not make one."""
    file = sqlite_path(settings.ledger_url.get_secret_value())
    if file is not None and not file.exists():
        raise PipelineError(
            f"ledger {file}: is not there; restore it (`enrichment restore FOLDER`), or see "
            "ENRICHMENT_LEDGER_URL"
        )


def stamped(ledger: LedgerStore, settings: Settings) -> dict[str, str]:
    """The stamp that a ledger bears; its own id and the settings' stamp, where it bore none.

    Raises ConfigurationError where it is another source's or provider's.
    """
    wanted = stamp_of(settings)
    found = ledger.check_stamp({**wanted, "ledger": uuid4().hex})
    refuse_other_stamp("ledger", found, wanted)
    return found
