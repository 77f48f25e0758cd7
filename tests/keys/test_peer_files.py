"""Peers' PEM files: which names they may have, and when one says that its key is revoked."""

import json
import os
from pathlib import Path

import pytest

from alive_p2p.errors import UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.public import KeyProblem, load_public_key
from alive_p2p.runtime import Runtime

# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("-ben", "-", "--replace", "ben.", "ben..", "you", "YOU", "You"),
        *("CON", "con", "nul.txt", "Aux.b.c", "prn", "COM1", "com9.x", "lpt0", "LPT5.pem"),
    ],
)
def test_a_name_that_means_something_else_is_refused(name: str, keyring: Keyring, folder: Path, ben: bytes) -> None:
    """An option, a device of Windows, a name that Windows shortens, and the word for ourselves are no peers."""
    with pytest.raises(UsageError) as caught:
        keyring.import_peer(name, ben)
    assert (caught.value.code, caught.value.untouched) == ("bad-peer-name", "everything")
    assert caught.value.hint
    assert not folder.exists()


@pytest.mark.parametrize(
    "name", ["young", "your.self", "com", "com10", "console", "a.con", "nu-l", "a-", "x_", "com1x"]
)
def test_a_name_that_only_begins_like_one_is_accepted(name: str, keyring: Keyring, ben: bytes) -> None:
    """The rule takes no more than it must."""
    assert keyring.import_peer(name, ben).name == name


@pytest.mark.parametrize("name", ["you", "-x", "nul", "ben."])
def test_a_file_of_such_a_name_is_not_a_peer(name: str, keyring: Keyring, runtime: Runtime, ben: bytes) -> None:
    """Also where somebody put it there by hand; the warning names it."""
    keyring.import_peer("x", ben)
    path = keyring.folder / "peers" / f"{name}.pem"
    (keyring.folder / "peers" / "x.pem").rename(path)
    loaded = Keyring.load(runtime)
    assert not loaded.peers
    assert [w for w in loaded.warnings if str(path) in w] == list(loaded.warnings) != []


def test_names_that_differ_only_in_case_are_one_too_many(
    keyring: Keyring, runtime: Runtime, ben: bytes, cleo: bytes, tmp_path: Path
) -> None:
    """On other systems one file would take the other's place: the second is refused, and two by hand are a warning."""
    keyring.import_peer("ben", ben)
    for name in ("Ben", "BEN"):
        for is_replacing in (False, True):
            with pytest.raises(KeyProblem, match="only in case") as caught:
                keyring.import_peer(name, cleo, replace=is_replacing)
            assert caught.value.code == "name-taken"
            assert caught.value.untouched == "everything"
    (tmp_path / "CASE").touch()
    if (tmp_path / "case").exists():
        pytest.skip("this file system cannot hold both names")
    (keyring.folder / "peers" / "BEN.pem").write_bytes(cleo)
    loaded = Keyring.load(runtime)
    assert set(loaded.peers) == {"ben", "BEN"}  # neither is dropped: a revoked key must stay known
    assert len(loaded.warnings) == 1
    assert "only in case" in loaded.warnings[0]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no two such names")
def test_a_junk_file_of_another_case_is_in_the_way(keyring: Keyring, ben: bytes, cleo: bytes) -> None:
    """A file that cannot be used counts as a name too."""
    keyring.import_peer("zoe", cleo)
    (keyring.folder / "peers" / "BEN.pem").write_bytes(b"junk")
    with pytest.raises(KeyProblem) as caught:
        keyring.import_peer("ben", ben)
    assert caught.value.code == "name-taken"


# --- revocations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"\xef\xbb\xbfrevoked\n",
        b"\n\n  revoked\n",
        b"\xef\xbb\xbf\r\n\t revoked\r\n",
        b"\xc2\xa0revoked\n",
        b"REVOKED\n",
        b"Revoked by ben on Monday\n",
        b"# revoked\n",
        b"the key of ben\nrevoked\n",
        b"revoked\r",
    ],
)
def test_a_revocation_in_the_file_counts_however_it_was_saved(
    head: bytes, keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes
) -> None:
    """Editors put a byte order mark in front, people a blank line or a capital; the index may be lost besides."""
    keyring.import_peer("ben", ben, status="paired")
    (folder / "peers" / "ben.pem").write_bytes(head + ben)
    assert Keyring.load(runtime).peer("ben").status == "revoked"
    (folder / "index.json").unlink()
    loaded = Keyring.load(runtime)
    assert loaded.peer("ben").status == "revoked"
    with pytest.raises(KeyProblem, match="was revoked"):
        loaded.import_peer("ben", ben)


def test_a_revocation_beside_an_openssh_line_counts(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes
) -> None:
    """A key that somebody put there as an OpenSSH line can be revoked by hand as well."""
    keyring.import_peer("ben", ben)
    line = load_public_key(ben).ssh_line().encode()
    (folder / "peers" / "ben.pem").write_bytes(b"\xef\xbb\xbfRevoked\n" + line + b" ben\n")
    assert Keyring.load(runtime).peer("ben").status == "revoked"
    (folder / "peers" / "ben.pem").write_bytes(line + b" revoked\n")
    assert Keyring.load(runtime).peer("ben").status == "unpaired"  # a comment is not a revocation


@pytest.mark.parametrize("status", ["revoked", "Revoked", "REVOKED", " revoked "])
def test_a_revocation_in_the_index_alone_counts(
    status: str, keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes
) -> None:
    """Where only the index knows it, in whatever letters, the key is revoked, and the next change says so in both."""
    public = load_public_key(ben)
    keyring.import_peer("ben", ben, status="paired")
    index = {"pubkeys": {public.pubkey_id: {"peer_name": "ben", "status": status}}}
    (folder / "index.json").write_text(json.dumps(index))
    loaded = Keyring.load(runtime)
    assert loaded.peer("ben").status == "revoked"
    with pytest.raises(KeyProblem, match="was revoked"):
        loaded.import_peer("ben", ben, status="paired")
