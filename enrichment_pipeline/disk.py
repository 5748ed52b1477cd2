"""What a power cut must not undo.

Here: having a file or a folder on the disk. Not here: which ones, and in which order.
"""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Have a file's content, or the names in a folder, on the disk before anything goes on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
