"""`python -m benchmarks [NAME …]`: run the named benchmarks, or all but the soak.

Here: the list of them, and the exit status: 0 where every figure is as asked.
"""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import chain

BENCHMARKS = (
    *("throughput", "limit", "admissions", "memory", "kills", "receiver", "callbacks"),
    *("identity", "resolving", "applying", "planning", "idle", "sniffio", "entry"),
    "waterfall",
)
LONG = (
    *("kills", "chain_kills", "entry_kills", "readers", "sinks", "year", "waterfall_year"),
    "daemon",
)
"""What `soak` runs: minutes to hours. Each can be named by itself, too."""


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in (*BENCHMARKS, *LONG, "soak")]
    if unknown:
        choice = ", ".join(dict.fromkeys((*BENCHMARKS, *LONG)))
        print(f"no such benchmark: {', '.join(unknown)}; there are {choice}, soak")
        return 2
    results = []
    for name in chain.from_iterable(LONG if name == "soak" else (name,) for name in names):
        print(f"{name}", flush=True)
        results.append(import_module(f"benchmarks.{name}").main())
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
