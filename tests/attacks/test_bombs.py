"""Packages that are small and want much: memory, time, disk. Each against the installed program, held by the system.

The program runs in a process of its own under limits that the operating system enforces: of processor time (a hang
ends in a signal and fails the test, no clock is read), of the size of any file it writes, and of its address space.
The most memory that it ever held is measured, and has to stay under 200 MB.
"""

import functools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from arena import Tree, look
from forging import BUNDLE, FULL, KEY, LOG, MANIFEST, SNAPSHOT, Draft, Member, Raw, entry, gnu_long, gz, header, pax
from seals import PASSPHRASE, AgeDraft, LegacyDraft, Receiver, RsaDraft, armored, b64, by_passphrase

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set and measured as Linux does it")

_MIB = 1 << 20
_PEAK_KIB = 200 << 10
_CPU_SECONDS = 60
_ADDRESS_SPACE = 2 << 30
"""Only so that a runaway cannot take the machine with it; what counts is the measured peak."""

_LIMITED = """
import json, os, resource, sys
limits, measured, program, *arguments = sys.argv[1:]
child = os.fork()
if not child:
    for name, value in json.loads(limits).items():
        resource.setrlimit(getattr(resource, name), (value, value))
    os.execv(program, [program, *arguments])
_, status, used = os.wait4(child, 0)
with open(measured, "w") as stream:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_maxrss], stream)
"""
"""A small process between: the child of a large one would count its parent's memory before `exec` as its own."""


@dataclass(frozen=True)
class Ran:
    """How a run ended.

    Attributes:
        code: the exit code, negative for a signal.
        peak_kib: the most memory that it held.
        err: what it said on standard error.
        document: its JSON.
        left: everything in the world and the home that is not as it was.
    """

    code: int
    peak_kib: int
    err: str
    document: dict[str, Any]
    left: Tree


Program = Callable[..., Ran]


@pytest.fixture
def run(program: str, tmp_path: Path, receiver: Receiver) -> Program:
    """Receives a package with the installed program, under limits, into a world of its own."""
    world, key, words = tmp_path / "world", tmp_path / "key.pem", tmp_path / "passphrase"
    for folder in ("inbox", "home", "temporary"):
        (world / folder).mkdir(parents=True)
    (world / "canary").write_bytes(b"not yours\n")
    key.write_bytes(receiver.pem)
    words.write_bytes(PASSPHRASE)

    def call(package: bytes, *options: str, target: Path = world / "inbox" / "new", **limits: int) -> Ran:
        path = tmp_path / "p.walnut"
        path.write_bytes(package)
        before = look(world)
        chosen = {"RLIMIT_CPU": _CPU_SECONDS, "RLIMIT_AS": _ADDRESS_SPACE, "RLIMIT_FSIZE": 0, **limits}
        arguments = ["receive", path, "--target", target, "--yes", "--json", *options]
        secrets = [] if options else ["--private-key", key, "--passphrase-file", words]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LIMITED, json.dumps(chosen), tmp_path / "m", program]
            + [str(one) for one in (*arguments, *secrets)],
            cwd=world,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(world / "home"),
                "TMPDIR": str(world / "temporary"),
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,  # against a hang that takes no time of the processor
            check=True,
        )
        code, peak = json.loads((tmp_path / "m").read_bytes())
        after, err = look(world), done.stderr.decode()
        assert "Traceback" not in err
        document = json.loads(done.stdout) if done.stdout else {}
        left = {name: after.get(name, ("gone", 0, b"")) for name in after.keys() | before.keys()}
        return Ran(code, peak, err, document, {n: state for n, state in left.items() if before.get(n) != state})

    return call


def _is_defused(ran: Ran, *codes: str) -> None:
    """Refused with a clear message: exit 1, no byte anywhere, and never more than 200 MB."""
    assert ran.code == 1, ran
    assert ran.document["error"]["code"] in codes
    assert ran.err.startswith("error: ")
    assert "try: " in ran.err
    assert len(ran.err) < 5_000
    assert ran.left == {}
    assert ran.peak_kib < _PEAK_KIB


def _is_harmless(ran: Ran) -> None:
    """Received, with every byte in the target, and never more than 200 MB."""
    assert ran.code == 0, ran
    assert {n for n in ran.left if not n.startswith(("inbox/new/", "home/.alive/"))} == set()
    assert {n for n in ran.left if n.startswith("home/.alive/transactions/")} <= {"home/.alive/transactions/"}
    assert ran.peak_kib < _PEAK_KIB


# --- what they are made of ------------------------------------------------------------------------------------


@functools.cache
def _zeros(mebibytes: int) -> bytes:
    """So many mebibytes of zeros, compressed, in gzip members of 64 each."""
    return gz(bytes(64 * _MIB), 9) * (mebibytes // 64)


def _times(count: int, block: bytes) -> bytes:
    """The same block so many thousand times, compressed, in gzip members of a thousand each."""
    return gz(block * 1_000) * count


def _manifest_block() -> bytes:
    return Member(MANIFEST, Draft().manifest()).blocks()


def _unended(draft: Draft) -> bytes:
    """A package that goes on: the archive without its end, to be followed by more."""
    draft.end = b""
    return draft.package()


def _manifest(*more: bytes, start: bytes | None = None) -> bytes:
    """A package whose manifest goes on with this."""
    draft = Draft()
    draft.manifest_text = (draft.manifest() if start is None else start) + b"".join(more)
    return draft.package()


def _note(text: str) -> bytes:
    """A package with YAML as its note."""
    return Draft(note=Raw(text)).package()


def _with(path: str, content: bytes) -> bytes:
    """A valid package with one file of this content."""
    return Draft({**FULL, path: content}).package()


# --- archives -------------------------------------------------------------------------------------------------


def _content_in_four_files() -> bytes:
    files = (gz(header(b"%d" % number, 128 * _MIB)) + _zeros(128) for number in range(4))
    return gz(_manifest_block()) + b"".join(files)


_ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a-gigabyte-of-zeros": lambda: _zeros(1024),
    "a-gigabyte-behind-the-end": lambda: Draft().package() + _zeros(1024),
    "a-gigabyte-in-one-file": lambda: _unended(Draft()) + gz(header(b"big", 1024 * _MIB)) + _zeros(1024),
    "a-gigabyte-in-the-manifest": lambda: gz(header(MANIFEST.encode(), 1024 * _MIB)) + _zeros(1024),
    "a-gigabyte-in-the-key": lambda: gz(_manifest_block() + header(b"_kernel/key.md", 1024 * _MIB)) + _zeros(1024),
    "half-a-gigabyte-in-four-files": _content_in_four_files,
    "a-file-of-8-eb": lambda: _unended(Draft()) + gz(Member("big", size=1 << 63).blocks() + bytes(10_000)),
    "a-file-of-2-to-the-95": lambda: gz(header(b"big", size_field=b"\x80" + b"\xff" * 11)),
    "a-manifest-of-8-eb": lambda: gz(Member(MANIFEST, size=1 << 63).blocks() + bytes(10_000)),
    "a-million-files": lambda: (
        gz(_manifest_block() + b"".join(header(b"f%05d" % n) for n in range(10_001))) + _times(1_000, header(b"x"))
    ),
    "a-million-empty-folders": lambda: (
        gz(_manifest_block() + b"".join(header(b"d%05d/" % n, kind=b"5") for n in range(10_001)))
        + _times(1_000, header(b"x/", kind=b"5"))
    ),
    "a-million-times-the-root": lambda: gz(_manifest_block()) + _times(1_000, header(b"./", kind=b"5")),
    "a-million-global-headers": lambda: gz(_manifest_block()) + _times(1_000, pax({"comment": "x"}, b"g")),
    "a-million-links": lambda: gz(_manifest_block()) + _times(1_000, gnu_long(b"x", b"K")),
    "a-pax-header-of-100-mib": lambda: gz(_manifest_block() + header(b"x", 100 * _MIB, b"x")) + _zeros(128),
    "a-global-header-of-100-mib": lambda: gz(_manifest_block() + header(b"x", 100 * _MIB, b"g")) + _zeros(128),
    "a-long-name-of-100-mib": lambda: gz(_manifest_block() + header(b"././@LongLink", 100 * _MIB, b"L")) + _zeros(128),
    "a-long-name-of-8-eb": lambda: gz(Member("././@LongLink", kind=b"L", size=1 << 63).blocks() + bytes(10_000)),
    "a-chain-of-long-links": lambda: gz(_manifest_block()) + _times(5, gnu_long(b"x" * 60_000, b"K")),
    "folders-in-folders": lambda: gz(
        b"".join(Member(f"{number:04d}/" + "a/" * 500 + "f").blocks() for number in range(500))
    ),
}


@pytest.mark.parametrize("bomb", _ARCHIVES)
def test_an_archive_that_is_a_bomb_is_refused(run: Program, bomb: str) -> None:
    """Stopped as soon as a running total passes a limit; nothing is written, and memory stays flat."""
    _is_defused(run(_ARCHIVES[bomb]()), "over-limit")


@pytest.mark.parametrize("bomb", ["long names", "records", "empty pieces", "tiny pieces"])
def test_an_archive_of_endless_small_things_is_refused(run: Program, bomb: str) -> None:
    """Each costs more than it brings: extended headers without a member, gzip members without content."""
    package = {
        "long names": lambda: gz(_manifest_block()) + _times(100, gnu_long(b"x" * 500)),
        "records": lambda: gz(_manifest_block() + pax({f"c{n}": "x" for n in range(4_000)}) * 100),
        "empty pieces": lambda: gz(b"") * 1_000_000,
        "tiny pieces": lambda: gz(header(b"big", 400 * _MIB)) + gz(bytes(128)) * 500_000,
    }[bomb]()
    _is_defused(run(package), "damaged", "over-limit")


def test_an_archive_inside_an_archive_is_a_file_like_any_other(run: Program) -> None:
    """Nested bombs are received as they are, and nobody unpacks them."""
    nested = gz(gz(_zeros(1024), 9), 9)
    ran = run(_with("review/nested.walnut", nested), RLIMIT_FSIZE=8 * _MIB)
    _is_harmless(ran)
    assert ran.left["inbox/new/review/nested.walnut"][2] == nested


# --- manifests ------------------------------------------------------------------------------------------------

_MANIFESTS: dict[str, Callable[[], bytes]] = {
    "larger-than-it-may-be": lambda: _manifest(b"#" * (17 * _MIB)),
    "ten-million-keys": lambda: _manifest(b"k: 0\n" * 10_000_000),
    "as-many-keys-as-fit": lambda: _manifest(b"".join(b"k%06x: 0\n" % n for n in range(300_000))),
    "as-many-values-as-fit": lambda: _manifest(b"x:\n" + b"- 0\n" * 1_000_000),
    "as-many-files-as-fit": lambda: Draft(files=[entry(f"{n}", b"") for n in range(15_000)]).package(),
    "files-that-are-nothing": lambda: Draft(files=[{"x": 0}] * 20_000).package(),
    "deep-flow-lists": lambda: _note("[" * 5_000_000),
    "deep-flow-mappings": lambda: _note("{" * 5_000_000),
    "deep-flow-mappings-with-keys": lambda: _note("{a: " * 3_000_000),
    "deep-block-lists": lambda: _manifest(b"x:\n " + b"- " * 5_000_000 + b"\n"),
    "deep-block-mappings": lambda: _manifest(b"".join(b" " * n + b"a:\n" for n in range(2_000))),
    "deep-complex-keys": lambda: _manifest(b"? " * 5_000_000),
    "wide-flow-mapping": lambda: _note("{" + "a," * 5_000_000 + "}"),
    "aliases": lambda: _manifest(start=b'a: &a "x"\n' + b"b: *a\n" * 1_000_000),
    "a-billion-laughs": lambda: _manifest(
        b"a0: &a0 [x,x,x,x,x,x,x,x,x]\n",
        *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n".encode() for n in range(1, 30)),
    ),
    "merge-keys": lambda: _manifest(
        b"a0: &a0 {k: v}\n", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n".encode() for n in range(1, 60))
    ),
    "anchors": lambda: _manifest(b"".join(b"k%d: &a%d 0\n" % (n, n) for n in range(200_000))),
    "tags": lambda: _note("!!python/tuple " * 500_000 + "x"),
    "directives": lambda: _manifest(start=b"%TAG !a! tag:x,2000:\n" * 500_000 + b"---\na: 0\n"),
    "documents": lambda: _manifest(b"---\n" * 4_000_000),
    "a-text-that-never-ends": lambda: _note('"' + "x" * (15 * _MIB)),
    "a-text-of-many-lines": lambda: _note('"' + "\n" * (15 * _MIB) + '"'),
    "a-plain-text-of-many-lines": lambda: _note("a\n" + " b\n" * 4_000_000),
    "a-block-text": lambda: _note("|\n" + "  b\n" * 3_000_000),
    "a-key-that-never-ends": lambda: _manifest(b'"' + b"k" * (15 * _MIB) + b'": 0\n'),
    "a-number-that-never-ends": lambda: _note("9" * (15 * _MIB)),
    "control-characters": lambda: Draft(note="\x1b" * 100_000).package(),
    "zeros": lambda: _manifest(bytes(15 * _MIB)),
}


@pytest.mark.parametrize("bomb", _MANIFESTS)
def test_a_manifest_that_is_a_bomb_is_refused(run: Program, bomb: str) -> None:
    """By its size, its depth, its number of values, or by what no manifest needs; before anything is built of it."""
    _is_defused(run(_MANIFESTS[bomb]()), "bad-manifest", "over-limit")


@pytest.mark.parametrize("filler", [b"#\n" * 7, b"\n" * 15, b" " * 15])
def test_a_manifest_of_much_nothing_is_no_bomb(run: Program, filler: bytes) -> None:
    """Comments and blank lines up to the limit take no more than their size."""
    _is_harmless(run(_manifest(filler * _MIB), RLIMIT_FSIZE=_MIB))


# --- envelopes ------------------------------------------------------------------------------------------------


def _rsa(receiver: Receiver, text: bytes) -> bytes:
    draft = RsaDraft(receiver, b"")
    draft.text = text
    return draft.sealed()


def _rsa_for(receiver: Receiver, count: int) -> bytes:
    draft = RsaDraft(receiver, b"x")
    draft.document["recipients"] = [{"pubkey_id": receiver.pubkey_id, "key_enc_b64": b64(bytes(255) + b"\5")}] * count
    return draft.sealed()


def _age(stanzas: list[tuple[str, bytes]]) -> bytes:
    draft = AgeDraft(b"x", stanzas)
    draft.mac = "A" * 43
    return draft.sealed()


def _zeros_in_passphrase(_: Receiver) -> bytes:
    return by_passphrase(_unended(Draft()) + gz(header(b"big", 1024 * _MIB)) + _zeros(1024))


def _in_format_2_0(receiver: Receiver) -> bytes:
    draft = LegacyDraft(Draft(), receiver)
    draft.payload.change(content=b"", size=1024 * _MIB)
    draft.end = b""
    draft.members.reverse()
    return draft.sealed() + _zeros(1024)


_X25519 = ("X25519 " + "A" * 43, bytes(32))
_ENVELOPES: dict[str, Callable[[Receiver], bytes]] = {
    "json-nested": lambda r: _rsa(r, b"[" * 1_000_000),
    "json-nested-objects": lambda r: _rsa(r, b'{"version":' * 90_000),
    "json-of-empty-lists": lambda r: _rsa(r, b"[" + b"[]," * 340_000 + b"[]]"),
    "json-with-an-endless-number": lambda r: _rsa(r, b'{"version": ' + b"9" * 1_000_000 + b"}"),
    "json-with-an-endless-exponent": lambda r: _rsa(r, b'{"version": 1e' + b"9" * 1_000_000 + b"}"),
    "json-of-64-mib": lambda r: _rsa(r, b" " * (64 * _MIB)),
    "twenty-thousand-recipients": lambda r: _rsa_for(r, 20_000),
    "as-many-recipients-as-fit": lambda r: _rsa_for(r, 2_500),
    "a-thousand-recipients-that-are-us": lambda r: _rsa_for(r, 1_000),
    "zeros-in-rsa": lambda r: RsaDraft(r, Draft().package() + _zeros(1024)).sealed(),
    "zeros-in-a-passphrase": _zeros_in_passphrase,
    "zeros-in-age": lambda r: AgeDraft.for_receiver(r, Draft().package() + _zeros(1024)).sealed(),
    "zeros-in-armor": lambda _: armored(AgeDraft.by_passphrase(Draft().package() + _zeros(1024)).sealed()),
    "zeros-in-format-2-0": _in_format_2_0,
    "work-factor-30": lambda _: AgeDraft.by_passphrase(b"x", factor="30").sealed(),
    "work-factor-21": lambda _: AgeDraft.by_passphrase(b"x", factor="21").sealed(),
    "a-hundred-thousand-stanzas": lambda _: _age([_X25519] * 100_000),
    "a-thousand-stanzas": lambda _: _age([_X25519] * 1_000),
    "a-thousand-stanzas-that-are-us": lambda r: _age([(f"ssh-rsa {b64(r.ssh_tag)[:6]}", bytes(256))] * 1_000),
    "an-endless-line": lambda _: b"age-encryption.org/v1\n-> " + b"A" * (64 * _MIB),
    "an-endless-body": lambda _: b"age-encryption.org/v1\n-> X25519 A\n" + (b"A" * 64 + b"\n") * 1_000_000,
    "endless-arguments": lambda _: _age([("X25519" + " A" * 400_000, bytes(32))]),
    "an-endless-line-of-armor": lambda _: b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"A" * (64 * _MIB),
    "endless-whitespace-before-armor": lambda _: b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"\n" * (64 * _MIB),
}


@pytest.mark.parametrize("bomb", _ENVELOPES)
def test_an_envelope_that_is_a_bomb_is_refused(run: Program, receiver: Receiver, bomb: str) -> None:
    """Bounded before a key is tried; and what is inside is bounded as it is without an envelope."""
    codes = ("bad-envelope", "over-limit", "cannot-open", "bad-age-header", "work-factor-too-high", "not-for-us")
    _is_defused(run(_ENVELOPES[bomb](receiver)), *codes)


def test_a_passphrase_that_takes_more_memory_than_there_is_is_refused(run: Program) -> None:
    """The highest factor that is tried takes a gigabyte; where that is not there, it is said so and nothing is left."""
    ran = run(AgeDraft.by_passphrase(Draft().package(), factor="20").sealed(), RLIMIT_AS=700 * _MIB)
    _is_defused(ran, "not-enough-memory")


# --- files that are looked into -------------------------------------------------------------------------------

_DEEP = 5_000_000
_FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "tasks-nested": ("_kernel/tasks.json", lambda: b'{"tasks": ' + b"[" * _DEEP + b"]" * _DEEP + b"}"),
    "tasks-nested-objects": ("_kernel/tasks.json", lambda: b'{"tasks": [' + b'{"a":' * 2_000_000 + b"0"),
    "tasks-nested-as-far-as-is-read": (
        "_kernel/tasks.json",
        lambda: (
            b'{"tasks": [' + b",".join(b'{"status": %b%b}' % (b"[" * n, b"]" * n) for n in range(900, 1000)) + b"]}"
        ),
    ),
    "titles-nested-as-far-as-is-read": (
        "review/tasks.json",
        lambda: (
            b'{"tasks": [' + b",".join(b'{"title": %b0%b}' % (b'{"a":' * n, b"}" * n) for n in range(900, 1000)) + b"]}"
        ),
    ),
    "an-endless-number": ("_kernel/tasks.json", lambda: b'{"tasks": [{"id": ' + b"9" * 5_000_000 + b"}]}"),
    "the-longest-number-that-is-read": ("_kernel/tasks.json", lambda: b'{"tasks": [{"title": ' + b"9" * 4_300 + b"}]}"),
    "an-endless-exponent": ("_kernel/tasks.json", lambda: b'{"tasks": [{"title": 1e' + b"9" * 5_000_000 + b"}]}"),
    "an-endless-title": ("review/tasks.json", lambda: b'{"tasks": [{"title": "' + b"x" * 8_000_000 + b'"}]}'),
    "half-a-surrogate-pair": ("_kernel/tasks.json", lambda: b'{"tasks": [{"title": "\\ud800", "status": "\\udfff"}]}'),
    "tasks-of-another-shape": ("_kernel/tasks.json", lambda: b'{"tasks": {"0": [null, true, 1e999, NaN, -Infinity]}}'),
    "tasks-in-utf-32": ("_kernel/tasks.json", lambda: '{"tasks": []}'.encode("utf-32")),
    "key-nested": ("_kernel/key.md", lambda: b"---\na: " + b"[" * 1_000_000 + b"\n---\n"),
    "key-with-a-billion-laughs": (
        "_kernel/key.md",
        lambda: (
            b"---\na0: &a0 [x, x]\n"
            + b"".join(b"a%d: &a%d [*a%d, *a%d, *a%d]\n" % (n, n, n - 1, n - 1, n - 1) for n in range(1, 60))
            + b"---\n"
        ),
    ),
    "bundle-with-merge-keys": (
        "review/context.manifest.yaml",
        lambda: (
            b"a0: &a0 {k: v}\n"
            + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 60))
        ),
    ),
    "bundle-with-directives": ("review/context.manifest.yaml", lambda: b"%TAG !a! tag:x,2000:\n" * 100_000 + b"---\n"),
    "bundle-with-a-goal-without-end": ("review/context.manifest.yaml", lambda: b'goal: "' + b"x" * 900_000 + b'"\n'),
    "log-with-frontmatter-that-never-ends": ("_kernel/log.md", lambda: b"---\n" + b"x" * 4_000_000),
    "log-with-nested-frontmatter": ("_kernel/log.md", lambda: b"---\nentry-count: " + b"[" * 500_000 + b"\n---\n"),
    "log-of-one-line": ("_kernel/log.md", lambda: LOG + b"## " * 1_000_000),
    "log-of-open-comments": ("_kernel/log.md", lambda: LOG + b"<!--" * 300_000),
    "comments-without-end": ("x.md", lambda: b"<!--" * 500_000),
    "tags-without-end": ("x.html", lambda: b"<a " + b"hidden " * 1_000_000),
    "quotes-without-end": ("x.html", lambda: b'<a "' * 1_000_000 + b"hidden"),
    "link-titles-without-end": ("x.md", lambda: b'[a]: x "' * 500_000),
    "invisible-elements": ("x.md", lambda: b'<p style="display:none">' * 50_000),
    "tag-characters": ("x.md", lambda: "\U000e0041".encode() * 1_000_000),
    "zero-width-characters": ("x.md", lambda: "a\u200b".encode() * 500_000),
    "phrases-that-almost-match": ("x.md", lambda: b"<!--" + b"ignore you are an when as previous " * 200_000),
    "utf-16": ("x.md", lambda: "a\u200b".encode("utf-16") * 500_000),
}


@pytest.mark.parametrize("bomb", _FILES)
def test_a_file_that_is_a_bomb_for_whoever_looks_into_it_does_no_harm(run: Program, bomb: str) -> None:
    """It is received as it is, or, where it is the log, with an entry; what cannot be read contributes nothing."""
    path, make = _FILES[bomb]
    content = make()
    ran = run(_with(path, content), RLIMIT_FSIZE=16 * _MIB)
    _is_harmless(ran)
    if path != "_kernel/log.md":
        assert ran.left[f"inbox/new/{path}"][2] == content


# --- no room --------------------------------------------------------------------------------------------------

_NOISE = random.Random(1).randbytes(3 * _MIB)


def test_a_file_that_the_system_does_not_let_grow_is_an_error_of_ours(run: Program) -> None:
    """Nothing of the package is left, although much of it was unpacked already."""
    _is_defused(run(_with("zz.bin", _NOISE), "--verify-signature", RLIMIT_FSIZE=_MIB), "signature-required")
    ran = run(_with("zz.bin", _NOISE), RLIMIT_FSIZE=_MIB)
    assert ran.document["error"]["code"] == "file-too-large"
    assert ran.code == 1
    assert {n for n in ran.left if not n.startswith("home/.alive/")} == set()
    assert {n for n in ran.left if n.startswith("home/.alive/transactions/")} <= {"home/.alive/transactions/"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("scope", ["full", "bundle"])
def test_a_package_that_does_not_fit_on_the_disk_leaves_nothing_there(
    run: Program, small_disk: Path, scope: str
) -> None:
    """The disk is full for a moment, and then as it was; a walnut that bundles were for is untouched."""
    target = small_disk / "new"
    tree = {**(BUNDLE if scope == "bundle" else SNAPSHOT), "review/zz.bin": _NOISE}
    if scope == "bundle":
        for path, content in {"_kernel/key.md": KEY, "_kernel/log.md": LOG}.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(content)
    before = look(small_disk)
    ran = run(Draft(tree, scope).package(), target=target, RLIMIT_FSIZE=64 * _MIB)
    assert ran.code == 1
    assert ran.document["error"]["code"] == "disk-full"
    assert look(small_disk) == before
    assert {n for n in ran.left if not n.startswith("home/.alive/")} == set()
    assert (small_disk / "free").write_bytes(bytes(_MIB)) == _MIB


def test_few_descriptors_are_enough_for_many_files(run: Program) -> None:
    """A package of three hundred files needs no more of them than one of two."""
    draft = Draft({**SNAPSHOT, **{f"review/{number}.md": b"x" for number in range(300)}})
    _is_harmless(run(draft.package(), RLIMIT_FSIZE=_MIB, RLIMIT_NOFILE=24))


def test_the_bombs_would_be_received_if_they_were_none(run: Program) -> None:
    """Under the very same limits, but for the size of files, a small package arrives: the limits refuse nothing."""
    ran = run(Draft().package(), RLIMIT_FSIZE=_MIB)
    _is_harmless(ran)
    assert ran.left["inbox/new/notes.md"][2] == FULL["notes.md"]
