"""Bad input ends in one clear line and exit status 2, and leaves every table as it was."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.cli.conftest import Command, Said
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.end_to_end.leaks import leaks, secrets
from enrichment_pipeline_tests.end_to_end.world import KEY, contents
from enrichment_pipeline_tests.support import policy_for, settings_for

SIGNALHIRE = {"ENRICHMENT_PROVIDER": "live", "SIGNALHIRE_API_KEY": KEY}


@dataclass
class Used:
    """A state folder that was used before, with its source and a sandbox."""

    folder: Path
    base_url: str

    @property
    def home(self) -> Path:
        return self.folder / "state"

    @property
    def source(self) -> Path:
        return self.folder / "source"

    def variables(self, policy: Path) -> dict[str, object]:
        return {
            "ENRICHMENT_HOME": self.home,
            "ENRICHMENT_CONFIG": policy,
            "SIGNALHIRE_BASE_URL": self.base_url,
            "SIGNALHIRE_API_KEY": KEY,
        }

    def settings(self, key: str = KEY) -> Settings:
        return settings_for(
            self.home, policy_for(self.source), self.base_url, api_key=SecretStr(key)
        )


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    folder = tmp_path_factory.mktemp("used")
    with world.small_sandbox(folder) as sandbox:
        world.steps_here(world.small_settings(folder, sandbox.base_url))
        yield Used(folder, sandbox.base_url)


@pytest.fixture
def fresh(tmp_path: Path, used: Used) -> Used:
    """The same source and sandbox, with a state folder that was never used."""
    shutil.copytree(used.source, tmp_path / "source")
    return Used(tmp_path, used.base_url)


def policy_file(folder: Path, source: Path, *, contacts: str = "", further: str = "") -> Path:
    path = folder / "policy.toml"
    lines = [
        "[source]",
        f'attach = "{source}"',
        f'contacts = """{contacts or "select * from contacts"}"""',
        'accounts = "select * from accounts"',
        further,
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def assert_refused(said: Said, *words: str, status: int = 2) -> None:
    """One line that begins with `error:` and has these words; no key and nothing personal."""
    assert said.status == status, said
    assert said.err.startswith("error: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert said.err.endswith("\n")
    assert "Traceback" not in said.out + said.err
    for word in words:
        assert word in said.err, said.err
    assert leaks(secrets(), said.out, said.err) == []


# --- the source -------------------------------------------------------------------------------

# each kind of them: warehouse/test_attached_source.py
BAD_QUERIES = [
    ("selec * from contacts", ["[source] contacts", "selec"]),
    ("drop table contacts", ["[source] contacts", "one select"]),
    ("select null as contact_id, email from contacts", ["39 rows", "contact_id"]),
]


@pytest.mark.parametrize(("query", "words"), BAD_QUERIES, ids=[query for query, _ in BAD_QUERIES])
def test_sql_that_does_not_work_is_refused(
    enrichment: Command, used: Used, tmp_path: Path, query: str, words: list[str]
) -> None:
    before = contents(used.home)
    policy = policy_file(tmp_path, used.source, contacts=query)
    assert_refused(enrichment("plan", **used.variables(policy)), *words)
    assert contents(used.home) == before


def test_sql_that_trips_over_a_value_is_refused_by_plan_and_run_without_telling_the_value(
    enrichment: Command, used: Used, tmp_path: Path
) -> None:
    before = contents(used.home)
    query = "select * replace (cast(email as integer) as phone) from contacts where email <> ''"
    policy = policy_file(tmp_path, used.source, contacts=query)
    planned, run = (enrichment(each, **used.variables(policy)) for each in ("plan", "run"))
    assert_refused(run, "[source] contacts", "Conversion Error")
    assert run.err == planned.err
    assert leaks(secrets(), folder=used.home) == []
    assert contents(used.home) == before


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    aside = path.rename(path.with_name("aside"))
    try:
        yield
    finally:
        aside.rename(path)


def test_a_source_that_is_gone_is_refused(enrichment: Command, used: Used, tmp_path: Path) -> None:
    before = contents(used.home)
    policy = policy_file(tmp_path, used.source)
    with moved_away(used.source):
        said = enrichment("plan", **used.variables(policy))
    assert_refused(said, str(used.source), "no such file or folder")
    assert contents(used.home) == before


def test_a_source_that_was_never_there_does_not_become_the_state_folders_own(
    enrichment: Command, fresh: Used
) -> None:
    typo = policy_file(fresh.folder, fresh.folder / "suorce")
    assert_refused(enrichment("run", **fresh.variables(typo)), "suorce", "no such file or folder")
    assert contents(fresh.home) == {}
    corrected = policy_file(fresh.folder, fresh.source)
    assert enrichment("plan", **fresh.variables(corrected)).status == 0


@pytest.mark.parametrize("make", ["text", "folder"])
def test_a_source_that_cannot_be_read_is_refused(
    enrichment: Command, fresh: Used, make: str
) -> None:
    source = fresh.folder / "crm.duckdb"
    if make == "text":
        source.write_text("no database at all\n" * 1000)
    else:
        source.mkdir()
    policy = policy_file(fresh.folder, source)
    assert_refused(enrichment("plan", **fresh.variables(policy)), str(source))
    assert contents(fresh.home) == {}


def test_a_csv_file_that_is_none_is_refused(fresh: Used) -> None:
    (fresh.source / "contacts.csv").write_bytes(b"contact_id,email\n1,\xff\xfe\x00\n" * 50)
    with pytest.raises(ConfigurationError, match="contacts"):
        world.steps_here(fresh.settings())
    assert all(rows == [] for table, rows in contents(fresh.home).items() if "stamp" not in table)


# --- the policy file --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("[budget]\nper_rnu = 5", ["unknown key", "budget.per_rnu"]),
        ("[budgets]\nper_run = 5", ["unknown key", "budgets"]),
        ("[signalhire]\nitems_per_request = 101", ["signalhire.items_per_request", "101"]),
        ("[freshness]\nmax_age_days = 0", ["freshness.max_age_days", "0"]),
        ("[budget]\nfloors = { bulk = 1.5 }", ["budget.floors.bulk", "1.5"]),
        ("[priority]\nbands = { strategic = 1 }", ["priority.bands", "strategic >= target"]),
        ("[schedule]\ntime_zone = 'Europe/Atlantis'", ["schedule.time_zone", "Europe/Atlantis"]),
        ("[acceptance]\nrequire = ['a_guess']", ["acceptance.require", "a_guess"]),
        ("[acceptance]\nrequire = []", ["acceptance.require"]),
        ("[identity]\nphone_region = 'XX'", ["identity.phone_region", "XX"]),
        ("[signalhire]\nsearch = 'yes'", ["signalhire.search"]),
        (
            "[signalhire]\nwindow_seconds = 60\nrates = [{ units = 15, seconds = 1 }]",
            ["signalhire: give rates, or items_per_window and window_seconds, not both"],
        ),
        ("[providers.zoominfo]\nprice = 2", ["unknown key providers.zoominfo", "[signalhire]"]),
        ("[budget\nper_run = 5", ["not valid TOML"]),
    ],
)
@pytest.mark.parametrize("command", ["run"])
def test_a_policy_that_says_what_cannot_be_is_refused_by_the_keys_name(
    enrichment: Command, used: Used, tmp_path: Path, command: str, lines: str, words: list[str]
) -> None:
    policy = policy_file(tmp_path, used.source, further=lines)
    assert_refused(enrichment(command, **used.variables(policy)), *words)


def test_a_policy_file_that_is_missing_is_refused(enrichment: Command, tmp_path: Path) -> None:
    said = enrichment("run", ENRICHMENT_CONFIG=tmp_path / "nowhere.toml")
    assert_refused(said, "nowhere.toml", "ENRICHMENT_CONFIG")


# --- the provider -----------------------------------------------------------------------------


def test_a_wrong_key_is_found_out_before_anything_is_loaded(
    enrichment: Command, fresh: Used
) -> None:
    variables = fresh.variables(policy_file(fresh.folder, fresh.source))
    wrong = "wrong-9d20c8f4a7"
    said = enrichment("run", **{**variables, "SIGNALHIRE_API_KEY": wrong})
    assert_refused(said, "does not accept the key", "SIGNALHIRE_API_KEY")
    assert leaks({wrong.encode()}, said.out, said.err, folder=fresh.home) == []
    assert contents(fresh.home) == {}
    # and the folder is not taken by the mistake
    assert not (fresh.home / "stamp.json").exists()


def test_a_wrong_key_leaves_a_used_state_as_it_was(used: Used) -> None:
    before = contents(used.home)
    with pytest.raises(ConfigurationError, match="does not accept the key"):
        world.steps_here(used.settings(key="wrong"))
    assert contents(used.home) == before


def test_a_provider_that_cannot_be_reached_is_no_mistake_but_ends_the_run(
    enrichment: Command, used: Used, tmp_path: Path
) -> None:
    before = contents(used.home)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    variables = used.variables(policy_file(tmp_path, used.source))
    nowhere = {"SIGNALHIRE_BASE_URL": f"http://127.0.0.1:{port}/api/v1"}
    said = enrichment("run", **{**variables, **nowhere})
    assert_refused(said, "cannot be reached", "SIGNALHIRE_BASE_URL", status=1)
    assert contents(used.home) == before


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ENRICHMENT_PROVIDER": "zoominfo"}, ["ENRICHMENT_PROVIDER"]),
        ({"SIGNALHIRE_BASE_URL": "signalhire.example"}, ["SIGNALHIRE_BASE_URL"]),
        (
            {"SIGNALHIRE_BASE_URL": "https://www.signalhire.com/api/v1"},
            ["ENRICHMENT_PROVIDER=live"],
        ),
        ({"ENRICHMENT_CALLBACK_URL": "https://example.org"}, ["ENRICHMENT_CALLBACK_URL"]),
        ({"ENRICHMENT_LEDGER_URL": "no url"}, ["ENRICHMENT_LEDGER_URL"]),
        ({"ENRICHMENT_LEDGER_URL": "mysql://root:pa55word@db/ledger"}, ["ENRICHMENT_LEDGER_URL"]),
    ],
)
def test_an_environment_that_cannot_be_is_refused_by_the_variables_name(
    enrichment: Command, used: Used, tmp_path: Path, variables: dict[str, str], words: list[str]
) -> None:
    policy = policy_file(tmp_path, used.source)
    given = {"ENRICHMENT_CONFIG": policy, "SIGNALHIRE_BASE_URL": used.base_url, **variables}
    said = enrichment("plan", **given)
    assert_refused(said, *words)
    assert "pa55word" not in said.err


def test_only_what_asks_the_provider_needs_its_key(
    enrichment: Command, fresh: Used, tmp_path: Path
) -> None:
    given = {
        "ENRICHMENT_CONFIG": policy_file(tmp_path, fresh.source),
        "ENRICHMENT_PROVIDER": "live",
    }
    assert enrichment("plan", **given).status == 0
    assert enrichment("status", **given).status == 0
    assert_refused(enrichment("run", **given), "SIGNALHIRE_API_KEY")


# --- the state folder -------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "plan", "status"])
def test_a_state_folder_of_another_source_is_refused(
    enrichment: Command, used: Used, tmp_path: Path, command: str
) -> None:
    before = contents(used.home)
    other = tmp_path / "other"
    shutil.copytree(used.source, other)
    said = enrichment(command, **used.variables(policy_file(tmp_path, other)))
    assert_refused(said, str(used.source), str(other), "ENRICHMENT_HOME")
    assert contents(used.home) == before


@pytest.mark.parametrize("command", ["run", "plan", "status"])
def test_a_state_folder_of_another_provider_is_refused(
    enrichment: Command, used: Used, tmp_path: Path, command: str
) -> None:
    before = contents(used.home)
    variables = used.variables(policy_file(tmp_path, used.source))
    said = enrichment(command, **{**variables, "ENRICHMENT_PROVIDER": "live"})
    assert_refused(said, "'sandbox'", "'live'", "ENRICHMENT_HOME")
    assert contents(used.home) == before


def test_a_ledger_whose_place_depends_on_where_a_command_runs_is_refused(
    enrichment: Command, used: Used, tmp_path: Path
) -> None:
    variables = used.variables(policy_file(tmp_path, used.source))
    said = enrichment("plan", **variables, ENRICHMENT_LEDGER_URL="sqlite:///ledger.sqlite")
    assert_refused(said, "ENRICHMENT_LEDGER_URL", "sqlite:////absolute/path")


@pytest.mark.parametrize("where", ["below a file", "in /proc"])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_state_folder_that_cannot_be_written_is_refused(
    enrichment: Command, tmp_path: Path, command: str, where: str
) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "state" if where == "below a file" else Path("/proc/enrichment")
    assert_refused(enrichment(command, ENRICHMENT_HOME=home), str(home), "cannot be written")


def test_a_dagster_home_that_cannot_be_written_is_refused(
    enrichment: Command, used: Used, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    variables = used.variables(policy_file(tmp_path, used.source))
    said = enrichment("run", **variables, DAGSTER_HOME=tmp_path / "file" / "dagster")
    assert_refused(said, "DAGSTER_HOME", "cannot be written")


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--freshness", "rotten"], ["--freshness", "rotten", "new, retry, stale"]),
        (["run", "--priority", "urgent,bulk"], ["--priority", "urgent", "strategic"]),
        (["run", "--priority", ","], ["--priority", "nothing chosen"]),
        (["plan", "--freshness", "new|strategic"], ["--freshness", "new|strategic"]),
        (["run", "--as-of", "yesterday"], ["--as-of", "yesterday", "ISO"]),
        (["run", "--as-of", "2026-02-30"], ["--as-of", "2026-02-30"]),
        (["plan", "--as-of", "0001-01-01T00:00:00+14:00"], ["--as-of", "0001-01-01"]),
        (["plan", "--as-of", "soon"], ["--as-of", "soon"]),
        (["run", "--max-credits", "-1"], ["--max-credits"]),
        (["run", "--max-credits", "many"], ["--max-credits"]),
        (["run", "--limit", "-1"], ["--limit"]),
        (["run", "--contact"], ["--contact"]),
        (["run", "--nonsense"], ["--nonsense", "--help"]),
        (["enrich"], ["enrich"]),
        (["sandbox", "--port", "70000"], ["--port"]),
        (["sandbox", "--people", "nobody.csv"], ["nobody.csv"]),
        (["sandbox", "--people", "/proc/version"], ["/proc/version", ".csv"]),
    ],
)
def test_arguments_that_cannot_be_are_refused_by_their_name(
    enrichment: Command, arguments: list[str], words: list[str]
) -> None:
    assert_refused(enrichment(*arguments), *words)


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("days", [-2, 2])
def test_an_instant_more_than_a_day_away_needs_simulate(
    enrichment: Command, used: Used, tmp_path: Path, command: str, days: int
) -> None:
    before = contents(used.home)
    as_of = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    variables = used.variables(policy_file(tmp_path, used.source))
    assert_refused(enrichment(command, "--as-of", as_of, **variables), "--as-of", "--simulate")
    assert contents(used.home) == before


@pytest.mark.parametrize("command", ["run", "plan"])
def test_simulating_against_signalhire_itself_is_refused_before_any_request(
    enrichment: Command, monkeypatch: pytest.MonkeyPatch, fresh: Used, command: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("somebody opens a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    policy = policy_file(fresh.folder, fresh.source)
    arguments = (command, "--simulate", "--as-of", "2027-01-01")
    said = enrichment(*arguments, ENRICHMENT_CONFIG=policy, **SIGNALHIRE)
    assert_refused(said, "--simulate", "SignalHire")
    assert contents(fresh.home) == {}


@pytest.mark.parametrize("command", ["sandbox", "ui"])
def test_a_port_in_use_is_refused(enrichment: Command, used: Used, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = enrichment(
            command, "--port", port, SIGNALHIRE_BASE_URL=used.base_url, SIGNALHIRE_API_KEY=KEY
        )
    assert_refused(said, port, "in use", "--port")
