"""Object storage for tests: a real S3 server in this process, by moto, over HTTP.

Here: starting it, its buckets and what is put into them. Not here: what reads from it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

from enrichment_pipeline.attachment import Bucket, read_attachment

KEY_ID = "AKIDEXAMPLE"
SECRET = "geheim/+secret="
WAIT = 60.0


@dataclass(frozen=True)
class ObjectStorage:
    """The server; `environment` are the variables by which it is reached."""

    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "eu-central-1",
        }

    def make_bucket(self, name: str) -> str:
        """A bucket that is empty; its address."""
        httpx.put(f"{self.url}/{name}", timeout=WAIT).raise_for_status()
        return f"s3://{name}"

    def put(self, address: str, content: str | bytes) -> str:
        """An object at this address, which is given back."""
        path = quote(address.removeprefix("s3://"))
        httpx.put(f"{self.url}/{path}", content=content, timeout=WAIT).raise_for_status()
        return address

    def attached(self, address: str, **environment: str) -> Bucket:
        """What `attach` in a policy file makes of this address."""
        variables = {**self.environment, **environment}
        found = read_attachment(address, Path("/"), variables, key="[source] attach")
        assert isinstance(found, Bucket)
        return found


@contextmanager
def running_storage() -> Iterator[ObjectStorage]:
    """An S3 server, empty at first."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStorage(f"http://{host}:{port}")
    finally:
        server.stop()
