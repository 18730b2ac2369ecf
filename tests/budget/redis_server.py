"""A real redis-server on a free port, for the tests that need one."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")

needs_redis = pytest.mark.skipif(
    BINARY is None, reason="needs redis-server or valkey-server (apt-get install redis-server)"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def redis_server(*options: str, port: int | None = None) -> Iterator[int]:
    """Its port, once it answers."""
    assert BINARY is not None
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [BINARY, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        quiet = ["--save", "", "--appendonly", "no", "--logfile", f"{folder}/log"]
        with subprocess.Popen([*command, *quiet, *options]) as server:
            try:
                _await_port(port)
                yield port
            finally:
                server.terminate()


def _await_port(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.02)
    raise RuntimeError(f"redis-server did not open port {port}")
