"""Frames of contacts at the point of entry: what is taken, what is refused, what comes back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from enrichment_pipeline.entry.enrichment import Enrichment, FieldValue
from enrichment_pipeline.entry.frames import FIELDS, MOST_ROWS, RATED, as_frame, contacts_in
from enrichment_pipeline.warehouse.statements import text_of

ANN = {"full_name": "Ann Example", "email": "ann@example.com"}


def test_rows_are_contacts_in_their_order_whatever_kind_of_frame_it_is() -> None:
    rows = {"contact_id": ["2", "1"], "email": ["b@example.com", None]}
    for frame in (pd.DataFrame(rows, index=[7, 3]), pa.table(rows)):
        first, second = contacts_in(frame)
        assert (first.id, first.email) == ("2", "b@example.com")
        assert (second.id, second.email) == ("1", None)


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA, pd.NaT, "", "  "])
def test_an_empty_cell_is_none_however_it_is_written(empty: object) -> None:
    [contact] = contacts_in(pd.DataFrame({"email": ["ann@example.com"], "phone": [empty]}))
    assert contact.phone is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (17, "17"),
        (17.0, "17"),
        (np.int64(17), "17"),
        (datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T09:00:00+00:00"),
    ],
)
def test_a_number_or_an_instant_is_the_text_that_a_contact_has(cell: object, text: str) -> None:
    [contact] = contacts_in(pd.DataFrame({"contact_id": [cell]}, dtype=object))
    assert contact.contact_id == text


def test_ids_with_gaps_stay_whole_numbers() -> None:
    first, second = contacts_in(pd.DataFrame({"contact_id": [17, None], "phone": [None, "+1 5"]}))
    assert (first.contact_id, second.contact_id) == ("17", None)


def test_rows_that_cannot_be_taken_are_told_by_their_positions_and_quoted_nowhere() -> None:
    secret = "secret\x00"
    emails = [ANN["email"], secret, ["secret"], "b@example.com"]
    with pytest.raises(ValueError, match="row 1, counted from 0: email: ") as caught:
        contacts_in(pd.DataFrame({"email": emails}))
    assert "2 of 4 rows cannot be taken: 1, 2" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_column_that_no_contact_has_is_named() -> None:
    with pytest.raises(ValueError, match="the column E-Mail is none of a contact's"):
        contacts_in(pd.DataFrame({"E-Mail": ["ann@example.com"]}))


def test_a_column_that_is_there_twice_is_named() -> None:
    frame = pd.DataFrame([["a@example.com", "b@example.com"]], columns=["email", "email"])
    with pytest.raises(ValueError, match="several columns email"):
        contacts_in(frame)


def test_a_large_frame_is_sent_to_a_run() -> None:
    frame = pd.DataFrame({"email": ["ann@example.com"] * (MOST_ROWS + 1)})
    with pytest.raises(ValueError, match="let a run enrich them"):
        contacts_in(frame)


def test_what_is_no_frame_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match="a list is neither"):
        contacts_in([ANN])


ENRICHED = Enrichment(
    contact_id="C1",
    status="enriched",
    fields={
        "work_email": FieldValue(value="ann@example.com", status="verified"),
        "location": FieldValue(value="Basel"),
    },
    credits=1,
    next_lookup_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
)
WAITING = Enrichment(contact_id="C2", status="queued", reason="budget")


def test_answers_have_the_index_and_the_order_of_the_frame() -> None:
    shown = as_frame([ENRICHED, WAITING], like=pd.DataFrame({"email": ["a", "b"]}, index=[7, 3]))
    assert list(shown.index) == [7, 3]
    assert list(shown["status"]) == ["enriched", "queued"]
    assert shown.loc[7, "work_email_status"] == "verified"
    assert shown.loc[7, "location"] == "Basel"
    assert pd.isna(shown.loc[3, "work_email"])
    assert list(shown["credits"]) == [1, 0]
    assert shown.loc[7, "next_lookup_at"] == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_columns_and_types_are_the_same_whatever_was_found() -> None:
    full, nothing = (as_frame(each, like=pa.table({})) for each in ([ENRICHED], []))
    assert full.schema == nothing.schema
    assert {"work_email_status", "mobile_phone_status"} < set(full.column_names)
    assert "location_status" not in full.column_names


def test_every_field_that_an_answer_can_have_is_a_column() -> None:
    told = text_of("read_entry_answers")
    listed = told[told.index("unnest([") : told.index("]) as field")]
    assert [word.strip("', \n") for word in listed.split("[")[1].split(",")] == list(FIELDS)
    assert all(f"{name}_status" in told for name in RATED)
