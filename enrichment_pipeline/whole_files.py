"""Files that people ask for: for their owner's eyes only, and written whole or not at all.

Here: putting such a file in its place. Not here: what stands in it.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from enrichment_pipeline.errors import ConfigurationError


def write_whole(path: Path, write: Callable[[BinaryIO], None], *, overwrites: bool) -> None:
    """Have `write` fill a file.

    Raises ConfigurationError where it exists and `overwrites` is not set, or where it cannot be
    written.
    """
    if not overwrites and path.exists():
        raise ConfigurationError(f"{path}: exists; name another file, or overwrite it with --force")
    draft: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(name)
        with os.fdopen(handle, "wb") as file:
            write(file)
        if overwrites:
            draft.replace(path)
        else:
            os.link(draft, path)
    except FileExistsError:
        raise ConfigurationError(f"{path}: has just been made by another process") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)
