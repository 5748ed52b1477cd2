"""Make the labelled set: contacts that are a name and a company, a directory, and who is who.

    python data/matching/make_matching.py [--out DIR]

writes contacts.csv (500 rows, with the UID of the right profile in the column `uid`, blank where
the directory does not have the person), people.csv (the sandbox's directory) and README.md. Every
person and company is invented. The same version of Faker (`MADE_WITH`) gives the same bytes.

What belongs here: making files. What does not: comparing anything (the package does that, and is
measured on these files by `make bench ARGS=resolving`).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faker import Faker

SEED = 20261124
MADE_WITH = {"faker": "40.54.0"}

KINDS = {
    # the person is in the directory, under a spelling that a search finds
    "the same name and company": 120,
    "company with another legal form, article or case": 60,
    "company by its domain only": 35,
    "namesakes at the company, told apart by title": 30,
    "namesakes at a subsidiary or a company of a similar name": 30,
    "moved to another company since": 45,
    "left the company, no job now": 15,
    "double name since marriage": 22,
    "transliterated": 24,
    "middle name, title or suffix": 22,
    "accents dropped": 20,
    "company in two spellings (& and)": 12,
    # the person is in the directory, but a search for words does not find it, or nobody can tell
    "namesakes at the company, without a title": 12,
    "another surname since marriage": 8,
    "nickname": 10,
    "a slip of the pen": 5,
    "company in two spellings (in one word or two)": 5,
    # the person is not in the directory
    "unknown": 10,
    "unknown, with a namesake at a subsidiary": 8,
    "unknown, with a namesake elsewhere": 5,
    "unknown, with a namesake at the company": 2,
}
"""What happened to a contact, and how many of these there are: 500 in all."""

UNKNOWN_CROWD = 700
"""People of the directory whom nobody asks for."""

STEMS = (
    "Arvel", "Bronte", "Calder", "Dorvan", "Elmsen", "Farrow", "Gelder", "Harven", "Istmar",
    "Jorvik", "Kelmar", "Lunden", "Marvig", "Norvel", "Ostrand", "Pellar", "Quorin", "Rostel",
    "Selwyn", "Torvald", "Ulmann", "Vester", "Wendal", "Xanten", "Yarrow", "Zeller",
)  # fmt: skip
TRADES = (
    "Systems", "Energy", "Foods", "Logistics", "Health", "Media", "Paper", "Optics", "Textiles",
    "Robotics", "Insurance", "Shipping", "Chemicals", "Travel", "Studios",
)  # fmt: skip
LEGAL_FORMS = ("Ltd", "GmbH", "Inc.", "LLC", "S.A.", "AG", "B.V.", "SAS", "Corp.", "PLC")
SUBSIDIARY_WORDS = ("Services", "Holding", "Ventures", "Iberia", "Nordic", "Capital")
TITLES = (
    "Head of Marketing", "Sales Manager", "Chief Financial Officer", "Software Engineer",
    "Purchasing Manager", "HR Business Partner", "Project Manager", "Product Owner",
    "Managing Director", "Data Analyst", "Plant Manager", "Legal Counsel", "Account Executive",
    "Customer Success Manager", "Operations Director", "Controller",
)  # fmt: skip
NICKNAMES = {
    "Robert": "Bob", "William": "Bill", "Elizabeth": "Liz", "Margaret": "Peggy", "James": "Jim",
    "Katherine": "Kate", "Richard": "Dick", "Edward": "Ted", "Susan": "Sue", "Michael": "Mike",
}  # fmt: skip
CYRILLIC_NAMES = (
    "Иван Петров", "Ольга Смирнова", "Борис Волков", "Анна Морозова", "Павел Новиков",
    "Вера Орлова", "Антон Карпов", "Марина Попова", "Роман Громов", "Елена Соколова",
    "Юлия Щербакова", "Сергей Яковлев", "Наталья Крылова", "Максим Титов", "Дарина Лебедева",
    "Игорь Фомин",
)  # fmt: skip
GREEK_NAMES = (
    "Νίκος Δραγάσης", "Μαρία Λάμπρου", "Ελένη Κατσάρη", "Γιάννης Μαράτος", "Σοφία Ράλλη",
    "Πέτρος Καρράς", "Άννα Δάλλα", "Τάσος Βλάμης",
)  # fmt: skip
# as passports and their bearers write them, and not as any library does
ROMAN = dict(
    zip(
        "абвгдезийклмнопрстуфхцчшщыьэюя",
        "a b v g d e z i y k l m n o p r s t u f kh ts ch sh shch y  e yu ya".split(" "),
        strict=True,
    )
) | dict(
    zip(
        "αάβγδεέζηήθιίκλμνξοόπρσςτυύφχψωώ",
        "a a v g d e e z i i th i i k l m n x o o p r s s t y y f ch ps o o".split(" "),
        strict=True,
    )
)


@dataclass(frozen=True)
class Company:
    """A company: how it is called without its legal form, and its domain."""

    stem: str
    trade: str
    legal_form: str
    domain: str

    @property
    def name(self) -> str:
        return f"{self.stem} {self.trade}"

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.legal_form}"


@dataclass
class World:
    """What is made, row by row."""

    chance: Random
    faker: Faker
    companies: list[Company]
    contacts: list[dict[str, str]] = field(default_factory=list)
    people: list[dict[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def company(self) -> Company:
        return self.chance.choice(self.companies)

    def title(self, besides: str = "") -> str:
        words = set(besides.split())
        return self.chance.choice([each for each in TITLES if not words & set(each.split())])

    def name(self) -> str:
        """A name that nobody else in the files has: a first and a last one."""
        while True:
            name = f"{self.faker.first_name()} {self.faker.last_name()}"
            if name not in self.names:
                self.names.add(name)
                return name

    def person(
        self, full_name: str, company: Company | None, title: str = "", **columns: str
    ) -> str:
        """A profile of the directory; its UID."""
        text = f"{SEED} {len(self.people)} {full_name}"
        uid = hashlib.sha256(text.encode()).hexdigest()[:32]
        row = {"uid": uid, "full_name": full_name, "title": title}
        if company is not None:
            written = company.full_name if self.chance.random() < 0.5 else company.name
            row |= {"company": written, "company_domain": company.domain, "started": "2021-03"}
        self.people.append({**row, "location": self.faker.city(), **columns})
        return uid

    def former(self, full_name: str, company: Company, title: str, now: Company | None) -> str:
        """A profile of somebody who has left that company."""
        return self.person(
            full_name,
            now,
            self.title() if now else "",
            previous_title=title,
            previous_company=company.name,
            previous_company_domain=company.domain,
        )

    def contact(
        self, kind: str, full_name: str, company: Company, title: str, uid: str, **columns: str
    ) -> None:
        """A row of the CRM; half of them have no domain, a fifth no title, and as many another."""
        said = self.chance.choices(["", self.title(), title], [0.2, 0.2, 0.6])[0]
        self.contacts.append(
            {
                "contact_id": f"M{len(self.contacts) + 1:03}",
                "full_name": full_name,
                "company_name": company.name,
                "company_domain": company.domain if self.chance.random() < 0.5 else "",
                "job_title": said,
                "uid": uid,
                "kind": kind,
                **columns,
            }
        )


Maker = Callable[[World, str], None]


def same(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    world.contact(kind, name, company, title, world.person(name, company, title))


def other_form(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    form = world.chance.choice([form for form in LEGAL_FORMS if form != company.legal_form])
    written = world.chance.choice(
        [f"{company.name} {form}", f"The {company.name}", company.full_name.upper()]
    )
    uid = world.person(name, company, title)
    world.contact(kind, name, company, title, uid, company_name=written)


def domain_only(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    uid = world.person(name, company, title)
    world.contact(kind, name, company, title, uid, company_name="", company_domain=company.domain)


def told_by_title(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    uid = world.person(name, company, title)
    world.person(name, company, world.title(besides=title))
    world.contact(kind, name, company, title, uid, job_title=title)


def untold(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    uid = world.person(name, company, title)
    world.person(name, company, world.title(besides=title))
    world.contact(kind, name, company, title, uid, job_title="")


def subsidiary_of(world: World, company: Company) -> Company:
    word = world.chance.choice(SUBSIDIARY_WORDS)
    domain = f"{company.stem}-{word}.com".lower()
    return Company(company.stem, f"{company.trade} {word}", "Ltd", domain)


def namesake_at_subsidiary(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    uid = world.person(name, company, title)
    world.person(name, subsidiary_of(world, company), world.title())
    world.contact(kind, name, company, title, uid)


def moved(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    now = world.chance.choice([each for each in world.companies if each.stem != company.stem])
    world.contact(kind, name, company, title, world.former(name, company, title, now))


def jobless(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    world.contact(kind, name, company, title, world.former(name, company, title, None))


def double_name(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    joint = world.chance.choice(["-", " "])
    uid = world.person(f"{name}{joint}{world.faker.last_name()}", company, title)
    world.contact(kind, name, company, title, uid)


def other_surname(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    uid = world.person(f"{name.split()[0]} {world.name().split()[1]}", company, title)
    world.contact(kind, name, company, title, uid)


def transliterated(world: World, kind: str) -> None:
    known = {row["full_name"] for row in world.contacts}
    name = next(each for each in CYRILLIC_NAMES + GREEK_NAMES if each not in known)
    company, title = world.company(), world.title()
    letters = (ROMAN.get(letter, letter) for letter in name.lower())
    uid = world.person("".join(letters).title(), company, title)
    world.contact(kind, name, company, title, uid)


def decorated(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    first, last = name.split()
    middle = world.faker.first_name()
    ours, theirs = world.chance.choice(
        [
            (name, f"{first} {middle} {last}"),
            (name, f"{first} {middle[0]}. {last}"),
            (f"{first} {middle[0]} {last}", name),
            (f"Dr. {name}", name),
            (f"{name}, PhD", name),
            (f"{last}, {first}", name),
        ]
    )
    world.contact(kind, ours, company, title, world.person(theirs, company, title))


def without_accents(world: World, kind: str) -> None:
    accents = str.maketrans("aeiou", "äéíöü")
    first, last = world.name().split()
    company, title = world.company(), world.title()
    accented = f"{first[0]}{first[1:].translate(accents)} {last[0]}{last[1:].translate(accents)}"
    uid = world.person(accented, company, title)
    world.contact(kind, f"{first} {last}", company, title, uid)


def ampersand(world: World, kind: str) -> None:
    name, stem, title = world.name(), world.company().stem, world.title()
    domain = f"{stem.lower()}-sons.com"
    theirs = Company(stem, "& Sons", "Ltd", domain)
    uid = world.person(name, theirs, title)
    world.contact(kind, name, theirs, title, uid, company_name=f"{stem} and Sons")


def in_one_word(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    uid = world.person(name, company, title)
    written = f"{company.stem}{company.trade.lower()}"
    world.contact(kind, name, company, title, uid, company_name=written)


def nicknamed(world: World, kind: str) -> None:
    company, title = world.company(), world.title()
    first, nickname = world.chance.choice(list(NICKNAMES.items()))
    last = world.name().split()[1]
    uid = world.person(f"{first} {last}", company, title)
    world.contact(kind, f"{nickname} {last}", company, title, uid)


def slipped(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    position = len(name) - 3
    written = name[:position] + name[position + 1] + name[position] + name[position + 2 :]
    world.contact(kind, written, company, title, world.person(name, company, title))


def unknown(world: World, kind: str) -> None:
    world.contact(kind, world.name(), world.company(), world.title(), "")


def unknown_beside_subsidiary(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    world.person(name, subsidiary_of(world, company), world.title(besides=title))
    world.contact(kind, name, company, title, "")


def unknown_with_namesake_elsewhere(world: World, kind: str) -> None:
    name, company = world.name(), world.company()
    elsewhere = world.chance.choice([each for each in world.companies if each != company])
    world.person(name, elsewhere, world.title())
    world.contact(kind, name, company, world.title(), "")


def unknown_with_namesake(world: World, kind: str) -> None:
    name, company, title = world.name(), world.company(), world.title()
    world.person(name, company, world.title(besides=title))
    world.contact(kind, name, company, title, "", job_title=title)


MAKERS: Mapping[str, Maker] = dict(
    zip(
        KINDS,
        (
            same, other_form, domain_only, told_by_title, namesake_at_subsidiary, moved, jobless,
            double_name, transliterated, decorated, without_accents, ampersand, untold,
            other_surname, nicknamed, slipped, in_one_word, unknown, unknown_beside_subsidiary,
            unknown_with_namesake_elsewhere, unknown_with_namesake,
        ),
        strict=True,
    )
)  # fmt: skip


def make() -> World:
    chance = Random(SEED)
    Faker.seed(SEED)
    companies = [
        Company(
            stem,
            trade,
            chance.choice(LEGAL_FORMS),
            f"{stem}{chance.choice(['', '-'])}{trade}".lower() + chance.choice([".com", ".de"]),
        )
        for stem in STEMS
        for trade in chance.sample(TRADES, 4)
    ]
    world = World(chance, Faker("en_GB"), companies)
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    chance.shuffle(kinds)
    for kind in kinds:
        MAKERS[kind](world, kind)
    for _ in range(UNKNOWN_CROWD):
        world.person(world.name(), world.company(), world.title())
    chance.shuffle(world.people)
    return world


def write_csv(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    rows = list(rows)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def readme(world: World) -> str:
    counts = Counter(row["kind"] for row in world.contacts)
    rows = "\n".join(f"| {kind} | {counts[kind]} |" for kind in KINDS)
    known = sum(bool(row["uid"]) for row in world.contacts)
    what = "contacts; `uid`: the right profile, blank where there is none; `kind`: what happened"
    return f"""# The labelled set for searches by name and company

{len(world.contacts)} contacts that are a name and a company, and who of the directory each of
them is. **Every person and company is invented.** Made by `python data/matching/make_matching.py`
(seed {SEED}, Faker {MADE_WITH["faker"]}): the same bytes on every run. It writes this file, too.

| file | rows | what |
| --- | --- | --- |
| `contacts.csv` | {len(world.contacts)} | {what} |
| `people.csv` | {len(world.people)} | the sandbox's directory |

{known} of the contacts are in the directory. `make bench ARGS=resolving` searches for all of them
in the sandbox, and prints precision and recall by threshold.

| kind | contacts |
| --- | ---: |
{rows}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out: Path = parser.parse_args().out
    world = make()
    write_csv(out / "contacts.csv", world.contacts)
    write_csv(out / "people.csv", world.people)
    (out / "README.md").write_text(readme(world), encoding="utf-8")


if __name__ == "__main__":
    main()
