"""What `attach` in the policy file may say, and what of it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from enrichment_pipeline.attachment import Database, UnsetVariableError, read_attachment
from enrichment_pipeline.errors import ConfigurationError

KEY = "[source] attach"
ENVIRONMENT = {"CRM_PASSWORD": "gehe im", "LAKE": "lake"}


def attached(text: str, base: Path = Path("/base")) -> Path | Database:
    return read_attachment(text, base, ENVIRONMENT, key=KEY)


def database(text: str) -> Database:
    found = attached(text)
    assert isinstance(found, Database)
    return found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("crm.duckdb", "/base/crm.duckdb"),
        ("../lake/contacts", "/lake/contacts"),
        ("/elsewhere/x.csv.gz", "/elsewhere/x.csv.gz"),
        ("${LAKE}/contacts", "/base/lake/contacts"),
        ("a$$b", "/base/a$b"),
    ],
)
def test_files_are_relative_to_the_policy_file(text: str, path: str) -> None:
    assert attached(text) == Path(path)


def test_a_folder_with_a_colon_in_its_name_is_no_scheme(tmp_path: Path) -> None:
    (tmp_path / "crm:2026").mkdir()
    assert attached("crm:2026", tmp_path) == tmp_path / "crm:2026"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("postgres:host=db dbname=crm", "host=db dbname=crm"),
        ("postgres://joe@db/crm", "postgresql://joe@db/crm"),
        ("postgresql://joe@db/crm", "postgresql://joe@db/crm"),
        ("Postgres:password=${CRM_PASSWORD}", "password=gehe im"),
    ],
)
def test_what_follows_the_scheme_is_the_clients_to_read(text: str, address: str) -> None:
    assert database(text).address.get_secret_value() == address
    assert database(text).scheme == "postgres"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("postgres:host=db password=${CRM_PASSWORD}", "postgres:host=db password=${CRM_PASSWORD}"),
        ("postgres:host=db password=geheim user=joe", "postgres:host=db password=… user=joe"),
        ("postgres:PASSWORD = 'ge\\'he im' user=joe", "postgres:PASSWORD = … user=joe"),
        ("postgres://joe:geheim@db/crm", "postgres://joe:…@db/crm"),
        ("postgres://joe:${CRM_PASSWORD}@db/crm", "postgres://joe:${CRM_PASSWORD}@db/crm"),
        ("postgres://db/crm?user=joe&password=geheim&x=1", "postgres://db/crm?user=joe&password=…&x=1"),
    ],
)  # fmt: skip
def test_no_password_is_shown_and_a_variable_by_its_name_only(text: str, label: str) -> None:
    found = database(text)
    assert found.label == str(found) == label
    assert "geheim" not in repr(found)
    assert "gehe im" not in repr(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("snowflake:acc/db", r"\[source\] attach: snowflake: cannot be read; there are postgres:"),
        ("s3://bucket/x", r"\[source\] attach: s3: cannot be read"),
        ("${NOT_SET}/x", r"\[source\] attach: the environment variable NOT_SET is not set"),
        ("cost$", r"\[source\] attach: a \$ must begin the name of an environment variable"),
    ],
)
def test_a_mistake_is_told_with_its_key(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        attached(text)


def test_a_variable_that_is_not_set_can_be_told_from_other_mistakes() -> None:
    with pytest.raises(UnsetVariableError):
        attached("postgres:password=${NOT_SET}")
