"""A real browser to look at pages in.

It is driven over a pair of pipes, so there is no port, no network and no further dependency.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_PATIENCE = 120.0
"""Seconds; a browser that says nothing for so long is not merely slow."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

IS_HERE = CHROMIUM is not None and sys.platform == "linux"
"""Whether there is one on this machine that can be driven."""


class Browser:
    """A headless Chromium with a profile of its own."""

    def __init__(self, folder: Path) -> None:
        import fcntl

        assert CHROMIUM
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._sockets = tempfile.mkdtemp()  # the path of a socket has a hundred bytes; pytest's folders lie deep
        answers, written = os.pipe()
        read, questions = os.pipe()
        # The browser finds its pipes at 3 and 4; from 10 on no number gets in the way of another.
        theirs = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (read, written)]
        os.close(read)
        os.close(written)
        quiet = os.open(os.devnull, os.O_RDWR)
        self.pid = os.posix_spawn(
            CHROMIUM,
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-breakpad",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--hide-scrollbars",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--remote-debugging-pipe",
                f"--user-data-dir={folder}",
                "about:blank",
            ],
            {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": self._sockets, "LANG": "C.UTF-8"},
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, quiet, number) for number in (0, 1, 2)),
                (os.POSIX_SPAWN_DUP2, theirs[0], 3),
                (os.POSIX_SPAWN_DUP2, theirs[1], 4),
            ],
            setpgroup=0,
        )
        for one in (*theirs, quiet):
            os.close(one)
        self._in, self._out = answers, questions
        self._unread = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: object) -> dict[str, Any]:
        """Ask for something and wait for the answer; events that come before it are kept."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        unsent = json.dumps(message).encode() + b"\0"
        while unsent:
            unsent = unsent[os.write(self._out, unsent) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        pieces = [self._unread]
        while b"\0" not in pieces[-1]:
            assert select.select([self._in], [], [], _PATIENCE)[0], "the browser says nothing"
            pieces.append(os.read(self._in, 1 << 16))
            assert pieces[-1], "the browser has gone"
        message, _, self._unread = b"".join(pieces).partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def show(self, document: str, *, width: int = 1280, scheme: str = "light", media: str = "") -> None:
        """Open a page as a file, as a person would, on a screen of some width."""
        path = self.folder / "page.html"
        path.write_text(document, encoding="utf-8")
        self.events.clear()
        is_phone = width < 600
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=640 if is_phone else 900,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self("Emulation.setEmulatedMedia", media=media, features=[preference])
        self("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def ask(self, expression: str) -> Any:
        """What an expression says in the page."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def shoot(self, path: Path, *, height: int | None = None) -> None:
        """A picture of the whole page, or of its upper part."""
        size = self("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], height or 16_000), "scale": 1}
        picture = self("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(picture))

    def print(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])

    def requests(self) -> list[str]:
        """Every address that was asked for since the page was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def close(self) -> None:
        """End it, with all its processes."""
        self._session = None
        with contextlib.suppress(AssertionError, OSError):
            self("Browser.close")
        for _ in range(100):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
            time.sleep(0.05)
        else:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        for pipe in (self._in, self._out):
            os.close(pipe)
        shutil.rmtree(self._sockets, ignore_errors=True)
