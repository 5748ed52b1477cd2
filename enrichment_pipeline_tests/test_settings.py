"""Settings: every environment variable, its default, and how paths and URLs go together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from enrichment_pipeline import settings as module
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers import registry
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.providers.signalhire.facts import SIGNALHIRE
from enrichment_pipeline.settings import PROJECT_ROOT, Account, is_host_of, load_settings
from enrichment_pipeline_tests.conformance.madeup.acme.facts import ACME

KEY = "5ecret-k3y-of-the-account"
SIGNALHIRE_API = "https://www.signalhire.com/api/v1"
VARIABLES = [
    "ENRICHMENT_HOME",
    "ENRICHMENT_CONFIG",
    "ENRICHMENT_WAREHOUSE_URL",
    "ENRICHMENT_LEDGER_URL",
    "ENRICHMENT_PROVIDER",
    "SIGNALHIRE_API_KEY",
    "SIGNALHIRE_BASE_URL",
    "ENRICHMENT_CALLBACK_URL",
    "ENRICHMENT_CALLBACK_SECRET",
    "ENRICHMENT_SANDBOX_WINDOW_SECONDS",
    "ENRICHMENT_OWN_STAND_INS",
    "DAGSTER_HOME",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our variables set, and a working folder of the test's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENRICHMENT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def set_up(monkeypatch: pytest.MonkeyPatch, **variables: str) -> module.Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


# --- defaults --------------------------------------------------------------------------


def test_without_a_variable_state_lies_in_the_project_and_the_sandbox_answers() -> None:
    found = load_settings()
    home = PROJECT_ROOT / "data" / "state"
    assert found.home == home
    assert found.warehouse_url == str(home / "warehouse.duckdb")
    assert found.ledger_url.get_secret_value() == f"sqlite:///{home}/ledger.sqlite"
    assert (found.dagster_home, found.owns_dagster_home) == (home / "dagster", True)
    assert found.published_dir == home / "published"
    assert (found.provider, found.stand_ins_to_start) == ("sandbox", ("signalhire",))
    assert found.source == home / "sample_source.duckdb"
    assert found.source_label == "sample"


def test_an_installed_package_keeps_its_state_where_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROJECT_ROOT", tmp_path / "site-packages")
    assert load_settings().home == tmp_path / "data" / "state"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    assert set_up(monkeypatch, **dict.fromkeys(VARIABLES, "")) == unset


def test_nothing_is_made_or_opened(home: Path) -> None:
    load_settings()
    assert not home.exists()


# --- paths -----------------------------------------------------------------------------


def test_everything_follows_the_home(home: Path) -> None:
    found = load_settings()
    assert found.home == home
    assert found.warehouse_url == str(home / "warehouse.duckdb")
    assert found.ledger_url.get_secret_value() == f"sqlite:///{home}/ledger.sqlite"
    assert found.dagster_home == home / "dagster"


@pytest.mark.parametrize("given", ["state", "./state", "x/../state", "{tmp}/state"])
def test_a_relative_home_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    found = set_up(monkeypatch, ENRICHMENT_HOME=given.format(tmp=tmp_path))
    assert found.home == tmp_path / "state"


def test_a_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(
        monkeypatch,
        HOME=str(tmp_path),
        ENRICHMENT_HOME="~/state",
        ENRICHMENT_WAREHOUSE_URL="~/x.duckdb",
        DAGSTER_HOME="~/dagster",
    )
    assert found.home == tmp_path / "state"
    assert found.warehouse_url == str(tmp_path / "x.duckdb")
    assert found.dagster_home == tmp_path / "dagster"


# Dagster's processes may have another working folder: a relative path would be another file there.
def test_the_warehouse_is_one_file_whatever_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set_up(monkeypatch, ENRICHMENT_WAREHOUSE_URL="stores/w.duckdb")
    assert found.warehouse_url == str(tmp_path / "stores" / "w.duckdb")


@pytest.mark.usefixtures("home")
def test_dagsters_own_home_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(monkeypatch, DAGSTER_HOME=str(tmp_path / "dagster"))
    assert (found.dagster_home, found.owns_dagster_home) == (tmp_path / "dagster", False)


def test_our_own_home_of_dagster_stays_ours_where_a_process_is_told_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set_up(monkeypatch).owns_dagster_home
    assert set_up(monkeypatch, DAGSTER_HOME=str(home / "dagster")).owns_dagster_home


def test_the_ledger_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg://user:pa55@db/ledger"
    found = set_up(monkeypatch, ENRICHMENT_LEDGER_URL=url)
    assert found.ledger_url.get_secret_value() == url
    assert "pa55" not in repr(found)


# --- the policy file -------------------------------------------------------------------


def policy_file(path: Path, text: str = "budget.per_run = 7") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_policy_file_beside_the_state_is_read(home: Path) -> None:
    path = policy_file(home / "enrichment.toml")
    found = load_settings()
    assert (found.policy_path, found.policy.budget.per_run) == (path, 7)


def test_a_policy_file_that_is_named_goes_first(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file(home / "enrichment.toml")
    path = policy_file(tmp_path / "mine" / "my.toml", "budget.per_run = 8")
    found = set_up(monkeypatch, ENRICHMENT_CONFIG="mine/my.toml")
    assert (found.policy_path, found.policy.budget.per_run) == (path, 8)


@pytest.mark.usefixtures("home")
def test_without_a_policy_file_the_defaults_hold() -> None:
    found = load_settings()
    assert (found.policy_path, found.policy) == (None, Policy())


def test_a_policy_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read"):
        set_up(monkeypatch, ENRICHMENT_CONFIG="nowhere.toml")


@pytest.mark.parametrize(
    ("attach", "path"),
    [
        ("crm.duckdb", "{tmp}/mine/crm.duckdb"),
        ("../data", "{tmp}/data"),
        ("{tmp}/x", "{tmp}/x"),
        ("~/x", "{tmp}/user/x"),
    ],
)
def test_a_source_is_relative_to_its_policy_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attach: str, path: str
) -> None:
    text = f'[source]\nattach = "{attach.format(tmp=tmp_path)}"\n'
    policy_file(tmp_path / "mine" / "my.toml", text)
    found = set_up(monkeypatch, ENRICHMENT_CONFIG="mine/my.toml", HOME=str(tmp_path / "user"))
    assert str(found.source) == path.format(tmp=tmp_path)
    assert found.source_label == str(found.source)


# --- provider and URL ------------------------------------------------------------------


def test_the_sandbox_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().accounts[FIRST].api_key.get_secret_value() == "sandbox"
    found = set_up(monkeypatch, SIGNALHIRE_API_KEY=KEY)
    assert found.accounts[FIRST].api_key.get_secret_value() == KEY


def test_a_sandbox_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(monkeypatch, SIGNALHIRE_BASE_URL="http://127.0.0.1:8086/api/v1/")
    assert found.accounts[FIRST].base_url == "http://127.0.0.1:8086/api/v1"
    assert found.stand_ins_to_start == ()
    assert not found.asks_real_provider


def test_signalhire_is_asked_at_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(monkeypatch, ENRICHMENT_PROVIDER="live", SIGNALHIRE_API_KEY=KEY)
    assert (found.provider, found.accounts[FIRST].base_url) == ("live", SIGNALHIRE_API)
    assert found.asks_real_provider
    assert found.stand_ins_to_start == ()


def test_the_older_word_for_live_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    live = set_up(monkeypatch, ENRICHMENT_PROVIDER="live", SIGNALHIRE_API_KEY=KEY)
    assert set_up(monkeypatch, ENRICHMENT_PROVIDER="signalhire") == live


def test_signalhire_may_be_behind_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(
        monkeypatch,
        ENRICHMENT_PROVIDER="live",
        SIGNALHIRE_API_KEY=KEY,
        SIGNALHIRE_BASE_URL="http://localhost:9/api",
    )
    assert found.accounts[FIRST].base_url == "http://localhost:9/api"
    assert not found.asks_real_provider


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ENRICHMENT_PROVIDER": "live"}, "SIGNALHIRE_API_KEY: not set"),
        ({"ENRICHMENT_PROVIDER": "Live"}, "ENRICHMENT_PROVIDER: "),
        ({"ENRICHMENT_PROVIDER": "hunter"}, "ENRICHMENT_PROVIDER: "),
        ({"SIGNALHIRE_BASE_URL": SIGNALHIRE_API}, "names SignalHire's own host"),
        ({"SIGNALHIRE_BASE_URL": "https://API.SignalHire.com./v2"}, "names SignalHire's own host"),
        ({"SIGNALHIRE_BASE_URL": "localhost:8086"}, "SIGNALHIRE_BASE_URL: not a URL"),
        ({"SIGNALHIRE_BASE_URL": "ftp://localhost"}, "SIGNALHIRE_BASE_URL: not a URL"),
        ({"SIGNALHIRE_BASE_URL": "http://"}, "SIGNALHIRE_BASE_URL: not a URL"),
        ({"SIGNALHIRE_BASE_URL": "http://[broken"}, "SIGNALHIRE_BASE_URL: not a URL"),
        ({"SIGNALHIRE_BASE_URL": "http://localhost:port"}, "SIGNALHIRE_BASE_URL: not a URL"),
        ({"SIGNALHIRE_BASE_URL": "http://localhost:99999"}, "SIGNALHIRE_BASE_URL: not a URL"),
        (
            {
                "ENRICHMENT_PROVIDER": "live",
                "SIGNALHIRE_API_KEY": KEY,
                "SIGNALHIRE_BASE_URL": "nonsense",
            },
            "SIGNALHIRE_BASE_URL: not a URL",
        ),
        ({"ENRICHMENT_SANDBOX_WINDOW_SECONDS": "0"}, "ENRICHMENT_SANDBOX_WINDOW_SECONDS: "),
        ({"ENRICHMENT_SANDBOX_WINDOW_SECONDS": "fast"}, "ENRICHMENT_SANDBOX_WINDOW_SECONDS: "),
        ({"ENRICHMENT_CALLBACK_URL": "https://me.example"}, "ENRICHMENT_CALLBACK_SECRET: not set"),
        (
            {"ENRICHMENT_CALLBACK_URL": "me.example", "ENRICHMENT_CALLBACK_SECRET": "word"},
            "ENRICHMENT_CALLBACK_URL: ",
        ),
        ({"ENRICHMENT_CALLBACK_SECRET": " , "}, "ENRICHMENT_CALLBACK_SECRET: empty"),
        (
            {
                "ENRICHMENT_PROVIDER": "live",
                "SIGNALHIRE_API_KEY": KEY,
                "ENRICHMENT_CALLBACK_SECRET": f"{'r' * 16},{'s' * 15}",
            },
            "ENRICHMENT_CALLBACK_SECRET: a word of 15 characters can be guessed",
        ),
        ({"ENRICHMENT_HOME": "~nobody-at-all/state"}, "ENRICHMENT_HOME: "),
        ({"ENRICHMENT_CONFIG": "~nobody-at-all/x.toml"}, "ENRICHMENT_CONFIG: "),
        ({"ENRICHMENT_WAREHOUSE_URL": "duckdb:////data/x.duckdb"}, "ENRICHMENT_WAREHOUSE_URL: "),
    ],
)
def test_a_mistake_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        set_up(monkeypatch, **variables)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


# --- several providers -----------------------------------------------------------------


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Acme Directory is a provider, too; the policy file is still to be written."""
    monkeypatch.setitem(registry.PROVIDERS, ACME.name, ACME)
    for name in ("ACME_API_KEY", "ACME_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return home / "enrichment.toml"


def test_each_provider_has_an_account_of_its_own(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file(acme, '[waterfall]\norder = ["signalhire", "acme"]\n')
    keys = {"SIGNALHIRE_API_KEY": KEY, "ACME_API_KEY": "another-k3y"}
    found = set_up(monkeypatch, ENRICHMENT_PROVIDER="live", **keys)
    assert found.asked_providers == ("signalhire", "acme")
    assert found.account("signalhire") == Account(SecretStr(KEY), SIGNALHIRE_API)
    assert found.account("acme") == Account(SecretStr("another-k3y"), ACME.api)
    assert "another-k3y" not in repr(found)
    stood_in = set_up(monkeypatch, ENRICHMENT_PROVIDER="sandbox", ACME_BASE_URL="http://localhost/")
    assert stood_in.account("acme") == Account(SecretStr("another-k3y"), "http://localhost")


def test_a_provider_that_is_not_asked_needs_no_account(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file(acme, '[waterfall]\norder = ["acme"]\n')
    found = set_up(monkeypatch, ENRICHMENT_PROVIDER="live", ACME_API_KEY=KEY)
    assert (found.asked_provider, found.asks_real_provider) == ("acme", True)
    stood_in = set_up(monkeypatch, ENRICHMENT_PROVIDER="sandbox")
    assert stood_in.stand_ins_to_start == ("acme",)


def test_a_stand_in_is_to_be_started_for_each_that_is_asked_and_not_named(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file(acme, '[waterfall]\norder = ["acme", "signalhire"]\n')
    assert load_settings().stand_ins_to_start == ("acme", "signalhire")
    named = set_up(monkeypatch, SIGNALHIRE_BASE_URL="http://localhost/a")
    assert named.stand_ins_to_start == ("acme",)
    assert set_up(monkeypatch, ACME_BASE_URL="http://localhost/b").stand_ins_to_start == ()


def test_what_holds_for_stand_ins_of_our_own_does_not_for_one_that_is_named(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file(acme, '[waterfall]\norder = ["signalhire", "acme"]\n')
    named = set_up(monkeypatch, SIGNALHIRE_BASE_URL="http://localhost/a").with_own_sandbox_limits()
    started = named.with_base_url("acme", "http://localhost/b")
    for name, value in started.told_to_children.items():
        monkeypatch.setenv(name, value)
    for found in (named, started, load_settings()):
        seconds = [found.limits(name).window_seconds for name in ("signalhire", "acme")]
        assert seconds == [60, 1]
        assert found.policy.signalhire.search == "off"


@pytest.mark.parametrize(
    ("policy", "variables", "words"),
    [
        ('order = ["acme"]', {"ENRICHMENT_PROVIDER": "live"}, "ACME_API_KEY: not set"),
        ('order = ["acme"]', {"ACME_BASE_URL": ACME.api}, "names Acme Directory's own host"),
        ('order = ["acme"]', {"ACME_BASE_URL": "localhost"}, "ACME_BASE_URL: not a URL"),
        ('order = ["elsewhere"]', {}, "waterfall.order: no provider is named elsewhere"),
        ('order = ["acme", "acme"]', {}, "waterfall.order: should name each provider once"),
        ("order = []", {}, "waterfall.order: should name one at least"),
        ('only = { elsewhere = ["bulk"] }', {}, "unknown key waterfall.only.elsewhere"),
        ('only = { acme = ["huge"] }', {}, "waterfall.only.acme.0: "),
        ("only = { acme = [] }", {}, "waterfall.only.acme: should name one at least"),
        ("oder = []", {}, "unknown key waterfall.oder"),
        ('verify = "acme"', {}, "waterfall.verify: acme does not verify addresses; there is off"),
        ('verify = "elsewhere"', {}, "waterfall.verify: elsewhere does not verify addresses"),
        ("verified_days = 0", {}, "waterfall.verified_days: "),
        ('[signalhire]\nchangelog = "on"', {}, "changelog: cannot be on, since SignalHire"),
    ],
)
def test_a_mistake_about_a_provider_is_told_with_its_key(
    acme: Path,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    variables: dict[str, str],
    words: str,
) -> None:
    policy_file(acme, f"[waterfall]\n{policy}\n")
    with pytest.raises(ConfigurationError) as caught:
        set_up(monkeypatch, **variables)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("section", ["source", "review"])
def test_what_is_only_read_is_never_the_warehouse(
    home: Path, monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "enrichment.toml").write_text(f'[{section}]\nattach = "crm.duckdb"\n')
    with pytest.raises(ConfigurationError, match=rf"WAREHOUSE_URL: is the file of \[{section}\]"):
        set_up(monkeypatch, ENRICHMENT_WAREHOUSE_URL=str(home / "crm.duckdb"))


@pytest.mark.parametrize(
    ("url", "is_theirs"),
    [
        (SIGNALHIRE_API, True),
        ("https://signalhire.com", True),
        ("https://SIGNALHIRE.COM.:443/x", True),
        ("https://notsignalhire.com", False),
        ("https://signalhire.com.example.net", False),
        ("http://localhost/signalhire.com", False),
        ("", False),
    ],
)
def test_signalhires_own_host_is_known(url: str, is_theirs: bool) -> None:
    assert is_host_of(SIGNALHIRE, url) is is_theirs


def test_the_key_is_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(monkeypatch, ENRICHMENT_PROVIDER="live", SIGNALHIRE_API_KEY=KEY)
    key = found.accounts[FIRST].api_key
    texts = [repr(found), str(found), f"{found}", f"{key}", repr(vars(found))]
    assert not [text for text in texts if KEY in text]
    assert found.accounts[FIRST].api_key.get_secret_value() == KEY


def test_nothing_but_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ENRICHMENT_PROVIDER=live\nSIGNALHIRE_API_KEY=x\n")
    assert load_settings().provider == "sandbox"
    assert set(VARIABLES).isdisjoint(os.environ)


# --- the sandbox's minute --------------------------------------------------------------


def test_the_rate_limits_are_the_policys(home: Path) -> None:
    policy_file(home / "enrichment.toml", "signalhire.items_per_window = 5")
    settings = load_settings()
    assert settings.limits("signalhire") == settings.policy.signalhire


def test_a_sandbox_of_our_own_has_a_short_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = load_settings().with_own_sandbox_limits().with_base_url(FIRST, "http://127.0.0.1:1/x")
    assert ours.accounts[FIRST].base_url == "http://127.0.0.1:1/x"
    assert ours.limits("signalhire").window_seconds == 1
    assert ours.limits("signalhire").items_per_window == 600
    named = set_up(monkeypatch, ENRICHMENT_SANDBOX_WINDOW_SECONDS="2.5")
    assert named.limits("signalhire").window_seconds == 2.5
    assert named.with_own_sandbox_limits().limits("signalhire").window_seconds == 2.5


def test_a_window_that_the_policy_names_is_obeyed(home: Path) -> None:
    policy_file(home / "enrichment.toml", "signalhire.window_seconds = 60")
    assert load_settings().with_own_sandbox_limits().limits("signalhire").window_seconds == 60


def test_the_sandboxs_minute_is_not_the_real_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set_up(
        monkeypatch,
        ENRICHMENT_PROVIDER="live",
        SIGNALHIRE_API_KEY=KEY,
        ENRICHMENT_SANDBOX_WINDOW_SECONDS="1",
    )
    assert found.limits("signalhire").window_seconds == 60


def test_a_sandbox_of_our_own_has_the_search_api_unless_the_policy_says_otherwise(
    home: Path,
) -> None:
    assert load_settings().policy.signalhire.search == "off"
    ours = load_settings().with_own_sandbox_limits()
    assert ours.policy.signalhire.search == "on"
    assert ours.policy.signalhire.searches_per_day == module.OWN_SANDBOX_SEARCHES_PER_DAY
    policy_file(home / "enrichment.toml", 'signalhire = { search = "off", searches_per_day = 7 }')
    named = load_settings().with_own_sandbox_limits()
    assert (named.policy.signalhire.search, named.policy.signalhire.searches_per_day) == ("off", 7)


def test_a_process_of_ours_beside_the_sandbox_has_the_search_api_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set_up(monkeypatch, ENRICHMENT_SANDBOX_WINDOW_SECONDS="1")
    assert found.policy.signalhire.search == "on"
    monkeypatch.setenv("ENRICHMENT_PROVIDER", "live")
    monkeypatch.setenv("SIGNALHIRE_API_KEY", KEY)
    assert load_settings().policy.signalhire.search == "off"
