"""Servers of our own: in the foreground, as a child, and what each of them asks of a connection.

Here: sockets, signals and processes (`foreground.py`, `child.py`), time limits of connections
(`connections.py`), reading a body within limits (`bodies.py`), closing after a refused one
(`lingering.py`), metrics on a port of their own (`served_metrics.py`), and who may reach Dagster's
pages (`guard.py`). Not here: what is served (`entry/`, `receiver/`, `sandbox/`).
"""
