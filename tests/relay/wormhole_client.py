"""Somebody with magic-wormhole's own library, who says three things as our program does, and prints what they hear.

A process of its own: `python wormhole_client.py URL APP [CODE]`. Without a code it prints the one it has got.
"""

import json
import sys

from twisted.internet import defer, reactor
from wormhole import create

SAYS = [b"one", b"\x00\xff" * 900, b"three"]


@defer.inlineCallbacks
def talk(url: str, app: str, code: str | None):
    wormhole = create(app, url, reactor, versions={app: 1})
    if code is None:
        wormhole.allocate_code(2)
    else:
        wormhole.set_code(code)
    code = yield wormhole.get_code()
    sys.stdout.write(f"{code}\n")
    sys.stdout.flush()
    versions = yield wormhole.get_versions()
    for said in SAYS:
        wormhole.send_message(said)
    heard = []
    for _ in SAYS:
        message = yield wormhole.get_message()
        heard.append(message.hex())
    yield wormhole.close()
    sys.stdout.write(json.dumps({"versions": versions, "heard": heard}) + "\n")
    reactor.stop()  # type: ignore[attr-defined]


if __name__ == "__main__":
    url_, app_, *code_ = sys.argv[1:]
    talk(url_, app_, *(code_ or [None])).addErrback(lambda failure: (failure.printTraceback(), reactor.stop()))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
