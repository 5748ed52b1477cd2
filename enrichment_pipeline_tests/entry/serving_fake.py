"""`enrichment serve` over a desk that answers at once, for what concerns the process alone.

Here: a module to be run as the command. Not here: the real desk, which has tests of its own.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from enrichment_pipeline_tests.entry.over_http import FakeDesk


@asynccontextmanager
async def open_desk(*_arguments: object) -> AsyncIterator[FakeDesk]:
    yield FakeDesk()
    print(f"the collector passes over {gc.get_freeze_count()} objects", file=sys.stderr)
    print("the desk is closed", file=sys.stderr, flush=True)


if __name__ == "__main__":
    service = ModuleType("enrichment_pipeline.entry.service")
    service.__dict__["open_desk"] = open_desk
    sys.modules[service.__name__] = service
    from enrichment_pipeline.cli.main import main

    main()
