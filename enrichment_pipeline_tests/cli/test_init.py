"""`enrichment init`: from a source, or from nothing, to a policy file that works."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from enrichment_pipeline.cli.policy_text import policy_text
from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.cli.test_bad_input import assert_refused
from enrichment_pipeline_tests.cli.test_commands import figures
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.support import open_to_others, write_csv

CONTACTS = [
    {"id": "101", "property_email": "ada@example.com", "property_associatedcompanyid": "201"},
    {"id": "102", "property_firstname": "Bob", "property_email": "bob@sample.com"},
    {"id": "103", "property_email": "gone@sample.com", "_fivetran_deleted": "TRUE"},
]
COMPANIES = [{"id": "201", "property_name": "Example", "property_domain": "example.com"}]


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    """HubSpot's contacts and companies as Fivetran leaves them, as files."""
    folder = tmp_path / "crm"
    write_csv(folder / "contact.csv", CONTACTS)
    write_csv(folder / "company.csv", COMPANIES)
    return folder


def test_a_source_becomes_a_policy_file_over_which_plan_works(
    enrichment: Command, crm: Path, tmp_path: Path
) -> None:
    said = enrichment("init", "--attach", "crm")
    assert (said.status, said.err) == (0, "")
    shown = figures(said.out)
    assert shown["email"] == ["property_email", "100 %"]
    assert shown["account_id"] == ["property_associatedcompanyid", "50 %"]
    assert shown["all"] == ["2", "2", "0"]
    assert "contact: rows are left out by _fivetran_deleted\n" in said.out
    assert "not found of contacts: last_name, full_name, phone, linkedin_url" in said.out
    # rows are for a terminal only
    assert "ada@example.com" not in said.out
    state = tmp_path / "state"
    assert f"written: {state / 'enrichment.toml'}\n" in said.out
    # nothing else is left, and nothing is bound to this source yet
    assert {each.name for each in state.iterdir()} == {"enrichment.toml", "runs"}
    assert open_to_others(state) == []

    planned = enrichment("plan")
    assert (planned.status, planned.err) == (0, "")
    assert figures(planned.out)["all"] == ["2", "2", "0"]
    assert "nothing reads" not in planned.out

    again = enrichment("init", "--attach", "crm")
    assert_refused(again, str(state / "enrichment.toml"), "there already", "--replace")
    replaced = enrichment("init", "--attach", "crm", "--replace", "--name", "other")
    # the state folder is this source's by now
    assert_refused(replaced, "'crm'", "'other'")
    assert tomllib.loads((state / "enrichment.toml").read_text())["source"]["name"] == "crm"


def test_whoever_has_nothing_gets_the_sample(enrichment: Command, tmp_path: Path) -> None:
    said = enrichment("init")
    assert (said.status, said.err) == (0, "")
    assert "a trial of the sample" in said.out
    policy = Policy.model_validate(
        tomllib.loads((tmp_path / "state" / "enrichment.toml").read_text())
    )
    assert policy.source.attach is None
    assert len(policy.waterfall.order) > 1


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--contacts", "people"], {}, ["--attach is missing"]),
        (["--attach", "nowhere"], {}, ["nowhere", "no such file or folder"]),
        (["--attach", "oracle://db/crm"], {}, ["oracle: cannot be read"]),
        (["--attach", "postgres:host=db password=pa55word"], {}, ["password", "${CRM_PASSWORD}"]),
        (["--attach", "postgres:host=db password=${NOT_SET}"], {}, ["NOT_SET is not set"]),
        (["--attach", "crm", "--contacts", "people"], {}, ["--contacts people", "contact"]),
        (["--attach", "crm", "--accounts", "firms"], {}, ["--accounts firms", "company"]),
        (["--attach", "crm", "--providers", "acme"], {}, ["--providers", "acme"]),
        ([], {"ENRICHMENT_PROVIDER": "live"}, ["--attach is missing", "sample"]),
        (["--attach", "crm"], {"ENRICHMENT_HOME": "/proc/state"}, ["cannot be written"]),
        (
            ["--attach", "crm"],
            {"ENRICHMENT_CONFIG": "missing/enrichment.toml"},
            ["policy file", "cannot be written"],
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    enrichment: Command,
    crm: Path,
    tmp_path: Path,
    arguments: list[str],
    variables: dict[str, str],
    words: list[str],
) -> None:
    said = enrichment("init", *arguments, **variables)
    assert_refused(said, *words)
    assert "pa55word" not in said.err
    assert list(tmp_path.rglob("*.toml")) == []


def test_a_policy_is_written_whatever_its_values_hold() -> None:
    odd = "select \"it's\" as \"contact_id\", '''x''' as \"back\\slash\" -- \u00e9 \U0001f600\t"
    text = policy_text(
        'a "b" \\ c', name="n", contacts=f"{odd}\nfrom x", accounts="select 1\nfrom y"
    )
    read = Policy.model_validate(tomllib.loads(text)).source
    assert (read.attach, read.name) == ('a "b" \\ c', "n")
    assert read.contacts == f"{odd}\nfrom x"
    assert read.accounts is not None
    assert read.accounts.strip() == "select 1\nfrom y"


def in_a_terminal(folder: Path, answers: str, *arguments: str) -> tuple[int, str]:
    """The command's status and what a person at a terminal sees, who types these answers."""
    terminal, of_command = pty.openpty()
    command = world.command(*arguments)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=world.environment(folder, COLUMNS="60", TERM="dumb"),
        stdin=of_command,
        stdout=of_command,
        stderr=of_command,
        close_fds=True,
    ) as process:
        os.close(of_command)
        os.write(terminal, answers.encode())
        seen = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the command has ended
                break
            seen += part
            if not part:
                break
        status = process.wait()
    os.close(terminal)
    return status, seen.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_in_a_terminal_a_person_is_asked_and_sees_the_rows(crm: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no source")
    # where, which contacts (first a wrong answer), which accounts, which providers, write it?
    status, seen = in_a_terminal(tmp_path, "crm\npeople\ncontact\n\n\ny\n", "init")
    assert status == 0, seen
    assert "--contacts people: is no table of the source; there are company, contact" in seen
    assert "ada@example.com" in seen
    assert "gone@sample.com" not in seen
    written = tomllib.loads((tmp_path / "state" / "enrichment.toml").read_text())
    assert written["source"]["attach"] == str(crm)
    assert written["waterfall"]["order"] == ["signalhire"]


def test_a_person_who_ends_the_questions_gets_no_traceback_and_no_file(
    crm: Path, tmp_path: Path
) -> None:
    end_of_input = "\x04"
    status, seen = in_a_terminal(tmp_path, end_of_input, "init")
    assert status == 1, seen
    assert "Traceback" not in seen
    assert list(tmp_path.rglob("*.toml")) == []
