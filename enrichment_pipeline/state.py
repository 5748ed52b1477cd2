"""The state folder: its stamp, and the lock by which a live run is known.

Here: files directly under `ENRICHMENT_HOME`. Not here: the warehouse and the
ledger, which have packages of their own.
"""

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout

from enrichment_pipeline.errors import ConfigurationError, refuse_full_disk
from enrichment_pipeline.privacy import OWNER_WRITES, owner_only, secure
from enrichment_pipeline.settings import Settings, in_todays_word

_held: dict[Path, FileLock] = {}
"""Locks of runs in this process; kept for its lifetime, and freed by the system after a kill."""


def ensure_state_folder(settings: Settings) -> None:
    """Create the state folder for its owner alone, or say in one line why it cannot be used."""
    try:
        with owner_only():
            (settings.home / "runs").mkdir(parents=True, exist_ok=True)
            probe = settings.home / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        secure(settings.home, settings.published_dir, settings.policy.publish.group)
    except OSError as error:
        refuse_full_disk(error)
        raise ConfigurationError(
            f"state folder {settings.home}: cannot be written ({error.strerror}); "
            "set ENRICHMENT_HOME to a folder that can"
        ) from error


def stamp_of(settings: Settings) -> dict[str, str]:
    """What this state belongs to: the source of its contacts, and who answers."""
    return {"source": settings.source_label, "answers": settings.provider}


def check_stamp(settings: Settings, *, is_first_use: bool = True) -> None:
    """Refuse a state folder of another source or provider; at first use, stamp it.

    The sandbox's rows never stand beside real ones. Without `is_first_use` a
    folder that bears no stamp stays without. Raises ConfigurationError.
    """
    path = _stamp_path(settings)
    stamp = stamp_of(settings)
    try:
        if is_first_use and not path.exists():
            write_new(path, _as_text(stamp))
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return
    except (OSError, TypeError, ValueError) as error:
        if isinstance(error, OSError):
            refuse_full_disk(error)
        raise ConfigurationError(
            f"{path}: the state folder's stamp cannot be read; restore it, or use another "
            "ENRICHMENT_HOME"
        ) from error
    refuse_other_stamp(f"state folder {settings.home}", found, stamp)


def is_used(settings: Settings) -> bool:
    """Whether anything has stamped the state folder yet."""
    return _stamp_path(settings).exists()


def check_used(settings: Settings) -> None:
    """Refuse a state folder that no run has used, or that is another source's or provider's.

    For whatever only changes or shows what is there. Raises ConfigurationError.
    """
    check_stamp(settings, is_first_use=False)
    if not is_used(settings):
        raise ConfigurationError(
            f"{settings.home}: nothing here yet; `enrichment run` makes a start, and "
            "ENRICHMENT_HOME names another folder"
        )


def refuse_other_stamp(where: str, found: dict[str, str], stamp: dict[str, str]) -> None:
    """Raise ConfigurationError where a store was stamped by another source or provider."""
    bears = found.get("source")
    if bears != stamp["source"]:
        raise ConfigurationError(
            f"{where}: its contacts come from {bears!r}, not from {stamp['source']!r}; use another "
            "ENRICHMENT_HOME (and stores) for each. Where it is the same source at another place, "
            f"say so: name = {json.dumps(bears)} in [source]"
        )
    bears = in_todays_word(found.get("answers"))
    if bears != stamp["answers"]:
        raise ConfigurationError(
            f"{where}: its answers come from {bears!r}, not from {stamp['answers']!r}; "
            "use another ENRICHMENT_HOME (and stores) for each"
        )


def refuse_other_ledger(warehouse: str) -> None:
    """Raise ConfigurationError: the warehouse's look-ups are another ledger's, and not this one's.

    Whom we bought and who must not be looked up stands in the ledger: with another one, people
    would be bought again.
    """
    raise ConfigurationError(
        f"warehouse {warehouse}: holds look-ups that are not in this ledger, which has others; "
        "name the ledger that belongs to it (see ENRICHMENT_LEDGER_URL), or use another "
        "ENRICHMENT_HOME (and stores)"
    )


def stamped_ledger(settings: Settings) -> str | None:
    """The id of the ledger that this state folder is used with; None where it names none yet."""
    return _found_stamp(settings).get("ledger")


def stamp_with_ledger(settings: Settings, ledger: str) -> None:
    """Have the state folder name its ledger, so that one that is gone is missed."""
    path = _stamp_path(settings)
    found = _found_stamp(settings)
    if found.get("ledger") == ledger:
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with owner_only():
        draft.write_text(_as_text({**found, "ledger": ledger}), encoding="utf-8")
    draft.replace(path)


def _found_stamp(settings: Settings) -> dict[str, str]:
    return json.loads(_stamp_path(settings).read_text(encoding="utf-8"))


def _as_text(stamp: dict[str, str]) -> str:
    return json.dumps(stamp, indent=2) + "\n"


def _stamp_path(settings: Settings) -> Path:
    return settings.home / "stamp.json"


def write_new(path: Path, text: str) -> None:
    """Create the file with its whole text or, where another process was first, not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with owner_only():
            draft.write_text(text, encoding="utf-8")
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def hold_run_lock(home: Path, run_id: str) -> None:
    """Mark this run as alive for as long as this process lives, SIGKILL included."""
    path = _lock_path(home, run_id)
    if path in _held:
        return
    # Locked first and named afterwards: nobody can find it unlocked while we live.
    draft = path.with_name(f".{run_id}.{os.getpid()}")
    lock = FileLock(draft, mode=OWNER_WRITES)
    lock.acquire()
    draft.rename(path)
    _held[path] = lock


def release_run_lock(home: Path, run_id: str) -> None:
    """The run is over; nobody needs to ask any more whether it is alive."""
    path = _lock_path(home, run_id)
    lock = _held.pop(path, None)
    if lock is not None:
        path.unlink(missing_ok=True)
        lock.release()


def dead_runs(home: Path) -> list[str]:
    """Runs on this machine that were never ended, and whose process is gone.

    A run that took no lock in this state folder (another machine's) is not among them.
    """
    return [path.stem for path in sorted((home / "runs").glob("*.lock")) if _is_dead(path)]


def live_runs(home: Path) -> list[str]:
    """Runs on this machine whose process is alive."""
    return [path.stem for path in sorted((home / "runs").glob("*.lock")) if not _is_dead(path)]


def has_run_lock(home: Path, run_id: str) -> bool:
    """Whether the run has begun here, and was not cleared up after."""
    return _lock_path(home, run_id).exists()


def forget_dead_run(home: Path, run_id: str) -> None:
    """Its successor has cleared up after it."""
    _lock_path(home, run_id).unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    if path in _held:
        return False
    try:
        with FileLock(path, timeout=0):
            return True
    except (Timeout, FileNotFoundError):
        return False


def _lock_path(home: Path, run_id: str) -> Path:
    return home / "runs" / f"{run_id}.lock"
