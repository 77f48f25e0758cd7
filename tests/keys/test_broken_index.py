"""A broken `index.json` is an error for everybody who trusts it or would change it, and is never replaced."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey
from alive_p2p.keys.public import KeyProblem, load_public_key
from alive_p2p.runtime import Runtime

BROKEN = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"pubkeys": []}',
    b'{"pubkeys": {"a": 1}}',
    b'{"pubkeys": {"a": {"handle": 7}}}',
    b'{"pubkeys": {"a": {"status": []}}}',
    b'{"pubkeys": {"a": {"accepts": "age"}}}',
    b'{"pubkeys": {"a": {"accepts": ["age", 1]}}}',
    b"[" * 100_000,
    b" " * (5 << 20),
]

CHANGES: dict[str, Callable[[Keyring, bytes, PrivateKey], object]] = {
    "import": lambda keyring, new, _: keyring.import_peer("cleo", new),
    "replace": lambda keyring, new, _: keyring.import_peer("ben", new, replace=True),
    "again": lambda keyring, _, own: keyring.import_peer("ben", own.public.pem()),
    "status": lambda keyring, _new, _own: keyring.set_status("ben", "revoked"),
    "remove": lambda keyring, _new, _own: keyring.remove("ben"),
    "install": lambda keyring, _, own: keyring.install(own, overwrite=True),
}


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_it_is_told_and_changes_are_refused(
    content: bytes, keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes, rsa: PrivateKey
) -> None:
    """Looking works, with a warning that names the file; every change is refused before anything is written."""
    keyring.import_peer("ben", ben, status="paired", handle="benny")
    (folder / "index.json").write_bytes(content)
    before = content_of(folder)
    loaded = Keyring.load(runtime)
    assert (loaded.peer("ben").status, loaded.peer("ben").handle) == ("unpaired", None)
    assert len(loaded.warnings) == 1
    assert str(folder / "index.json") in loaded.warnings[0]
    for attempt in [loaded.refuse_broken_index, *(lambda c=c: c(loaded, cleo, rsa) for c in CHANGES.values())]:
        with pytest.raises(KeyProblem) as caught:
            attempt()
        assert (caught.value.code, caught.value.untouched) == ("broken-index", "everything")
        assert str(folder / "index.json") in caught.value.message
        assert "backup" in (caught.value.hint or "")
    assert content_of(folder) == before


def test_a_change_notices_what_broke_since_it_was_loaded(
    keyring: Keyring, folder: Path, ben: bytes, cleo: bytes
) -> None:
    """The state that counts is the one at the moment of the change; a file that was mended is fine again."""
    keyring.import_peer("ben", ben, status="paired")
    good = (folder / "index.json").read_bytes()
    (folder / "index.json").write_bytes(b"{")
    with pytest.raises(KeyProblem, match="not JSON"):
        keyring.import_peer("cleo", cleo)
    (folder / "index.json").write_bytes(good)
    keyring.import_peer("cleo", cleo)
    keyring.refuse_broken_index()
    assert keyring.peer("ben").status == "paired"


def test_a_missing_index_is_fine(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes) -> None:
    """It is rebuilt from the PEM files; so is one that other implementations wrote, without our fields."""
    keyring.refuse_broken_index()
    keyring.import_peer("ben", ben)
    (folder / "index.json").unlink()
    Keyring.load(runtime).refuse_broken_index()
    entry = {"peer_name": "ben", "path": "peers/ben.pem", "added_at": "2026-01-01T00:00:00Z", "added_by": "relay"}
    document = {"local_pubkey_id": None, "pubkeys": {load_public_key(ben).pubkey_id: entry}}
    (folder / "index.json").write_text(json.dumps(document))
    loaded = Keyring.load(runtime)
    loaded.refuse_broken_index()
    assert loaded.peer("ben").added_by == "relay"
    loaded.import_peer("cleo", cleo)
    assert set(Keyring.load(runtime).peers) == {"ben", "cleo"}


def test_the_revocations_that_can_be_read_count(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes
) -> None:
    """One damaged entry brings no other key back; nobody counts as paired."""
    keyring.import_peer("ben", ben, status="paired")
    keyring.import_peer("cleo", cleo, status="paired", handle="cleo")
    entries: dict[str, object] = {
        load_public_key(ben).pubkey_id: {"status": "revoked"},
        load_public_key(cleo).pubkey_id: {"status": "paired", "handle": "cleo"},
    }
    for damage in (7, {"status": 7}):
        (folder / "index.json").write_text(json.dumps({"pubkeys": {"0" * 16: damage, **entries}}))
        loaded = Keyring.load(runtime)
        assert (loaded.peer("ben").status, loaded.peer("cleo").status) == ("revoked", "unpaired")
        assert loaded.peer("cleo").handle is None


@pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
def test_a_linked_index_is_broken(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes) -> None:
    """It is neither followed nor replaced."""
    keyring.import_peer("ben", ben)
    (folder / "index.json").rename(folder / "elsewhere")
    (folder / "index.json").symlink_to(folder / "elsewhere")
    with pytest.raises(KeyProblem, match="symbolic link"):
        Keyring.load(runtime).set_status("ben", "paired")
    assert (folder / "index.json").is_symlink()
