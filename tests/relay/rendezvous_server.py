"""A real rendezvous server (magic-wormhole's own), a process of its own on loopback: `python rendezvous_server.py`.

It prints its address and serves until its standard input ends, so that it never outlives whoever started it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


@contextmanager
def real_server() -> Iterator[str]:
    """A server of one's own; its address."""
    if find_spec("wormhole_mailbox_server") is None:
        pytest.skip("there is no rendezvous server; `pip install magic-wormhole-mailbox-server` brings one")
    with subprocess.Popen(
        [sys.executable, Path(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().decode().strip()
            assert address.startswith("ws://127.0.0.1:"), "the server does not start"
            yield address
        finally:
            process.stdin.close()


def serve() -> None:
    from twisted.internet import endpoints, reactor, threads
    from wormhole_mailbox_server.database import create_channel_db
    from wormhole_mailbox_server.server import make_server
    from wormhole_mailbox_server.web import make_web_server

    # As the public one is set up: it does not tell which numbers are in use.
    server = make_server(create_channel_db(":memory:"), allow_list=False, blur_usage=3600)
    site = make_web_server(server, log_requests=False)

    def listening(port: object) -> None:
        sys.stdout.write(f"ws://127.0.0.1:{port.getHost().port}/v1\n")  # type: ignore[attr-defined]
        sys.stdout.flush()

    endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site).addCallback(listening)
    threads.deferToThread(sys.stdin.read).addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    serve()
