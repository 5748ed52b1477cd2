"""Contacts that a Dagster asset hands in."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.hand_in import hand_in
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.support import open_to_others, settings_for

ROWS = {"contact_id": ["C1", "C2"], "email": ["ada@quillforge.com", None]}


def settings_of(tmp_path: Path, policy: Policy | None = None) -> Settings:
    return settings_for(tmp_path / "state", policy or Policy(), None, takes_handed_in=True)


def kept(settings: Settings) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.handed_in_source), read_only=True) as connection:
        return connection.execute("select * from crm.contacts order by all").fetchall()


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame(ROWS), pa.table(ROWS), pa.table(ROWS).to_pandas(types_mapper=pd.ArrowDtype)],
    ids=["pandas", "arrow", "pandas over arrow"],
)
def test_a_frame_becomes_the_source_for_its_owner_alone(tmp_path: Path, frame: object) -> None:
    settings = settings_of(tmp_path)
    assert hand_in(settings, frame) == 2
    assert kept(settings) == [("C1", "ada@quillforge.com"), ("C2", None)]
    assert open_to_others(settings.home) == []
    assert settings.source == settings.handed_in_source


def test_the_next_frame_takes_its_place_whole(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    hand_in(settings, pd.DataFrame(ROWS))
    hand_in(settings, pd.DataFrame({"contact_id": ["C3"], "phone": ["+44 20 7946 0958"]}))
    assert kept(settings) == [("C3", "+44 20 7946 0958")]
    assert not list(settings.home.glob(".handed_in*"))


def test_what_stands_among_text_is_text(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    hand_in(settings, pd.DataFrame({"contact_id": ["C1", 2, None]}))
    assert kept(settings) == [("2",), ("C1",), (None,)]


@pytest.mark.parametrize("given", [None, {"contact_id": ["C1"]}, "contacts.csv"])
def test_what_is_no_frame_is_refused_by_its_type(tmp_path: Path, given: object) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(ConfigurationError, match=f"a {type(given).__name__} is neither"):
        hand_in(settings, given)
    assert not settings.home.exists()


def test_a_frame_without_columns_is_refused_and_the_last_one_stays(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    hand_in(settings, pd.DataFrame(ROWS))
    with pytest.raises(ConfigurationError, match="has no columns"):
        hand_in(settings, pd.DataFrame())
    assert len(kept(settings)) == 2


def test_the_state_of_another_source_is_left_alone(tmp_path: Path) -> None:
    sample = settings_for(tmp_path / "state", Policy(), None)
    sample.home.mkdir()
    (sample.home / "stamp.json").write_text('{"source": "sample", "answers": "sandbox"}')
    with pytest.raises(ConfigurationError, match="its contacts come from 'sample'"):
        hand_in(settings_of(tmp_path), pd.DataFrame(ROWS))


def test_a_run_before_anything_was_handed_in_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="materialise the asset handed_in_contacts"):
        open_state(Stores(settings_of(tmp_path)))
