"""How many small faults in the code that guards money and rules its tests catch.

Here: `make mutate`: a sample of the faults that cosmic-ray can put into `ledger/`,
`dispatch/` and `providers/`, one at a time, each against the tests of these packages in
a copy of this folder; which of them no test noticed, and the share that was caught.
Not here: the faults (cosmic-ray's operators) and the tests.

The sample is drawn by a seed: two runs try the same faults in the same order. What there
is no time for is left out from its end.
"""

import argparse
import ast
import multiprocessing
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult

PROJECT = Path(__file__).resolve().parent.parent
CODE, TESTS = Path("enrichment_pipeline"), Path("enrichment_pipeline_tests")
PACKAGES = ("ledger", "dispatch", "providers")
WHOLE = ("test_rollback.py", "test_backup.py")
"""Tests of what works on the ledger from outside it: last, since they take long."""
FROZEN = "migrations"
"""They run once on each ledger, and are never changed."""
# the first failure is enough; one database, and nothing that starts processes and kills them
PYTEST = (
    f"{shlex.quote(sys.executable)} -m pytest -x -q --no-header -n 0 -p no:cacheprovider"
    " --timeout 60 -m 'not long' -k 'not postgres'"
)
TIMEOUT_SECONDS = 600
"""Of all tests for one fault. One that makes a test hang is caught by that test's own limit."""


def tests_for(module: Path) -> str:
    """The command that a fault must fail: the module's tests, its package's, then all others."""
    package = module.relative_to(CODE).parts[0]
    own = TESTS / package / f"test_{module.stem}.py"
    others = " ".join(str(TESTS / each) for each in PACKAGES if each != package)
    rules = str(TESTS / "test_architecture.py")
    whole = " ".join(str(TESTS / each) for each in WHOLE)
    paths = [*([str(own)] if own.exists() else []), str(TESTS / package), others, rules, whole]
    return f"sh -c {shlex.quote(' && '.join(f'{PYTEST} {each}' for each in paths))}"


def mutants() -> list[MutationSpec]:
    """Every fault that can be made, in the order of the code."""
    modules = [
        path
        for package in PACKAGES
        for path in sorted((CODE / package).rglob("*.py"))
        if FROZEN not in path.parts
    ]
    with TemporaryDirectory() as folder, use_db(f"{folder}/plan", WorkDB.Mode.create) as plan:
        init(modules, plan, {})
        found = [item.mutations[0] for item in plan.work_items]
    sources = {path: Source(path) for path in modules}
    return sorted(
        (each for each in found if sources[each.module_path].has_fault(each)),
        key=lambda each: (each.module_path, each.start_pos, each.operator_name, each.occurrence),
    )


def sample(found: Sequence[MutationSpec], size: int, seed: int) -> list[MutationSpec]:
    """So many places in the code at random, and for each of them one of its faults."""
    drawing = random.Random(seed)
    places: dict[tuple[object, ...], list[MutationSpec]] = {}
    for each in found:
        places.setdefault((each.module_path, *each.start_pos), []).append(each)
    drawn = drawing.sample(list(places.values()), min(size, len(places)))
    return [drawing.choice(faults) for faults in drawn]


class Source:
    """What of a module is code that does something."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self._annotations: list[Span] = []
        self._operators: list[Span] = []
        for node in ast.walk(tree):
            for name in ("annotation", "returns"):
                if told := getattr(node, name, None):
                    self._annotations.append((begin(told), end(told)))
            if isinstance(node, ast.BinOp):
                self._operators.append((end(node.left), begin(node.right)))

    def has_fault(self, fault: MutationSpec) -> bool:
        """Not where it changes a type only, or takes the `*` of a signature for an operator."""
        place = tuple(fault.start_pos)
        if "BinaryOperator" in fault.operator_name and not is_in(place, self._operators):
            return False
        return not is_in(place, self._annotations)


Place = tuple[int, ...]
Span = tuple[Place, Place]


def begin(node: ast.expr) -> Place:
    return node.lineno, node.col_offset


def end(node: ast.expr) -> Place:
    return node.end_lineno or 0, node.end_col_offset or 0


def is_in(place: Place, spans: Sequence[Span]) -> bool:
    return any(start <= place < stop for start, stop in spans)


def copy_project(folder: Path) -> Path:
    """Whatever of this folder is in git, or would be: faults are made in the copy."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if Path(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, folder / name)
    return folder


def enter(copies: "multiprocessing.Queue[Path]") -> None:
    """Work in a copy of one's own; processes that tests start find its code too."""
    os.chdir(copies.get())
    os.environ["PYTHONPATH"] = str(Path.cwd())


def pass_without_fault(copy: Path) -> bool:
    """Whether the tests pass as the code is; only then do they tell anything."""
    packages = " ".join(str(TESTS / package) for package in PACKAGES)
    done = subprocess.run(
        shlex.split(f"{PYTEST} {packages}"),
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        check=False,
    )
    return done.returncode == 0


def try_out(fault: MutationSpec, deadline: float) -> WorkResult | None:
    """What came of it; None where there was no time."""
    if time.time() > deadline:
        return None
    return mutate_and_test([fault], tests_for(fault.module_path), timeout=TIMEOUT_SECONDS)


def changed_lines(diff: str) -> list[str]:
    return [
        line
        for line in diff.splitlines()
        if line[:1] in {"-", "+"} and not line.startswith(("---", "+++"))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--sample", type=int, default=250, help="faults to try at most")
    parser.add_argument("--skip", type=int, default=0, help="so many of the sample were tried")
    parser.add_argument("--minutes", type=float, default=28, help="then no further one is begun")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    deadline = time.time() + options.minutes * 60
    os.chdir(PROJECT)
    found = mutants()
    drawn = sample(found, options.sample, options.seed)[options.skip :]
    print(
        f"{len(found)} faults can be made, {len(drawn)} are drawn (seed {options.seed})",
        flush=True,
    )

    tried, survived = 0, []
    with TemporaryDirectory(prefix="mutate-") as folder:
        folders = [copy_project(Path(folder, str(n))) for n in range(options.processes)]
        if not pass_without_fault(folders[0]):
            print("the tests fail without any fault; fix that first")
            return 1
        copies: multiprocessing.Queue[Path] = multiprocessing.Queue()
        for each in folders:
            copies.put(each)
        with ProcessPoolExecutor(options.processes, initializer=enter, initargs=(copies,)) as pool:
            faults = {pool.submit(try_out, fault, deadline): fault for fault in drawn}
            for future in as_completed(faults):
                result, fault = future.result(), faults[future]
                if result is None:
                    continue
                tried += 1
                where = f"{fault.module_path}:{fault.start_pos[0]} {fault.operator_name}"
                if result.test_outcome == TestOutcome.KILLED:
                    print(f"{tried:4} caught    {where}", flush=True)
                    continue
                survived.append(where)
                print(f"{tried:4} SURVIVED  {where}", flush=True)
                print(*changed_lines(result.diff or result.output or ""), sep="\n", flush=True)

    print(*(f"survived: {where}" for where in sorted(survived)), sep="\n")
    caught = tried - len(survived)
    print(f"{caught} of {tried} faults were caught: {caught / max(tried, 1):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
