"""Sets up `.venv` from `uv.lock`; `make` calls it, with nothing but Python there.

Here: the virtual environment, the pinned uv, and the sets of packages: `run` (what
the pipeline needs), `dev` (that, and what the tests and checks need), `bench` (that, and
the peers that the benchmarks measure against) and `mutate` (`dev`, and what makes faults).
Not here: the choice of the Python that runs this file, and the question whether
anything is to be done: both are the Makefile's.

A set-up that was killed is never built upon. The marker `.venv/.unfinished` stands
from the first change to the last, and a set-up that finds it starts from nothing; the
stamp `.venv/.ready-GROUP`, which make compares with `uv.lock`, is written last.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

UV_VERSION = "0.13.9"

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
UNFINISHED = VENV / ".unfinished"
INPUTS = (PROJECT / "pyproject.toml", PROJECT / "uv.lock", Path(__file__))

GROUPS = {
    "run": ("the pipeline's packages, from uv.lock", ["--no-dev"]),
    "dev": ("the packages of the tests and checks, from uv.lock", []),
    "bench": ("the packages of the benchmarks, from uv.lock", ["--group", "bench"]),
    "mutate": ("what makes faults for the tests, from uv.lock", ["--group", "mutate"]),
}


class StepFailedError(Exception):
    """A command of the set-up failed; the text is what it printed."""


def stamp(group: str) -> Path:
    """The file that says that `group` is installed, and for which folder."""
    return VENV / f".ready-{group}"


def environment() -> dict[str, str]:
    """The caller's environment, so that its index and proxy hold, bound to our `.venv`."""
    env = {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH"}}
    env |= {
        "VIRTUAL_ENV": str(VENV),
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "UV_PYTHON": str(PYTHON),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",
    }
    if env.get("PYTHONDONTWRITEBYTECODE"):
        # Python would compile every package anew in every process: once, here, is cheaper.
        env["UV_COMPILE_BYTECODE"] = "1"
    return env


def command(*arguments: str | Path) -> str:
    """Run a command without input and return what it printed.

    Raises:
        StepFailedError: it could not be started or failed.
    """
    try:
        done = subprocess.run(
            arguments,
            cwd=PROJECT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise StepFailedError(str(error)) from error
    if done.returncode:
        raise StepFailedError(f"{done.stdout.rstrip()}\n(exit status {done.returncode})")
    return done.stdout


@contextmanager
def step(what: str) -> Generator[None]:
    """One line of output: what is being done and, in the end, how long it took."""
    print(f"set-up: {what} ", end="", file=sys.stderr, flush=True)
    began_at = time.monotonic()
    outcome = "failed after"
    try:
        yield
        outcome = "took"
    finally:
        print(f"{outcome} {time.monotonic() - began_at:.1f} s", file=sys.stderr, flush=True)


def is_ready(group: str) -> bool:
    """Whether `group` was installed for this folder after its inputs last changed."""
    if UNFINISHED.exists():
        return False
    mark = stamp(group)
    try:
        is_here = mark.read_text(encoding="utf-8").strip() == str(PROJECT)
        return is_here and all(mark.stat().st_mtime >= path.stat().st_mtime for path in INPUTS)
    except FileNotFoundError:
        return False


def is_sound() -> bool:
    """Whether the `.venv` that is there can be built upon."""
    if UNFINISHED.exists():
        return False
    for mark in map(stamp, GROUPS):
        # A virtual environment knows its own path: one that was moved or copied is worth nothing.
        if mark.exists() and mark.read_text(encoding="utf-8").strip() != str(PROJECT):
            return False
    try:
        command(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))")
        command(PYTHON, "-m", "pip", "--version")
    except StepFailedError:
        return False
    return True


def create_venv() -> None:
    """A new, empty `.venv`, marked as unfinished before anything is in it."""
    version = ".".join(map(str, sys.version_info[:3]))
    with step(f"Python {version} in .venv"):
        if VENV.is_symlink():
            VENV.unlink()
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
        UNFINISHED.touch()
        command(sys.executable, "-m", "venv", VENV)


def install_uv() -> None:
    """The pinned uv, through pip, which knows this machine's package index."""
    try:
        if command(UV, "--version").split()[1] == UV_VERSION:
            return
    except StepFailedError:
        pass
    with step(f"uv {UV_VERSION}"):
        command(PYTHON, "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}")


def install(group: str) -> None:
    """The locked packages of `group`, and this project in editable form.

    uv downloads from the addresses in uv.lock. Where they are out of reach, because the
    machine's index is a mirror of which only pip was told, pip installs the same files: every
    one is held to its hash in uv.lock.
    """
    what, flags = GROUPS[group]
    try:
        with step(what):
            command(UV, "sync", "--frozen", "--inexact", *flags)
    except StepFailedError as failure:
        reason = str(failure).strip().splitlines()
        print("set-up: uv could not; pip tries. uv said:", file=sys.stderr)
        print(*(f"    {line}" for line in reason[-6:]), sep="\n", file=sys.stderr)
        install_with_pip(what, flags)


def install_with_pip(what: str, flags: list[str]) -> None:
    """What `install` does, with pip: slower, and through the index that pip knows."""
    requirements = VENV / "requirements.txt"
    pip_install = (PYTHON, "-m", "pip", "install", "--quiet")
    with step(f"{what}, with pip"):
        command(
            UV, "export", "--frozen", "--no-emit-project", *flags, "--output-file", requirements
        )
        # The list is complete. Where pip resolves it all the same, it refuses `gql[requests]`,
        # which a package asks for, though `gql` is there with its hash.
        command(*pip_install, "--no-deps", "--require-hashes", "--requirement", requirements)
        command(*pip_install, "--no-deps", "--editable", PROJECT)


def bootstrap(group: str) -> None:
    """Bring `.venv` to what uv.lock says for `group`; nothing where it is already."""
    if is_ready(group):  # another make did it while this one waited for the lock
        return
    # The stamp is as old as the start: what is edited during the set-up sets it up again.
    started_at = time.time()
    if is_sound():
        UNFINISHED.touch()
    else:
        create_venv()
    stamp(group).unlink(missing_ok=True)
    install_uv()
    install(group)
    UNFINISHED.unlink()
    mark = stamp(group)
    mark.write_text(f"{PROJECT}\n", encoding="utf-8")
    os.utime(mark, (started_at, started_at))


def main() -> int:
    """The exit status: 0 done, 1 a step failed, 2 a wrong argument, 130 interrupted."""
    if len(sys.argv) != 2 or sys.argv[1] not in GROUPS:
        print(f"usage: bootstrap.py {'|'.join(GROUPS)}", file=sys.stderr)
        return 2
    # Freed by the operating system however this process ends.
    folder = os.open(PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("set-up: waiting for another make in this folder", file=sys.stderr)
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        bootstrap(sys.argv[1])
    except StepFailedError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
