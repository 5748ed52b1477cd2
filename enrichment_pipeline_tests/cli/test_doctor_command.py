"""`enrichment doctor`: what is wrong is told with what to do, and by the exit status."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from enrichment_pipeline.callback_urls import CALLBACK_PATH
from enrichment_pipeline.cli import checkup
from enrichment_pipeline.cli.checkup import NOTE, OK, WRONG, Finding
from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end.world import contents
from enrichment_pipeline_tests.support import policy_for, served, settings_for

NOWHERE = "/proc/enrichment"


def test_where_all_is_well_the_status_says_so_and_nothing_changes(
    ours: Command, tmp_path: Path
) -> None:
    before = contents(tmp_path / "state")
    said = ours("doctor")
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith("nothing is wrong\n")
    assert "SignalHire: its key is accepted; 100,000 credits left\n" in said.out
    assert "[source] contacts: gives rows" in said.out
    assert "wrong" not in said.out.removesuffix("nothing is wrong\n")
    told = json.loads(ours("doctor", "--json").out)
    assert told["is_well"] is True
    checks = {each["check"] for each in told["findings"]}
    assert {"versions", "configuration", "disk", "ledger", "warehouse", "source"} < checks
    assert contents(tmp_path / "state") == before


def test_a_new_folder_is_well_and_is_not_made(enrichment: Command, tmp_path: Path) -> None:
    said = enrichment("doctor")
    assert (said.status, said.err) == (0, "")
    assert "note  source: the sample, which the first run makes\n" in said.out
    assert not (tmp_path / "state").exists()


def test_a_mistake_in_the_configuration_is_a_finding(enrichment: Command, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[budget]\nper_rnu = 5")
    said = enrichment("doctor", ENRICHMENT_CONFIG=policy)
    assert (said.status, said.err) == (1, "")
    assert f"wrong configuration: policy file {policy}: unknown key budget.per_rnu\n" in said.out
    assert said.out.endswith("1 thing is wrong\n")
    told = json.loads(enrichment("doctor", "--json", ENRICHMENT_CONFIG=policy).out)
    assert told["is_well"] is False


def test_everything_that_is_wrong_is_told_at_once(ours: Command, tmp_path: Path) -> None:
    policy = (tmp_path / "enrichment.toml").read_text()
    (tmp_path / "enrichment.toml").write_text(
        policy.replace("select * from contacts", "select email from contacts")
        + '\n[waterfall]\norder = ["signalhire", "peopledatalabs"]\n'
    )
    (tmp_path / "state" / "ledger.sqlite").unlink()
    said = ours("doctor")
    assert (said.status, said.err) == (1, "")
    assert "wrong waterfall: People Data Labs is never asked" in said.out
    assert "wrong ledger: ledger " in said.out
    assert "wrong source: [source] contacts: the required column contact_id is missing" in said.out
    assert said.out.endswith("3 things are wrong\n")


def findings(check: checkup.Check, folder: Path = Path(NOWHERE), **changes: Any) -> list[Finding]:
    settings = settings_for(folder, Policy(), "http://127.0.0.1:9/api", **changes)
    return list(checkup._found_by("it", check, settings))


def test_a_provider_without_a_key_or_an_answer_is_wrong() -> None:
    [no_key] = findings(checkup._providers, provider="live", api_key=SecretStr(""))
    assert (no_key.verdict, "SIGNALHIRE_API_KEY: not set" in no_key.told) == (WRONG, True)
    [silent] = findings(checkup._providers)
    assert silent.verdict == WRONG
    assert "cannot be reached" in silent.told


def test_a_disk_without_room_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enrichment_pipeline.spill.LEAST_FREE_BYTES", 2**80)
    [full] = findings(checkup._disk, folder=tmp_path)
    assert full.verdict == WRONG
    assert full.told.endswith("Make room")


def test_a_folder_that_cannot_be_written_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests' user may write everywhere
    [state] = findings(checkup._state, folder=tmp_path)
    assert (state.verdict, "cannot be written by this user" in state.told) == (WRONG, True)


def test_a_source_without_contacts_is_wrong(tmp_path: Path) -> None:
    source = tmp_path / "crm"
    source.mkdir()
    (source / "contacts.csv").write_text("contact_id,email\n")
    (source / "accounts.csv").write_text("account_id\n")
    settings = settings_for(tmp_path / "state", policy_for(source), None)
    verdicts = {each.told: each.verdict for each in checkup._source(settings)}
    assert verdicts == {
        "[source] contacts: gives no row": WRONG,
        "[source] accounts: gives no row": NOTE,
    }


def test_a_public_url_is_told_by_the_refusal_that_is_our_servers_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    silent = checkup._answers("receiver", f"http://127.0.0.1:{port}/x", 405)
    assert (silent.verdict, "does not answer" in silent.told) == (WRONG, True)

    async def take(_request: Request) -> Response:
        return Response()

    app = Starlette(routes=[Route(CALLBACK_PATH, take, methods=["POST"])])
    config = uvicorn.Config(app, port=0, log_level="critical")
    with served(config) as port:
        settings = settings_for(
            Path(NOWHERE), Policy(), None, callback_url=f"http://127.0.0.1:{port}"
        )
        assert checkup._receiver(settings).verdict == OK
        other = checkup._entry(f"http://127.0.0.1:{port}/")
    assert (other.verdict, "answers 404, and not 401" in other.told) == (WRONG, True)


def test_a_version_of_another_duckdb_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"duckdb-extension-postgres-scanner": "1.4.0", "duckdb": "1.5.5"}
    monkeypatch.setattr(checkup, "version", lambda package: versions.get(package, "1.5.5"))
    first, other = checkup._versions()
    assert (first.verdict, other.verdict) == (OK, WRONG)
    assert "1.4.0 is for another DuckDB than 1.5.5" in other.told
