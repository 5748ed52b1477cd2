"""Copies of a state folder, made while anything works in it, and back.

Here: what belongs to a copy, in which order it is copied and put back, and when that is refused.
Not here: how a store is copied (`ledger/copying.py`, `warehouse/file_copy.py`), and how a ledger
that is older than what lies beside it is noticed (`rollback.py`).

A copy is a state folder itself: the warehouse first, what was set aside next, the ledger last, so
that the ledger never lacks what the rest has. A ledger in Postgres is copied into SQLite. All that
is left out can be made again.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from enrichment_pipeline.disk import flush
from enrichment_pipeline.errors import (
    ConfigurationError,
    PipelineError,
    redact_unexpected_errors,
    refuse_full_disk,
)
from enrichment_pipeline.ledger.copying import (
    copy_from_file,
    copy_to_file,
    is_empty,
    make_single_file,
    sqlite_path,
)
from enrichment_pipeline.ledger.known import count_lookups
from enrichment_pipeline.ledger.store import opened
from enrichment_pipeline.privacy import OWNER_WRITES, owner_only
from enrichment_pipeline.rollback import behind_published, take_over_answers
from enrichment_pipeline.settings import POLICY_FILE, Settings
from enrichment_pipeline.state import (
    check_stamp,
    check_used,
    ensure_state_folder,
    live_runs,
    refuse_other_ledger,
    refuse_other_stamp,
    stamp_of,
    stamp_with_ledger,
)
from enrichment_pipeline.terms import budget_of
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.file_copy import LOG, copy_warehouse, is_empty_warehouse
from enrichment_pipeline.warehouse.publish import read_published_lookups
from enrichment_pipeline.warehouse.stamp import warehouse_stamp

LEDGER = "ledger.sqlite"
WAREHOUSE = "warehouse.duckdb"
STAMP = "stamp.json"
SPILLED = "spilled"
DRAFT = ".restoring-"
"""What is not yet whole is named so; the next restore removes it."""
LEFT_BEHIND = ".before-restore"
"""How the log of a store that is gone is renamed: the restored one must not read it."""

Say = Callable[[str], None]


@dataclass
class Copied:
    """What was copied, in bytes by name, how many look-ups that are, and what was left out."""

    sizes: dict[str, int] = field(default_factory=dict)
    lookups: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass
class Restored:
    """What was put back, and what else a person should know of it."""

    names: list[str] = field(default_factory=list)
    lookups: int = 0
    taken_over: int = 0
    newer_published: int = 0


# --- a copy -----------------------------------------------------------------------------------


@redact_unexpected_errors
def back_up(settings: Settings, folder: Path, say: Say) -> Copied:
    """Copy the state folder's stores into a new folder: all of it, or nothing.

    Raises ConfigurationError for a folder that cannot be used, and PipelineError where a writer
    does not let go of the warehouse.
    """
    check_used(settings)
    _refuse_as_target(settings, folder)
    with _alone(settings, "a backup"), owner_only(), _draft_of(folder) as draft:
        warehouse = Path(settings.warehouse_url)
        if warehouse.exists():
            copy_warehouse(warehouse, draft / WAREHOUSE, say)
        _copy_spilled(settings.spilled_dir, draft / SPILLED)
        copy_to_file(settings.ledger_url.get_secret_value(), draft / LEDGER)
        # what was set aside meanwhile, since the ledger could not take it
        _copy_spilled(settings.spilled_dir, draft / SPILLED)
        for name in (STAMP, POLICY_FILE):
            if (settings.home / name).exists():
                shutil.copyfile(settings.home / name, draft / name)
        for path in draft.rglob("*"):
            flush(path)
        copied = Copied(left_out=_left_out(settings, draft))
        copied.sizes = {
            path.name: _size(path) for path in sorted(draft.iterdir(), key=lambda one: one.name)
        }
        with opened(f"sqlite:///{draft / LEDGER}") as ledger:
            copied.lookups = count_lookups(ledger)
        make_single_file(draft / LEDGER)
    return copied


def _refuse_as_target(settings: Settings, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            f"{folder}: there is something already; name a new folder, since no copy is overwritten"
        )
    if folder == settings.home or settings.home in folder.parents:
        raise ConfigurationError(
            f"{folder}: lies in the state folder itself; name a folder elsewhere, on another disk "
            "if you can"
        )


@contextmanager
def _draft_of(folder: Path) -> Iterator[Path]:
    """A folder beside it that bears its name in the end, once the body has not failed."""
    draft = folder.with_name(f".{folder.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)  # of a backup that was killed
        draft.mkdir(mode=0o700, parents=True)
    except OSError as error:
        refuse_full_disk(error)
        raise ConfigurationError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        yield draft
        flush(draft)
        draft.rename(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy_spilled(source: Path, target: Path) -> None:
    for path in sorted(source.glob("*.reply")):
        target.mkdir(exist_ok=True)
        try:
            shutil.copyfile(path, target / path.name)
        except FileNotFoundError:
            continue  # a run has just read it into the ledger, which is copied after it


def _left_out(settings: Settings, draft: Path) -> list[str]:
    """What stands in the state folder and not in the copy, and what it needs from elsewhere."""
    stores = {LEDGER, f"{LEDGER}-wal", f"{LEDGER}-shm", WAREHOUSE, f"{WAREHOUSE}{LOG}"}
    copied = {path.name for path in draft.iterdir()} | stores
    names = {path.name for path in settings.home.iterdir() if not path.name.startswith(".")}
    known = {
        "published": "published (the next run publishes it again)",
        "dagster": "dagster (the record of runs, and which schedules are on)",
        "runs": "",  # locks
    }
    left_out = [known.get(name, name) for name in sorted(names - copied)]
    if settings.policy_path is not None and settings.policy_path.parent != settings.home:
        left_out.append(f"the policy file {settings.policy_path}")
    if not settings.owns_dagster_home:
        left_out.append(f"{settings.dagster_home} (the record of runs)")
    return [*filter(None, left_out), "the source", "keys and secrets of the environment"]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


# --- and back ---------------------------------------------------------------------------------


@redact_unexpected_errors
def restore(settings: Settings, folder: Path, say: Say) -> Restored:
    """Put back from a copy whichever of the two stores is missing; nothing is overwritten.

    What a warehouse knows and the restored ledger lacks is taken over into it. The ledger is put
    back last: until then no run buys anything. Raises ConfigurationError for a folder that is no
    copy of this state, and where both stores stand; PipelineError where a run works with them.
    """
    _refuse_as_source(settings, folder)
    ensure_state_folder(settings)
    check_stamp(settings, is_first_use=False)
    with _alone(settings, "a restore"), owner_only():
        if running := live_runs(settings.home):
            raise PipelineError(
                f"{settings.home}: run {running[0]} is under way; nothing is restored under it"
            )
        return _Restoring(settings, folder, say).run()


class _Restoring:
    """One restore: drafts beside the places of the stores, which get their names in the end."""

    def __init__(self, settings: Settings, folder: Path, say: Say) -> None:
        self._settings = settings
        self._folder = folder
        self._say = say
        self._url = settings.ledger_url.get_secret_value()
        self._file = sqlite_path(self._url)
        self._warehouse = Path(settings.warehouse_url)
        beside = self._file or settings.home / LEDGER
        self._ledger_draft = beside.with_name(f"{DRAFT}{LEDGER}")
        self._warehouse_draft = self._warehouse.with_name(f"{DRAFT}{WAREHOUSE}")
        self._restored = Restored()

    def run(self) -> Restored:
        ledger_stands = not self._is_empty_ledger()
        warehouse_stands = not is_empty_warehouse(self._warehouse)
        if ledger_stands and warehouse_stands:
            raise ConfigurationError(
                f"{self._settings.home}: ledger and warehouse stand there, and are not "
                "overwritten; move away (or delete) what is to be replaced, or set ENRICHMENT_HOME "
                "to another folder"
            )
        self._remove_drafts()  # of a restore that was killed
        try:
            warehouse = self._warehouse if warehouse_stands else self._draft_warehouse()
            if ledger_stands:
                self._check_with_ledger(self._url, warehouse)
            else:
                self._draft_ledger(warehouse)
            self._put_back_files()
            if not warehouse_stands and warehouse is not None:
                self._put_back(warehouse, self._warehouse, LOG)
            if not ledger_stands:
                self._put_back_ledger()
        finally:
            self._remove_drafts()
        self._compare_with_published()
        return self._restored

    def _is_empty_ledger(self) -> bool:
        if self._file is not None and not self._file.exists():
            return True
        with opened(self._url) as store:
            return is_empty(store)

    # --- drafts ---

    def _draft_warehouse(self) -> Path | None:
        source = self._folder / WAREHOUSE
        if not source.exists():
            self._say(f"{self._folder} has no {WAREHOUSE}; the next run derives it from the ledger")
            return None
        self._copy(source, self._warehouse_draft, LOG)
        with open_warehouse(str(self._warehouse_draft)):
            return self._warehouse_draft

    def _draft_ledger(self, warehouse: Path | None) -> None:
        source = self._folder / LEDGER
        if source.exists():
            self._copy(source, self._ledger_draft, "-wal")
            make_single_file(self._ledger_draft)
        elif warehouse is None:
            raise ConfigurationError(f"{self._folder}: has neither {LEDGER} nor {WAREHOUSE}")
        else:
            self._say(
                f"{self._folder} has no {LEDGER}: what the warehouse knows goes into a new one, "
                "without suppressions by command and what was on the wire"
            )
        self._check_with_ledger(f"sqlite:///{self._ledger_draft}", warehouse)
        make_single_file(self._ledger_draft)

    def _check_with_ledger(self, url: str, warehouse: Path | None) -> None:
        """Have ledger and warehouse belong together, and know the same.

        The ledger takes over what it lacks; one that stands is left to the next run to compare.
        """
        stamp = stamp_of(self._settings)
        with opened(url) as store:
            if warehouse is None:
                refuse_other_stamp(
                    str(self._folder / LEDGER), store.check_stamp(_with_new_id(stamp)), stamp
                )
            else:
                with open_warehouse(str(warehouse), on_wait=self._say) as connection:
                    of_warehouse = {**stamp, **warehouse_stamp(connection)}
                    refuse_other_stamp(f"warehouse {self._folder}", of_warehouse, stamp)
                    of_ledger = store.check_stamp({**_with_new_id(stamp), **of_warehouse})
                    refuse_other_stamp(f"ledger {self._folder}", of_ledger, stamp)
                    # older versions named no ledger
                    if of_warehouse.get("ledger") not in {None, of_ledger["ledger"]}:
                        refuse_other_ledger(str(warehouse))
                    if url != self._url:
                        self._restored.taken_over = take_over_answers(
                            store, connection, partial(budget_of, self._settings)
                        )
            self._restored.lookups = count_lookups(store)

    def _copy(self, source: Path, draft: Path, log: str) -> None:
        """Copy a store's file, and its log where it has one: a plain copy of a state folder."""
        draft.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", log):
            if source.with_name(f"{source.name}{suffix}").exists():
                target = draft.with_name(f"{draft.name}{suffix}")
                shutil.copyfile(source.with_name(f"{source.name}{suffix}"), target)

    def _remove_drafts(self) -> None:
        for draft in (self._ledger_draft, self._warehouse_draft):
            for path in draft.parent.glob(f"{draft.name}*"):
                path.unlink()

    # --- names ---

    def _put_back_files(self) -> None:
        """The policy, where there is none, and answers that were set aside for the ledger."""
        set_aside = sorted((self._folder / SPILLED).glob("*.reply"))
        for source in (self._folder / POLICY_FILE, *set_aside):
            target = self._settings.home / source.relative_to(self._folder)
            if not source.exists() or target.exists():
                continue
            target.parent.mkdir(exist_ok=True)
            draft = target.with_name(f"{DRAFT}{target.name}")
            shutil.copyfile(source, draft)
            flush(draft)
            draft.replace(target)
            self._restored.names.append(str(source.relative_to(self._folder)))

    def _put_back(self, draft: Path, target: Path, *logs: str) -> None:
        """Give a draft the store's name. A log that the lost store has left is not read into it."""
        for log in logs:
            stale = target.with_name(f"{target.name}{log}")
            if stale.exists() and stale.stat().st_size:
                stale.replace(stale.with_name(f"{stale.name}{LEFT_BEHIND}"))
        flush(draft)
        draft.replace(target)
        flush(target.parent)
        self._restored.names.append(target.name)

    def _put_back_ledger(self) -> None:
        with opened(f"sqlite:///{self._ledger_draft}") as store:
            ledger_id = store.check_stamp({})["ledger"]
        check_stamp(self._settings)
        stamp_with_ledger(self._settings, ledger_id)
        make_single_file(self._ledger_draft)
        if self._file is None:
            copy_from_file(self._ledger_draft, self._url)
            self._restored.names.append("the ledger in Postgres")
        else:
            self._file.with_name(f"{self._file.name}-shm").unlink(missing_ok=True)
            self._put_back(self._ledger_draft, self._file, "-wal")

    def _compare_with_published(self) -> None:
        published = read_published_lookups(self._settings.published_dir, None)
        with opened(self._url) as store:
            self._restored.newer_published = len(behind_published(store, published))


@contextmanager
def _alone(settings: Settings, what: str) -> Iterator[None]:
    """Let no other backup or restore of this state folder go on at the same time."""
    try:
        with FileLock(settings.home / ".backup.lock", mode=OWNER_WRITES, timeout=0):
            yield
    except Timeout:
        raise PipelineError(
            f"{settings.home}: another backup or restore of it is under way; {what} waits for none"
        ) from None


def _with_new_id(stamp: dict[str, str]) -> dict[str, str]:
    return {**stamp, "ledger": uuid4().hex}


def _refuse_as_source(settings: Settings, folder: Path) -> None:
    if not any((folder / name).exists() for name in (LEDGER, WAREHOUSE)):
        raise ConfigurationError(
            f"{folder}: is no copy of a state folder; it has neither {LEDGER} nor {WAREHOUSE}"
        )
    if folder == settings.home:
        raise ConfigurationError(f"{folder}: is the state folder itself; name a copy of it")
