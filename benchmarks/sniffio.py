"""What an HTTP request costs with and without the package sniffio, which nothing here imports.

httpx's transport asks it in each request which event loop it is in. Where it is missing, the
import is tried again each time, over the whole path. Measures: CPU time a request, client and
server together, the least of several processes in turns. As long as one without it takes a tenth
more, it is kept.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder

import httpx

from benchmarks.common import verdict

ROUNDS = 5
REQUESTS = 500
WORTH_KEEPING = 1.1
REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Missing(MetaPathFinder):
    """Looks for sniffio as for any package that is not there, and finds nothing."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "sniffio":
            return None
        PathFinder.find_spec("no_such_package")
        raise ModuleNotFoundError(name)


def main(rounds: int = ROUNDS) -> bool:
    costs: dict[str, list[float]] = {"with": [], "without": []}
    for _round in range(rounds):
        for which, seen in costs.items():
            command = [sys.executable, "-m", "benchmarks.sniffio", which]
            seen.append(float(subprocess.run(command, capture_output=True, check=True).stdout))
    has, lacks = (min(seen) for seen in costs.values())
    print(f"  CPU time a request: {has * 1e6:.0f} us with sniffio, {lacks * 1e6:.0f} us without")
    return verdict("a request without it, against one with it", lacks / has, ">=", WORTH_KEEPING)


async def cost_of_a_request() -> float:
    """Seconds of CPU time, over a connection that is kept open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(REPLY)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with httpx.AsyncClient() as client:
            await client.get(f"http://127.0.0.1:{port}/")
            started = time.process_time()
            for _request in range(REQUESTS):
                await client.get(f"http://127.0.0.1:{port}/")
            return (time.process_time() - started) / REQUESTS


if __name__ == "__main__":
    if sys.argv[1:] == ["without"]:
        sys.meta_path.insert(0, Missing())
    print(asyncio.run(cost_of_a_request()))
