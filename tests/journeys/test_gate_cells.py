"""The table of share.md §4 with the installed program, cell by cell: what left, in which form, and what did not.

Everything private holds a mark of its own. Each package is opened with its receiver's key, and the marks in it are
compared with those that the cell allows; none of them may ever be in what the program prints, nor in `sent.json`.
"""

import hashlib
import io
import itertools
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from people import Person, make_ssh_key

from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import load_private_key
from alive_p2p.package.envelopes.base import Credentials, Envelope
from alive_p2p.package.envelopes.opening import open_envelope
from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.reduced_key import REDUCED_MARK
from worlds import make_world, plant, tree_of

PASSPHRASE = b"correct horse"
SECRET = "ghp_" + hashlib.sha256(b"a token that is nobody's").hexdigest()[:36]
"""Shaped like a token of a git host, and none."""


def mark(name: str) -> str:
    """What stands in everything that is called by this name here."""
    return f"ZQMARK<{name}>"


def _text(name: str) -> bytes:
    return f"# A page\n\n{mark(name)}\n".encode()


def _tree(sensitivity: str) -> dict[str, bytes]:
    """A walnut with a bundle of every kind."""
    key = (
        f"---\ntype: venture\nname: Nova\ngoal: Build it\nsensitivity: {sensitivity}\npeople:\n"
        f"  - name: Ben {mark('key')}\n    email: ben@example.org\n---\n\n# Nova\n\nA station.\n\n"
        f"## People\n\nBen {mark('key')} <ben@example.org>\n"
    )
    bundle = b"goal: A piece of work\nsensitivity: %s\n"
    return {
        "_kernel/key.md": key.encode(),
        "_kernel/log.md": b"---\nwalnut: nova\nentry-count: 0\n---\n\n" + _text("history"),
        "_kernel/insights.md": b"---\nwalnut: nova\n---\n\n" + _text("history"),
        "_kernel/tasks.json": json.dumps({"tasks": [{"title": mark("work")}]}).encode(),
        "_kernel/completed.json": b'{"completed": []}\n',
        "_kernel/config.yaml": f"colour: {mark('work')}\n".encode(),
        "_kernel/now.json": json.dumps({"phase": mark("kernel")}).encode(),
        "engineering/ring.md": _text("live"),
        "engineering/.drafts/x.md": _text("hidden"),
        "engineering/suppliers/_kernel/key.md": b"---\nsensitivity: open\n---\n" + _text("nested"),
        "engineering/suppliers/list.md": _text("nested"),
        ".env": f"NAME={mark('hidden')}\n".encode(),
        "b-open/context.manifest.yaml": bundle % b"open",
        "b-open/page.md": _text("open"),
        "b-open/CLAUDE.md": _text("agent"),
        "b-open/raw/data.csv": _text("open-raw"),
        "b-open/.drafts/x.md": _text("hidden"),
        "b-open/partner/_kernel/key.md": b"---\nsensitivity: open\n---\n" + _text("nested"),
        "b-open/partner/list.md": _text("nested"),
        "b-host/context.manifest.yaml": bundle % b"open",
        "b-host/page.md": _text("host"),
        "b-host/deep/context.manifest.yaml": bundle % b"restricted",
        "b-host/deep/page.md": _text("deep"),
        "b-host/deep/raw/data.csv": _text("deep-raw"),
        "b-private/context.manifest.yaml": bundle % b"private",
        "b-private/page.md": _text("private"),
        "b-private/raw/data.csv": _text("private-raw"),
        "b-restricted/context.manifest.yaml": bundle % b"restricted",
        "b-restricted/page.md": _text("restricted"),
        "b-restricted/raw/data.csv": _text("restricted-raw"),
        "b-pii/context.manifest.yaml": (bundle % b"open") + b"pii: true\n",
        "b-pii/page.md": _text("pii"),
        "b-leaky/context.manifest.yaml": bundle % b"open",
        "b-leaky/page.md": _text("leaky") + f"token = {SECRET}\n".encode(),
    }


SENSITIVITIES = ("open", "private", "restricted")
AUDIENCES = {
    "paired-age": ("peers", ("--recipient", "cara")),
    "paired-rsa": ("peers", ("--recipient", "ben")),
    "imported": ("others", ("--recipient", "dan")),
    "key-file": ("others", ("--to-keys", "eve.pub")),
    "passphrase": ("others", ("--passphrase-env", "P")),
    "none": ("anybody", ()),
}
"""Who could read it, as `--json` calls them, and how the program is told."""
SEALED = [name for name in AUDIENCES if name != "none"]


@dataclass
class Outcome:
    """What one run did; `leaves` is None where no package was made."""

    code: int
    document: dict[str, Any]
    printed: str
    leaves: dict[str, bytes] | None
    names: list[str] = field(default_factory=list)

    @property
    def plan(self) -> dict[str, Any]:
        """What the program says would leave, whether it did or not."""
        found: dict[str, Any] = self.document.get("plan", self.document)
        return found

    @property
    def gate(self) -> list[tuple[str, str]]:
        """What the gate said, by name."""
        return [(one["name"], one["outcome"]) for one in self.plan["gate"]]

    @property
    def marks(self) -> set[str]:
        """The names of the marks that left, wherever in the package they are."""
        assert self.leaves is not None, self.printed
        everything = "\n".join([*self.names, *(c.decode("utf-8", "replace") for c in self.leaves.values())])
        return {part.partition(">")[0] for part in everything.split("ZQMARK<")[1:]}


class Studio:
    """A sender with a world, and everybody they send to. Made once; walnuts are only read, apart from their ids."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self.folder = program, folder
        self.home = folder / "home"
        self.home.mkdir()
        world = make_world(folder / "world")
        (folder / "outside.md").write_bytes(_text("outside"))
        self.walnuts = {one: plant(world / "04_Ventures" / f"nova-{one}", _tree(one)) for one in SENSITIVITIES}
        for walnut in self.walnuts.values():
            (walnut / "b-open" / "linked.md").symlink_to(folder / "outside.md")
        ben = Person(self._as, folder, "ben")
        keys = {"ben": ben.public, **{n: make_ssh_key(folder / n, "ed25519").with_suffix(".pub") for n in "cde"}}
        private = [ben.home / ".alive" / "relay" / "keys" / "private.pem", *(folder / n / "id_ed25519" for n in "cde")]
        for name, key in (("ben", keys["ben"]), ("cara", keys["c"]), ("dan", keys["d"])):
            done = self._as("keys", "import", key, "--name", name, HOME=str(self.home))
            assert done.code == 0, done.err
        keyring = Keyring.load(Runtime(environ={"HOME": str(self.home)}, cwd=folder))
        for name in ("ben", "cara"):
            keyring.set_status(name, "paired")
        (folder / "eve.pub").write_bytes(keys["e"].read_bytes())
        own = [load_private_key(path.read_bytes(), label=path.name) for path in private]
        self._by_id = {key.public.pubkey_id: key for key in own}
        self._count = itertools.count()

    def _as(self, *arguments: object, **environ: str) -> SimpleNamespace:
        done = subprocess.run(
            [self._program, *map(str, arguments)],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return SimpleNamespace(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What `sent.json` holds, without a mark in it."""
        path = self.home / ".alive" / "relay" / "sent.json"
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8")
        assert "ZQMARK" not in text
        assert SECRET not in text
        shares: list[dict[str, Any]] = json.loads(text)["shares"]
        return shares

    def create(self, walnut: str, audience: str, *options: object) -> Outcome:
        """Run `create --json`, open what it made, and check what holds for every run."""
        out = self.folder / f"out-{next(self._count)}"
        out.mkdir()
        before, sent_before = tree_of(self.walnuts[walnut]), self.sent
        _, whom = AUDIENCES[audience]
        ran = self._as(
            *("create", "--walnut", self.walnuts[walnut], "-o", out / "p.walnut", "--json", *whom, *options),
            HOME=str(self.home),
            P=PASSPHRASE.decode(),
        )
        printed = ran.out + ran.err
        assert "Traceback" not in printed, printed
        assert "ZQMARK" not in printed, printed
        assert SECRET not in printed, printed
        made = Outcome(ran.code, json.loads(ran.out), printed, None)
        if not (out / "p.walnut").exists():
            assert list(out.iterdir()) == [], "nothing is left where nothing was made"
            assert tree_of(self.walnuts[walnut]) == before
            assert self.sent == sent_before
            return made
        assert [path.name for path in out.iterdir()] == ["p.walnut"]
        assert len(self.sent) == len(sent_before) + 1
        self._open(out / "p.walnut", audience, made)
        return made

    def _open(self, package: Path, audience: str, made: Outcome) -> None:
        data = package.read_bytes()
        if audience != "none":
            assert b"ZQMARK" not in data
            assert not data.startswith(b"\x1f\x8b")
            envelope = {"passphrase": Envelope.PASSPHRASE}.get(audience, Envelope(made.document["encryption"]))
            only = [self._by_id[one["pubkey_id"]] for one in made.document["recipients"]]
            credentials = Credentials(lambda: PASSPHRASE, lambda _: only)
            opened = open_envelope(io.BytesIO(data), envelope, None, DEFAULT_LIMITS, credentials)
            stream, data = opened.plaintext(), b""
            while chunk := stream.read(1 << 16):
                data += chunk
            opened.close()
        made.leaves = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                made.names.append(member.name)
                assert member.isfile() or member.isdir()
                if (content := archive.extractfile(member)) is not None:
                    made.leaves[member.name.removeprefix("./")] = content.read()


@pytest.fixture(scope="session")
def studio(program: str, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """The sender, the world and the receivers."""
    return Studio(program, tmp_path_factory.mktemp("studio"))


_KERNEL = {f"_kernel/{name}" for name in ("key.md", "log.md", "insights.md", "tasks.json", "completed.json")}
_GENERATED = {"manifest.yaml", "README.md"}
_BUNDLES = {
    "b-open": {"b-open/context.manifest.yaml", "b-open/page.md", "b-open/CLAUDE.md", "b-open/raw/data.csv"},
    "b-host": {
        "b-host/context.manifest.yaml",
        "b-host/page.md",
        "b-host/deep/context.manifest.yaml",
        "b-host/deep/page.md",
    },
    "b-private": {"b-private/context.manifest.yaml", "b-private/page.md", "b-private/raw/data.csv"},
    "b-restricted": {"b-restricted/context.manifest.yaml", "b-restricted/page.md"},
    "b-pii": {"b-pii/context.manifest.yaml", "b-pii/page.md"},
    "b-leaky": {"b-leaky/context.manifest.yaml", "b-leaky/page.md"},
}
"""What of each bundle leaves: never hidden files, links, nested walnuts, nor `raw/` of a restricted one."""
_MARKS = {
    "b-open": {"open", "open-raw", "agent"},
    "b-host": {"host", "deep"},
    "b-private": {"private", "private-raw"},
    "b-restricted": {"restricted"},
    "b-pii": {"pii"},
    "b-leaky": {"leaky"},
}

KEY_IS_WHOLE = {
    (sensitivity, name): sensitivity == "open" or (sensitivity == "private" and who == "peers")
    for sensitivity in SENSITIVITIES
    for name, (who, _) in AUDIENCES.items()
}
"""The first three rows of the table."""


def _has_left(outcome: Outcome, paths: set[str], marks: set[str], *, key_is_whole: bool) -> None:
    """These paths and these marks left and no other, and `key.md` in this form."""
    assert outcome.code == 0, outcome.printed
    assert outcome.document["blocked"] is False
    assert outcome.leaves is not None
    assert set(outcome.leaves) == paths | {"_kernel/key.md"} | _GENERATED
    assert {one["path"] for one in outcome.document["files"]} == set(outcome.leaves) - {"manifest.yaml"}
    assert outcome.marks == marks | ({"key"} if key_is_whole else set())
    key = outcome.leaves["_kernel/key.md"]
    assert (REDUCED_MARK.encode() in key) is not key_is_whole
    assert (b"ben@example.org" in b"".join(outcome.leaves.values())) is key_is_whole
    assert outcome.document["key"] == ("full" if key_is_whole else "reduced")
    reasons = {(one["path"], one["reason"]) for one in outcome.document["substitutions_applied"]}
    assert (("_kernel/key.md", "key-reduced") in reasons) is not key_is_whole


def _was_stopped(outcome: Outcome, code: str, gate: list[tuple[str, str]], *, blocked: bool) -> None:
    """No package, exit 1, and the gate says why; a question alone blocks nothing."""
    assert (outcome.code, outcome.leaves) == (1, None), outcome.printed
    assert outcome.document["error"]["code"] == code
    assert outcome.gate == gate
    assert outcome.plan["blocked"] is blocked


def _overrides(studio: Studio) -> list[str]:
    """What `sent.json` has as decided by hand for the last package."""
    return [one["name"] for one in studio.sent[-1]["overrides"]]


# --- the rows of the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("sensitivity", SENSITIVITIES)
def test_the_rows_of_the_key(sensitivity: str, audience: str, studio: Studio) -> None:
    """Whole, or reduced to what names nobody; it never needs a yes."""
    made = studio.create(sensitivity, audience, "--scope", "snapshot")
    whole = KEY_IS_WHOLE[sensitivity, audience]
    _has_left(made, {"_kernel/insights.md"}, set(), key_is_whole=whole)
    assert (made.gate, made.document["audience"]) == ([], AUDIENCES[audience][0])
    assert made.document["sensitivity"] == sensitivity
    assert _overrides(studio) == []


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_row_of_an_open_bundle(audience: str, studio: Studio) -> None:
    """As it is for everybody, with its `raw/` and its CLAUDE.md; hidden files, links and nested walnuts stay."""
    made = studio.create("private", audience, "--scope", "bundle", "--bundle", "b-open")
    _has_left(made, _BUNDLES["b-open"], _MARKS["b-open"], key_is_whole=KEY_IS_WHOLE["private", audience])
    assert made.gate == []
    stays = {one["path"]: one["reason"] for one in made.document["left_out"]}
    assert set(stays) == {"b-open/.drafts", "b-open/linked.md", "b-open/partner"}


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_row_of_a_private_bundle(audience: str, studio: Studio) -> None:
    """As it is under any seal; without one it takes a yes, and acknowledging it is no yes."""
    what = ("--scope", "bundle", "--bundle", "b-private")
    whole = KEY_IS_WHOLE["private", audience]
    gate = [] if audience != "none" else [("b-private", "asks")]
    if audience == "none":
        for flags in ((), ("--acknowledge", "b-private")):
            _was_stopped(studio.create("private", audience, *what, *flags), "needs-yes", gate, blocked=False)
        made = studio.create("private", audience, *what, "--yes")
    else:
        made = studio.create("private", audience, *what)
    _has_left(made, _BUNDLES["b-private"], _MARKS["b-private"], key_is_whole=whole)
    assert (made.gate, _overrides(studio)) == (gate, [])


_GUARDED = {
    "b-restricted": ("b-restricted", "restricted"),
    "b-pii": ("b-pii", "private"),
    "b-host": ("b-host/deep", "restricted"),
}
"""What has to be acknowledged by its name, and how private the package is then."""


@pytest.mark.parametrize("audience", SEALED)
@pytest.mark.parametrize("bundle", _GUARDED)
def test_the_rows_of_restricted_and_personal_bundles_under_a_seal(bundle: str, audience: str, studio: Studio) -> None:
    """Only when acknowledged, without `raw/` where restricted, at any depth; `--yes` is no acknowledgement."""
    what = ("--scope", "bundle", "--bundle", bundle)
    name, sensitivity = _GUARDED[bundle]
    refused = studio.create("private", audience, *what, "--yes", "--acknowledge", "walnut")
    _was_stopped(refused, "blocked", [(name, "needs-acknowledge")], blocked=True)
    made = studio.create("private", audience, *what, "--acknowledge", name)
    _has_left(made, _BUNDLES[bundle], _MARKS[bundle], key_is_whole=KEY_IS_WHOLE["private", audience])
    assert made.gate == [(name, "acknowledged")]
    assert made.document["sensitivity"] == sensitivity
    assert _overrides(studio) == [name]


@pytest.mark.parametrize("bundle", _GUARDED)
def test_the_rows_of_restricted_and_personal_bundles_without_a_seal(bundle: str, studio: Studio) -> None:
    """Refused, whatever is said."""
    what = ("--scope", "bundle", "--bundle", bundle)
    name, _ = _GUARDED[bundle]
    for flags in ((), ("--yes",), ("--yes", "--acknowledge", name, "--key", "full", "--include", "**/raw")):
        refused = studio.create("private", "none", *what, *flags)
        assert (refused.code, refused.leaves, refused.document["error"]["code"]) == (1, None, "blocked")
        assert (name, "refused") in refused.gate


_REST = {"engineering/ring.md", "_kernel/config.yaml"} | _KERNEL
_FULL = ("--scope", "full", "--exclude", "b-*/")


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("sensitivity", SENSITIVITIES)
def test_the_rows_of_everything_else(sensitivity: str, audience: str, studio: Studio) -> None:
    """Live context, tasks and settings: as they are, after a yes, acknowledged as `walnut`, or not at all."""
    gate: list[tuple[str, str]] = []
    flags: tuple[str, ...] = ()
    if sensitivity == "private" and audience == "none":
        gate, flags = [("walnut", "asks")], ("--yes",)
        refused = studio.create(sensitivity, audience, *_FULL, "--acknowledge", "walnut")
        _was_stopped(refused, "needs-yes", gate, blocked=False)
    elif sensitivity == "restricted":
        gate, flags = [("walnut", "acknowledged")], ("--acknowledge", "walnut")
        ruling = "refused" if audience == "none" else "needs-acknowledge"
        refused = studio.create(sensitivity, audience, *_FULL, "--yes")
        _was_stopped(refused, "blocked", [("walnut", ruling)], blocked=True)
    made = studio.create(sensitivity, audience, *_FULL, *flags)
    if (sensitivity, audience) == ("restricted", "none"):
        _was_stopped(made, "blocked", [("walnut", "refused")], blocked=True)
        return
    _has_left(made, _REST, {"live", "work"}, key_is_whole=KEY_IS_WHOLE[sensitivity, audience])
    assert made.gate == gate
    assert _overrides(studio) == [name for name, ruling in gate if ruling == "acknowledged"]


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("sensitivity", SENSITIVITIES)
def test_the_real_history_follows_the_rows_of_the_key(sensitivity: str, audience: str, studio: Studio) -> None:
    """With the key where it is whole, acknowledged where it is reduced, and unsealed only where the walnut is open."""
    whole = KEY_IS_WHOLE[sensitivity, audience]
    flags = ("--include-full-history", "--yes", "--acknowledge", "walnut")
    first = studio.create(sensitivity, audience, *_FULL, *flags)
    if whole:
        _has_left(first, _REST, {"live", "work", "history"}, key_is_whole=True)
        return
    ruling = "refused" if audience == "none" else "needs-acknowledge"
    assert (first.code, first.leaves) == (1, None)
    assert ("history", ruling) in first.gate
    second = studio.create(sensitivity, audience, *_FULL, *flags, "--acknowledge", "history")
    if audience == "none":
        assert (second.code, second.leaves) == (1, None)
        return
    _has_left(second, _REST, {"live", "work", "history"}, key_is_whole=False)
    assert "history" in _overrides(studio)


@pytest.mark.parametrize("audience", ["paired-age", "imported", "none"])
@pytest.mark.parametrize("sensitivity", SENSITIVITIES)
def test_the_form_of_the_key_by_hand(sensitivity: str, audience: str, studio: Studio) -> None:
    """`--key` decides; a restricted key is whole only when that is acknowledged, and then it is recorded."""
    snapshot = ("--scope", "snapshot", "--yes")
    reduced = studio.create(sensitivity, audience, *snapshot, "--key", "reduced")
    _has_left(reduced, {"_kernel/insights.md"}, set(), key_is_whole=False)
    acknowledged = ("--acknowledge", "key") if sensitivity == "restricted" else ()
    if acknowledged:
        refused = studio.create(sensitivity, audience, *snapshot, "--key", "full")
        _was_stopped(refused, "blocked", [("key", "needs-acknowledge")], blocked=True)
    full = studio.create(sensitivity, audience, *snapshot, "--key", "full", *acknowledged)
    _has_left(full, {"_kernel/insights.md"}, set(), key_is_whole=True)
    by_hand = not KEY_IS_WHOLE[sensitivity, audience]
    assert _overrides(studio) == (["key"] if by_hand else [])


# --- across the table -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_secret_stops_every_audience(audience: str, studio: Studio) -> None:
    """`--yes` and acknowledging do not get it out; allowed by its id it leaves, and that is recorded."""
    what = ("--scope", "bundle", "--bundle", "b-leaky", "--yes")
    refused = studio.create("private", audience, *what, "--acknowledge", "b-leaky", "--acknowledge", "walnut")
    _was_stopped(refused, "blocked", [], blocked=True)
    findings = [one for one in refused.plan["findings"] if one["blocks"]]
    assert [(one["path"], one["line"], one["allowed"]) for one in findings] == [("b-leaky/page.md", 4, False)]
    made = studio.create("private", audience, *what, "--allow-finding", findings[0]["id"])
    _has_left(made, _BUNDLES["b-leaky"], _MARKS["b-leaky"], key_is_whole=KEY_IS_WHOLE["private", audience])
    assert _overrides(studio) == [findings[0]["id"]]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_yes_in_a_script_gets_nothing_restricted_out_of_a_full_share(audience: str, studio: Studio) -> None:
    """Every bundle that needs more than a yes is named at once; with all acknowledged the secret still stops it."""
    refused = studio.create("private", audience, "--scope", "full", "--yes")
    ruling = "refused" if audience == "none" else "needs-acknowledge"
    assert (refused.code, refused.leaves, refused.document["error"]["code"]) == (1, None, "blocked")
    assert {name for name, said in refused.gate if said == ruling} == {"b-host/deep", "b-pii", "b-restricted"}
    acknowledged = [word for name, _ in _GUARDED.values() for word in ("--acknowledge", name)]
    again = studio.create("private", audience, "--scope", "full", "--yes", *acknowledged)
    assert (again.code, again.leaves) == (1, None)
    rest = [
        word
        for name in ("b-leaky", *(("b-restricted", "b-pii", "deep") if audience == "none" else ()))
        for word in ("--exclude", f"{name}/")
    ]
    made = studio.create("private", audience, "--scope", "full", "--yes", *acknowledged, *rest)
    kept = ("b-open", "b-host", "b-private") if audience == "none" else tuple(b for b in _BUNDLES if b != "b-leaky")
    paths = set().union(*(_BUNDLES[name] for name in kept)) | _REST
    marks = set().union(*(_MARKS[name] for name in kept)) | {"live", "work"}
    if audience == "none":
        paths = {path for path in paths if "/deep/" not in path}
        marks -= {"deep"}
    _has_left(made, paths, marks, key_is_whole=KEY_IS_WHOLE["private", audience])


def test_one_reader_whom_nobody_vouched_for_makes_the_whole_audience_unpaired(studio: Studio) -> None:
    """The key is reduced for all of them."""
    made = studio.create("private", "paired-age", "--scope", "snapshot", "--to", "dan")
    _has_left(made, {"_kernel/insights.md"}, set(), key_is_whole=False)
    assert made.document["audience"] == "others"


@pytest.mark.parametrize("include", ["**/raw", "b-restricted/raw/**", "**/data.csv", "raw"])
def test_raw_material_of_a_restricted_bundle_cannot_be_asked_for(include: str, studio: Studio) -> None:
    """Neither for a peer nor acknowledged."""
    what = ("--scope", "bundle", "--bundle", "b-restricted", "--acknowledge", "b-restricted")
    made = studio.create("open", "paired-age", *what, "--include", include)
    _has_left(made, _BUNDLES["b-restricted"], _MARKS["b-restricted"], key_is_whole=True)


@pytest.mark.parametrize("pattern", ["b-private", "b-private/", "b-private/**", "**/b-private/"])
def test_a_pattern_for_a_folder_takes_all_of_it(pattern: str, studio: Studio) -> None:
    """With a slash behind it and without; what stays is counted, and nobody is asked about it."""
    others = [word for name in _BUNDLES if name != "b-private" for word in ("--exclude", name)]
    made = studio.create("open", "none", "--scope", "full", "--exclude", pattern, *others)
    _has_left(made, _REST, {"live", "work"}, key_is_whole=True)
    assert {one["pattern"]: one["matched"] for one in made.document["exclusions"]}[pattern] == 3
    assert made.gate == []


@pytest.mark.parametrize("pattern", ["B-Private/", "b-private/PAGE.md", "Page.MD"])
def test_a_pattern_in_the_wrong_case_keeps_nothing_back_and_says_so(pattern: str, studio: Studio) -> None:
    """A warning with the file that was probably meant; `--strict` makes it an exit code."""
    what = ("--scope", "bundle", "--bundle", "b-private", "--exclude", pattern)
    made = studio.create("private", "paired-age", *what)
    _has_left(made, _BUNDLES["b-private"], _MARKS["b-private"], key_is_whole=True)
    warnings = [one for one in made.document["warnings"] if pattern in one]
    assert len(warnings) == 1
    assert "upper and lower case count: 'b-private/" in warnings[0]
    assert made.document["status"] == "warn"
    assert studio.create("private", "paired-age", *what, "--strict").code == 1


@pytest.mark.parametrize("audience", ["paired-rsa", "passphrase", "none"])
@pytest.mark.parametrize("sensitivity", SENSITIVITIES)
def test_the_preview_is_what_leaves(sensitivity: str, audience: str, studio: Studio) -> None:
    """`--dry-run` writes nothing and lists every file of the package with the hash it then has there."""
    what = (
        "--scope",
        "full",
        *(word for name in ("b-leaky", "b-restricted", "b-pii", "deep") for word in ("--exclude", name)),
    )
    if sensitivity == "restricted":
        what = ("--scope", "bundle", "--bundle", "b-open", "--bundle", "b-private")
    preview = studio.create(sensitivity, audience, *what, "--dry-run")
    assert (preview.code, preview.leaves, preview.document["status"]) == (0, None, "dry-run")
    made = studio.create(sensitivity, audience, *what, "--yes")
    assert made.leaves is not None, made.printed
    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in made.leaves.items()}
    del hashes["manifest.yaml"]
    seen, done = ({one["path"]: one["sha256"] for one in d["files"]} for d in (preview.document, made.document))
    times = {path for path in hashes if path in ("README.md", "_kernel/log.md", "_kernel/insights.md")}
    assert done == hashes
    assert set(seen) == set(hashes)
    assert {p: h for p, h in seen.items() if p not in times} == {p: h for p, h in hashes.items() if p not in times}
    for name in ("gate", "key", "audience", "sensitivity", "left_out", "exclusions", "findings"):
        assert preview.document[name] == made.document[name], name


def test_the_marks_are_where_they_can_be_seen(studio: Studio) -> None:
    """Every mark that never leaves is in the world, so that its absence says something."""
    planted = b"".join(
        path.read_bytes() for path in studio.folder.rglob("*") if path.is_file() and not path.is_symlink()
    )
    for name in ("key", "history", "kernel", "hidden", "nested", "outside", "deep-raw", "restricted-raw"):
        assert mark(name).encode() in planted
    assert SECRET.encode() in planted
