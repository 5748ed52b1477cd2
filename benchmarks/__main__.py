"""`python -m benchmarks [NAME …]`: run the named benchmarks, or all but the soak.

Here: the list of them, and the exit status: 0 where every figure is as asked.
"""

from __future__ import annotations

import sys
from importlib import import_module

BENCHMARKS = ("throughput", "limit", "memory", "kills", "receiver", "callbacks", "applying")
LONG = {"soak": "kills"}


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS and name not in LONG]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}, soak")
        return 2
    results = []
    for name in names:
        print(f"{name}", flush=True)
        results.append(import_module(f"benchmarks.{LONG.get(name, name)}").main())
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
