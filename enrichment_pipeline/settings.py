"""Typed settings: the environment and the policy file, read once and passed on.

Here: every environment variable, its default and its checks, and where state
lies. Not here: what a policy key means (`policy.py`). No other module but
`cli` reads the environment, and nothing is read at import.
"""

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from enrichment_pipeline.attachment import Attachment, UnsetVariableError, read_attachment
from enrichment_pipeline.callback_urls import CallbackKeys, Callbacks
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import (
    VERIFIES_NOTHING,
    Policy,
    ProviderPolicy,
    WaterfallPolicy,
    load_policy,
    read_policy,
)
from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline.vocabulary import CHANGES, LOOKUP, PRIORITIES, SEARCH, VERIFICATION
from enrichment_pipeline.waterfall import Turn

PROJECT_ROOT = Path(__file__).resolve().parent.parent
POLICY_FILE = "enrichment.toml"
"""The policy file's name in the state folder."""
HANDED_IN_FILE = "handed_in.duckdb"
SANDBOX_KEY = "sandbox"
LEAST_SECRET_LENGTH = 16
LEAST_TOKEN_LENGTH = 24
LEAST_WEBHOOK_SECRET_BYTES = 24
"""What Standard Webhooks asks for."""
OWN_SANDBOX_WINDOW_SECONDS = 1.0
"""The minute of a stand-in that we start ourselves; a trial should not take minutes."""
OWN_SANDBOX_SEARCHES_PER_DAY = 10_000
"""Its Search API's quota; a trial should not take days."""
Answers = Literal["sandbox", "live"]
"""Who answers: local stand-ins, or the providers themselves, for money."""


def in_todays_word(answers: object) -> object:
    """Who answers, in today's word: `live` was `signalhire` in older environments and stamps."""
    return "live" if answers == "signalhire" else answers


class _Variables(BaseSettings):
    """How variables are read."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")


class Environment(_Variables):
    """The variables as they are written; those without a description are for our own children.

    Those of each provider are read apart (`_accounts_in_environment`).
    """

    home: Path | None = Field(
        None,
        validation_alias="ENRICHMENT_HOME",
        description="The folder of all state; `data/state` in the project where it is not set",
    )
    config: Path | None = Field(
        None,
        validation_alias="ENRICHMENT_CONFIG",
        description="The policy file; `enrichment.toml` in `ENRICHMENT_HOME` where it is not set, "
        "and the defaults where there is none",
    )
    warehouse_url: Path | None = Field(
        None,
        validation_alias="ENRICHMENT_WAREHOUSE_URL",
        description="The path of the pipeline's own DuckDB file, which is not the source's; "
        "`warehouse.duckdb` in `ENRICHMENT_HOME` where it is not set",
    )
    ledger_url: SecretStr | None = Field(
        None,
        validation_alias="ENRICHMENT_LEDGER_URL",
        description="SQLAlchemy URL of the ledger; `ledger.sqlite` in `ENRICHMENT_HOME` where it "
        "is not set. SQLite as `sqlite:////absolute/path`; Postgres with the extra `postgres`. A "
        "writer waits 60 s for another; Postgres ends a transaction whose process has been silent "
        "for 30 s",
    )
    provider: Annotated[Answers, BeforeValidator(in_todays_word)] = Field(
        "sandbox",
        validation_alias="ENRICHMENT_PROVIDER",
        description="`sandbox` (local stand-ins answer; where it is not set) or `live` (the "
        "providers do, for money; `signalhire` is an older word for it and stays)",
    )
    callback_url: str | None = Field(
        None,
        validation_alias="ENRICHMENT_CALLBACK_URL",
        description="Public base URL of the receiver: answers come by callback. Without it they "
        "come at once",
    )
    callback_secret: SecretStr | None = Field(
        None,
        validation_alias="ENRICHMENT_CALLBACK_SECRET",
        description="Signs callback URLs; `new,old` while it is replaced. Required with the URL, "
        "and by the receiver",
    )
    api_tokens: SecretStr | None = Field(
        None,
        validation_alias="ENRICHMENT_API_TOKENS",
        description="Bearer tokens of 24 characters or more that `enrichment serve` lets in, "
        "comma-separated; required by it",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        validation_alias="ENRICHMENT_WEBHOOK_SECRET",
        description="Signs notifications; required once `[entry] notify_hosts` names a host",
    )
    sandbox_window_seconds: float | None = Field(
        None, gt=0, validation_alias="ENRICHMENT_SANDBOX_WINDOW_SECONDS"
    )
    own_stand_ins: str | None = Field(None, validation_alias="ENRICHMENT_OWN_STAND_INS")
    dagster_home: Path | None = Field(
        None,
        validation_alias="DAGSTER_HOME",
        description="Dagster's instance; `dagster` in `ENRICHMENT_HOME` where it is not set",
    )


@dataclass(frozen=True)
class Account:
    """How a provider is reached: by which key, and where.

    `base_url` is None where a stand-in of our own is still to be started.
    """

    api_key: SecretStr
    base_url: str | None
    is_own_stand_in: bool = False


@dataclass(frozen=True)
class Settings:
    """Everything that a process needs to know; made by `load_settings`, or by a test.

    `accounts` holds how each provider is reached, by its name. With `takes_handed_in` the contacts
    are those that somebody's Dagster asset has handed in.
    """

    home: Path
    policy: Policy
    policy_path: Path | None
    warehouse_url: str
    ledger_url: SecretStr
    provider: Answers
    accounts: Mapping[str, Account]
    dagster_home: Path
    sandbox_window_seconds: float | None = None
    callback_url: str | None = None
    callback_keys: CallbackKeys | None = None
    api_tokens: tuple[SecretStr, ...] = ()
    webhook_secret: SecretStr | None = None
    takes_handed_in: bool = False

    def account(self, provider: str) -> Account | None:
        """How this provider is reached; None where the environment does not tell."""
        return self.accounts.get(provider)

    @property
    def callbacks(self) -> Callbacks | None:
        """Where answers are to be posted; None in synchronous mode."""
        if self.callback_url is None or self.callback_keys is None:
            return None
        return Callbacks(self.callback_url, self.callback_keys)

    @property
    def owns_dagster_home(self) -> bool:
        """Whether Dagster's home is ours alone, and not one that the user shares out.

        By its place: the processes that `enrichment ui` starts are told it by DAGSTER_HOME.
        """
        return self.dagster_home == self.home / "dagster"

    @property
    def published_dir(self) -> Path:
        return self.home / "published"

    @property
    def known_dir(self) -> Path:
        """What the point of entry knows of contacts, as of the last run."""
        return self.home / "known"

    @property
    def spilled_dir(self) -> Path:
        """Answers that the ledger could not take; the next run reads them into it."""
        return self.home / "spilled"

    @property
    def stand_ins_to_start(self) -> tuple[str, ...]:
        """The providers that are used and for which a stand-in is missing: no URL names one."""
        if self.provider != "sandbox":
            return ()
        accounts = ((name, self.account(name)) for name in self.used_providers)
        return tuple(name for name, account in accounts if not (account and account.base_url))

    @property
    def asks_real_provider(self) -> bool:
        """Whether it is a provider's own host that is asked."""
        accounts = ((name, self.account(name)) for name in self.used_providers)
        return any(
            is_host_of(PROVIDERS[name], account.base_url or "")
            for name, account in accounts
            if account is not None
        )

    @property
    def source_label(self) -> str:
        """What the state folder is stamped with: where its contacts come from."""
        source = self.policy.source
        if source.name is not None:
            return source.name
        if source.attach is not None:
            return str(self.source)
        return "handed in" if self.takes_handed_in else "sample"

    @property
    def sample_source(self) -> Path:
        """The sample as a database: the source where the policy attaches none."""
        return self.home / "sample_source.duckdb"

    @property
    def handed_in_source(self) -> Path:
        """What a Dagster asset has handed in as the contacts, as a database."""
        return self.home / HANDED_IN_FILE

    @property
    def reads_sample(self) -> bool:
        """Whether the sample is the source."""
        return self.policy.source.attach is None and not self.takes_handed_in

    @cached_property
    def source(self) -> Attachment:
        """Where contacts come from.

        Raises ConfigurationError where the policy names a variable that is not set.
        """
        attach = self.policy.source.attach
        if attach is not None:
            return self._attached("[source]", attach)
        return self.handed_in_source if self.takes_handed_in else self.sample_source

    @cached_property
    def review_source(self) -> Attachment:
        """Where the decisions of another tool come from; the source, where none is named."""
        attach = self.policy.review.attach
        return self.source if attach is None else self._attached("[review]", attach)

    @cached_property
    def sinks(self) -> tuple[Sink, ...]:
        """Where published tables go.

        Raises ConfigurationError where the policy names a variable that is not set.
        """
        return tuple(
            Sink(
                sink.name,
                self._attached(f"[[sinks]] {sink.name}", sink.attach),
                sink.schema_,
                sink.tables,
            )
            for sink in self.policy.sinks
        )

    def check_sinks(self) -> None:
        """Raise ConfigurationError for a sink that is no place to write to."""
        for sink in self.sinks:
            if not isinstance(sink.place, Path):
                continue
            wrong = None
            if sink.place.is_relative_to(self.home):
                wrong = "lies in the state folder; name a folder of its own"
            elif sink.place.is_file():
                wrong = "is a file; a sink is postgres:…, ducklake:…, s3://… or a folder"
            if wrong is not None:
                raise ConfigurationError(f"[[sinks]] {sink.name} attach: {sink.place} {wrong}")

    @property
    def exports_dir(self) -> Path:
        """What `enrichment export` has given to each place."""
        return self.home / "exports"

    @property
    def sinks_dir(self) -> Path:
        """What is known here of each sink: which publication it has."""
        return self.home / "sinks"

    @property
    def asked_providers(self) -> tuple[str, ...]:
        """The providers that due persons are looked up at, one after the other."""
        return self.policy.waterfall.order

    @property
    def waterfall(self) -> tuple[Turn, ...]:
        """The same, each with the contacts that it may be asked about."""
        only = self.policy.waterfall.only
        return tuple(
            Turn(
                name,
                identities=PROVIDERS[name].calls[LOOKUP].identities,
                priorities=only.get(name, PRIORITIES),
            )
            for name in self.asked_providers
        )

    @property
    def asked_provider(self) -> str:
        """The provider that due persons are looked up at first."""
        return self.asked_providers[0]

    @property
    def searching_provider(self) -> str | None:
        """The one that could be searched for those who are a name and a company."""
        able = (name for name in self.asked_providers if SEARCH in PROVIDERS[name].calls)
        return next(able, None)

    @property
    def verifying_provider(self) -> str | None:
        """The one that addresses are verified by; None where none are."""
        return self.policy.waterfall.verify if self.policy.verifies_addresses else None

    @property
    def change_feeds(self) -> tuple[str, ...]:
        """Those of the asked ones that are asked which profiles have changed."""
        asked = ((name, self.policy.provider(name)) for name in self.asked_providers)
        return tuple(name for name, table in asked if table.changelog == "on")

    @property
    def used_providers(self) -> tuple[str, ...]:
        """All that anything is bought from: those that are asked, and who verifies."""
        return self.policy.used_providers

    @property
    def called_back_provider(self) -> str:
        """The one whose callbacks a receiver takes, where any answers so."""
        facts = ((name, PROVIDERS[name].calls[LOOKUP]) for name in self.asked_providers)
        return next((name for name, of in facts if of.is_called_back), self.asked_provider)

    def limits(self, provider: str) -> ProviderPolicy:
        """A provider's limits: the policy's, with the short minute of a stand-in of our own."""
        limits = self.policy.provider(provider)
        if not self.has_short_minute(provider):
            return limits
        return limits.model_copy(update={"window_seconds": self.sandbox_window_seconds})

    def has_short_minute(self, provider: str) -> bool:
        """Whether a stand-in of our own answers, at whatever rate we like.

        A policy that names its rates itself is always obeyed.
        """
        limits, account = self.policy.provider(provider), self.account(provider)
        is_named = not limits.model_fields_set.isdisjoint({"window_seconds", "rates"})
        is_ours = account is not None and account.is_own_stand_in
        return self.sandbox_window_seconds is not None and is_ours and not is_named

    def _attached(self, section: str, attach: str) -> Attachment:
        base = self.policy_path.parent if self.policy_path else Path.cwd()
        return read_attachment(attach, base, os.environ, key=f"{section} attach")

    def with_own_sandbox_limits(self) -> "Settings":
        """These settings for stand-ins of our own, before they have URLs."""
        return replace(
            self,
            policy=_with_own_search_api(self.policy, self.accounts),
            sandbox_window_seconds=self.sandbox_window_seconds or OWN_SANDBOX_WINDOW_SECONDS,
        )

    def with_base_url(self, provider: str, base_url: str) -> "Settings":
        """These settings, with this provider being reached there."""
        account = replace(self.accounts[provider], base_url=base_url)
        return replace(self, accounts={**self.accounts, provider: account})

    @property
    def told_to_children(self) -> dict[str, str]:
        """The variables by which a process of ours is told what this one has found or started."""
        told = {"DAGSTER_HOME": str(self.dagster_home)}
        for name, account in self.accounts.items():
            if account.base_url is not None:
                told[base_url_variable(name)] = account.base_url
        if self.sandbox_window_seconds is not None:
            ours = (name for name, account in self.accounts.items() if account.is_own_stand_in)
            told["ENRICHMENT_OWN_STAND_INS"] = ",".join(ours)
            told["ENRICHMENT_SANDBOX_WINDOW_SECONDS"] = str(self.sandbox_window_seconds)
        return told

    def with_callbacks(self, callback_url: str, keys: CallbackKeys) -> "Settings":
        return replace(self, callback_url=callback_url, callback_keys=keys)


def place_of_policy() -> Path:
    """Where the policy file belongs, whether it is there or not.

    Raises ConfigurationError for an environment that cannot be.
    """
    env, _accounts = _environment()
    return _place_of_policy(env.config, _home(env))


def load_settings(*, needs_key: bool = True, draft: str | None = None) -> Settings:
    """Read the environment and the policy file.

    Raises ConfigurationError, naming the variable or key, for whatever is wrong.
    Creates and opens nothing. Without `needs_key` providers' keys may be missing,
    for a process that only takes callbacks. A `draft` is a text that stands for the policy file,
    as if it were in its place.
    """
    env, accounts = _environment()
    home = _home(env)
    policy_path: Path | None = _place_of_policy(env.config, home)
    if draft is not None:
        policy = read_policy(draft, policy_path)
    else:
        policy_path = policy_path if env.config or policy_path.is_file() else None
        policy = load_policy(policy_path)
    _refuse_unknown_providers(policy, policy_path)
    needing = policy.used_providers if needs_key else ()
    accounts = {
        name: _account(env.provider, PROVIDERS[name], *given, needs_key=name in needing)
        for name, given in accounts.items()
    }
    window_seconds = env.sandbox_window_seconds if env.provider == "sandbox" else None
    if window_seconds is not None:
        accounts = _with_own_stand_ins(accounts, env.own_stand_ins)
        policy = _with_own_search_api(policy, accounts)
    settings = Settings(
        home=home,
        policy=policy,
        policy_path=policy_path,
        warehouse_url=_warehouse_url(env.warehouse_url or home / "warehouse.duckdb"),
        ledger_url=env.ledger_url or SecretStr(f"sqlite:///{home / 'ledger.sqlite'}"),
        provider=env.provider,
        accounts=accounts,
        dagster_home=_resolved("DAGSTER_HOME", env.dagster_home or home / "dagster"),
        sandbox_window_seconds=window_seconds,
        callback_url=_callback_url(env),
        callback_keys=_callback_keys(env),
        api_tokens=_api_tokens(env),
        webhook_secret=_webhook_secret(env),
        takes_handed_in=policy.source.attach is None and (home / HANDED_IN_FILE).is_file(),
    )
    _refuse_sources_as_warehouse(settings)
    return settings


def _environment() -> tuple[Environment, dict[str, tuple[SecretStr | None, str | None]]]:
    """The variables, and key and URL of each provider."""
    try:
        return Environment(), _accounts_in_environment()
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise ConfigurationError(f"{problem['loc'][0]}: {problem['msg']}") from None


def _resolved(name: str, *parts: Path) -> Path:
    try:
        return Path(*(part.expanduser() for part in parts)).resolve()
    except (OSError, RuntimeError) as error:  # ~nobody, links in a circle
        raise ConfigurationError(f"{name}: {error}".rstrip(".")) from None


def _warehouse_url(given: Path) -> str:
    if re.match(r"\w+:/", str(given)):
        raise ConfigurationError(
            "ENRICHMENT_WAREHOUSE_URL: must be the path of a DuckDB file, without a scheme"
        )
    return str(_resolved("ENRICHMENT_WAREHOUSE_URL", given))


def _refuse_sources_as_warehouse(settings: Settings) -> None:
    """Our tables never go into a file that is only to be read."""
    for key, attached in (
        ("[source] attach", lambda: settings.source),
        ("[review] attach", lambda: settings.review_source),
    ):
        with suppress(UnsetVariableError):  # said by what needs it: a receiver reads no source
            if str(attached()) != settings.warehouse_url:
                continue
            raise ConfigurationError(
                f"ENRICHMENT_WAREHOUSE_URL: is the file of {key}, which is only ever read; "
                "name another file for the pipeline's own tables"
            )


def policy_table(provider: str) -> str:
    """The table of the policy file that is about this provider, as it is written there."""
    return f"[{provider}]" if provider == FIRST else f"[providers.{provider}]"


def _options_of_others(facts: ProviderFacts) -> frozenset[str]:
    """Keys that a table of the policy file can have, but not this provider's."""
    every = frozenset[str]().union(*(one.options for one in PROVIDERS.values()))
    return every - facts.options


def _refuse_unknown_providers(policy: Policy, path: Path | None) -> None:
    _refuse_unknown_waterfall(policy.waterfall, path)
    for name in policy.providers:
        if name not in PROVIDERS or name == FIRST:
            raise ConfigurationError(
                f"policy file {path}: unknown key providers.{name}; the tables "
                f"of providers are {', '.join(map(policy_table, PROVIDERS))}"
            )
    for name, facts in PROVIDERS.items():
        if policy.searches_at(name) and SEARCH not in facts.calls:
            raise ConfigurationError(
                f"policy file {path}: {policy_table(name)} search: cannot be on, "
                f"since {facts.title} does not find profiles by name and company"
            )
        if policy.provider(name).changelog == "on" and CHANGES not in facts.calls:
            raise ConfigurationError(
                f"policy file {path}: {policy_table(name)} changelog: cannot be on, "
                f"since {facts.title} does not tell which profiles have changed"
            )
        given = policy.provider(name).model_fields_set
        for key in sorted(given & _options_of_others(facts)):
            raise ConfigurationError(
                f"policy file {path}: {policy_table(name)} {key}: unknown key, "
                f"since {facts.title} has no such setting"
            )


def _refuse_unknown_waterfall(waterfall: WaterfallPolicy, path: Path | None) -> None:
    for name in waterfall.order:
        if name not in PROVIDERS:
            raise ConfigurationError(
                f"policy file {path}: waterfall.order: no provider is named {name}; "
                f"there is {', '.join(PROVIDERS)}"
            )
    for name in waterfall.only:
        if name not in PROVIDERS:
            raise ConfigurationError(
                f"policy file {path}: unknown key waterfall.only.{name}; "
                f"the providers are {', '.join(PROVIDERS)}"
            )
    verifier = waterfall.verify
    if verifier != VERIFIES_NOTHING and VERIFICATION not in _calls_of(verifier):
        able = [name for name in PROVIDERS if VERIFICATION in _calls_of(name)]
        raise ConfigurationError(
            f"policy file {path}: waterfall.verify: {verifier} does not verify addresses; "
            f"there is {', '.join((VERIFIES_NOTHING, *able))}"
        )


def _calls_of(provider: str) -> Mapping[str, CallFacts]:
    """The kinds of call that it takes; none, where there is no such provider."""
    return PROVIDERS[provider].calls if provider in PROVIDERS else {}


def is_host_of(facts: ProviderFacts, url: str) -> bool:
    """Whether the URL names the provider's own host, under whichever name of its domain."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:  # broken brackets
        return False
    domain = ".".join((urlsplit(facts.api).hostname or "").split(".")[-2:])
    return host == domain or host.endswith(f".{domain}")


def _default_home(answers: Answers) -> Path:
    """The project's `data/state`, or that of the working folder where the package is installed.

    What was bought must not depend on where a command is given: there the state of live providers
    has to be named.
    """
    if (PROJECT_ROOT / "pyproject.toml").is_file():
        return PROJECT_ROOT / "data" / "state"
    if answers == "live":
        raise ConfigurationError(
            "ENRICHMENT_HOME: not set; name the folder of all state, since with "
            "ENRICHMENT_PROVIDER=live a command in another folder would not know what was bought, "
            "and buy it again"
        )
    return Path.cwd() / "data" / "state"


def _home(env: Environment) -> Path:
    return _resolved("ENRICHMENT_HOME", env.home or _default_home(env.provider))


def _place_of_policy(named: Path | None, home: Path) -> Path:
    return home / POLICY_FILE if named is None else _resolved("ENRICHMENT_CONFIG", named)


def _with_own_stand_ins(accounts: Mapping[str, Account], names: str | None) -> dict[str, Account]:
    """The accounts in a process that another of ours has started stand-ins for; None: for all."""
    ours = accounts if names is None else names.split(",")
    return {
        name: replace(account, is_own_stand_in=account.is_own_stand_in or name in ours)
        for name, account in accounts.items()
    }


def _with_own_search_api(policy: Policy, accounts: Mapping[str, Account]) -> Policy:
    """The policy for a stand-in of our own, which gives access to its Search API.

    With SignalHire that is on request. A policy that names the keys itself is obeyed.
    """
    if not accounts[FIRST].is_own_stand_in:
        return policy
    given = policy.signalhire.model_fields_set
    own = {"search": "on", "searches_per_day": OWN_SANDBOX_SEARCHES_PER_DAY}
    changes = {name: value for name, value in own.items() if name not in given}
    return policy.model_copy(update={"signalhire": policy.signalhire.model_copy(update=changes)})


def key_variable(provider: str) -> str:
    """The environment variable that holds the key of an account at this provider."""
    return f"{provider.upper()}_API_KEY"


def base_url_variable(provider: str) -> str:
    """The environment variable that says where this provider is reached."""
    return f"{provider.upper()}_BASE_URL"


def _accounts_in_environment() -> dict[str, tuple[SecretStr | None, str | None]]:
    """Key and URL of each provider, as far as they are given."""
    fields: dict[str, Any] = {}
    for name in PROVIDERS:
        key, url = key_variable(name), base_url_variable(name)
        fields[key] = (SecretStr | None, Field(None, validation_alias=key))
        fields[url] = (str | None, Field(None, validation_alias=url))
    given = create_model("_Accounts", __base__=_Variables, **fields)()
    return {
        name: (getattr(given, key_variable(name)), getattr(given, base_url_variable(name)))
        for name in PROVIDERS
    }


def _account(
    answers: Answers,
    facts: ProviderFacts,
    api_key: SecretStr | None,
    base_url: str | None,
    *,
    needs_key: bool,
) -> Account:
    """How a provider is reached, who answers in its place included."""
    if api_key is None and answers == "live" and needs_key:
        raise ConfigurationError(
            f"{key_variable(facts.name)}: not set; ENRICHMENT_PROVIDER=live needs your account's "
            "key"
        )
    key = api_key or SecretStr(SANDBOX_KEY if answers == "sandbox" else "")
    url = _base_url(answers, facts, base_url)
    return Account(key, url, is_own_stand_in=url is None)


def _callback_url(env: Environment) -> str | None:
    if env.callback_url is None:
        return None
    if env.callback_secret is None:
        raise ConfigurationError(
            "ENRICHMENT_CALLBACK_SECRET: not set; ENRICHMENT_CALLBACK_URL needs it, since the "
            "provider signs nothing: a random word, the same for the receiver"
        )
    return _checked_url(
        "ENRICHMENT_CALLBACK_URL", env.callback_url, "https://enrichment.example.com"
    )


def _callback_keys(env: Environment) -> CallbackKeys | None:
    """The secrets, newest first; two at once while one is being replaced."""
    if env.callback_secret is None:
        return None
    words = env.callback_secret.get_secret_value().split(",")
    secrets = tuple(SecretStr(word.strip()) for word in words if word.strip())
    if not secrets:
        raise ConfigurationError("ENRICHMENT_CALLBACK_SECRET: empty; give it a random word")
    shortest = min(len(secret) for secret in secrets)
    if env.provider == "live" and shortest < LEAST_SECRET_LENGTH:
        raise ConfigurationError(
            f"ENRICHMENT_CALLBACK_SECRET: a word of {shortest} characters can be guessed, and "
            "with it what callbacks say; `openssl rand -hex 32` gives one that cannot"
        )
    return CallbackKeys(secrets)


def _api_tokens(env: Environment) -> tuple[SecretStr, ...]:
    """The tokens that the point of entry accepts; two at once while one is being replaced."""
    words = "" if env.api_tokens is None else env.api_tokens.get_secret_value()
    tokens = tuple(SecretStr(word.strip()) for word in words.split(",") if word.strip())
    shortest = min(map(len, tokens), default=LEAST_TOKEN_LENGTH)
    if shortest < LEAST_TOKEN_LENGTH:
        raise ConfigurationError(
            f"ENRICHMENT_API_TOKENS: a token of {shortest} characters can be guessed; each needs "
            f"at least {LEAST_TOKEN_LENGTH}, such as `openssl rand -hex 32` gives"
        )
    return tokens


def _webhook_secret(env: Environment) -> SecretStr | None:
    """What signs notifications, in the form of Standard Webhooks."""
    if env.webhook_secret is None:
        return None
    encoded = env.webhook_secret.get_secret_value().removeprefix("whsec_")
    try:
        size = len(b64decode(encoded, validate=True))
    except ValueError:
        size = 0
    if size < LEAST_WEBHOOK_SECRET_BYTES:
        raise ConfigurationError(
            "ENRICHMENT_WEBHOOK_SECRET: must be at least 24 random bytes in Base64, after whsec_ "
            'if you like; echo "whsec_$(openssl rand -base64 32)" gives such a one'
        )
    return env.webhook_secret


def _base_url(answers: Answers, facts: ProviderFacts, given: str | None) -> str | None:
    """The API's URL; None where a stand-in of our own is to be started."""
    variable = base_url_variable(facts.name)
    if answers == "live":
        return _checked_url(variable, given or facts.api, facts.api)
    if given is None:
        return None
    if is_host_of(facts, given):
        raise ConfigurationError(
            f"{variable} names {facts.title}'s own host, but ENRICHMENT_PROVIDER is sandbox; "
            "set ENRICHMENT_PROVIDER=live to spend real credits"
        )
    return _checked_url(variable, given, facts.api)


def _checked_url(variable: str, url: str, example: str) -> str:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # broken brackets, or a port that is no number
        is_url = False
    if not is_url:
        raise ConfigurationError(f"{variable}: not a URL such as {example}")
    return url.rstrip("/")
