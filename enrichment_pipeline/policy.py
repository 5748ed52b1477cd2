"""The policy file: what is due, what may be spent, what is good enough.

Here: the typed form of `enrichment.toml`, its defaults and its limits. Not
here: environment variables and paths (`settings.py`), and what the rules do
(`warehouse/sql/`, `ledger/`).
"""

import math
import re
import tomllib
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.published_names import FOR_SINKS, KEYS

Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=3650)]


def _as_written(value: object) -> object:
    """A number as the file writes it: 0.1, and not what comes nearest to it in binary."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else value


Amount = Annotated[Decimal, BeforeValidator(_as_written), Field(ge=0, decimal_places=6)]
Price = Annotated[Decimal, BeforeValidator(_as_written), Field(gt=0, decimal_places=6)]
Weight = Annotated[float, Field(ge=0)]
Score = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SourcePolicy(_Section):
    """Where contacts come from."""

    attach: str | None = None
    """A file, a folder of files, or another place by its scheme (`postgres:…`, `s3://…`); the
    sample, where it is not given."""

    name: str | None = Field(None, min_length=1)
    """What the state folder is stamped with instead of the place, so that the source can move."""

    contacts: str = "select * from crm.contacts"
    """A query over the source that gives the contacts' columns."""

    accounts: str | None = None
    """A query that gives the accounts' columns; `crm.accounts`, where there is such a table."""

    suppressions: str | None = None
    """A query that gives one column, `identifier`: persons that may not be asked for."""

    max_shrink: Share = 0.2
    """Where a larger share of the contacts has left the source since the last load, and at least
    20, a run stops."""

    incremental: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """A column of `contacts` that grows with each change: only rows are read in which it is at
    least the greatest of the last load, but once a day, when all are."""


class RatePolicy(_Section):
    """So many units (items or requests, whatever the provider counts) in any such window."""

    units: int = Field(ge=1, le=10_000_000)
    """Items or requests, whatever the provider counts."""

    seconds: float = Field(gt=0, le=86_400)
    """The length of the window."""


class ProviderPolicy(_Section):
    """What a credit of a provider costs, and how fast and in what portions it is asked."""

    price: Price = Decimal(1)
    """What one credit costs, in the unit of `[budget]`."""

    items_per_window: int = Field(600, ge=1, le=100_000)
    """With `window_seconds` the short form of one rate: so many items in any such window."""

    window_seconds: float = Field(60.0, gt=0, le=86_400)
    """See `items_per_window`."""

    rates: tuple[RatePolicy, ...] = Field((), min_length=1, strict=False)
    """Several rates, which hold all at once: `[{ units = 15, seconds = 1 }, …]`."""

    callback_deadline_minutes: float = Field(30.0, gt=0, le=10_080)
    """Without an answer by callback until then a call is `unconfirmed`; a later one is still read.
    """

    items_per_request: int = Field(100, ge=1, le=100)
    """How many items one request asks for at most."""

    search: Literal["off", "on"] = "off"
    """Whether people known by name and company only are searched for there."""

    changelog: Literal["off", "on"] = "off"
    """Whether a provider that tells which profiles have changed is asked that, so that only these
    are bought again."""

    searches_per_day: int = Field(300, ge=0)
    """The quota of searches, of which the floors of `[budget]` leave shares untouched."""

    exclusive: bool = False
    """No one else spends the account's credits, so that a balance lower than the ledger can explain
    stops a run."""

    free_repeat: bool = True
    """Whether to rely on it where the provider documents that the same call again costs nothing."""

    min_likelihood: int = Field(8, ge=1, le=10)
    """How sure a provider that tells it must be that a profile is the person's; others are not
    bought."""

    retain_days: int = Field(0, ge=0, le=3650)
    """After so many days its raw answers are erased, and what was read from them but for what is
    shown; 0: they are kept."""

    @model_validator(mode="after")
    def _one_form(self) -> "ProviderPolicy":
        if self.rates and not self.model_fields_set.isdisjoint(
            {"items_per_window", "window_seconds"}
        ):
            raise ValueError("give rates, or items_per_window and window_seconds, not both")
        return self

    @property
    def names_rates(self) -> bool:
        """Whether it says how fast, and does not leave that to the defaults."""
        of_rates = {"rates", "items_per_window", "window_seconds"}
        return not self.model_fields_set.isdisjoint(of_rates)

    @property
    def every_rate(self) -> tuple[RatePolicy, ...]:
        """The rates, whichever way they are given."""
        short = RatePolicy(units=self.items_per_window, seconds=self.window_seconds)
        return self.rates or (short,)


class SearchPolicy(_Section):
    """Which of the profiles that a search gives is the person, and how many of them are read."""

    min_score: Share = 0.8
    """A profile is accepted from this score on …"""

    min_lead: Share = 0.05
    """… where it leads every other by this. Both are read off the curve that `make bench
    ARGS=resolving` prints."""

    company_similarity: Share = 0.9
    """How alike two names of a company must be; 1: the same but for legal form, article and
    punctuation."""

    same_domain: Literal["registrable", "label"] = "label"
    """When two web domains are one company's: the same registrable one, or the same label before
    the public suffix (acme.com, acme.co.uk)."""

    pages: int = Field(3, ge=1, le=100)
    """How many pages of profiles are read; where there are more, none is taken."""

    page_size: int = Field(100, ge=1, le=100)
    """Profiles on a page."""

    at_once: int = Field(3, ge=1, le=100)
    """Calls of all processes together."""


class FreshnessPolicy(_Section):
    """After how many days something is looked up again."""

    max_age_days: Days = 90
    """After how many days a person who was found is looked up again; 60 to 90 is usual."""

    company_max_age_days: Days = 180
    """How long what an answer says of a company fills the company fields of others there."""

    no_match_days: Days = 30
    """After how many days a person who was not found is asked for again."""

    unconfirmed_days: Days = 30
    """How long a look-up that was sent and never answered is not bought again: it may have been
    billed."""

    spread_days: int = Field(0, ge=0)
    """Each answer falls due up to so many days before `max_age_days`, so that what was bought on
    one day is not all due on another; 0: off."""

    @field_validator("spread_days")
    @classmethod
    def _within_ages(cls, value: int, others: ValidationInfo) -> int:
        for age in ("max_age_days", "no_match_days"):
            if value >= others.data.get(age, math.inf):
                raise ValueError(f"must be less than {age}")
        return value


class RetryPolicy(_Section):
    """How long a person waits whose look-ups fail unbilled, run after run.

    Only what the provider says of the item counts; the network, credits or the key delay no one.
    """

    first_hours: float = Field(1.0, gt=0, le=24)
    """How long after the first failure; it doubles with each further one …"""

    longest_days: int = Field(7, ge=1, le=365)
    """… up to this."""

    max_attempts: int = Field(8, ge=1, le=50)
    """After so many failures in a row always `longest_days`."""


class SchedulePolicy(_Section):
    """When the daily refresh starts, and for how long Dagster keeps its runs."""

    time_zone: str = "UTC"
    """An IANA time zone, such as Europe/Berlin."""

    hour: int = Field(5, ge=0, le=23)
    """The hour at which the daily refresh starts."""

    keep_runs_days: Days = 90
    """How long Dagster keeps its runs, with their events and logs."""

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is no IANA time zone, such as Europe/Berlin")
        ZoneInfo(value)
        return value


class Bands(_Section):
    """The least score of each band, for accounts without a tier."""

    strategic: Score = 2000
    """The least score of a strategic account."""

    target: Score = 1000
    """The least score of a target account."""

    standard: Score = 300
    """The least score of a standard account; below it is bulk."""


class Weights(_Section):
    """How much each property of an account weighs in its score."""

    tier: Weight = 1000
    """Times 3, 2, 1 or 0, from strategic to bulk."""

    open_pipeline: Weight = 1.0
    """Times 100 × log10(1 + the figure)."""

    annual_revenue: Weight = 1.0
    """Likewise."""

    employee_count: Weight = 1.0
    """Likewise."""


class PriorityPolicy(_Section):
    """How an account's score becomes a priority."""

    bands: Bands = Bands()
    """The least score of each band, for accounts without a tier."""

    weights: Weights = Weights()
    """How much each property of an account weighs in its score."""

    @field_validator("bands")
    @classmethod
    def _descending(cls, value: Bands) -> Bands:
        if not value.strategic >= value.target >= value.standard:
            raise ValueError("must not rise: strategic >= target >= standard")
        return value


class Floors(_Section):
    """The share of the day's and the month's budget that each priority leaves untouched."""

    strategic: Share = 0.0
    """What strategic work leaves untouched."""

    target: Share = 0.1
    """What target work leaves untouched."""

    standard: Share = 0.3
    """What standard work leaves untouched."""

    bulk: Share = 0.5
    """What bulk work leaves untouched."""


class BudgetPolicy(_Section):
    """What may be spent, reserved credits included: credits times their prices, over all providers.

    Days and months are UTC's.
    """

    per_run: Amount = Decimal(5000)
    """Of a run and all its retries; what may have been billed counts."""

    per_day: Amount = Decimal(20_000)
    """Of a day in UTC."""

    per_month: Amount = Decimal(300_000)
    """Of a month in UTC."""

    floors: Floors = Floors()
    """The share of the day's and the month's budget that each priority leaves untouched."""


Requirement = Annotated[
    str,
    Field(
        pattern=r"^((verified|likely|any)_"
        r"(email|work_email|personal_email|phone|direct_phone|mobile_phone)"
        r"|agreed_(email|work_email|personal_email))$"
    ),
]


class AcceptancePolicy(_Section):
    """What a contact must have, all of it, to count as enriched.

    Each requirement is a class (`verified`; `agreed`: that, or given by several providers;
    `likely` or better; `any`) and a field.
    """

    require: tuple[Requirement, ...] = Field(("verified_email",), min_length=1, strict=False)
    """All that are named; each a class and a field, such as `verified_email`."""

    job_changes: Literal["flag", "review"] = "flag"
    """Whether another employer than the source's is a flag, or for review."""


WriteRule = Literal["overwrite", "fill", "never"]


class FieldsPolicy(_Section):
    """What becomes of each field of `enriched_contacts` where a provider gives it.

    `overwrite`: the provider's value, else the source's. `fill`: the source's where it has
    one, else the provider's. `never`: the source's only. A human's value beats all of them.
    """

    full_name: WriteRule = "overwrite"
    job_title: WriteRule = "overwrite"
    company_name: WriteRule = "overwrite"
    company_domain: WriteRule = "overwrite"
    company_website: WriteRule = "overwrite"
    company_industry: WriteRule = "overwrite"
    company_employee_count: WriteRule = "overwrite"
    work_email: WriteRule = "overwrite"
    personal_email: WriteRule = "overwrite"
    direct_phone: WriteRule = "overwrite"
    mobile_phone: WriteRule = "overwrite"
    linkedin_url: WriteRule = "overwrite"
    location: WriteRule = "overwrite"


class IdentityPolicy(_Section):
    """How identifiers are read."""

    phone_region: str = ""
    """The country (two letters) of phone numbers without a country code whose company's domain
    tells none; empty: they are no key, since a guessed country is a guessed person."""

    name_similarity: float = Field(0.9, ge=0.8, le=1)
    """How close (Jaro-Winkler) two words of names must be to pass for the same."""

    company_similarity: float = Field(0.9, ge=0.7, le=1)
    """How close two names of companies must be."""

    @field_validator("phone_region")
    @classmethod
    def _region(cls, value: str) -> str:
        from phonenumbers import SUPPORTED_REGIONS

        if value and value.upper() not in SUPPORTED_REGIONS:
            raise ValueError("is no two-letter country code, such as US")
        return value.upper()


class ReviewPolicy(_Section):
    """Where another tool writes what reviewers decide."""

    attach: str | None = None
    """Where the decisions are, if that is not the source."""

    decisions: str | None = None
    """A query that gives them."""


class FeedbackPolicy(_Section):
    """What became of mail, whichever tool sent it."""

    bounces: str | None = None
    """A query over the source that gives `email`, `bounced_at` and `kind` (`hard`, `soft`,
    `complaint` or `delivered`)."""


class PublishPolicy(_Section):
    """Who may read what is published."""

    group: str = ""
    """A Unix group that may read what is published; the owner alone, where it is empty."""


_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class UiPolicy(_Section):
    """Where `enrichment ui` is reached."""

    hosts: tuple[str, ...] = Field((), strict=False)
    """Further names, such as a proxy's, under which `enrichment ui` may be reached; each a host,
    with its port where that is not the scheme's own."""

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise ValueError("should be hosts without a scheme, such as enrichment.example.com")
        return tuple(host.lower() for host in value)


class EligibilityPolicy(_Section):
    """Which contacts may be asked about; all, where neither is given."""

    contacts: str | None = None
    """A query over the source that gives the `contact_id` of all that may be asked about."""

    where: str | None = None
    """Or a condition over the columns that `[source] contacts` and, joined by `account_id`,
    `accounts` give."""

    @field_validator("where")
    @classmethod
    def _alone(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is not None and others.data.get("contacts") is not None:
            raise ValueError("give contacts or where, not both")
        return value


Priority = Literal["strategic", "target", "standard", "bulk"]
VERIFIES_NOTHING = "off"
"""In place of a verifier's name."""


class WaterfallPolicy(_Section):
    """Which providers are asked, in which order: each for what the ones before left open.

    Open is a contact that has not got what `[acceptance]` requires.
    """

    order: tuple[str, ...] = Field(("signalhire",), min_length=1, strict=False)
    """The providers that are asked, one after the other."""

    only: dict[str, Annotated[tuple[Priority, ...], Field(min_length=1, strict=False)]] = Field(
        default_factory=dict
    )
    """The priorities for which a provider may be asked; all, where it is not named."""

    verify: str = VERIFIES_NOTHING
    """The provider by which a likely or unverified e-mail is verified before the next one is asked;
    `off` for none."""

    verified_days: Days = 90
    """How long a verification holds."""

    @field_validator("order")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("should name each provider once")
        return value


class EntryPolicy(_Section):
    """The point of entry: how much entries matter, where answers go, and what one caller may do."""

    priority: Priority = "standard"
    """Of an entry whose account is not known."""

    notify_hosts: tuple[str, ...] = Field((), strict=False)
    """The hosts that a `notify_url` may name."""

    notify_networks: tuple[str, ...] = Field((), strict=False)
    """Private networks to whose addresses a notification may go."""

    requests_per_second: int = Field(100, ge=1, le=100_000)
    """Of one token, by each process that serves."""

    requests_at_once: int = Field(300, ge=1, le=100_000)
    """How many of a token's requests may be under way."""

    deadline_minutes: int = Field(60, ge=1, le=100_000)
    """An entry that is open for longer is overdue."""

    @field_validator("notify_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise ValueError("should be hosts without a scheme, such as hooks.example.com")
        return tuple(host.lower() for host in value)

    @field_validator("notify_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)  # its ValueError names what is wrong
        return value


_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")


class SinkPolicy(_Section):
    """A place that published tables are merged into after each run; any number."""

    name: str
    """What it is called here and in a run's closing lines."""

    attach: str
    """Where it is: `postgres:…`, `ducklake:…`, or `s3://…` or a folder for Parquet."""

    schema_: str = Field("enrichment", alias="schema")
    """Where the tables stand in a database; made where it is missing."""

    tables: tuple[str, ...] = Field(FOR_SINKS, min_length=1, strict=False)
    """Which published tables and views go there."""

    @field_validator("name", "schema_")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("should be small letters, digits and _, at most 48, such as crm")
        return value

    @field_validator("tables")
    @classmethod
    def _published(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for table in value:
            if table not in KEYS:
                raise ValueError(
                    f"no table named {table} is published; there are {', '.join(KEYS)}"
                )
        return tuple(dict.fromkeys(value))


class Policy(_Section):
    """The whole policy file; every key has a default."""

    source: SourcePolicy = SourcePolicy()
    signalhire: ProviderPolicy = ProviderPolicy()
    providers: dict[str, ProviderPolicy] = Field(default_factory=dict)
    search: SearchPolicy = SearchPolicy()
    freshness: FreshnessPolicy = FreshnessPolicy()
    retry: RetryPolicy = RetryPolicy()
    schedule: SchedulePolicy = SchedulePolicy()
    priority: PriorityPolicy = PriorityPolicy()
    budget: BudgetPolicy = BudgetPolicy()
    acceptance: AcceptancePolicy = AcceptancePolicy()
    waterfall: WaterfallPolicy = WaterfallPolicy()
    fields: FieldsPolicy = FieldsPolicy()
    identity: IdentityPolicy = IdentityPolicy()
    review: ReviewPolicy = ReviewPolicy()
    feedback: FeedbackPolicy = FeedbackPolicy()
    publish: PublishPolicy = PublishPolicy()
    ui: UiPolicy = UiPolicy()
    eligibility: EligibilityPolicy = EligibilityPolicy()
    entry: EntryPolicy = EntryPolicy()
    sinks: tuple[SinkPolicy, ...] = Field((), strict=False)

    @field_validator("sinks")
    @classmethod
    def _named_once(cls, value: tuple[SinkPolicy, ...]) -> tuple[SinkPolicy, ...]:
        if len({sink.name for sink in value}) < len(value):
            raise ValueError("should each have a name of its own")
        return value

    def provider(self, name: str) -> ProviderPolicy:
        """How a provider is asked."""
        return self.every_provider.get(name, ProviderPolicy())

    @property
    def every_provider(self) -> dict[str, ProviderPolicy]:
        """Each provider that has a table; the first one's stands at the top of the file."""
        return {"signalhire": self.signalhire, **self.providers}

    @property
    def verifies_addresses(self) -> bool:
        """Whether there is a provider by which addresses are verified."""
        return self.waterfall.verify != VERIFIES_NOTHING

    @property
    def used_providers(self) -> tuple[str, ...]:
        """All that anything is bought from: those that are asked, and who verifies."""
        verifier = (self.waterfall.verify,) if self.verifies_addresses else ()
        return tuple(dict.fromkeys((*self.waterfall.order, *verifier)))

    def searches_at(self, name: str) -> bool:
        """Whether this provider is searched for those who are a name and a company."""
        return self.provider(name).search == "on"


def load_policy(path: Path | None) -> Policy:
    """Read a policy file, or the defaults for None.

    Raises ConfigurationError with the key's name for an unknown key or a value
    out of range, and with the position for a file that is no TOML.
    """
    if path is None:
        return Policy()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"policy file {path}: cannot be read ({error.strerror}); "
            "set ENRICHMENT_CONFIG to a TOML file, or unset it"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"policy file {path}: not valid TOML: {error}") from error
    return read_policy(text, path)


def read_policy(text: str, path: Path) -> Policy:
    """Read the text of the policy file of this path. Raises ConfigurationError as `load_policy`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"policy file {path}: not valid TOML: {error}") from error
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"policy file {path}: {_first_problem(error)}") from error


_IN_TERMS_OF_TOML = {
    "model_type": "should be a table, as in docs/policy.md",
    "tuple_type": "should be a list, in square brackets",
    "too_short": "should name one at least",
    "int_type": "should be a whole number, without quotes",
    "float_type": "should be a number, without quotes",
    "is_instance_of": "should be a number, without quotes",
    "decimal_type": "should be a number, without quotes",
    "string_type": "should be text, in quotes",
    "string_pattern_mismatch": "should be a class and a field, such as verified_email; "
    "docs/values.md lists them",
}
"""What pydantic says in terms of Python, by its kinds of error."""


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key}"
    message = _IN_TERMS_OF_TOML.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{key}: {message[0].lower()}{message[1:]} (given: {problem['input']!r})"
