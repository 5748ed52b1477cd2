"""The least that the point of entry could do: a FastAPI route that commits a row.

Here: a process of its own, which prints its URL; `entry.py` measures it. The database is SQLite, in
the settings of the ledger.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import threading
from pathlib import Path
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

app = FastAPI()
_local = threading.local()


def _connection() -> sqlite3.Connection:
    if not hasattr(_local, "connection"):
        connection = sqlite3.connect(Path(sys.argv[1]) / "bare.sqlite", timeout=60)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table if not exists rows (id text primary key, body text)")
        _local.connection = connection
    return _local.connection


@app.post("/")
def post(body: dict[str, str]) -> dict[str, str]:
    row_id = uuid4().hex
    connection = _connection()
    with connection:
        connection.execute("insert into rows values (?, ?)", (row_id, json.dumps(body)))
    return {"id": row_id, **body}


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as ours has it
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run([listener])


if __name__ == "__main__":
    main()
