"""What `attach` in the policy file may say, and what of it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from enrichment_pipeline.attachment import (
    Attachment,
    Bucket,
    Database,
    Lake,
    UnsetVariableError,
    read_attachment,
)
from enrichment_pipeline.errors import ConfigurationError

KEY = "[source] attach"
ENVIRONMENT = {
    "CRM_PASSWORD": "gehe im",
    "LAKE": "lake",
    "KEY_ID": "AKOTHER",
    "KEY": "gehe+im/=",
    "AWS_REGION": "eu-central-1",
}


def attached(text: str, base: Path = Path("/base")) -> Attachment:
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
        (
            "mysql:host=db",
            r"\[source\] attach: mysql: cannot be read; there are postgres:, ",
        ),
        (
            "ducklake:mysql:db",
            r"ducklake:mysql: cannot be read; the catalogue must be",
        ),
        ("s3:bucket/x", r"\[source\] attach: must name a bucket, as in s3://bucket/prefix"),
        ("s3:///x", r"\[source\] attach: must name a bucket"),
        ("s3://bucket/*.csv", r"\[source\] attach: must be a prefix or an object, without \* and"),
        ("s3://bucket?regoin=x", r"\[source\] attach: the option regoin is not known"),
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


# --- object storage --------------------------------------------------------------------


def bucket(text: str) -> Bucket:
    found = attached(text)
    assert isinstance(found, Bucket)
    return found


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://crm", "s3://crm"),
        ("S3://crm/", "s3://crm"),
        ("s3://crm/exports/", "s3://crm/exports"),
        ("s3://crm/${LAKE}/contacts.csv?region=x", "s3://crm/lake/contacts.csv"),
    ],
)
def test_a_bucket_and_a_prefix_are_read(text: str, place: str) -> None:
    assert bucket(text).place == place


def test_options_of_a_bucket_count_before_the_environment_and_are_taken_as_they_are() -> None:
    text = "s3://crm?access_key_id=${KEY_ID}&secret_access_key=${KEY}&region=us-west-2"
    access = bucket(text).access
    assert access.region == "us-west-2"
    assert access.secret_access_key is not None
    assert access.secret_access_key.get_secret_value() == "gehe+im/="
    assert bucket("s3://crm").access.region == "eu-central-1"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("s3://crm/lake?region=x", "s3://crm/lake?region=x"),
        (
            "s3://crm?access_key_id=${KEY_ID}&secret_access_key=${KEY}&region=x",
            "s3://crm?access_key_id=${KEY_ID}&secret_access_key=${KEY}&region=x",
        ),
        (
            "s3://crm?access_key_id=AKID&secret_access_key=gehe+im/=&session_token=gehe im",
            "s3://crm?access_key_id=…&secret_access_key=…&session_token=…",
        ),
    ],
)
def test_no_key_of_a_bucket_is_shown(text: str, label: str) -> None:
    found = bucket(text)
    assert str(found) == label
    assert "gehe" not in repr(found)


# --- DuckLake --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "catalogue"),
    [
        ("ducklake:crm.ducklake", Path("/base/crm.ducklake")),
        ("ducklake:/lakes/${LAKE}", Path("/lakes/lake")),
    ],
)
def test_the_catalogue_of_a_ducklake_may_be_a_file(text: str, catalogue: Path) -> None:
    found = attached(text)
    assert isinstance(found, Lake)
    assert (found.catalogue, found.label) == (catalogue, text)
    assert found.access.region == "eu-central-1"


def test_the_catalogue_of_a_ducklake_may_be_in_postgres_whose_password_is_not_shown() -> None:
    found = attached("ducklake:postgres://joe:geheim@db/lake")
    assert isinstance(found, Lake)
    assert isinstance(found.catalogue, Database)
    assert found.catalogue.address.get_secret_value() == "postgresql://joe:geheim@db/lake"
    assert str(found) == "ducklake:postgres://joe:…@db/lake"
    assert "geheim" not in repr(found)


# --- Snowflake -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address", "label"),
    [
        ("snowflake:joe@acc/db/crm", "joe@acc/db/crm", "snowflake:joe@acc/db/crm"),
        (
            "snowflake://joe:${CRM_PASSWORD}@acc/db?warehouse=w",
            "joe:gehe%20im@acc/db?warehouse=w",
            "snowflake://joe:${CRM_PASSWORD}@acc/db?warehouse=w",
        ),
        ("snowflake:joe:ge@he/im@acc/db", "joe:ge@he/im@acc/db", "snowflake:joe:…@acc/db"),
        (
            "snowflake:joe@acc/db?authenticator=oauth&token=geheim&role=r",
            "joe@acc/db?authenticator=oauth&token=geheim&role=r",
            "snowflake:joe@acc/db?authenticator=oauth&token=…&role=r",
        ),
    ],
)
def test_the_address_of_a_snowflake_is_its_drivers_and_a_variable_in_it_is_encoded(
    text: str, address: str, label: str
) -> None:
    found = database(text)
    assert found.scheme == "snowflake"
    assert found.address.get_secret_value() == address
    assert str(found) == label
