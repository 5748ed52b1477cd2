"""Where the sample lies: `data/sample` in the project, a folder of ours in an installed package.

Belongs here: the place. Does not belong here: what is in it (its README), and making it
(`make_sample.py`).
"""

from pathlib import Path

_PACKAGED = Path(__file__).with_name("sample")
"""Where the wheel has the files; see `force-include` in pyproject.toml."""
SAMPLE = (
    _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "data" / "sample"
)
