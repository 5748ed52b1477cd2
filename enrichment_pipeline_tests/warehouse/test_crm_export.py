"""Upsert files for CRMs: what changed since the last one, and nothing unverified as verified."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.warehouse.crm_export import ID_FIELDS, export_changes
from enrichment_pipeline_tests.warehouse.sinks import Publisher

ACCEPT = "update enrichment.contact_status set status = 'enriched' where contact_id = 'C1'"
LIKELY = "update enrichment.enriched_contacts set work_email_status = 'likely'"


class Place:
    """A folder that exports go to, one file after the other."""

    def __init__(self, folder: Path, publisher: Publisher) -> None:
        self.folder, self.publisher = folder, publisher
        self.exports = 0

    def export(self, crm: str = "salesforce", **options: Any) -> list[dict[str, str]]:
        """What the next file holds; no rows where there is none."""
        self.exports += 1
        file = self.folder / f"{self.exports}.csv"
        settings: dict[str, Any] = {
            "id_field": ID_FIELDS[crm],
            "statuses": ("verified",),
            **options,
        }
        rows = export_changes(
            self.publisher.folder, self.folder / "given", self.folder, file, crm=crm, **settings
        )
        if not file.exists():
            assert rows == 0
            return []
        assert file.stat().st_mode & 0o077 == 0
        with file.open(encoding="utf-8", newline="") as opened:
            read = list(csv.DictReader(opened))
        assert len(read) == rows
        return read


@pytest.fixture
def place(publisher: Publisher, tmp_path: Path) -> Place:
    publisher.publish(ACCEPT)
    return Place(tmp_path, publisher)


def test_an_enriched_contact_is_a_row_with_the_names_of_each_crm(place: Place) -> None:
    [row] = place.export("salesforce")
    assert row["Contact_ID__c"] == "C1"
    assert (row["Email"], row["Email_Status__c"]) == ("ada@acme.com", "verified")
    assert {"Title", "Phone", "MobilePhone", "LinkedIn_URL__c", "Enriched_On__c"} <= row.keys()
    [row] = place.export("hubspot", id_field="hs_object_id")
    assert (row["hs_object_id"], row["email"]) == ("C1", "ada@acme.com")
    assert {"jobtitle", "company", "mobilephone", "hs_linkedin_url"} <= row.keys()


def test_only_what_changed_since_the_last_export_to_the_place(place: Place) -> None:
    place.export()
    assert place.export() == []
    place.publisher.publish("update enrichment.enriched_contacts set enriched_at = now()")
    assert place.export() == []  # looked up again, and found the same
    place.publisher.publish("update enrichment.enriched_contacts set job_title = '=CEO, \"x\"'")
    [row] = place.export()
    assert row["Title"] == '=CEO, "x"'
    assert len(place.export(exports_all=True)) == 1


def test_an_address_that_is_not_verified_is_left_out_unless_asked_for(place: Place) -> None:
    place.publisher.publish(LIKELY)
    [row] = place.export()
    assert (row["Email"], row["Email_Status__c"]) == ("", "")
    [row] = place.export(statuses=("verified", "likely"))
    assert (row["Email"], row["Email_Status__c"]) == ("ada@acme.com", "likely")


def test_what_is_not_shown_any_more_is_told_by_its_status(place: Place) -> None:
    place.export()
    place.publisher.publish(LIKELY)
    [row] = place.export()
    assert (row["Email"], row["Email_Status__c"]) == ("", "withdrawn")
    place.publisher.publish("delete from enrichment.enriched_contacts")
    [row] = place.export()
    assert (row["Contact_ID__c"], row["Title"], row["Email_Status__c"]) == ("C1", "", "withdrawn")
    assert place.export() == []


def test_who_waits_for_review_or_is_suppressed_is_left_out(place: Place) -> None:
    for status in ("needs_review", "suppressed"):
        place.publisher.publish(
            f"update enrichment.contact_status set status = '{status}' where contact_id = 'C1'"
        )
        assert place.export() == []


def test_a_file_that_is_there_is_not_overwritten_and_nothing_passes_for_given(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "1.csv").write_text("not imported yet")
    with pytest.raises(ConfigurationError, match=r"1\.csv: exists"):
        place.export()
    assert len(place.export()) == 1


def test_without_a_publication_there_is_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="nothing is published"):
        export_changes(
            *(tmp_path / name for name in ("published", "given", "place", "a.csv")),
            crm="hubspot",
            id_field="contact_id",
            statuses=("verified",),
        )
