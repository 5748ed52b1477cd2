"""How object storage is reached: the options of an address before the variables of AWS's tools."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.storage_access import StorageAccess, read_storage_access

KEY = "[source] attach"
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "geheim"}


def access(options: dict[str, str], environment: dict[str, str]) -> StorageAccess:
    return read_storage_access(options, environment, key=KEY)


def test_without_anything_it_is_aws_as_anybody() -> None:
    assert access({}, {}) == StorageAccess()
    assert StorageAccess().access_key_id is None


def test_the_variables_of_aws_are_read() -> None:
    variables = {**KEYS, "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-central-1"}
    assert access({}, variables) == StorageAccess(
        access_key_id=SecretStr("id"),
        secret_access_key=SecretStr("geheim"),
        session_token=SecretStr("token"),
        region="eu-central-1",
    )
    assert access({}, {"AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"
    assert access({}, {"AWS_REGION": ""}).region == "us-east-1"


@pytest.mark.parametrize(
    ("options", "endpoint", "style"),
    [
        ({}, "https://minio:9000", "path"),
        ({"url_style": "vhost"}, "https://minio:9000", "vhost"),
        ({"endpoint_url": "http://here"}, "http://here", "path"),
    ],
)
def test_the_endpoint_for_s3_counts_before_that_for_all_of_aws(
    options: dict[str, str], endpoint: str, style: str
) -> None:
    variables = {"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "https://minio:9000"}
    found = access(options, variables)
    assert (found.endpoint_url, found.url_style) == (endpoint, style)
    assert access({}, {"AWS_ENDPOINT_URL": "http://all"}).endpoint_url == "http://all"


def test_keys_come_from_one_place_all_of_them() -> None:
    options = {"access_key_id": "other", "secret_access_key": "word"}
    found = access(options, {**KEYS, "AWS_SESSION_TOKEN": "token of the other key"})
    assert found.access_key_id == SecretStr("other")
    assert found.session_token is None
    assert "word" not in repr(found)


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ({"secret": "x"}, {}, "the option secret is not known; there are access_key_id, "),
        ({}, {"AWS_ACCESS_KEY_ID": "x"}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong"),
        ({"secret_access_key": "x"}, KEYS, "the option access_key_id and the option secret_acc"),
        ({"endpoint_url": "minio:9000"}, {}, "must be a URL without a path"),
        ({}, {"AWS_ENDPOINT_URL": "http://minio/s3"}, "must be a URL without a path"),
        ({"url_style": "virtual"}, {}, "url_style must be path or vhost"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_without_a_secret(
    options: dict[str, str], environment: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        access(options, environment)
    assert str(caught.value).startswith(f"{KEY}: ")
    assert words in str(caught.value)
