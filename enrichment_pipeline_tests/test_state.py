"""The state folder: its stamp, and the locks by which live runs are told from dead ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from enrichment_pipeline import state
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import (
    check_stamp,
    dead_runs,
    ensure_state_folder,
    forget_dead_run,
    hold_run_lock,
    refuse_other_stamp,
    release_run_lock,
    stamp_of,
    stamp_with_ledger,
)
from enrichment_pipeline_tests.support import settings_for


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder that was made, and is not stamped yet."""
    home = tmp_path / "home"
    ensure_state_folder(sample(home))
    return home


def sample(home: Path, **changes: Any) -> Settings:
    return settings_for(home, Policy(), None, **changes)


def over(home: Path, source: str) -> Settings:
    return settings_for(home, Policy.model_validate({"source": {"attach": source}}), None)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- the folder ------------------------------------------------------------------------


def test_the_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    settings = sample(tmp_path / "a" / "b")
    ensure_state_folder(settings)
    ensure_state_folder(settings)
    assert files(tmp_path / "a") == ["b", "b/runs"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be written .*set ENRICHMENT_HOME"):
        ensure_state_folder(sample(tmp_path / "file" / "home"))


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ConfigurationError, match=r"cannot be written \(Permission denied\)"):
        ensure_state_folder(sample(tmp_path / "home"))


# --- the stamp -------------------------------------------------------------------------


def test_the_first_use_stamps_the_folder(home: Path) -> None:
    check_stamp(sample(home))
    assert json.loads((home / "stamp.json").read_text()) == {
        "source": "sample",
        "answers": "sandbox",
    }
    assert files(home) == ["runs", "stamp.json"]
    check_stamp(sample(home))


def test_asking_does_not_stamp(home: Path) -> None:
    check_stamp(sample(home), is_first_use=False)
    assert files(home) == ["runs"]


def test_a_folder_that_is_not_there_yet_is_nobodys(tmp_path: Path) -> None:
    check_stamp(sample(tmp_path / "nowhere"), is_first_use=False)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("is_first_use", [True, False])
def test_another_source_is_refused(home: Path, is_first_use: bool) -> None:
    check_stamp(sample(home))
    before = (home / "stamp.json").read_text()
    with pytest.raises(ConfigurationError) as caught:
        check_stamp(over(home, "/data/crm.duckdb"), is_first_use=is_first_use)
    message = str(caught.value)
    assert "its contacts come from 'sample', not from '/data/crm.duckdb'" in message
    assert str(home) in message
    assert "use another ENRICHMENT_HOME" in message
    assert (home / "stamp.json").read_text() == before


@pytest.mark.parametrize(("first", "then"), [("sandbox", "live"), ("live", "sandbox")])
def test_the_sandboxs_answers_never_stand_beside_real_ones(
    home: Path, first: str, then: str
) -> None:
    check_stamp(sample(home, provider=first))
    with pytest.raises(
        ConfigurationError, match=f"its answers come from '{first}', not .*'{then}'"
    ):
        check_stamp(sample(home, provider=then))


def test_another_sandbox_is_the_same_kind_of_answers(home: Path) -> None:
    check_stamp(sample(home))
    check_stamp(settings_for(home, Policy(), "http://127.0.0.1:9/api"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"sample"', "5", "{}", '{"source": 1}'])
def test_a_stamp_that_cannot_be_read_is_told(home: Path, text: str) -> None:
    (home / "stamp.json").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        check_stamp(sample(home))
    assert str(home) in str(caught.value)
    assert (home / "stamp.json").read_text() == text


def test_every_store_is_held_to_the_same_stamp(home: Path) -> None:
    stamp = stamp_of(sample(home))
    refuse_other_stamp("ledger", dict(stamp), stamp)
    with pytest.raises(ConfigurationError, match=r"^ledger: its answers come from 'live'"):
        refuse_other_stamp("ledger", {**stamp, "answers": "live"}, stamp)


def test_a_stamp_with_the_older_word_is_a_live_providers_and_stays(home: Path) -> None:
    """Versions that knew one provider stamped its name: the folder, the ledger, the warehouse."""
    older = {"source": "sample", "answers": "signalhire"}
    live = sample(home, provider="live")
    (home / "stamp.json").write_text(json.dumps(older))
    check_stamp(live)
    refuse_other_stamp("ledger", older, stamp_of(live))
    with pytest.raises(ConfigurationError, match=r"its answers come from 'live', not .*'sandbox'"):
        check_stamp(sample(home))
    stamp_with_ledger(live, "a" * 32)
    assert json.loads((home / "stamp.json").read_text()) == {**older, "ledger": "a" * 32}


_STAMP = """
import sys
from pathlib import Path
from enrichment_pipeline.state import check_stamp
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline_tests.test_state import over
settings = over(Path(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
try:
    check_stamp(settings)
except ConfigurationError:
    print("refused")
else:
    print("stamped")
"""


def test_of_two_processes_that_stamp_at_once_one_is_refused(home: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _STAMP, str(home), f"/source/{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        for n in range(3)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(said) == ["refused", "refused", "stamped"]
    winner = said.index("stamped")
    assert json.loads((home / "stamp.json").read_text())["source"] == f"/source/{winner}"
    assert files(home) == ["runs", "stamp.json"]


def test_who_comes_second_reads_the_whole_stamp_of_the_first(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process is first between our look and our write."""
    write_new = state.write_new

    def be_second(path: Path, text: str) -> None:
        monkeypatch.setattr(state, "write_new", write_new)
        check_stamp(over(home, "/source/first"))
        write_new(path, text)

    monkeypatch.setattr(state, "write_new", be_second)
    with pytest.raises(ConfigurationError, match="come from '/source/first'"):
        check_stamp(over(home, "/source/second"))
    assert files(home) == ["runs", "stamp.json"]


# --- run locks -------------------------------------------------------------------------

_RUN = """
import sys
from pathlib import Path
from enrichment_pipeline.state import hold_run_lock, release_run_lock
home, run_id = Path(sys.argv[1]), sys.argv[2]
hold_run_lock(home, run_id)
print("held", flush=True)
if sys.stdin.readline() == "release\\n":
    release_run_lock(home, run_id)
    print("released", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def running(home: Path, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(home), run_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def run_id() -> str:
    """A name of the test's own: locks of this process are kept for its lifetime."""
    return uuid4().hex


def test_a_run_of_this_process_is_alive_until_it_is_over(home: Path, run_id: str) -> None:
    hold_run_lock(home, run_id)
    hold_run_lock(home, run_id)
    assert dead_runs(home) == []
    assert files(home / "runs") == [f"{run_id}.lock"]
    release_run_lock(home, run_id)
    assert dead_runs(home) == []
    assert files(home / "runs") == []
    release_run_lock(home, run_id)


def test_a_run_of_another_process_is_alive_until_it_is_over(home: Path, run_id: str) -> None:
    with running(home, run_id) as process:
        assert dead_runs(home) == []
        assert process.stdin
        assert process.stdout
        process.stdin.write("release\n")
        process.stdin.flush()
        assert process.stdout.readline() == "released\n"
        assert dead_runs(home) == []
        assert files(home / "runs") == []


def test_a_killed_run_is_dead_until_its_successor_has_cleared_up(home: Path, run_id: str) -> None:
    with running(home, run_id) as process, running(home, f"{run_id}-alive"):
        process.kill()
        process.wait()
        assert dead_runs(home) == [run_id]
        assert dead_runs(home) == [run_id]
        forget_dead_run(home, run_id)
        forget_dead_run(home, run_id)
        assert dead_runs(home) == []


def test_a_run_that_ended_without_a_word_is_dead(home: Path, run_id: str) -> None:
    with running(home, run_id) as process:
        process.communicate("")
        assert process.returncode == 0
    assert dead_runs(home) == [run_id]


def test_asking_does_not_take_a_live_runs_lock_away(home: Path, run_id: str) -> None:
    with running(home, run_id) as process:
        assert [dead_runs(home) for _ in range(3)] == [[], [], []]
        process.kill()
        process.wait()
        assert dead_runs(home) == [run_id]


def test_a_run_is_never_seen_as_dead_while_its_lock_is_made(
    home: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process asks at each step on the way to the lock."""
    seen: list[list[str]] = []

    class Watched(state.FileLock):
        def _acquire(self) -> None:
            seen.append(ask_elsewhere(home))
            super()._acquire()
            seen.append(ask_elsewhere(home))

    rename = Path.rename

    def watched_rename(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        seen.append(ask_elsewhere(home))
        return renamed

    monkeypatch.setattr(state, "FileLock", Watched)
    monkeypatch.setattr(Path, "rename", watched_rename)
    hold_run_lock(home, run_id)
    monkeypatch.undo()
    assert seen == [[], [], []]
    release_run_lock(home, run_id)


def ask_elsewhere(home: Path) -> list[str]:
    """What another process takes for dead."""
    command = (
        "import json, pathlib, sys; from enrichment_pipeline.state import dead_runs; "
        "print(json.dumps(dead_runs(pathlib.Path(sys.argv[1]))))"
    )
    said = subprocess.run(
        [sys.executable, "-c", command, str(home)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return json.loads(said.stdout)


def test_without_runs_nobody_is_dead(tmp_path: Path, home: Path) -> None:
    assert dead_runs(home) == []
    assert dead_runs(tmp_path / "nowhere") == []
