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
    """Where contacts come from. `attach` is a file, a folder of files, or `postgres:…`.

    `name` is what state is stamped with instead of the place, so that the source can move.
    `suppressions` gives one column, `identifier`: persons that may not be asked for. Where more
    than the share `max_shrink` of the contacts has left the source since the last load, and at
    least 20, a run stops.
    """

    attach: str | None = None
    name: str | None = Field(None, min_length=1)
    contacts: str = "select * from crm.contacts"
    accounts: str | None = None
    suppressions: str | None = None
    max_shrink: Share = 0.2


class RatePolicy(_Section):
    """So many units (items or requests, whatever the provider counts) in any such window."""

    units: int = Field(ge=1, le=10_000_000)
    seconds: float = Field(gt=0, le=86_400)


class ProviderPolicy(_Section):
    """What a credit of a provider costs, and how fast and in what portions it is asked.

    `rates` hold all at once; `items_per_window` with `window_seconds` is the short form of one.
    `search`: whether those who are a name and a company are searched for there. `exclusive`:
    no one else spends the account's credits, so that a balance lower than the ledger can explain
    stops a run. `free_repeat`: whether to rely on it where a provider documents that the same call
    again costs nothing. `min_likelihood`: how sure a provider that tells it must be that a profile
    is the person's; others are not bought.
    """

    price: Price = Decimal(1)
    items_per_window: int = Field(600, ge=1, le=100_000)
    window_seconds: float = Field(60.0, gt=0, le=86_400)
    rates: tuple[RatePolicy, ...] = Field((), min_length=1, strict=False)
    callback_deadline_minutes: float = Field(30.0, gt=0, le=10_080)
    items_per_request: int = Field(100, ge=1, le=100)
    search: Literal["off", "on"] = "off"
    searches_per_day: int = Field(300, ge=0)
    exclusive: bool = False
    free_repeat: bool = True
    min_likelihood: int = Field(8, ge=1, le=10)

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
    """Which of the profiles that a search gives is the person, and how many of them are read.

    A profile is accepted from `min_score` on, where it leads every other by `min_lead`;
    both are read off the curve that `make bench ARGS=resolving` prints. Two company names
    are alike from `company_similarity` on (1: the same but for legal form, article and
    punctuation). `same_domain` says when two web domains are one company's: the same
    `registrable` one, or the same `label` before the public suffix (acme.com, acme.co.uk).
    """

    min_score: Share = 0.8
    min_lead: Share = 0.05
    company_similarity: Share = 0.9
    same_domain: Literal["registrable", "label"] = "label"
    pages: int = Field(3, ge=1, le=100)
    page_size: int = Field(100, ge=1, le=100)
    at_once: int = Field(3, ge=1, le=100)


class FreshnessPolicy(_Section):
    """After how many days something is looked up again.

    `company_max_age_days` is how long what an answer says of a company fills the company
    fields of others there.

    `spread_days` evens out refreshes: each person's answer falls due up to so many days
    before `max_age_days`, so that what was bought on one day is not all due on another.
    """

    max_age_days: Days = 90
    company_max_age_days: Days = 180
    no_match_days: Days = 30
    unconfirmed_days: Days = 30
    spread_days: int = Field(0, ge=0)

    @field_validator("spread_days")
    @classmethod
    def _within_ages(cls, value: int, others: ValidationInfo) -> int:
        for age in ("max_age_days", "no_match_days"):
            if value >= others.data.get(age, math.inf):
                raise ValueError(f"must be less than {age}")
        return value


class RetryPolicy(_Section):
    """How long a person waits whose look-ups fail unbilled, run after run.

    After the first failure `first_hours`, doubling with each further one up to
    `longest_days`; after `max_attempts` failures in a row always that. Only what
    the provider says of the item counts; the network, credits or the key delay no one.
    """

    first_hours: float = Field(1.0, gt=0, le=24)
    longest_days: int = Field(7, ge=1, le=365)
    max_attempts: int = Field(8, ge=1, le=50)


class SchedulePolicy(_Section):
    """When the daily refresh starts, and for how long Dagster keeps its runs."""

    time_zone: str = "UTC"
    hour: int = Field(5, ge=0, le=23)
    keep_runs_days: Days = 90

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
    target: Score = 1000
    standard: Score = 300


class Weights(_Section):
    """How much each property of an account weighs in its score."""

    tier: Weight = 1000
    open_pipeline: Weight = 1.0
    annual_revenue: Weight = 1.0
    employee_count: Weight = 1.0


class PriorityPolicy(_Section):
    """How an account's score becomes a priority."""

    bands: Bands = Bands()
    weights: Weights = Weights()

    @field_validator("bands")
    @classmethod
    def _descending(cls, value: Bands) -> Bands:
        if not value.strategic >= value.target >= value.standard:
            raise ValueError("must not rise: strategic >= target >= standard")
        return value


class Floors(_Section):
    """The share of the day's and the month's budget that each priority leaves untouched."""

    strategic: Share = 0.0
    target: Share = 0.1
    standard: Share = 0.3
    bulk: Share = 0.5


class BudgetPolicy(_Section):
    """What may be spent, reserved credits included: credits times their prices, over all providers.

    Days and months are UTC's.
    """

    per_run: Amount = Decimal(5000)
    per_day: Amount = Decimal(20_000)
    per_month: Amount = Decimal(300_000)
    floors: Floors = Floors()


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
    `job_changes`: whether another employer than the source's is a flag, or for review.
    """

    require: tuple[Requirement, ...] = Field(("verified_email",), min_length=1, strict=False)
    job_changes: Literal["flag", "review"] = "flag"


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
    """How identifiers are read.

    `phone_region` is the country (two letters) of phone numbers that carry no
    country code and whose company domain tells no country. Empty: such numbers
    are not used as a key, since a guessed country is a guessed person.

    `name_similarity` and `company_similarity` are how close (Jaro-Winkler) two words
    of names, and two names of companies, must be to pass for the same.
    """

    phone_region: str = ""
    name_similarity: float = Field(0.9, ge=0.8, le=1)
    company_similarity: float = Field(0.9, ge=0.7, le=1)

    @field_validator("phone_region")
    @classmethod
    def _region(cls, value: str) -> str:
        from phonenumbers import SUPPORTED_REGIONS

        if value and value.upper() not in SUPPORTED_REGIONS:
            raise ValueError("is no two-letter country code, such as US")
        return value.upper()


class ReviewPolicy(_Section):
    """Where another tool writes what reviewers decide: a query over the source, or `attach`."""

    attach: str | None = None
    decisions: str | None = None


class FeedbackPolicy(_Section):
    """What became of mail: a query over the source with `email`, `bounced_at` and `kind`.

    The kinds are those of `vocabulary.FEEDBACK_KINDS`.
    """

    bounces: str | None = None


class PublishPolicy(_Section):
    """Which Unix group may read what is published; the owner alone where none is named."""

    group: str = ""


_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class UiPolicy(_Section):
    """Further names, such as a proxy's, under which `enrichment ui` may be reached.

    Each is a host, with its port where that is not the scheme's own.
    """

    hosts: tuple[str, ...] = Field((), strict=False)

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise ValueError("should be hosts without a scheme, such as enrichment.example.com")
        return tuple(host.lower() for host in value)


class EligibilityPolicy(_Section):
    """Which contacts may be asked about; all, where neither is given.

    `contacts` is a query over the source that gives their `contact_id`; `where` a condition
    over the columns that `[source] contacts` and, joined by `account_id`, `accounts` give.
    """

    contacts: str | None = None
    where: str | None = None

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

    Open is a contact that has not got what `[acceptance]` requires. `only`: the priorities for
    which a provider may be asked; all, where it is not named. `verify`: the provider by which an
    e-mail that is likely or unverified is verified before the next one is asked; what it says holds
    for `verified_days`.
    """

    order: tuple[str, ...] = Field(("signalhire",), min_length=1, strict=False)
    only: dict[str, Annotated[tuple[Priority, ...], Field(min_length=1, strict=False)]] = Field(
        default_factory=dict
    )
    verify: str = VERIFIES_NOTHING
    verified_days: Days = 90

    @field_validator("order")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("should name each provider once")
        return value


class EntryPolicy(_Section):
    """The point of entry: how much entries matter, where answers go, and what one caller may do.

    `priority` is that of an entry whose account is not known. Notifications go to `notify_hosts`
    only, and to addresses of a private network only where they are among `notify_networks`. An
    entry that is open for longer than `deadline_minutes` is overdue.
    """

    priority: Priority = "standard"
    notify_hosts: tuple[str, ...] = Field((), strict=False)
    notify_networks: tuple[str, ...] = Field((), strict=False)
    requests_per_second: int = Field(100, ge=1, le=100_000)
    requests_at_once: int = Field(300, ge=1, le=100_000)
    deadline_minutes: int = Field(60, ge=1, le=100_000)

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
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"policy file {path}: cannot be read ({error.strerror}); "
            "set ENRICHMENT_CONFIG to a TOML file, or unset it"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
