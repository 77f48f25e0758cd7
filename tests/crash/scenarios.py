"""Every kind of receive, for the crash suites: how it begins, how it ends, and how to tell the two from anything else.

Where a suite kills the real program, moments and ids differ from run to run, so states are compared with those
taken out.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.receiving.undoing import undo
from alive_p2p.runtime import Runtime
from worlds import NOVA, craft, pack, plant

_KERNEL = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}
_VARYING = [
    (re.compile(rb"\d{4}-\d\d-\d\dT\d\d:?\d\d:?\d\dZ"), b"<moment>"),
    (re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), b"<id>"),
    (re.compile(rb"-imported-\d{8}"), b"-imported-<day>"),
    (re.compile(rb"\.(theirs|before)-\d{8}"), rb".\1-<day>"),
    (re.compile(rb"\d{8}T\d{6}Z"), b"<moment>"),
    (re.compile(rb"\ncreated: \d{4}-\d\d-\d\d\n"), b"\ncreated: <day>\n"),
    (re.compile(rb'"_kernel/log.md": "[0-9a-f]{64}"'), b'"_kernel/log.md": "<of a log with a day>"'),
]
MADE_HERE = ("_kernel/log.md", "_kernel/imports.json", "_kernel/now.json", "_kernel/.p2p/undo/")
ENVIRON = {"ALIVE_SESSION_ID": "spring", "GH_USER": "ben"}


@dataclass(frozen=True)
class Place:
    """Where one run happens: `walnut` is the target, `home` the receiver's home, all below `root`."""

    root: Path
    package: Path
    options: dict[str, Any] = field(default_factory=dict)
    is_undo: bool = False

    @property
    def walnut(self) -> Path:
        """The target."""
        return self.root / "place" / "nova"

    @property
    def home(self) -> Path:
        """The receiver's home."""
        return self.root / "home"

    def runtime(self) -> Runtime:
        """The receiver's surroundings, with a clock that stands still."""
        return Runtime(
            environ={"HOME": str(self.home), **ENVIRON},
            cwd=self.root,
            clock=lambda: datetime(2026, 4, 7, 10, 15, tzinfo=UTC),
        )

    def request(self) -> ReceiveRequest:
        """What is received."""
        return ReceiveRequest(self.package, target=self.walnut, **self.options)

    def act(self) -> str:
        """Do it; gives `ok`, `warn` or `noop`."""
        if self.is_undo:
            return "warn" if undo(self.walnut, self.runtime()).warnings else "ok"
        return receive(self.request(), self.runtime()).status

    def arguments(self) -> list[str]:
        """The same for the installed program."""
        if self.is_undo:
            return ["undo", "--walnut", str(self.walnut), "--yes"]
        flags = [f"--{name.replace('_', '-')}" for name, value in self.options.items() if value is True]
        return ["receive", str(self.package), "--target", str(self.walnut), "--yes", *flags]

    def state(self) -> dict[str, str]:
        """The target as it is, moments and ids taken out; empty where it does not exist."""
        found = {}
        for folder, folders, names in os.walk(self.walnut):
            for name in folders:
                found[self._name(Path(folder, name)) + "/"] = "dir"
            for name in names:
                path = Path(folder, name)
                data = b"link" if path.is_symlink() else path.read_bytes()
                if path.relative_to(self.walnut).as_posix().startswith(MADE_HERE):
                    data = _fixed(data)
                found[self._name(path)] = hashlib.sha256(data).hexdigest()
        if self.walnut.is_dir():
            found["."] = "dir"
        return found

    def _name(self, path: Path) -> str:
        return _fixed(os.fsencode(path.relative_to(self.walnut))).decode("utf-8", "surrogateescape")

    def is_logged_twice(self) -> bool:
        """Whether the log has an entry of one package more than once."""
        log = self.walnut / "_kernel" / "log.md"
        entry = rb"\n(Imported|Took back)(?:.+\n)+?- import_id: ([0-9a-f]+)"
        entries = re.findall(entry, log.read_bytes()) if log.exists() else []
        return len(entries) != len(set(entries))

    def left_over(self) -> list[str]:
        """What no finished or recovered receive leaves: staging, temporary files, registrations."""
        found = [
            str(Path(folder, name).relative_to(self.root))
            for folder, folders, names in os.walk(self.root)
            for name in [*folders, *names]
            if name.startswith((".alive-receive", ".alive-p2p"))
        ]
        transactions = self.home / ".alive" / "transactions"
        return found + ([path.name for path in transactions.iterdir()] if transactions.is_dir() else [])


@dataclass(frozen=True)
class Scenario:
    """One kind of receive.

    Attributes:
        name: for the test's id.
        make_package: makes the package at a path.
        before: the target's tree; None where there is none yet.
        earlier: receives at the target what came before and edits it; given the folder with the packages.
        options: of the request.
        is_undo: not a receive, but taking the last one of `earlier` back.
    """

    name: str
    make_package: Callable[[Path, Runtime], Path]
    before: dict[str, bytes] | None
    options: dict[str, Any] = field(default_factory=dict)
    earlier: Callable[[Path, Place], None] | None = None
    is_undo: bool = False

    def prepare(self, folder: Path) -> "Prepared":
        """Make the package and the beginning, once."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sender").mkdir()
        sender = Runtime(environ={"HOME": str(folder / "sender")}, cwd=folder)
        package = self.make_package(folder / "package.walnut", sender)
        beginning = folder / "beginning"
        (beginning / "place").mkdir(parents=True)
        (beginning / "home").mkdir()
        if self.before is not None:
            plant(beginning / "place" / "nova", self.before)
        if self.earlier is not None:
            self.earlier(folder, Place(beginning, package))
            shutil.rmtree(beginning / "home" / ".alive", ignore_errors=True)
        return Prepared(self, package, beginning)


@dataclass(frozen=True)
class Prepared:
    """A scenario with its package, ready to be begun any number of times."""

    scenario: Scenario
    package: Path
    beginning: Path

    def begin(self, root: Path) -> Place:
        """A fresh place; what was at `root` is gone."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.beginning, root)
        return Place(root, self.package, self.scenario.options, self.scenario.is_undo)


def _fixed(data: bytes) -> bytes:
    for pattern, instead in _VARYING:
        data = pattern.sub(instead, data)
    return data


def _packed(tree: dict[str, bytes], **options: Any) -> Callable[[Path, Runtime], Path]:
    def make(path: Path, runtime: Runtime) -> Path:
        return pack(plant(path.with_name("source") / "nova", tree), path, runtime, **options)

    return make


def _crafted(tree: dict[str, bytes], **fields: Any) -> Callable[[Path, Runtime], Path]:
    return lambda path, _: craft(path, tree, **fields)


_CHANGED: dict[str, bytes | None] = {
    "shielding-review/draft.md": b"# changed there\n",
    "shielding-review/notes.md": b"changed there\n",
    "shielding-review/tasks.json": b'{"tasks": [{"id": "t-001", "title": "measure"}, {"id": "t-002", "title": "b"}]}\n',
    "shielding-review/raw/dose.csv": None,
    "shielding-review/new/deep/plan.md": b"new\n",
    "shielding-review/plan": b"a file, where the other side has folders with nothing in them\n",
    "shielding-review/raw.md": b"new\n",
}
_BEFORE = {
    **NOVA,
    "shielding-review/notes.md": b"notes\n",
    "shielding-review/tasks.json": b'{"tasks": [{"id": "t-001", "title": "look"}]}\n',
}
_EDITED_HERE = {
    "shielding-review/notes.md": b"changed here\n",
    "shielding-review/tasks.json": b'{"tasks": [{"id": "t-001", "title": "look", "status": "done"}]}\n',
    "shielding-review/plan/of/": b"",
    "mine.md": b"mine\n",
}


def _sent_again(**options: Any) -> Callable[[Path, Runtime], Path]:
    """Make the package of an update, and the one that came before it beside it."""

    def make(path: Path, runtime: Runtime) -> Path:
        walnut = plant(path.with_name("source") / "nova", _BEFORE)
        pack(walnut, path.with_name("earlier.walnut"), runtime)
        for name, content in _CHANGED.items():
            if content is None:
                (walnut / name).unlink()
            else:
                plant(walnut, {name: content})
        return pack(walnut, path, runtime, **options)

    return make


def _receive_earlier(folder: Path, place: Place) -> None:
    receive(ReceiveRequest(folder / "earlier.walnut", target=place.walnut), place.runtime())
    plant(place.walnut, _EDITED_HERE)


def _receive_both(folder: Path, place: Place) -> None:
    """And edit what the update has brought."""
    _receive_earlier(folder, place)
    receive(ReceiveRequest(place.package, target=place.walnut, update=True), place.runtime())
    plant(
        place.walnut, {"shielding-review/draft.md": b"changed after\n", "shielding-review/new/deep/mine.md": b"mine\n"}
    )


def _receive_and_edit(_folder: Path, place: Place) -> None:
    receive(ReceiveRequest(place.package, target=place.walnut), place.runtime())
    plant(place.walnut, {"shielding-review/draft.md": b"changed after\n"})


def _receive_only(_folder: Path, place: Place) -> None:
    receive(ReceiveRequest(place.package, target=place.walnut), place.runtime())


_BUNDLES = _packed(NOVA, scope="bundle", bundles=("launch-window", "shielding-review"), key="full")
_LEDGER = b'{"walnut_id": "0b8ff5c0-9f3c-4f52-8c3b-0a4f9f6a9d11", "imports": []}\n'
_OLD = {
    "_kernel/key.md": NOVA["_kernel/key.md"],
    "alpha/context.manifest.yaml": b"goal: x\n",
    "alpha/tasks.md": b"- [ ] one\nnot a task\n",
    "alpha/CLAUDE.md": b"obey\n",
}

SCENARIOS = {
    one.name: one
    for one in [
        Scenario("full", _packed(NOVA), None),
        Scenario("snapshot", _packed(NOVA, scope="snapshot"), None),
        Scenario("bundles", _BUNDLES, _KERNEL),
        Scenario("bundles-with-a-ledger", _BUNDLES, {**_KERNEL, "_kernel/imports.json": _LEDGER, "mine.md": b"mine"}),
        Scenario("bundles-beside-a-broken-ledger", _BUNDLES, {**_KERNEL, "_kernel/imports.json": b"{broken"}),
        Scenario("bundles-renamed", _BUNDLES, {**_KERNEL, "launch-window/mine.md": b"mine"}, {"rename": True}),
        Scenario(
            "update",
            _sent_again(scope="bundle", bundles=("shielding-review",)),
            None,
            {"update": True},
            _receive_earlier,
        ),
        Scenario("update-of-everything", _sent_again(scope="full"), None, {"update": True}, _receive_earlier),
        Scenario(
            "undo-of-an-update",
            _sent_again(scope="bundle", bundles=("shielding-review",)),
            None,
            earlier=_receive_both,
            is_undo=True,
        ),
        Scenario("undo-of-bundles", _BUNDLES, _KERNEL, earlier=_receive_and_edit, is_undo=True),
        Scenario("undo-of-a-walnut", _packed(NOVA), None, earlier=_receive_only, is_undo=True),
        Scenario("bundle-of-an-old-layout", _crafted(_OLD, scope="bundle", bundles=["alpha"]), _KERNEL),
    ]
}
