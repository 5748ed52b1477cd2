"""Object storage as a source: the same tables as in a folder, and nothing besides."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse.attached_source import attached_source
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.load import load_accounts, load_contacts
from enrichment_pipeline_tests.storage import SECRET, ObjectStorage, running_storage
from enrichment_pipeline_tests.support import START

CSV = "contact_id,email\n007,a@one.com\n"


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with running_storage() as storage:
        yield storage


@pytest.fixture
def bucket(storage: ObjectStorage, request: pytest.FixtureRequest) -> str:
    """The address of a bucket of a test's own."""
    return storage.make_bucket(f"bucket-{abs(hash(request.node.name)):x}")


def parquet(folder: Path, query: str) -> bytes:
    file = folder / "made.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{file}' (format parquet)")
    return file.read_bytes()


def rows(storage: ObjectStorage, address: str, query: str) -> list[tuple[object, ...]]:
    with attached_source(storage.attached(address)) as reading:
        return reading.execute(query).fetchall()


def test_what_lies_below_a_prefix_is_read_like_a_folder(
    storage: ObjectStorage, bucket: str, tmp_path: Path
) -> None:
    lake = f"{bucket}/lake"
    storage.put(f"{lake}/contacts/region=07/a.csv", CSV)
    storage.put(f"{lake}/contacts/region=DE/b.csv.gz", gzip.compress(b"contact_id,n\n8,x\n"))
    storage.put(f"{lake}/contacts/_SUCCESS", "")
    storage.put(f"{lake}/accounts.jsonl", '{"account_id": "01"}\n{"account_id": "02", "n": 5}\n')
    storage.put(f"{lake}/leads/a.parquet", parquet(tmp_path, "select '01' as contact_id"))
    storage.put(f"{lake}/deep/deeper/a.csv", CSV)
    storage.put(f"{bucket}/elsewhere.csv", CSV)
    query = "select contact_id, email, n, region from contacts order by contact_id"
    told = [("007", "a@one.com", None, "07"), ("8", None, "x", "DE")]
    for address in (lake, f"{lake}/"):
        assert rows(storage, address, query) == told
        assert rows(storage, address, "from accounts") == [("01", None), ("02", "5")]
        assert rows(storage, address, "from leads") == [("01",)]
        with attached_source(storage.attached(address)) as reading:
            views = "select view_name from duckdb_views() where not internal and not temporary"
            assert sorted(reading.execute(views).fetchall()) == [
                ("accounts",), ("contacts",), ("leads",)
            ]  # fmt: skip


def test_a_whole_bucket_and_one_object_are_sources(storage: ObjectStorage, bucket: str) -> None:
    storage.put(f"{bucket}/contacts.csv", CSV)
    for address in (bucket, f"{bucket}/contacts.csv"):
        assert rows(storage, address, "from contacts") == [("007", "a@one.com")]


def test_no_name_of_an_object_is_a_pattern(storage: ObjectStorage, bucket: str) -> None:
    storage.put(f"{bucket}/we[i]*rd 'ü' +%41.csv", CSV)
    storage.put(f"{bucket}/weird 'ü' +A.csv", "contact_id,email\n1,decoy\n")
    query = "from \"we[i]*rd 'ü' +%41\""
    assert rows(storage, bucket, query) == [("007", "a@one.com")]


def test_contacts_and_accounts_are_loaded_from_it(
    warehouse: duckdb.DuckDBPyConnection, storage: ObjectStorage, bucket: str
) -> None:
    storage.put(f"{bucket}/contacts.csv", CSV)
    storage.put(f"{bucket}/accounts.csv", "account_id,tier\nA1,target\n")
    source = storage.attached(bucket)
    policy = SourcePolicy(contacts="from contacts", accounts="from accounts")
    with transaction(warehouse):
        load_accounts(warehouse, policy, source, loaded_at=START)
        load_contacts(warehouse, policy, source, phone_region="", loaded_at=START)
    query = "select contact_id, email, (select tier from staging.accounts) from staging.contacts"
    assert warehouse.execute(query).fetchall() == [("007", "a@one.com", "target")]


# --- nothing besides -------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_prefixes(storage: ObjectStorage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Objects beside a prefix that is attached, and a file of this machine."""
    storage.make_bucket("mine")
    storage.put("s3://mine/crm/contacts.csv", CSV)
    storage.put("s3://mine/crm-payroll/secret.csv", CSV)
    storage.put("s3://mine/secret.csv", CSV)
    storage.make_bucket("others")
    storage.put("s3://others/secret.csv", CSV)
    local = tmp_path_factory.mktemp("local") / "secret.csv"
    local.write_text(CSV)
    return local


@pytest.mark.parametrize(
    "query",
    [
        "from read_csv('s3://mine/secret.csv')",
        "from read_csv('s3://mine/crm/../secret.csv')",
        "from read_csv('s3://mine/crm/%2e%2e/secret.csv')",
        "from read_csv('s3://mine/crm/contacts.csv/../../secret.csv')",
        "from read_csv('s3://mine/crm-payroll/secret.csv')",
        "from read_csv('s3://others/secret.csv')",
        "from 's3://others/secret.csv'",
        "from read_csv('s3://mine/*.csv')",
        "from glob('s3://mine/*')",
        "from read_csv('{url}/mine/secret.csv')",
        "from read_text('{url}/mine/secret.csv')",
        "from read_csv('{local}')",
    ],
)
@pytest.mark.parametrize("attached", ["s3://mine/crm", "s3://mine/crm/contacts.csv"])
def test_no_other_object_and_no_file_is_read(
    storage: ObjectStorage, two_prefixes: Path, query: str, attached: str
) -> None:
    query = query.format(url=storage.url, local=two_prefixes)
    with attached_source(storage.attached(attached)) as reading:
        assert reading.execute("from contacts").fetchall()
        with pytest.raises(duckdb.PermissionException):
            reading.execute(query)


def test_no_query_shows_the_key(storage: ObjectStorage, two_prefixes: Path) -> None:
    with attached_source(storage.attached("s3://mine/crm")) as reading:
        told = reading.execute("from duckdb_secrets()").fetchall()
        assert SECRET not in str(told)
        with pytest.raises(duckdb.Error):
            reading.execute("from duckdb_secrets(redact=false)")


# --- mistakes --------------------------------------------------------------------------


def told(storage: ObjectStorage, address: str, **environment: str) -> str:
    """The one line that tells what is wrong."""
    with (
        pytest.raises(ConfigurationError) as caught,
        attached_source(storage.attached(address, **environment)),
    ):
        pass
    line = str(caught.value)
    assert "\n" not in line
    assert "geheim" not in line
    return line


def test_an_empty_prefix_and_a_missing_object_are_told(storage: ObjectStorage, bucket: str) -> None:
    storage.put(f"{bucket}/notes.txt", "")
    assert told(storage, bucket).endswith(
        f"source {bucket}: holds no CSV, JSON Lines or Parquet file"
    )
    line = told(storage, f"{bucket}/contacts.csv")
    assert line.startswith(f"source {bucket}/contacts.csv: cannot be read (HTTP 404 Not Found)")


def test_a_missing_bucket_is_told(storage: ObjectStorage) -> None:
    line = told(storage, "s3://nowhere/crm")
    assert line.startswith("source s3://nowhere/crm: cannot be reached (HTTP 404 Not Found)")


def test_a_refused_key_is_told_with_what_to_check(storage: ObjectStorage, bucket: str) -> None:
    storage.put(f"{bucket}/contacts.csv", CSV)
    httpx.post(f"{storage.url}/moto-api/reset-auth", content="0").raise_for_status()
    try:
        address = f"{bucket}?access_key_id=AKOTHER&secret_access_key=geheim"
        for place in (address, address.replace("?", "/contacts.csv?")):
            line = told(storage, place)
            assert "HTTP 403" in line
            assert "AKOTHER" not in line
    finally:
        httpx.post(f"{storage.url}/moto-api/reset-auth", content="inf")


def test_a_server_that_is_not_there_is_told(storage: ObjectStorage) -> None:
    line = told(storage, "s3://mine/crm", AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")
    assert line.startswith("source s3://mine/crm: cannot be reached (")
