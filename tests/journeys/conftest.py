"""Running the installed program as a person would."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from browser import IS_HERE, Browser
from people import Person, Run
from plans import make_ready, make_rich

from alive_p2p.runtime import Runtime
from alive_p2p.sharing.plan import SharePlan

if TYPE_CHECKING:
    import pexpect


@dataclass(frozen=True)
class Ran:
    """What a run printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def run(program: str, home: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs `alive-p2p` with arguments, in `tmp_path` unless told otherwise, without a terminal."""

    def call(*arguments: object, cwd: Path | None = None, **environ: str) -> Ran:
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
        assert "Traceback" not in ran.err, ran.err
        return ran

    return call


@pytest.fixture
def terminal(program: str, home: Path, tmp_path: Path) -> Callable[..., "pexpect.spawn[str]"]:
    """Runs `alive-p2p` in a pseudo-terminal, in `tmp_path` unless told otherwise; skips where there are none.

    It is wide enough for every line, unless told otherwise.
    """
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are POSIX")
    import pexpect

    def spawn(*arguments: object, cwd: Path = tmp_path, columns: int = 300, **environ: str) -> "pexpect.spawn[str]":
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # this terminal does not say where its cursor is, and each menu would wait
            **environ,
        }
        return pexpect.spawn(
            program,
            [str(argument) for argument in arguments],
            cwd=str(cwd),
            env=env,  # type: ignore[arg-type]  # os.environ's kind is meant; a plain mapping works
            encoding="utf-8",
            timeout=30,
            dimensions=(24, columns),
        )

    return spawn


@pytest.fixture(scope="session")
def people_template(tmp_path_factory: pytest.TempPathFactory, program: str) -> Path:
    """Three people with keys of 4,096 bits, made once."""
    folder = tmp_path_factory.mktemp("people")

    def run(*arguments: object, **environ: str):
        done = subprocess.run(
            [program, *map(str, arguments)],
            env={"PATH": os.environ["PATH"], **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return SimpleNamespace(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    for name in ("alice", "ben", "mallory"):
        Person(run, folder, name)
    return folder


@pytest.fixture
def people(people_template: Path, tmp_path: Path, run: Run) -> dict[str, Person]:
    """Alice, Ben and Mallory, who do not know each other yet."""
    shutil.copytree(people_template, tmp_path / "people")
    found = {}
    for name in ("alice", "ben", "mallory"):
        person = Person.__new__(Person)
        person._run, person.handle, person.home = run, name, tmp_path / "people" / name
        person.public = person.home / "public.pem"
        person.pubkey_id = json.loads(person("keys", "show", "--json").out)["own"]["pubkey_id"]
        found[name] = person
    return found


@pytest.fixture
def host() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """A git host that publishes keys: its address, and what it answers by path."""
    answers: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        """Answers from the table."""

        def do_GET(self) -> None:
            """Answer one request."""
            code, body = answers.get(self.path, (404, b"Not Found"))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Quietly."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; skips where none is installed."""
    if not IS_HERE:
        pytest.skip("no Chromium on this machine")
    found = Browser(tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()


@pytest.fixture
def ready(tmp_path: Path, runtime: Runtime) -> SharePlan:
    """A plan that nothing stands in the way of."""
    return make_ready(tmp_path, runtime)


@pytest.fixture
def rich(tmp_path: Path, runtime: Runtime) -> SharePlan:
    """A plan with something of everything; it may not leave."""
    return make_rich(tmp_path, runtime)
