"""A CRM and the provider's directory that change from day to day, all of it drawn from a seed.

Here: who arrives, leaves, changes jobs, is written again or turns into somebody else,
and both as the files that the pipeline and the sandbox read. Not here: running
anything, and what should come of it.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from enrichment_pipeline.sandbox.directory import identify
from enrichment_pipeline.sandbox.signalhire.people import People, load_people

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
Row = dict[str, str]

IMPORTED_AT_ONCE = 0.4
"""Share of the contacts that are not there at the start; the rest arrives one by one."""
LEAVE = 0.15
COME_BACK = 0.2
CHANGE_JOBS = 0.27
ARE_WRITTEN_AGAIN = 0.5
"""As a person does it: other case, other blanks, another date; nothing of it is news."""
BECOME_SOMEBODY_ELSE = 0.03
TURN_UP_AGAIN = 0.1
"""As a second contact row, with one identifier of the first."""
CHANGE_TIER = 0.1
"""Of the accounts. These shares are of each head and year."""
LONGEST_UNTIL_NOTED = 1 / 6
"""Share of a year until somebody's new job is in the CRM, at most; half of them never are."""

known_as = lru_cache(maxsize=None)(identify)
"""The sandbox's reading of an identifier, which shares no code with the pipeline's."""


class Crm:
    """Contacts and accounts as the source has them, and people as the provider knows them.

    `share_of_sample` takes so much of the sample's contacts, of which the share `starts_with`
    is there from the start; the directory is always whole.
    `year` is how many days the shares above are spread over.
    """

    def __init__(
        self, folder: Path, *, year: int, seed: int, share_of_sample: float, starts_with: float
    ) -> None:
        self._rng = random.Random(seed)
        self._year = year
        self._folder = folder
        self.accounts = _read(SAMPLE / "accounts.csv")
        self._people = _read(SAMPLE / "people.csv")
        contacts = list({row["contact_id"]: row for row in _read(SAMPLE / "contacts.csv")}.values())
        self._rng.shuffle(contacts)
        contacts = contacts[: int(len(contacts) * share_of_sample)]
        first = int(len(contacts) * starts_with)
        second = first + int((len(contacts) - first) * IMPORTED_AT_ONCE)
        self.contacts = {row["contact_id"]: row for row in contacts[:first]}
        self._to_import = contacts[first:second]
        self._to_arrive = contacts[second:]
        self._arrivals_a_day = len(self._to_arrive) / year
        self._gone: list[Row] = []
        self._notes: dict[int, list[tuple[set[str], Row]]] = defaultdict(list)
        self._debts: dict[str, float] = defaultdict(float)
        self._numbers = 0
        self.happened: dict[str, int] = defaultdict(int)
        self.people = People(())
        self.renew_people()

    @property
    def source(self) -> Path:
        return self._folder / "source"

    def live(self, day: int) -> None:
        """What happens between the last tick and this day's."""
        present = len(self.contacts)
        for what, happen, a_day in (
            ("arrived", self._arrive, self._arrivals_a_day),
            ("left", self._leave, LEAVE * present / self._year),
            ("came back", self._come_back, LEAVE * COME_BACK * present / self._year),
            ("written again", self._write_again, ARE_WRITTEN_AGAIN * present / self._year),
            ("somebody else now", self._replace, BECOME_SOMEBODY_ELSE * present / self._year),
            ("second row", self._add_second_row, TURN_UP_AGAIN * present / self._year),
            ("account's tier", self._change_tier, CHANGE_TIER * len(self.accounts) / self._year),
            ("new job", lambda: self._change_job(day), CHANGE_JOBS * present / self._year),
        ):
            self._debts[what] += a_day
            while self._debts[what] >= 1:
                self._debts[what] -= 1
                self.happened[what] += happen()
        for identifiers, changes in self._notes.pop(day, ()):
            self._note(identifiers, changes)

    def import_at_once(self) -> int:
        """The bulk import; how many contacts."""
        self.contacts |= {row["contact_id"]: row for row in self._to_import}
        self.happened["imported"] += len(self._to_import)
        self._to_import = []
        return self.happened["imported"]

    def write_back(self, found: Iterable[Mapping[str, str | None]]) -> None:
        """Put results (contact_id, email, phone, linkedin_url) over what the CRM had."""
        for row in found:
            contact = self.contacts.get(row["contact_id"] or "")
            if contact is not None:
                contact.update({key: value for key, value in row.items() if value})
                self.happened["written back"] += 1

    def write_source(self) -> None:
        """Write what the pipeline loads."""
        _write(self.source / "contacts.csv", self.contacts.values())
        _write(self.source / "accounts.csv", self.accounts)

    def renew_people(self) -> None:
        """Let the provider know what is so today."""
        self.people = load_people(_write(self._folder / "people.csv", self._people))

    # --- what happens -------------------------------------------------------------------

    def _arrive(self) -> int:
        if not self._to_arrive:
            return 0
        row = self._to_arrive.pop()
        self.contacts[row["contact_id"]] = row
        return 1

    def _leave(self) -> int:
        row = self.contacts.pop(self._anybody()["contact_id"])
        self._gone.append(row)
        return 1

    def _come_back(self) -> int:
        if not self._gone:
            return 0
        row = self._gone.pop(self._rng.randrange(len(self._gone)))
        self.contacts[row["contact_id"]] = row
        return 1

    def _write_again(self) -> int:
        row = self._anybody()
        email = row["email"]
        row["email"] = self._rng.choice((email.upper(), email.lower(), f" {email}", email))
        if row["linkedin_url"].startswith("https://www."):
            row["linkedin_url"] += self._rng.choice(("", "/", "?trk=crm"))
        return 1

    def _replace(self) -> int:
        """A row that is written over with the next who would have arrived."""
        if not self._to_arrive:
            return 0
        row = self._anybody()
        row |= self._to_arrive.pop() | {"contact_id": row["contact_id"]}
        return 1

    def _add_second_row(self) -> int:
        row = self._anybody()
        kept = [column for column in ("email", "linkedin_url") if known_as(row[column])]
        if not kept:
            return 0
        self._numbers += 1
        second = dict.fromkeys(row, "") | {
            "contact_id": f"again-{self._numbers}",
            "account_id": self._rng.choice(self.accounts)["account_id"],
            "full_name": row["full_name"] or f"{row['first_name']} {row['last_name']}",
        }
        column = self._rng.choice(kept)
        second[column] = row[column]
        self.contacts[second["contact_id"]] = second
        return 1

    def _change_tier(self) -> int:
        tiers = ("strategic", "target", "standard", "bulk", "")
        self._rng.choice(self.accounts)["tier"] = self._rng.choice(tiers)
        return 1

    def _change_job(self, day: int) -> int:
        """The provider knows soon. Half of the CRM's rows never do, the others follow."""
        person = self._rng.choice(self._people)
        employer = self._rng.choice(self._people)
        domain = employer["company_domain"]
        if not domain or domain == person["company_domain"]:
            return 0
        self._numbers += 1
        before = {known_as(person[column]) for column in ("work_email", "linkedin_url")} - {None}
        person |= {
            "previous_title": person["title"],
            "previous_company": person["company"],
            "previous_company_domain": person["company_domain"],
            "company": employer["company"],
            "company_domain": domain,
        }
        if person["work_email"]:
            kept = [*filter(None, person["known_emails"].split(";")), person["work_email"]]
            person["known_emails"] = ";".join(kept)
            person["work_email"] = f"moved.{self._numbers}@{domain}"
        if self._rng.random() < 0.5:
            news = {"company_name": employer["company"], "company_domain": domain}
            if self._rng.random() < 0.5:
                news["email"] = person["work_email"]
            noted_on = day + self._rng.randint(0, int(self._year * LONGEST_UNTIL_NOTED))
            self._notes[noted_on].append(({name for name in before if name}, news))
        return 1

    def _note(self, identifiers: set[str], changes: Row) -> None:
        for row in self.contacts.values():
            if {known_as(row["email"]), known_as(row["linkedin_url"])} & identifiers:
                row.update(changes)
                self.happened["new job noted"] += 1

    # --- parts --------------------------------------------------------------------------

    def _anybody(self) -> Row:
        return self.contacts[self._rng.choice(list(self.contacts))]


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[Row]) -> Path:
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
