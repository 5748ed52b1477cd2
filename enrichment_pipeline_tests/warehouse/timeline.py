"""What happens to the people of a module's tests, day by day, in one world that all of them share.

Here: declaring it, and the world as it is after a day. A load, a look-up and a derivation cost the
same for one contact as for a hundred, and a test that only reads needs no copy of what it reads.
Not here: worlds that a test changes (`prepared.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import DAY, Row, World, person
from enrichment_pipeline_tests.warehouse.prepared import Builds, copied, read_only

Step = Callable[[World], object]
OnDay = Callable[..., World]
"""The world after a day, and after the outcomes were derived by these policies, one by one."""


class Timeline:
    """People who keep out of each other's way, and what happens to each of them on which day.

    Declared beside the tests, before the first of them runs. On each day the source is loaded
    where it has changed, steps are taken, look-ups made, and all of it is derived (`derive`).
    """

    def __init__(self, derive: Callable[..., object] = World.derive) -> None:
        self._derive = derive
        self._rows: defaultdict[int, dict[str, Row | None]] = defaultdict(dict)
        self._accounts: list[Row] = []
        self._lookups: defaultdict[int, list[tuple[str, Row]]] = defaultdict(list)
        self._steps: defaultdict[int, list[Step]] = defaultdict(list)
        self._days: dict[int, Step] = {}
        self._policies: dict[tuple[int, str], Step] = {}

    # --- declaring ---------------------------------------------------------------------

    def person(
        self, contact_id: str, lookups: Mapping[int, Row] | None = None, /, **columns: str
    ) -> str:
        """A contact that is a person of its own, and the look-up that is made on each day; its id.

        A profile that is found is theirs alone.
        """
        self.source(person(contact_id, **columns))
        for day, lookup in (lookups or {}).items():
            self.look_up(contact_id, day, **lookup)
        return contact_id

    def source(self, row: Row, *, day: int = 0, key: str | None = None) -> str:
        """From this day on the source has this row, in place of the one with its key; its id."""
        self._rows[day][key or row["contact_id"]] = row
        return row["contact_id"]

    def leave(self, contact_id: str, *, day: int) -> None:
        """From this day on the source has it no more."""
        self._rows[day][contact_id] = None

    def account(self, row: Row) -> None:
        self._accounts.append(row)

    def look_up(self, contact_id: str, day: int, **lookup: object) -> None:
        """Look this contact up on a day, as `World.look_up` takes it."""
        found = lookup.get("candidate")
        if isinstance(found, dict) and found["uid"] == "f" * 32:  # no uid of a test's own
            lookup = {**lookup, "candidate": {**found, "uid": f"uid of {contact_id}"}}
        self._lookups[day].append((contact_id, lookup))

    def step(self, day: int) -> Callable[[Step], Step]:
        """Have this function called on a day, before its look-ups."""

        def declare(step: Step) -> Step:
            self._steps[day].append(step)
            return step

        return declare

    # --- reading -----------------------------------------------------------------------

    @contextmanager
    def open(self) -> Iterator[OnDay]:
        """The worlds after each day, to be read; each is opened once."""
        worlds: dict[Builds, World] = {}
        with ExitStack() as stack:

            def on_day(day: int, *policies: Policy) -> World:
                builds = self._until(day, policies)
                if builds not in worlds:
                    worlds[builds] = stack.enter_context(read_only(builds))
                return worlds[builds]

            yield on_day

    @contextmanager
    def copies(self, folder: Path) -> Iterator[OnDay]:
        """The same for a test that goes on from there, in a copy of its own."""
        with ExitStack() as stack:

            def copy_of_day(day: int, *policies: Policy) -> World:
                builds = self._until(day, policies)
                return stack.enter_context(copied(builds, folder / f"source-{day}"))

            yield copy_of_day

    def load(self, world: World, day: int) -> None:
        """Load the source as it is on a day."""
        rows: dict[str, Row | None] = {}
        for each in sorted(self._rows):
            if each <= day:
                rows |= self._rows[each]
        source = [row for row in rows.values() if row is not None]
        world.load(source, self._accounts or None, at=_at(day), max_shrink=1)

    def _until(self, last: int, policies: tuple[Policy, ...]) -> Builds:
        days = {day for each in (self._rows, self._lookups, self._steps) for day in each}
        builds = [self._day(day) for day in sorted({*days, last}) if day <= last]
        return (*builds, *(self._by_policy(last, policy) for policy in policies))

    def _day(self, day: int) -> Step:
        return self._days.setdefault(day, partial(self._pass, day))

    def _by_policy(self, day: int, policy: Policy) -> Step:
        def derive(world: World) -> None:
            world.derive_outcomes(at=_at(day), policy=policy)

        return self._policies.setdefault((day, policy.model_dump_json()), derive)

    def _pass(self, day: int, world: World) -> None:
        at = _at(day)
        if day in self._rows:
            self.load(world, day)
        for step in self._steps.get(day, ()):
            step(world)
        world.look_up_each(
            (contact_id, {"at": at, **lookup}) for contact_id, lookup in self._lookups.get(day, ())
        )
        if day in self._rows or day in self._lookups or day in self._steps:
            self._derive(world, at=at)
        else:  # only time has passed
            world.derive_outcomes(at=at)


def _at(day: int) -> datetime:
    return START + day * DAY
