"""Who on this machine may open the state: its owner, and the published tables' group.

Here: the modes of files and folders. Not here: what they hold, and who may reach the servers.
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from grp import getgrnam
from pathlib import Path

from enrichment_pipeline.errors import ConfigurationError

OWNER_ONLY = 0o077
"""The umask of our own processes."""
OWNER_WRITES = 0o600
HOME_OF_GROUP = 0o710
FOLDER_OF_GROUP = 0o750
FILE_OF_GROUP = 0o440
"""Without the right to write, for the owner either: a BI tool that opens DuckDB's file for writing
locks everybody out."""

_lock = threading.Lock()
_depth = 0
_umask_before = 0


@contextmanager
def owner_only() -> Iterator[None]:
    """Whatever the body makes is for its owner alone; for processes that are not ours alone.

    A umask is the whole process's: what other threads make meanwhile is as private.
    """
    global _depth, _umask_before  # noqa: PLW0603 - as the umask itself is the process's
    with _lock:
        if _depth == 0:
            _umask_before = os.umask(OWNER_ONLY)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                os.umask(_umask_before)


def secure(home: Path, published: Path, group: str) -> None:
    """Make the state folder its owner's alone, and `published` readable to the group, if any.

    What an earlier version left open to everybody is closed; what belongs to another user is
    that user's to close. Raises ConfigurationError for a group that cannot be used, and for a
    folder that everybody writes to, such as /tmp.
    """
    if home.stat().st_mode & stat.S_ISVTX:
        raise ConfigurationError(
            f"state folder {home}: is shared by everybody on this machine; set ENRICHMENT_HOME to "
            "a folder of its own"
        )
    if group:
        _give_to_group(home, _group_id(group), HOME_OF_GROUP)
        share(published, group)
    else:
        _close(home)
    for path in home.iterdir():
        if not (group and path == published):
            _close_tree(path)


def share(published: Path, group: str) -> None:
    """Let the group read everything in the folder, and nobody else; see `secure`."""
    if not published.exists():
        return
    group_id = _group_id(group)
    _give_to_group(published, group_id, FOLDER_OF_GROUP)
    for folder, folders, files in os.walk(published):
        for name in folders:
            _give_to_group(Path(folder, name), group_id, FOLDER_OF_GROUP)
        for name in files:
            _give_to_group(Path(folder, name), group_id, FILE_OF_GROUP)


def _close_tree(path: Path) -> None:
    if path.is_symlink():
        return
    _close(path)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            _close(Path(folder, name))


def _close(path: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):  # gone meanwhile, or another user's
        found = path.lstat().st_mode
        if found & OWNER_ONLY and not stat.S_ISLNK(found):  # a link's own mode means nothing
            path.chmod(stat.S_IMODE(found) & ~OWNER_ONLY)


def _group_id(group: str) -> int:
    try:
        return getgrnam(group).gr_gid
    except KeyError:
        raise ConfigurationError(
            f"[publish] group: there is no group {group!r} on this machine"
        ) from None


def _give_to_group(path: Path, group_id: int, mode: int) -> None:
    if path.is_symlink():
        return
    found = path.stat()
    try:
        if found.st_gid != group_id:
            os.chown(path, -1, group_id)
        if stat.S_IMODE(found.st_mode) != mode:
            path.chmod(mode)
    except PermissionError:
        raise ConfigurationError(
            f"[publish] group: {path} cannot be given to it; the user who runs this must own the "
            "file and be a member of the group"
        ) from None
