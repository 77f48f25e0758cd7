"""The same attacks through the installed program: exit codes, one JSON document, and nothing hostile on the screen.

The other tests of this folder call the program's functions; these see what a person or a script would see.
"""

import json
import os
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from arena import look
from forging import BUNDLE, KEY, LOG, Draft, pax
from mutations import Mutant
from seals import Receiver, RsaDraft

_ESCAPES = "\x1b[2J\x1b]0;evil\x07\r\b\x9b31m"
_INVISIBLE = "\u202e\u2066\u200b\ufeff\u2028\U000e0041"


class Door:
    """The installed program in a world of its own.

    Args:
        program: the console script.
        folder: an empty folder.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.package = folder / "p.walnut"
        self.world = folder / "world"
        self.walnut = self.world / "nova"
        for name in ("home", "inbox", "temporary", "nova/_kernel"):
            (self.world / name).mkdir(parents=True)
        (self.walnut / "_kernel" / "key.md").write_bytes(KEY)
        (self.walnut / "_kernel" / "log.md").write_bytes(LOG)

    def __call__(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Run it; what it prints is safe for any terminal, and no traceback."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.world / "home"), "TMPDIR": str(self.world / "temporary")}
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.world,
            env={**env, "LANG": "C.UTF-8", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert "did not foresee" not in done.stderr
        printed = done.stdout + done.stderr
        assert [c for c in printed if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}] == []
        return done

    def receive(self, package: bytes, *options: object, scope: object = "full") -> "subprocess.CompletedProcess[str]":
        """Receive a package; where it is refused, everything is as it was."""
        self.package.write_bytes(package)
        target = self.walnut if scope == "bundle" else self.world / "inbox" / "new"
        before = look(self.world)
        done = self("receive", self.package, "--target", target, "--yes", *options)
        after = {name: state for name, state in look(self.world).items() if not name.startswith("home/.alive/")}
        assert done.returncode in {0, 1}
        assert list((self.world / "home").glob(".alive/transactions/*")) == []
        if done.returncode:
            assert after == {name: state for name, state in before.items() if not name.startswith("home/.alive/")}
        else:
            inside = f"{target.relative_to(self.world).as_posix()}/"
            assert {n for n in after if after[n] != before.get(n) and not n.startswith(inside)} <= {"inbox/"}
        return done


@pytest.fixture
def door(program: str, tmp_path: Path) -> Door:
    """The installed program in a world of its own."""
    return Door(program, tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_a_mutant_gets_one_answer_in_words_or_as_json(door: Door, seed: int) -> None:
    """Exit 0 or 1 and a single document; refused in one way and in the other."""
    mutant = Mutant(f"door-{seed}")
    done = door.receive(mutant.package, "--json", scope=mutant.scope)
    document = json.loads(done.stdout)
    assert (document["status"] == "error") == (done.returncode == 1)
    if done.returncode:
        again = door.receive(mutant.package, scope=mutant.scope)
        assert again.returncode == 1
        assert again.stdout == ""
        assert again.stderr.startswith("error: ")


_SPOKEN: dict[str, Callable[[], bytes]] = {
    "name": lambda: _with_member(f"{_ESCAPES}{_INVISIBLE}.md"),
    "name-that-is-no-text": lambda: _with_member("\udcff\udcfe\x1b[2J"),
    "unlisted-name": lambda: _with_member("x\n## forged\n", listed=False),
    "sparse-name": lambda: _with_before(pax({"GNU.sparse.name": _ESCAPES})),
    "record-twice": lambda: _with_before(pax({_ESCAPES: "x"}) + pax({_ESCAPES: "y"})),
    "description": lambda: Draft(description=_ESCAPES, note=_INVISIBLE).package(),
    "invisible-texts": lambda: Draft(
        description=_INVISIBLE[:3], note="\u202eevil", sender="ev\u200bil\u202e"
    ).package(),
    "version": lambda: Draft(format_version=f"3.0{_ESCAPES}").package(),
    "scope": lambda: Draft(scope=_ESCAPES).package(),
    "walnut": lambda: Draft(source={"walnut": _INVISIBLE[:3] + "evil"}).package(),
    "unknown-field": lambda: Draft(**{_ESCAPES: _ESCAPES}).package(),
    "entry": lambda: Draft(files=[{"path": _ESCAPES + _INVISIBLE}]).package(),
    "substitution": lambda: Draft(substitutions_applied=[{"path": _INVISIBLE[:3], "reason": "\u202e"}]).package(),
    "bundle": lambda: Draft(BUNDLE, "bundle", bundles=["review", "window", _ESCAPES]).package(),
    "signature": lambda: Draft(signature={"algo": _ESCAPES, "pubkey_id": _ESCAPES}).package(),
    "plugin": lambda: Draft(min_plugin_version="999.\u202e0").package(),
}


def _with_member(name: str, *, listed: bool = True) -> bytes:
    draft = Draft()
    draft.add(name, listed=listed)
    return draft.package()


def _with_before(blocks: bytes) -> bytes:
    draft = Draft()
    draft.add("x", before=blocks)
    return draft.package()


@pytest.mark.parametrize("text", _SPOKEN)
def test_no_text_of_a_package_reaches_the_screen_as_it_is(door: Door, text: str) -> None:
    """Escape codes, line breaks, direction marks and invisible characters, wherever they are quoted back."""
    package = _SPOKEN[text]()
    door.receive(package, scope="bundle" if text == "bundle" else "full")
    assert door("verify", door.package).returncode in {0, 1}
    assert door("info", door.package).returncode in {0, 1}


def test_no_text_of_an_envelope_reaches_the_screen_as_it_is(door: Door, receiver: Receiver, tmp_path: Path) -> None:
    """The names of recipients are whatever the sender wrote, half a surrogate pair included."""
    key = tmp_path / "key.pem"
    key.write_bytes(receiver.pem)
    draft = RsaDraft(receiver, b"x")
    names = (_ESCAPES, _INVISIBLE, "\ud800", "x" * 1_000)
    draft.document["recipients"] = [{"pubkey_id": name, "key_enc_b64": "AAAA"} for name in names]
    for options in ((), ("--private-key", key), ("--private-key", key, "--json")):
        assert door.receive(draft.sealed(), *options).returncode == 1
        door("info", door.package, *options)
