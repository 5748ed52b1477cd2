"""What an error may say that nobody foresaw."""

from __future__ import annotations

import errno
import os

import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError, redact_unexpected_errors


def told(error: Exception) -> str:
    @redact_unexpected_errors
    def publish() -> None:
        raise error

    with pytest.raises(PipelineError) as caught:
        publish()
    return str(caught.value)


def test_an_unforeseen_error_is_named_by_its_kind_alone() -> None:
    said = told(ValueError("ada@example.com"))
    assert said.startswith("publish failed unexpectedly (ValueError)")
    assert "ada" not in said


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EMFILE])
def test_what_the_system_says_of_a_file_is_told(number: int) -> None:
    why = os.strerror(number)
    assert told(OSError(number, why, "/state/published")) == f"publish: /state/published: {why}"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_what_is_safe_and_what_to_do(number: int) -> None:
    said = told(OSError(number, os.strerror(number), "/state/published"))
    assert said.startswith("publish: the disk of ENRICHMENT_HOME")
    assert "Nothing that was paid for is lost" in said
    assert "Make room" in said


def test_what_the_network_says_is_not_taken_for_a_file() -> None:
    assert "unexpectedly (ConnectionResetError)" in told(ConnectionResetError(104, "reset by ada"))


def test_an_error_that_is_meant_for_people_is_left_as_it_is() -> None:
    said = ConfigurationError("policy file x.toml: unknown key a")
    assert told(said) == str(said)
