"""The container file, as far as a machine without a container engine can try it.

Its steps are carried out in a plain folder: the build as the user who tests, and what runs in the
container as a user without any rights.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parent.parent
DEPLOY = PROJECT / "deploy"
NOBODY = 10001


@dataclass(frozen=True)
class Step:
    """An instruction of the file, and the rest of its line."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return [word for word in shlex.split(self.text) if not word.startswith("--from")]

    @property
    def command(self) -> list[str]:
        """Of ENTRYPOINT, CMD and HEALTHCHECK, which are written as lists."""
        return json.loads(self.text[self.text.index("[") :])


def steps() -> list[Step]:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    instructions = [line for line in lines if line and not line.startswith("#")]
    return [Step(*line.split(" ", 1)) for line in instructions]


def only(name: str) -> Step:
    [found] = [step for step in steps() if step.name == name]
    return found


def variables(step: Step) -> dict[str, str]:
    return dict(word.split("=", 1) for word in step.words)


def copied_from_here() -> list[Step]:
    return [step for step in steps() if step.name == "COPY" and "--from" not in step.text]


@pytest.fixture(scope="module")
def healthcheck() -> ModuleType:
    spec = importlib.util.spec_from_file_location("healthcheck", DEPLOY / "healthcheck.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what the file says ----------------------------------------------------------------------


def test_it_runs_for_a_user_of_its_own_over_a_volume_that_is_the_state() -> None:
    assert only("USER").text == f"{NOBODY}:{NOBODY}"
    home = variables([step for step in steps() if step.name == "ENV"][-1])["ENRICHMENT_HOME"]
    assert json.loads(only("VOLUME").text) == [home]
    made = [step.text for step in steps() if step.text.startswith("install -d")]
    assert made == [f"install -d -o {NOBODY} -g {NOBODY} -m 0700 {home}"]


def test_the_base_and_uv_are_pinned() -> None:
    bases = {step.words[0] for step in steps() if step.name == "FROM"}
    assert len(bases) == 1
    assert bases.pop().partition(":")[2] not in {"", "latest"}
    bootstrap = (PROJECT / "tools" / "bootstrap.py").read_text(encoding="utf-8")
    [version] = [line for line in bootstrap.splitlines() if line.startswith("UV_VERSION")]
    pinned = version.split('"')[1]
    assert f"uv=={pinned}" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_no_secret_gets_into_a_layer_and_nothing_but_what_it_needs_into_the_build() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").upper()
    assert not [word for word in ("ARG ", "_KEY", "TOKEN", "PASSWORD", "SECRET") if word in text]
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert allowed[1] == "*"
    named = {line[1:] for line in allowed if line.startswith("!")}
    assert named == {source for step in copied_from_here() for source in step.words[:-1]}
    assert all((PROJECT / name).exists() for name in named)


# --- the health check --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "page"),
    [
        (["python", "/opt/enrichment/bin/enrichment", "ui"], "http://127.0.0.1:3000/server_info"),
        (["docker-init", "--", "enrichment", "serve"], "http://127.0.0.1:8090/healthz"),
        (["enrichment", "receiver", "--port", "80"], "http://127.0.0.1:80/healthz"),
        (["enrichment", "ui", "--port=81"], "http://127.0.0.1:81/server_info"),
        (["enrichment", "run", "--max-credits", "5"], None),
    ],
)
def test_each_command_has_its_page(
    healthcheck: ModuleType, command: list[str], page: str | None
) -> None:
    assert healthcheck.page_of(command) == page


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_is_what_the_page_says(
    healthcheck: ModuleType, tmp_path: Path, status: int, code: int
) -> None:
    with answering(status) as port:
        (tmp_path / "cmdline").write_text(f"enrichment\0serve\0--port\0{port}\0")
        assert healthcheck.main(tmp_path) == code


def test_a_command_that_answers_no_more_is_not_healthy(
    healthcheck: ModuleType, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "cmdline").write_text(f"enrichment\0ui\0--port\0{port}\0")
    assert healthcheck.main(tmp_path) == 1


# --- its steps, carried out --------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_its_steps_make_an_installation_that_a_user_without_rights_runs() -> None:
    if not python_is_for_everyone():
        pytest.skip("the interpreter is in a folder that is closed to other users")
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        opt, var, source = (Path(folder, name) for name in ("opt", "var", "src"))
        inside = {"/opt/enrichment": opt, "/var/lib/enrichment": var}
        build, image = divided(steps())
        source.mkdir()
        environment = dict(os.environ)
        for step in build:
            if step.name == "ENV":
                environment |= {name: moved(text, inside) for name, text in variables(step).items()}
            elif step.name == "COPY":
                copy(step, source)
            elif step.name == "RUN" and step.words[0] == "uv":  # which pip has installed here
                command = [str(Path(sys.executable).with_name("uv")), *step.words[1:]]
                subprocess.run(command, cwd=source, env=environment, check=True)
        shutil.rmtree(source)  # nothing of it may be needed any more
        settings: dict[str, str] = {}
        for step in image:
            if step.name == "ENV":
                settings |= {name: moved(text, inside) for name, text in variables(step).items()}
            elif step.name == "RUN":
                subprocess.run(shlex.split(moved(step.text, inside)), check=True)
        settings["PATH"] = settings["PATH"].replace("$PATH", os.environ["PATH"])
        finished = subprocess.run(
            [*only("ENTRYPOINT").command, "run", "--max-credits", "5", "--priority", "strategic"],
            cwd=var,
            env=settings,
            executable=opt / "bin" / "enrichment",
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert (var / "published" / "warehouse.duckdb").exists()
        made = [path for path in var.rglob("*") if not path.is_symlink()]
        assert {path.stat().st_uid for path in made} == {NOBODY}


def python_is_for_everyone() -> bool:
    """Whether a user without rights may run the interpreter: not one in somebody's home."""
    interpreter = Path(sys.base_prefix).resolve()
    return all(each.stat().st_mode & 0o001 for each in (interpreter, *interpreter.parents))


def divided(found: list[Step]) -> tuple[list[Step], list[Step]]:
    """The steps of the build, and those of the image."""
    starts = [index for index, step in enumerate(found) if step.name == "FROM"]
    return found[starts[0] + 1 : starts[1]], found[starts[1] + 1 :]


def moved(text: str, places: dict[str, Path]) -> str:
    for inside, here in places.items():
        text = text.replace(inside, str(here))
    return text


def copy(step: Step, target: Path) -> None:
    *sources, place = step.words
    for name in sources:
        to = target / (name if place == "./" else place)
        to.parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, to)
