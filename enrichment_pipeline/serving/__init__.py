"""Servers of our own: one in the foreground (`foreground.py`), one as a child (`child.py`).

Here: sockets, signals and processes. Not here: what is served (`receiver/`, `sandbox/`).
"""
