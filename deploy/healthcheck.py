"""Whether the container's command still answers: what HEALTHCHECK runs in the image.

Here: which page of which command is asked, by the command line of the container's first process.
A command that serves nothing (`run`, `backup` …) is healthy for as long as it runs. Not here: what
the pages check.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

PAGES = {
    "ui": (3000, "/server_info"),
    "serve": (8090, "/healthz"),
    "receiver": (8085, "/healthz"),
}
"""Of each command that serves: its port, where none is given, and the page to ask for."""
SECONDS = 4.0


def page_of(command: Sequence[str]) -> str | None:
    """The URL that a command answers at; None for one that serves nothing."""
    served = next((word for word in command if word in PAGES), None)
    if served is None:
        return None
    port, path = PAGES[served]
    words = [part for word in command for part in word.split("=", 1)]
    if "--port" in words:
        port = int(words[words.index("--port") + 1])
    return f"http://127.0.0.1:{port}{path}"


def main(process: Path) -> int:
    """0 where the process with this folder in /proc answers, else 1."""
    command = (process / "cmdline").read_bytes().decode().split("\0")
    page = page_of(command)
    if page is None:
        return 0
    try:
        with urllib.request.urlopen(page, timeout=SECONDS):  # noqa: S310 - our own page
            return 0
    except (OSError, urllib.error.HTTPError) as error:
        print(f"{page}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(Path("/proc/1")))
