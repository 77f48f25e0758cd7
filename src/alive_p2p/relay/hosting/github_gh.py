"""Asking GitHub through its own program, `gh`, which keeps the person's login (relay.md §8).

Only its `api` is used, which speaks REST. It follows redirects itself, and shows the token to no other host.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.relay.hosting.github_ways import HEADERS, MEGABYTES, SECONDS, NoAnswerError, Reply
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line

_POLL_SECONDS = 0.05

_STATUS_LINE = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})\b")

_GH_SAYS = (
    ("cut", ("unexpected eof", "connection reset", "broken pipe", "eof")),
    ("no-address", ("no such host", "server misbehaving", "name resolution", "error connecting to")),
    ("not-answering", ("connection refused",)),
    ("bad-certificate", ("x509:", "tls:", "certificate")),
    ("slow", ("timeout", "deadline exceeded")),
)
"""What the network's failures are called in Go; the first that fits."""


class Gh:
    """Through the `gh` program, which keeps the person's login; REST only.

    Args:
        site: whom.
        program: where `gh` is.
        runtime: the surroundings.
        seconds: how long one answer may take; by default as long as over HTTPS.
    """

    def __init__(self, site: Site, program: str, runtime: Runtime, seconds: float | None = None) -> None:
        self._site = site
        self._seconds = seconds
        self._program = program
        self._runtime = runtime
        self._environ = gh_environ(runtime)

    @classmethod
    def find(cls, site: Site, runtime: Runtime, seconds: float | None = None) -> "Gh | None":
        """The `gh` that is installed; None where there is none, or it has no login there. Nothing is asked."""
        program = shutil.which("gh", path=runtime.environ.get("PATH"))
        if program is None:
            return None
        found = cls(site, program, runtime, seconds)
        return found if found._say("auth", "token", "--hostname", site.host) else None

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Reply:
        """Ask once."""
        command = [self._program, "api", "--hostname", self._site.host, "--include", "--method", method]
        for name, value in HEADERS.items():
            command += ["--header", f"{name}: {value}"]
        data = b"" if body is None else json.dumps(body).encode()
        command += ["--input", "-"] if body is not None else []
        out, said, code = _run([*command, path], self._environ, self._runtime, self._seconds, data)
        return _read_gh(out, said, code)

    @property
    def prefers_ssh(self) -> bool:
        """Whether `gh` was told to use ssh there."""
        return self._say("config", "get", "git_protocol", "--host", self._site.host) == "ssh"

    @property
    def new_login(self) -> str:
        """What to do where the login is not accepted."""
        command = self._command("login")
        if variable := self._variable:
            return f"`gh` uses the token in {variable}: put another one there, or unset it and run `{command}`"
        return f"run `{command}`"

    def more_rights(self, scope: str) -> str:
        """What to do where the login may too little."""
        command = self._command("refresh", "-s", scope)
        if variable := self._variable:
            return f"`gh` uses the token in {variable}: give it the scope `{scope}`, or unset it and run `{command}`"
        return f"run `{command}`"

    def _command(self, *words: str) -> str:
        return " ".join(["gh", "auth", *words, *([] if self._site.name == "GitHub" else ["-h", self._site.host])])

    @property
    def _variable(self) -> str | None:
        names = ["GH_TOKEN", "GITHUB_TOKEN"]
        if not self._site.is_on_the_web:
            names = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"]
        return next((name for name in names if self._environ.get(name)), None)

    def _say(self, *arguments: str) -> str | None:
        """What `gh` prints from its own files; None where it fails."""
        try:
            out, _, code = _run([self._program, *arguments], self._environ, self._runtime, self._seconds)
        except NoAnswerError:
            return None
        return out.decode("utf-8", "replace").strip() if code == 0 else None


def gh_environ(runtime: Runtime) -> dict[str, str]:
    """What `gh` sees: it asks nobody, tells nobody, and prints what a program can read."""
    left_out = {"GH_HOST", "GH_REPO", "GH_DEBUG", "DEBUG", "GH_FORCE_TTY", "CLICOLOR_FORCE", "GH_PAGER", "PAGER"}
    return {name: value for name, value in runtime.environ.items() if name not in left_out} | {
        "GH_TELEMETRY": "0",
        "GH_PROMPT_DISABLED": "1",
        "GH_NO_UPDATE_NOTIFIER": "1",
        "GH_NO_EXTENSION_UPDATE_NOTIFIER": "1",
        "NO_COLOR": "1",
    }


def _run(
    command: list[str], environ: Mapping[str, str], runtime: Runtime, limit: float | None, data: bytes = b""
) -> tuple[bytes, str, int]:
    """Run a program, for so long and up to so much: what it printed, the beginning of what it said, and its code.

    Through files and not pipes, which what it has started could hold open after its end.
    """
    most = MEGABYTES << 20
    seconds = SECONDS if limit is None else limit
    try:
        with TemporaryFile() as asked, TemporaryFile() as out, TemporaryFile() as said:
            asked.write(data)
            asked.seek(0)
            process = subprocess.Popen(
                command, env=environ, stdin=asked, stdout=out, stderr=said, start_new_session=os.name == "posix"
            )
            deadline = runtime.monotonic() + seconds
            try:
                while process.poll() is None and runtime.monotonic() < deadline and _size(out) <= most:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL_SECONDS)
                code = process.poll()
            finally:
                _end(process)
            if _size(out) > most:
                raise NoAnswerError("too-large", f"its answer is larger than {MEGABYTES} megabytes")
            if code is None:
                raise NoAnswerError("slow", f"it took longer than {seconds:g} seconds")
            out.seek(0)
            said.seek(0)
            return out.read(), said.read(1 << 16).decode("utf-8", "replace"), code
    except OSError as error:
        raise NoAnswerError("network", f"`gh` cannot be run ({error.strerror})") from None


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is still running: `gh` may be a script that has started the real one."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _read_gh(out: bytes, said: str, code: int) -> Reply:
    """What `gh api --include` has printed: a status line, headers, a blank line, and the body."""
    first, *_ = out.split(b"\n", 1)
    match = _STATUS_LINE.match(first)
    status = int(match[1]) if match else 0
    if match is None or (code != 0 and status < 400):
        raise _gh_failure(said, code)
    headers = {}
    rest = out[len(first) + 1 :]
    while rest:
        line, _, rest = rest.partition(b"\n")
        if not line.strip():
            break
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Reply.read(status, headers, rest)


def _gh_failure(said: str, code: int) -> NoAnswerError:
    if code == 4:
        return NoAnswerError("no-login", "`gh` has no login there")
    lower = said.lower()
    if "escape sequences" in lower:
        return NoAnswerError("not-http", "its answer is not one of the API")
    kind = next((kind for kind, words in _GH_SAYS if any(word in lower for word in words)), "network")
    why = "its answer was cut off" if kind == "cut" else one_line(said) or f"`gh` ended with {code}"
    return NoAnswerError(kind, why)
