"""What is published, as pandas frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import enrichment_pipeline
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.published_frames import read_published
from enrichment_pipeline.warehouse.publish import OUTCOME_TABLES, publish
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, VERIFIED, World, person
from enrichment_pipeline_tests.warehouse.prepared import prepared


@prepared
def found(world: World) -> None:
    """Ada was found, and another was not looked up yet."""
    world.load([ADA, person("C2")])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()


@pytest.fixture
def folder(found: World, tmp_path: Path) -> Path:
    publish(found.connection, tmp_path, run_id="run-1", published_at=START)
    return tmp_path


def test_the_tables_of_one_state_come_with_their_types(folder: Path):
    state = read_published(folder, tables=["contact_status", "enriched_contacts", "publication"])
    assert (state.run_id, state.published_at) == ("run-1", START)
    assert list(state) == ["contact_status", "enriched_contacts", "publication"]
    assert len(state) == 3
    status = state["contact_status"].set_index("contact_id")["status"]
    assert status.to_dict() == {"C1": "enriched", "C2": "queued"}
    types = state["enriched_contacts"].dtypes
    assert pd.api.types.is_bool_dtype(types["needs_manual_enrichment"])
    assert "timestamp[us, tz=UTC]" in str(types["enriched_at"])
    assert "ada" not in repr(state).lower()  # a notebook shows what a cell ends with


def test_without_names_it_is_what_became_of_each_contact(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert set(read_published(str(folder))) == set(OUTCOME_TABLES)
    monkeypatch.setenv("ENRICHMENT_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(PipelineError, match="nothing is published"):
        read_published()


def test_a_name_that_is_not_there_is_told_with_those_that_are(folder: Path):
    with pytest.raises(PipelineError, match="no table or view named contacts; there are accounts"):
        read_published(folder, tables=["contacts"])


def test_it_is_imported_from_the_package_when_it_is_asked_for():
    assert enrichment_pipeline.read_published is read_published
    with pytest.raises(AttributeError):
        _ = enrichment_pipeline.read_everything
