"""The page of a plan, read by a parser and looked at in a real browser (share.md §6).

The browser is driven over a pair of pipes, so there is no port, no network and no further dependency.
"""

import base64
import contextlib
import hashlib
import html.parser
import itertools
import json
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.cli import page_contents
from alive_p2p.cli.page import POLICY, page
from alive_p2p.cli.preview import key_form
from alive_p2p.cli.substitutions import substitution_text
from alive_p2p.keys.private import load_private_key
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.manifest import Manifest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.audience import Recipient
from alive_p2p.sharing.findings import Finding
from alive_p2p.sharing.gate import Decision, Outcome, Ruling
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import LeftOut, PlannedFile, Reason, SharePlan, ShareRequest
from alive_p2p.text import escape
from worlds import KEY, NOVA, make_world, plant

_PATIENCE = 120.0
"""Seconds; a browser that says nothing for so long is not merely slow."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# -- a browser -----------------------------------------------------------------------------------------------------


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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; skips where none is installed."""
    if CHROMIUM is None or sys.platform != "linux":
        pytest.skip("no Chromium on this machine")
    found = Browser(tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()


# -- plans ---------------------------------------------------------------------------------------------------------

BEN = Recipient("ben", "9f86d081884c7d65", "rsa", is_peer=True, is_paired=True)
ADA = Recipient("github:ada-okonkwo", "2c26b46b68ffc68f", "ed25519")
CLEO = Recipient("cleo", "fcde2b2edba56bf4", "x25519", is_peer=True)

_TASKS = {
    "tasks": [
        {"id": "1", "status": "todo", "priority": "urgent"},
        {"id": "2", "status": "active"},
        {"id": "3", "status": "todo"},
        {"id": "4", "status": "blocked"},
        {"id": "5", "status": "done"},
    ]
}
RICH = {
    **NOVA,
    "_kernel/now.json": b"{}",
    "shielding-review/tasks.json": json.dumps(_TASKS).encode(),
    "shielding-review/raw/2026/04/beam.csv": b"a,b\n" * 12_000,
    "crew-medical/context.manifest.yaml": b"goal: Medical\nsensitivity: restricted\npii: true\n",
    "crew-medical/overview.md": b"# Overview\n",
    "crew-medical/raw/blood.csv": b"x\n",
    "engineering/deploy.env.md": b'api = "ghp_' + b"aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC3fG6" + b'"\n',
    "engineering/thermal/loops/primary.md": b"# Primary\n",
    "engineering/pricing-2026.xlsx": b"PK\x03\x04" + b"\0" * 4000,
    "engineering/drafts/": b"",
    ".obsidian/workspace.json": b"{}",
    ".env": b"A=1",
    "id_ed25519": b"key",
    "dist/site.html": b"x",
    "old.walnut": b"x",
    "suppliers/_kernel/key.md": KEY,
    "notes-from-a-long-conversation-about-where-the-station-should-stand-and-why-nobody-is-there-yet.md": b"n",
}


@pytest.fixture
def ready(tmp_path: Path, runtime: Runtime) -> SharePlan:
    """A plan that nothing stands in the way of."""
    source = plant(tmp_path / "nova-station", {"_kernel/key.md": b"---\nsensitivity: open\n---\n", "notes.md": b"n"})
    return plan_share(ShareRequest(source, "full"), runtime)


@pytest.fixture
def rich(tmp_path: Path, runtime: Runtime) -> SharePlan:
    """A plan with something of everything; it may not leave."""
    return make_rich(tmp_path, runtime)


def make_rich(folder: Path, runtime: Runtime, **changes: object) -> SharePlan:
    """A walnut with something of everything, and what would leave of it."""
    source = plant(make_world(folder / "world") / "04_Ventures" / "nova-station", RICH)
    (source / "latest").symlink_to("notes.md")
    (source / "engineering" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "engineering" / "run.sh").chmod(0o755)
    options: dict[str, Any] = {
        "excludes": ("**/ring.md", "*.tmp"),
        "peer_excludes": {"ben": ("windows.md",)},
        "includes": ("dist",),
        "sender": "alice",
        "note": "for Thursday",
        "seal": Seal(Envelope.AGE),
        "recipients": (BEN, ADA, CLEO),
        **changes,
    }
    return plan_share(ShareRequest(source, "full", **options), runtime)


def with_paths(
    plan: SharePlan, leaving: list[str], staying: list[LeftOut] | None = None, **fields: object
) -> SharePlan:
    """The plan with other paths."""
    entries = [FileEntry(path, hashlib.sha256(path.encode()).hexdigest(), len(path) * 37) for path in sorted(leaving)]
    listed = [{"path": one.path, "sha256": one.sha256, "size": one.size} for one in entries]
    manifest = Manifest({**plan.manifest.fields, "files": listed, **fields})
    files = tuple(PlannedFile(one) for one in entries)
    return replace(plan, files=files, manifest=manifest, left_out=tuple(staying or ()))


def large(plan: SharePlan) -> SharePlan:
    """Ten thousand files in folders of every size, and ten thousand paths that stay."""
    leaving = [
        "_kernel/key.md",
        *(f"archive/20{n % 25:02}/{n % 12 + 1:02}/measurement-of-the-{n:05}th-run.csv" for n in range(9_000)),
        *(f"letters/letter-{n:04}.md" for n in range(800)),
        *(f"note-{n:03}.md" for n in range(199)),
    ]
    staying = [LeftOut(f"archive/cache/.part-{n:05}", Reason.HIDDEN) for n in range(9_000)]
    staying += [LeftOut(f"tmp/{n:04}.bak", Reason.EXCLUDED, "*.bak") for n in range(1_000)]
    return with_paths(plan, leaving, staying)


HOSTILE = (
    "<script>fetch('https://evil.example/')</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script><script>alert(1)</script>",
    "'-alert(1)-' onmouseover='alert(1)",
    "<!--",
    "]]><svg onload=alert(1)>",
    "&lt;script&gt;&#x202e;",
    "javascript:alert(1)",
    "invoice\u202efdp.exe",
    "a\u2066b\u2069\u200e\u200f",
    "zero\u200bwidth\ufeff",
    "שלום עולם 123",
    "مرحبا بالعالم.md",
    "Z" + "\u0350\u0363\u036f" * 60,
    "👩🏽\u200d🚀🇺🇦",
    "`--yes` 'quoted' `code",
    "\x1b[2J\x07\r\nnewline\ttab",
    "W" * 250,
    "ﷺ" * 80,
    "\udcff\udcfe",
)


def hostile(plan: SharePlan) -> SharePlan:
    """A plan whose every word comes from somebody who wants to break out."""
    names = [name.replace("/", "∕") for name in HOSTILE]
    leaving = [
        "_kernel/key.md",
        *(f"{name}/{inner}" for name in names[:6] for inner in names[:-1]),
        *names[6:-1],
        "/".join("abcdefgh"[n % 8] for n in range(400)),
    ]
    staying = [LeftOut(f"{one}/{two}", reason, two) for reason in Reason for one in names[:4] for two in names]
    findings = tuple(
        Finding(f"{n:012x}", "token", name, f"{name}/{name}", n, name[:80], blocks=n % 2 == 0, count=n)
        for n, name in enumerate(names, 1)
    )
    rulings = tuple(Ruling(name, outcome, f"the bundle '{name}' {name}", name) for name in names for outcome in Outcome)
    recipients = tuple(Recipient(name, name[:16], name, is_peer=True) for name in names)
    request = replace(plan.request, recipients=recipients, seal=Seal(Envelope.AGE))
    changed = with_paths(plan, leaving, staying, sender=names[0], note=names[1], description=names[2])
    return replace(
        changed,
        root=plan.root.with_name(names[2][:60]),
        request=request,
        gate=Decision(plan.gate.audience, rulings),
        findings=findings,
        warnings=tuple(names),
        included=tuple(names),
        sensitivity_reason=names[0],
    )


# -- reading it without a browser ----------------------------------------------------------------------------------

_VOID = {"meta", "link", "wbr"}


@dataclass
class Node:
    """An element that was read, with its text and elements in order."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: "list[Node | str]" = field(default_factory=list)

    @property
    def elements(self) -> "list[Node]":
        return [child for child in self.children if isinstance(child, Node)]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def walk(self) -> "Iterator[Node]":
        for child in self.elements:
            yield child
            yield from child.walk()

    def first(self, tag: str, **attributes: str) -> "Node | None":
        return next(
            (n for n in self.walk() if n.tag == tag and attributes.items() <= n.attributes.items()),
            None,
        )


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        assert len(node.attributes) == len(attrs)
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(document: str) -> Node:
    """The document as elements; every one is closed where it has to be."""
    reader = _Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def _rows(rows: Node, above: str = "") -> Iterator[str]:
    """The paths of a list: those of its rows, and of the lists in rows that open."""
    for row in rows.elements:
        assert row.tag == "li"
        if row.attributes.get("class") != "folder":
            label = row.elements[0]
            assert label.tag == "bdi"
            yield above + label.text
            continue
        summary, inner = row.elements[0].elements
        name = summary.elements[0]
        yield from _rows(inner, above + name.text if name.tag == "bdi" else above)


def paths_in(document: str, anchor: str) -> list[str]:
    """Every path in one section of the page."""
    found = read(document).first("section", id=anchor)
    assert found
    return [path for node in found.walk() if node.attributes.get("class") == "tree" for path in _rows(node)]


def test_every_path_is_there_once(rich: SharePlan) -> None:
    """What leaves is under what leaves, what stays under what stays, and nothing is missing or there twice."""
    document = page(rich)
    leaving = [one.entry.path for one in rich.files] + [f"{path}/" for path in rich.manifest.empty_dirs or ()]
    assert "engineering/drafts/" in leaving
    assert sorted(paths_in(document, "leaves")) == sorted(leaving)
    assert sorted(paths_in(document, "stays")) == sorted(one.path for one in rich.left_out)
    assert len(rich.left_out) > 8


def _paths(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    few = st.sampled_from(["a", "b", "_kernel", "letters"])
    return st.lists(few | st.text(characters, min_size=1, max_size=12), min_size=1, max_size=12).map("/".join)


_path = _paths(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]))
_path_here = _paths(st.characters(exclude_characters="/\0"))


@given(
    leaving=st.sets(_path, max_size=25), staying=st.lists(st.tuples(_path_here, st.sampled_from(Reason)), max_size=25)
)
def test_every_path_of_any_plan_is_there_once(
    leaving: set[str], staying: list[tuple[str, Reason]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However folders are nested and named; a plan gives the same bytes every time, and they are UTF-8."""
    template = _template(tmp_path_factory)
    files = [p for p in leaving if not any(other.startswith(f"{p}/") for other in leaving)]
    plan = with_paths(template, files, [LeftOut(path, reason) for path, reason in staying], empty_dirs=[])
    document = page(plan)
    assert sorted(paths_in(document, "leaves")) == sorted(map(escape, files))
    assert sorted(paths_in(document, "stays")) == sorted(escape(path) for path, _ in staying)
    assert page(plan).encode() == document.encode()


_templates: list[SharePlan] = []


def _template(factory: pytest.TempPathFactory) -> SharePlan:
    if not _templates:
        folder = factory.mktemp("template")
        source = plant(folder / "nova", {"_kernel/key.md": KEY})
        runtime = Runtime(environ={"HOME": str(folder)}, cwd=folder)
        _templates.append(plan_share(ShareRequest(source, "snapshot"), runtime))
    return _templates[0]


def test_a_page_says_what_the_terminal_says(rich: SharePlan) -> None:
    """The same facts in the same words: the two faces of one plan."""
    shown = " ".join(read(page(rich)).text.split())
    for reason in rich.manifest.substitutions.values():
        assert substitution_text(reason) in shown
    assert key_form(rich) in shown
    assert rich.readers in shown
    for ruling in rich.gate.rulings:
        assert ruling.why.replace("`", "") in shown
    for finding in rich.findings:
        assert finding.id in shown
        assert finding.excerpt in shown
        assert finding.path in shown
    for finding in rich.blocking_findings:
        assert f"--allow-finding {finding.id}" in shown
    for warning in rich.warnings:
        assert warning.replace("`", "") in shown
    for one in rich.left_out:
        assert one.reason.explanation.replace("`", "") in shown
    for bundle in rich.bundles:
        assert bundle.tasks.describe() in shown
    for use in rich.exclusions:
        assert f"{use.pattern}{use.origin}{use.matched}" in shown
    for person in rich.request.recipients:
        assert person.pubkey_id in shown
    assert rich.manifest.import_id in shown
    assert rich.blocking_findings
    assert rich.gate.blocks
    assert rich.included


def test_the_verdict_is_the_gates(rich: SharePlan, ready: SharePlan) -> None:
    """Blocked, asked, or ready; a number of things that is true."""

    def verdict(plan: SharePlan) -> str:
        found = read(page(plan)).first("h1")
        assert found
        return found.text

    blocks = len(rich.gate.blocks) + len(rich.blocking_findings)
    assert verdict(rich) == f"May not leave: {blocks} things to settle"
    one = Ruling("walnut", Outcome.REFUSED, "no")
    assert verdict(replace(ready, gate=Decision(ready.gate.audience, (one,)))) == "May not leave: 1 thing to settle"
    asks = Ruling("walnut", Outcome.ASKS, "the walnut is private")
    assert verdict(replace(ready, gate=Decision(ready.gate.audience, (asks,)))) == "Will ask before it leaves"
    assert verdict(ready) == "Ready to leave"


def test_an_allowed_secret_is_not_in_the_way(rich: SharePlan) -> None:
    """It moves to what was decided by hand."""
    ids = tuple(one.id for one in rich.blocking_findings)
    allowed = replace(rich, request=replace(rich.request, allowed_findings=ids), gate=Decision(rich.gate.audience, ()))
    shown = read(page(allowed)).text
    assert "Decided by hand" in shown
    assert "To settle" not in shown
    assert "--allow-finding" not in shown


def test_the_page_names_nothing_outside_the_walnut(rich: SharePlan, tmp_path: Path) -> None:
    """It may be sent to somebody: neither the home folder nor the world is on it."""
    assert str(tmp_path) not in page(rich)
    assert "04_Ventures" not in page(rich)


def test_a_bundle_of_an_older_layout_says_where_it_lies(tmp_path: Path, runtime: Runtime) -> None:
    """What travels under another path is shown with the one it has here, once for the whole folder."""
    source = plant(tmp_path / "nova", {"_kernel/key.md": KEY, **{f"bundles/review/{n}.md": b"x" for n in range(3)}})
    (source / "bundles/review/context.manifest.yaml").write_bytes(b"goal: x\n")
    found = read(page(plan_share(ShareRequest(source, "full"), runtime))).first("section", id="leaves")
    assert found
    assert found.text.count("from bundles/review") == 1


def test_however_deep_folders_lie(ready: SharePlan) -> None:
    """The deepest path a package can hold, with a file at every level: all there, and the nesting has an end."""
    leaving = ["/".join(["d"] * depth + ["f"]) for depth in range(511)]
    document = page(with_paths(ready, leaving, empty_dirs=["/".join(["d"] * 500 + ["e"])]))
    assert sorted(paths_in(document, "leaves")) == sorted([*leaving, "d/" * 500 + "e/"])
    assert document.count("<details") < 20


def test_bundles_are_counted_and_named(tmp_path: Path, runtime: Runtime) -> None:
    """With scope bundle the headline says how many, and the facts which."""
    source = plant(tmp_path / "nova", NOVA)
    request = ShareRequest(source, "bundle", bundles=("shielding-review", "launch-window"))
    shown = read(page(plan_share(request, runtime))).text
    assert "nova, 2 bundles, for everybody who gets the file" in shown
    assert "bundle: launch-window, shielding-review" in shown


def test_many_people_and_a_signature(tmp_path: Path, runtime: Runtime) -> None:
    """Everybody is listed, the first by name in the headline; and whose signature it is, with the id of the key."""
    people = tuple(replace(BEN, name=f"peer {n}", pubkey_id=f"{n:016x}") for n in range(20))
    made = rsa.generate_private_key(65537, 2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = load_private_key(pem, label="test")
    root = read(page(make_rich(tmp_path, runtime, recipients=people, signing_key=key)))
    shown = " ".join(root.text.split())
    assert "for peer 0, peer 1, peer 2 and 17 more" in shown
    assert all(one.pubkey_id in shown for one in people)
    assert f"by alice {key.public.pubkey_id}" in shown


def test_an_empty_folder_and_a_file_that_gets_its_name_back(ready: SharePlan) -> None:
    """Both are rows of their own; the file says what it is called here."""
    plan = with_paths(ready, ["notes.md"], empty_dirs=["drafts", "inner/empty"])
    origin = plan.root / "notes.md.received"
    plan = replace(plan, files=(replace(plan.files[0], origin=origin),))
    document = page(plan)
    assert sorted(paths_in(document, "leaves")) == ["drafts/", "inner/empty/", "notes.md"]
    assert "from notes.md.received" in read(document).text


def test_headings_and_landmarks_are_in_order(rich: SharePlan) -> None:
    """One first heading, no level skipped, each section named by its heading, and a table with scopes."""
    root = read(page(rich))
    levels = [int(node.tag[1]) for node in root.walk() if re.fullmatch("h[1-6]", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = [node.attributes["id"] for node in root.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    sections = [node for node in root.walk() if node.tag == "section"]
    assert all(node.attributes["aria-labelledby"] in ids for node in sections)
    links = [node.attributes["href"] for node in root.walk() if node.tag == "a"]
    assert links
    assert all(link and link.startswith("#") and link[1:] in ids for link in links)
    assert all(node.attributes.get("scope") for node in root.walk() if node.tag == "th")
    assert [n.tag for n in root.walk() if n.tag in {"header", "main", "footer"}] == ["header", "main", "footer"]
    assert [node.attributes["lang"] for node in root.walk() if node.tag == "html"] == ["en"]


_TAGS = frozenset(
    re.findall(
        r"\w+",
        """html head meta link title style body header main footer section nav h1 h2 h3 p ul li a b strong em span bdi
        code wbr dl div dt dd details summary table thead tbody tr th td time""",
    )
)
_ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "charset http-equiv content name rel href lang id class aria-label aria-labelledby open scope datetime",
    )
)


def test_hostile_words_stay_words(ready: SharePlan) -> None:
    """No name, reason, excerpt or note makes an element or an attribute, and none hides in invisible characters."""
    document = page(hostile(ready))
    document.encode()
    root = read(document)
    assert {node.tag for node in root.walk()} <= _TAGS
    for node in root.walk():
        assert set(node.attributes) <= _ATTRIBUTES
        assert "style" not in node.attributes
        for attribute, value in node.attributes.items():
            assert attribute in {"http-equiv", "content"} or not any(name in str(value) for name in HOSTILE)
    shown = root.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff\x1b\x07]", document)
    assert "\\u{202e}" in shown
    assert "\\xff" in shown
    for name in HOSTILE:
        assert escape(name.replace("/", "∕")) in shown, name
    assert root.first("title").text.endswith(escape(hostile(ready).root.name))  # type: ignore[union-attr]


def test_ten_thousand_files_stay_a_small_page(ready: SharePlan) -> None:
    """Every path is on it, and it is below two megabytes; the folders that would flood it begin closed."""
    plan = large(ready)
    assert len(plan.files) == 10_000
    document = page(replace(plan, left_out=()))
    assert len(document.encode()) < 2_000_000
    assert sorted(paths_in(document, "leaves")) == [one.entry.path for one in plan.files]
    opened = [node for node in read(document).walk() if node.tag == "details" and "open" in node.attributes]
    assert len(opened) == 1


# -- colours ---------------------------------------------------------------------------------------------------------

_PAIRS = list(itertools.product(["ink", "quiet", "accent"], ["paper", "wash"]))
_AA = 4.5


def _schemes() -> dict[str, dict[str, str]]:
    css = Path(page_contents.__file__).with_name("page.css").read_text(encoding="utf-8")
    found = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark, paper = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in found)
    return {"light": light, "dark": {**light, **dark}, "print": {**light, **paper}}


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)


def _hex(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_can_be_read(scheme: str) -> None:
    """Every colour of text on every ground has the contrast that WCAG AA asks for."""
    colours = _schemes()[scheme]
    for text, ground in _PAIRS:
        assert _contrast(_hex(colours[text]), _hex(colours[ground])) >= _AA, (text, ground)


def test_the_style_has_no_colour_of_its_own() -> None:
    """What the test above checks is all there is: colours are named in one place, and nothing is fetched."""
    css = Path(page_contents.__file__).with_name("page.css").read_text(encoding="utf-8")
    rules = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl|gradient|url\(|@import|opacity", rules)
    assert "</" not in css


# -- in the browser --------------------------------------------------------------------------------------------------

Make = Callable[[SharePlan], SharePlan]

_OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
_WIDEST = """(() => {
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
  return [document.documentElement.scrollWidth, innerWidth, wide.slice(0, 5).map(e => e.outerHTML.slice(0, 200))];
})()"""


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("make", [lambda plan: plan, hostile, large], ids=["rich", "hostile", "large"])
def test_nothing_is_wider_than_the_screen(width: int, make: Make, rich: SharePlan, browser: Browser) -> None:
    """Also on the narrowest phone, with every folder open."""
    browser.show(page(make(rich)), width=width)
    for _ in range(2):
        scroll, inner, wide = browser.ask(_WIDEST)
        assert inner == width
        assert scroll <= width, wide
        assert wide == []
        browser.ask(_OPEN_ALL)


def test_a_browser_makes_nothing_of_hostile_words(ready: SharePlan, browser: Browser) -> None:
    """No script, no image, no handler, no request, and no complaint that the policy had to step in."""
    browser.show(page(hostile(ready)))
    tags, attributes = browser.ask(
        "[[...new Set([...document.querySelectorAll('*')].map(e => e.localName))],"
        " [...new Set([...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()))]]"
    )
    assert set(tags) <= _TAGS
    assert set(attributes) <= _ATTRIBUTES
    assert [url for url in browser.requests() if not url.startswith("data:,")] == [
        (browser.folder / "page.html").as_uri()
    ]
    said = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}
    assert [event for event in browser.events if event.get("method") in said] == []


def test_the_last_part_of_a_name_stands_last(ready: SharePlan, browser: Browser) -> None:
    """Also where the letters run from right to left: what looks like the ending is the ending."""
    browser.show(page(with_paths(ready, ["מסמך.exe", "مرحبا.md", "plain.md"])))
    sides = browser.ask(
        """[...document.querySelectorAll('.tree > li > bdi')].map(bdi => {
          const at = n => { const r = new Range(); r.setStart(bdi.firstChild, n); r.setEnd(bdi.firstChild, n + 1);
            return r.getBoundingClientRect().left; };
          return at(bdi.textContent.length - 1) > at(bdi.textContent.lastIndexOf('.') - 1);
        })"""
    )
    assert sides == [True] * 3


def test_the_policy_holds_where_all_else_fails(ready: SharePlan, browser: Browser) -> None:
    """Were there a hole in the escaping, what came through it would still neither run nor ask for anything."""
    hole = "<script>window.ran=1</script><img src='https://evil.example/a.png' onerror='window.ran=2'>"
    browser.show(page(ready).replace("</main>", f"{hole}</main>"))
    assert browser.ask("typeof window.ran") == "undefined"
    blocked = [e["params"] for e in browser.events if e.get("method") == "Network.loadingFailed"]
    assert all(one.get("blockedReason") == "csp" for one in blocked)
    assert browser.ask("document.querySelector('meta[http-equiv]').content") == POLICY


_COLOURS = """(() => {
  const seen = {};
  const clear = 'rgba(0, 0, 0, 0)';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim()) continue;
    let ground = node.parentElement;
    while (ground && getComputedStyle(ground).backgroundColor === clear) ground = ground.parentElement;
    const pair = getComputedStyle(node.parentElement).color + '|' +
      (ground ? getComputedStyle(ground).backgroundColor : 'rgb(255, 255, 255)');
    seen[pair] = node.data.trim().slice(0, 40);
  }
  return seen;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_the_browser(scheme: str, rich: SharePlan, browser: Browser) -> None:
    """The colours as they come out of the style, for every piece of text there is."""
    browser.show(page(rich), scheme=scheme)
    pairs = browser.ask(_COLOURS)
    assert len(pairs) >= 4
    for pair, text in pairs.items():
        one, other = (tuple(map(float, re.findall(r"[\d.]+", colour)[:3])) for colour in pair.split("|"))
        assert _contrast(one, other) >= _AA, (pair, text)
    ground = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert (_luminance(tuple(map(float, re.findall(r"\d+", ground)))) > 0.5) is (scheme == "light")


def test_a_printed_page_hides_nothing(rich: SharePlan, ready: SharePlan, browser: Browser) -> None:
    """On paper every folder is open, also those that are closed on the screen."""
    many = [f"letters/letter-{n:04}.md" for n in range(300)]
    plan = with_paths(rich, [one.entry.path for one in rich.files] + many, list(rich.left_out))
    flat = "[...document.querySelectorAll('li, p, tr, summary:not(.more)')]"
    hidden = f"{flat}.filter(e => !e.checkVisibility({{contentVisibilityAuto: true}}) || !e.getClientRects().length)"
    shown = f"{hidden}.filter(e => !e.closest('nav') && e.className != 'old-print').length"
    browser.show(page(plan))
    assert browser.ask(shown) > 300
    assert _pages(browser.print()) > 6
    browser.show(page(plan), media="print")
    assert browser.ask(shown) == 0
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    browser.show(page(ready))
    assert _pages(browser.print()) <= 2


def _pages(pdf: bytes) -> int:
    assert pdf.startswith(b"%PDF-")
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_a_keyboard_is_enough(rich: SharePlan, browser: Browser) -> None:
    """Tab goes through links and folders, each with an outline, and Enter opens a folder."""
    browser.show(page(rich))

    def press(key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            browser("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra)

    seen = []
    for _ in range(12):
        press("Tab", 9)
        seen.append(browser.ask("document.activeElement.localName"))
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen[:4] == ["a"] * 4
    assert "summary" in seen
    before = browser.ask("document.activeElement.parentElement.open")
    press("Enter", 13, "\r")
    assert browser.ask("document.activeElement.parentElement.open") is not before


def test_a_browser_leaves_nothing_behind(tmp_path: Path) -> None:
    """These tests end every process they start."""
    if CHROMIUM is None or sys.platform != "linux":
        pytest.skip("no Chromium on this machine")
    mark = str(tmp_path / "profile")
    found = Browser(tmp_path / "profile")
    found.show("<p>hello</p>")
    assert found.ask("document.body.innerText") == "hello"
    found.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _processes_of(mark):
        time.sleep(0.1)
    assert not _processes_of(mark)


def _processes_of(mark: str) -> list[str]:
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = one.read_bytes()
        except OSError:
            continue
        if mark.encode() in line:
            found.append(str(one))
    return found
