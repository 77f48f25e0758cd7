"""The keyring's life: our own pair, peers, the index beside the PEM files, and everything that can be wrong there."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from key_making import PASSPHRASE, ReadKey, asks_once, run

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError
from alive_p2p.keys import keyring as keyring_module
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.keys.public import KeyProblem, load_public_key
from alive_p2p.runtime import Runtime

posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")


def index_of(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    document: dict[str, dict[str, dict[str, object]]] = json.loads((folder / "index.json").read_bytes())
    return document


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# --- where it lies --------------------------------------------------------------------------------------------


def test_a_missing_folder_is_an_empty_keyring(keyring: Keyring, folder: Path) -> None:
    """Looking makes nothing, neither folders nor files."""
    assert (dict(keyring.peers), keyring.own(), keyring.own_public(), keyring.warnings) == ({}, None, None, ())
    assert keyring.find("0" * 16) is None
    assert not folder.exists()
    assert not folder.parent.exists()


def test_the_environment_says_where(make_runtime: Callable[..., Runtime], tmp_path: Path, ben: bytes) -> None:
    """`ALIVE_RELAY_KEYS_DIR`, else `$ALIVE_HOME/relay/keys`; a relative folder counts from the current one."""
    for environ, place in (
        ({"ALIVE_RELAY_KEYS_DIR": str(tmp_path / "mine")}, tmp_path / "mine"),
        ({"ALIVE_RELAY_KEYS_DIR": "relative"}, tmp_path / "relative"),
        ({"ALIVE_HOME": str(tmp_path / "alive")}, tmp_path / "alive" / "relay" / "keys"),
        ({"ALIVE_RELAY_KEYS_DIR": ""}, tmp_path / "home" / ".alive" / "relay" / "keys"),
    ):
        Keyring.load(make_runtime(**environ)).import_peer("ben", ben)
        assert (place / "peers" / "ben.pem").read_bytes() == ben


# --- our own key ----------------------------------------------------------------------------------------------


def test_a_generated_pair_is_stored_and_read(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`private.pem` is PKCS#8, `public.pem` its public half, and both are read as one key."""
    monkeypatch.setattr(keyring_module, "generate_private_key", lambda: rsa)
    assert keyring.generate(overwrite=True) == rsa.public  # there is nothing to overwrite yet
    keyring = Keyring.load(runtime)
    (folder / "private.pem").unlink()
    (folder / "public.pem").unlink()
    public = keyring.generate()
    assert public == rsa.public
    assert (folder / "public.pem").read_bytes() == rsa.public.pem()
    assert (folder / "private.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert index_of(folder)["local_pubkey_id"] == public.pubkey_id
    again = Keyring.load(runtime)
    for one in (keyring, again):
        own = one.own()
        assert own is not None
        assert own.public == one.own_public() == public
        assert own.label == str(folder / "private.pem")
        assert one.warnings == ()


@posix_only
def test_only_the_owner_may_look(keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, ben: bytes) -> None:
    """Folders are `0700`, the private key and the index `0600`; a private key open to others is a warning."""
    keyring.install(rsa)
    keyring.import_peer("ben", ben)
    assert {mode_of(place) for place in (folder.parent, folder, folder / "peers")} == {0o700}
    assert mode_of(folder / "private.pem") == mode_of(folder / "index.json") == 0o600
    (folder / "private.pem").chmod(0o640)
    loaded = Keyring.load(runtime)
    assert loaded.own() is not None
    loaded.own()
    assert [w for w in loaded.warnings if "private.pem" in w and "0640" in w] == list(loaded.warnings)
    (folder / "peers").chmod(0o777)
    assert any("can be changed by others" in warning for warning in Keyring.load(runtime).warnings)


def test_a_passphrase_seals_the_private_key(keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey) -> None:
    """The public half is there without it; the private one asks, once for each keyring."""
    keyring.install(rsa, passphrase=PASSPHRASE.encode())
    (folder / "private.pem").chmod(0o644)
    loaded = Keyring.load(runtime)
    assert loaded.own_public() == rsa.public
    with pytest.raises(KeyProblem) as caught:
        loaded.own()
    assert caught.value.code == "key-locked"
    for _ in range(2):
        with pytest.raises(KeyProblem):
            loaded.own()
    assert len(loaded.warnings) == (1 if os.name == "posix" else 0)
    ask = asks_once()
    assert loaded.own(ask) == loaded.own(ask) == loaded.own()
    assert len(ask.prompts) == 1
    assert str(folder / "private.pem") in ask.prompts[0]


def test_a_second_key_is_refused(keyring: Keyring, folder: Path, rsa: PrivateKey, other: PrivateKey) -> None:
    """Neither a whole pair nor half of one is ever overwritten without being told to, nor is time wasted on a key."""
    keyring.install(rsa)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for missing in ("", "private.pem", "public.pem"):
        if missing:
            (folder / missing).rename(folder / "away")
        for attempt in (keyring.generate, lambda: keyring.install(other)):
            with pytest.raises(KeyProblem, match="already") as caught:
                attempt()
            assert caught.value.code == "key-exists"
        if missing:
            (folder / "away").rename(folder / missing)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_replaced_key_is_kept(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, other: PrivateKey
) -> None:
    """The old private key still opens what is under way; it lies beside the new one under its id."""
    keyring.install(rsa)
    keyring.install(other, overwrite=True)
    assert Keyring.load(runtime).own_public() == keyring.own_public() == other.public
    kept = folder / f"private-{rsa.public.pubkey_id}.pem"
    assert load_private_key(kept.read_bytes(), label="kept").public == rsa.public
    keyring.install(rsa, overwrite=True)
    keyring.install(other, overwrite=True)
    assert len(list(folder.glob("private-*.pem"))) == 2  # the very same file is not kept twice
    (folder / "public.pem").write_bytes(b"junk")
    Keyring.load(runtime).install(rsa, passphrase=PASSPHRASE.encode(), overwrite=True)
    Keyring.load(runtime).install(other, overwrite=True)
    assert len(list(folder.glob("private-*.pem"))) == 3
    (folder / "private.pem").unlink()
    Keyring.load(runtime).install(other, overwrite=True)
    assert Keyring.load(runtime).own_public() == other.public


def test_a_faster_process_wins(
    keyring: Keyring, runtime: Runtime, rsa: PrivateKey, other: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes that make a key at once, one is refused, and the other's key stays."""

    def slow() -> PrivateKey:
        Keyring.load(runtime).install(other)
        return rsa

    monkeypatch.setattr(keyring_module, "generate_private_key", slow)
    with pytest.raises(KeyProblem, match="already"):
        keyring.generate()
    assert Keyring.load(runtime).own_public() == other.public


def test_the_last_moment_counts(
    keyring: Keyring, runtime: Runtime, rsa: PrivateKey, other: PrivateKey, interrupted: Callable[[int], list[str]]
) -> None:
    """Even where the other key appears after every check, it is not replaced."""

    def watcher(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "rename" and paths[-1].name == "private.pem":
            files.watch(None)
            paths[-1].write_bytes(other.pkcs8_pem(None))

    interrupted(0)
    files.watch(watcher)
    with pytest.raises(KeyProblem, match="already"):
        keyring.install(rsa)
    assert Keyring.load(runtime).own_public() == other.public


def test_only_an_rsa_key_becomes_our_own(keyring: Keyring, folder: Path, read_key: ReadKey) -> None:
    """Packages are signed with it, so it must be able to sign."""
    with pytest.raises(KeyProblem, match="has to be an RSA key"):
        keyring.install(load_private_key(read_key("ssh-ed25519"), label="mine"))
    assert not folder.exists()


def test_an_empty_passphrase_stores_nothing(keyring: Keyring, folder: Path, rsa: PrivateKey) -> None:
    """It is noticed before anything is written."""
    with pytest.raises(KeyProblem, match="the passphrase is empty"):
        keyring.install(rsa, passphrase=b"")
    assert not folder.exists()


def test_a_missing_public_half_is_made_from_the_private_one(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey
) -> None:
    """`public.pem` is a convenience as long as the private key can be read."""
    keyring.install(rsa)
    (folder / "public.pem").unlink()
    assert Keyring.load(runtime).own_public() == rsa.public


def test_halves_that_do_not_belong_together_are_told(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, cleo: bytes
) -> None:
    """The private key decides who we are; a strange or broken `public.pem` is a warning."""
    keyring.install(rsa)
    (folder / "public.pem").write_bytes(cleo)
    loaded = Keyring.load(runtime)
    loaded.own()
    assert loaded.own_public() == rsa.public
    assert "does not belong" in loaded.warnings[0]
    assert (folder / "public.pem").read_bytes() == rsa.public.pem()
    (folder / "public.pem").write_bytes(b"junk")
    loaded = Keyring.load(runtime)
    loaded.own()
    assert loaded.own_public() == rsa.public
    assert "not a public key" in loaded.warnings[0]


@pytest.mark.parametrize("content", [b"junk", b"", b"-----BEGIN PRIVATE KEY-----", b"x" * 100_000])
def test_a_broken_private_key_is_an_error_with_its_name(runtime: Runtime, folder: Path, content: bytes) -> None:
    """It is never taken for "no key yet"."""
    folder.mkdir(parents=True)
    (folder / "private.pem").write_bytes(content)
    with pytest.raises(AliveP2PError, match=r"private\.pem"):
        Keyring.load(runtime).own()


@posix_only
def test_a_linked_private_key_is_refused(keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey) -> None:
    """A link could point at anybody's key."""
    keyring.install(rsa)
    (folder / "private.pem").rename(folder / "elsewhere")
    (folder / "private.pem").symlink_to(folder / "elsewhere")
    with pytest.raises(FileSystemError, match="symbolic link"):
        Keyring.load(runtime).own()


# --- peers ----------------------------------------------------------------------------------------------------


def test_a_peer_from_beginning_to_end(keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey) -> None:
    """Import, find, pair, revoke, remove; a keyring loaded afresh always says the same."""
    line = rsa.public.ssh_line().encode() + b" ben at home"
    peer = keyring.import_peer("ben", line, handle="benny", added_by="invite", accepts=["age", "rsa"])
    assert peer == Peer("ben", rsa.public, "benny", "unpaired", "2026-04-07T10:15:00Z", "invite", ("age", "rsa"))
    assert keyring.find(rsa.public.pubkey_id) == keyring.peer("ben") == peer
    assert index_of(folder)["pubkeys"][rsa.public.pubkey_id] == {
        "peer_name": "ben",
        "path": "peers/ben.pem",
        "added_at": "2026-04-07T10:15:00Z",
        "added_by": "invite",
        "handle": "benny",
        "accepts": ["age", "rsa"],
        "status": "unpaired",
    }
    for status in ("paired", "revoked", "unpaired", "revoked", "paired"):
        assert keyring.set_status("ben", status) == replace(peer, status=status)
        assert Keyring.load(runtime).peers == keyring.peers == {"ben": replace(peer, status=status)}
    keyring.remove("ben")
    assert not keyring.peers
    assert not Keyring.load(runtime).peers
    assert index_of(folder)["pubkeys"] == {}
    assert list((folder / "peers").iterdir()) == []


def test_what_a_peer_accepts_is_not_guessed(keyring: Keyring, rsa: PrivateKey, read_key: ReadKey) -> None:
    """Where nobody said it, it is what every owner of such a key can read."""
    assert keyring.import_peer("ben", rsa.public.pem()).accepts == ("rsa",)
    assert keyring.import_peer("cleo", read_key("ssh-ed25519.pub")).accepts == ("age",)


def test_a_file_from_the_end_of_time_has_a_timestamp(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes
) -> None:
    """Where the index does not say when a key came, its file does, whatever it says."""
    keyring.import_peer("ben", ben)
    (folder / "index.json").unlink()
    for seconds, expected in ((-(10**9), "1970-01-01T00:00:00Z"), (10**9, "2001-09-09T01:46:40Z")):
        os.utime(folder / "peers" / "ben.pem", (seconds, seconds))
        assert Keyring.load(runtime).peer("ben").added_at == expected


def test_the_peers_are_sorted_and_cannot_be_changed(keyring: Keyring, ben: bytes, cleo: bytes) -> None:
    """What `peers` hands out is a view."""
    keyring.import_peer("zoe", cleo)
    keyring.import_peer("ben", ben)
    assert list(keyring.peers) == ["ben", "zoe"]
    with pytest.raises(TypeError):
        keyring.peers["eve"] = keyring.peers["ben"]  # type: ignore[index]


def test_an_unknown_peer_is_answered_with_the_known(keyring: Keyring, ben: bytes, cleo: bytes) -> None:
    """The error lists who is known, and suggests the nearest."""
    with pytest.raises(UsageError, match="nobody yet"):
        keyring.peer("ben")
    keyring.import_peer("benjamin", ben)
    keyring.import_peer("cleo", cleo)
    for attempt in (keyring.peer, keyring.remove, lambda name: keyring.set_status(name, "paired")):
        with pytest.raises(UsageError, match="known: benjamin, cleo") as caught:
            attempt("benjamim")
        assert (caught.value.code, caught.value.hint) == ("unknown-peer", "did you mean 'benjamin'?")


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".ben", "a/b", "a\\b", "a b", "bén", "ben\n", "b\0n", "x" * 65, "../../up", "ben:x"]
)
def test_a_name_that_is_no_safe_segment_is_refused(name: str, keyring: Keyring, folder: Path, ben: bytes) -> None:
    """A peer's name becomes a file name, so it may not be anything else."""
    with pytest.raises(UsageError) as caught:
        keyring.import_peer(name, ben)
    assert caught.value.code == "bad-peer-name"
    assert not folder.exists()


@pytest.mark.parametrize("name", ["b", "_", "ben.x", "Ben-1", "x" * 64])
def test_a_safe_name_is_accepted(name: str, keyring: Keyring, ben: bytes) -> None:
    """Letters, digits, `.`, `_` and `-`."""
    assert keyring.import_peer(name, ben).name == name


def test_an_unknown_status_is_refused(keyring: Keyring, ben: bytes) -> None:
    """Only the three there are can be written."""
    with pytest.raises(UsageError, match="friend"):
        keyring.import_peer("ben", ben, status="friend")  # type: ignore[arg-type]
    keyring.import_peer("ben", ben)
    with pytest.raises(UsageError, match="friend"):
        keyring.set_status("ben", "friend")  # type: ignore[arg-type]


def test_a_different_key_is_refused_with_both_fingerprints(
    keyring: Keyring, folder: Path, rsa: PrivateKey, other: PrivateKey
) -> None:
    """A key is pinned once; a different one is a matter for people. Nothing is changed."""
    keyring.import_peer("ben", rsa.public.pem(), status="paired")
    before = (folder / "index.json").read_bytes()
    with pytest.raises(KeyProblem) as caught:
        keyring.import_peer("ben", other.public.pem(), status="paired")
    assert caught.value.code == "key-changed"
    assert rsa.public.fingerprint in caught.value.message
    assert other.public.fingerprint in caught.value.message
    assert (folder / "index.json").read_bytes() == before
    assert keyring.peer("ben").public == rsa.public


def test_a_key_replaced_on_purpose_starts_anew(keyring: Keyring, rsa: PrivateKey, other: PrivateKey) -> None:
    """The new key does not inherit the old one's trust or handle, and the old one is unknown afterwards."""
    keyring.import_peer("ben", rsa.public.pem(), status="paired", handle="benny", accepts=["age"])
    peer = keyring.import_peer("ben", other.public.pem(), replace=True)
    assert (peer.public, peer.status, peer.handle, peer.accepts) == (other.public, "unpaired", None, ("rsa",))
    assert keyring.find(rsa.public.pubkey_id) is None


def test_a_replaced_key_that_was_revoked_stays_revoked(
    keyring: Keyring, runtime: Runtime, rsa: PrivateKey, other: PrivateKey
) -> None:
    """What it signed must go on being refused, so it is kept under a name of its own."""
    keyring.import_peer("ben", rsa.public.pem(), status="revoked")
    keyring.import_peer("ben", other.public.pem(), status="paired", replace=True)
    old = Keyring.load(runtime).find(rsa.public.pubkey_id)
    assert old is not None
    assert (old.name, old.status) == (f"ben.revoked-{rsa.public.pubkey_id[:8]}", "revoked")
    assert Keyring.load(runtime).peer("ben").status == "paired"


def test_a_key_has_one_name(keyring: Keyring, ben: bytes, cleo: bytes) -> None:
    """The same key under another name is refused naming that name, also with `replace`; so is another case of it."""
    keyring.import_peer("ben", ben)
    for is_replacing in (False, True):
        with pytest.raises(KeyProblem, match="the key of 'ben'") as caught:
            keyring.import_peer("benny", ben, replace=is_replacing)
        assert caught.value.code == "known-key"
        with pytest.raises(KeyProblem, match="only in case"):
            keyring.import_peer("BEN", cleo, replace=is_replacing)


def test_the_same_key_again_takes_nothing_away(keyring: Keyring, ben: bytes) -> None:
    """Importing twice is harmless: trust and handle stay, what is new is added."""
    first = keyring.import_peer("ben", ben, handle="benny", accepts=["age"])
    assert keyring.import_peer("ben", ben, added_by="again") == first
    paired = keyring.import_peer("ben", ben, status="paired", accepts=["age", "rsa"])
    assert paired == replace(first, status="paired", accepts=("age", "rsa"))
    assert keyring.import_peer("ben", ben, handle="ben") == replace(paired, handle="ben")
    assert keyring.import_peer("ben", ben, status="revoked").status == "revoked"


def test_a_revoked_key_comes_back_only_on_purpose(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes) -> None:
    """Importing it again is refused, also after its file is gone; `replace` or `set_status` bring it back."""
    keyring.import_peer("ben", ben)
    keyring.set_status("ben", "revoked")
    for _ in range(2):
        with pytest.raises(KeyProblem) as caught:
            keyring.import_peer("ben", ben, status="paired")
        assert caught.value.code == "key-revoked"
        (folder / "peers" / "ben.pem").unlink(missing_ok=True)
        keyring = Keyring.load(runtime)
    assert keyring.import_peer("ben", ben, status="paired", replace=True).status == "paired"
    assert Keyring.load(runtime).peer("ben").status == "paired"


def test_what_is_no_peers_key_is_refused(keyring: Keyring, folder: Path, key_files: Path, read_key: ReadKey) -> None:
    """An age recipient cannot sign; a private key is not to be handed around; nothing is written."""
    for data in (run("age-keygen", "-y", key_files / "age.txt"), read_key("rsa.pem"), b"junk"):
        with pytest.raises(KeyProblem):
            keyring.import_peer("ben", data)
    assert not folder.exists()


# --- the PEM files are the truth ------------------------------------------------------------------------------


def test_a_lost_index_is_rebuilt_and_trusts_less(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes) -> None:
    """Without the index the keys are known, nobody is paired, and the next change writes a new one."""
    keyring.import_peer("ben", ben, status="paired", handle="benny", accepts=["age"])
    (folder / "index.json").unlink()
    loaded = Keyring.load(runtime)
    peer = loaded.peer("ben")
    assert (peer.status, peer.handle, peer.added_by, peer.accepts) == ("unpaired", None, "unknown", ("rsa",))
    assert peer.added_at.endswith("Z")
    assert not (folder / "index.json").exists()
    loaded.set_status("ben", "paired")
    assert Keyring.load(runtime).peer("ben") == replace(peer, status="paired")


def test_a_revocation_outlives_the_index(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes) -> None:
    """It stands in the PEM file as well, which other programs still read."""
    keyring.import_peer("ben", ben)
    keyring.set_status("ben", "revoked")
    (folder / "index.json").unlink()
    assert Keyring.load(runtime).peer("ben").status == "revoked"
    data = (folder / "peers" / "ben.pem").read_bytes()
    assert run("openssl", "pkey", "-pubin", data=data) == ben
    index = {"pubkeys": {load_public_key(ben).pubkey_id: {"peer_name": "ben", "status": "paired"}}}
    (folder / "index.json").write_text(json.dumps(index))
    assert Keyring.load(runtime).peer("ben").status == "revoked"


def test_a_key_that_was_exchanged_by_hand_is_not_trusted(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes
) -> None:
    """The index speaks of keys, not of names."""
    keyring.import_peer("ben", ben, status="paired", handle="benny")
    (folder / "peers" / "ben.pem").write_bytes(cleo)
    peer = Keyring.load(runtime).peer("ben")
    assert (peer.status, peer.handle) == ("unpaired", None)
    (folder / "peers" / "ben.pem").write_bytes(ben)
    assert Keyring.load(runtime).peer("ben").status == "paired"


def test_a_renamed_file_is_the_same_peer_under_another_name(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes
) -> None:
    """Its entry goes with the key, and the index follows at the next change."""
    keyring.import_peer("ben", ben, status="paired", handle="benny")
    (folder / "peers" / "ben.pem").rename(folder / "peers" / "benjamin.pem")
    loaded = Keyring.load(runtime)
    assert (loaded.peer("benjamin").status, loaded.peer("benjamin").handle) == ("paired", "benny")
    loaded.import_peer("cleo", cleo)
    entry = index_of(folder)["pubkeys"][load_public_key(ben).pubkey_id]
    assert (entry["peer_name"], entry["path"], entry["status"]) == ("benjamin", "peers/benjamin.pem", "paired")


def test_unknown_fields_survive(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes) -> None:
    """Of the index, of its entries, and entries whose file is not there."""
    keyring.import_peer("ben", ben)
    document = index_of(folder)
    document["later"] = {"x": {"é": 1}}
    document["pubkeys"][load_public_key(ben).pubkey_id]["note"] = "met in Bonn"
    document["pubkeys"]["f" * 16] = {"peer_name": "gone", "note": "kept"}
    (folder / "index.json").write_text(json.dumps(document))
    loaded = Keyring.load(runtime)
    loaded.import_peer("cleo", cleo)
    loaded.set_status("ben", "paired")
    loaded.remove("cleo")
    document["pubkeys"][load_public_key(ben).pubkey_id]["status"] = "paired"
    assert index_of(folder) == document
    assert list(loaded.peers) == ["ben"]


def test_values_of_a_wrong_type_count_as_absent(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes) -> None:
    """An entry that makes no sense trusts nobody and breaks nothing."""
    keyring.import_peer("ben", ben, status="paired", handle="benny")
    entry = {"peer_name": 1, "path": [], "added_at": {}, "added_by": 0, "handle": None, "accepts": [], "status": "?"}
    (folder / "index.json").write_text(json.dumps({"pubkeys": {load_public_key(ben).pubkey_id: entry}}))
    peer = Keyring.load(runtime).peer("ben")
    assert (peer.status, peer.handle, peer.added_by, peer.accepts) == ("unpaired", None, "unknown", ("rsa",))


def test_junk_among_the_peers_harms_nobody(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, read_key: ReadKey
) -> None:
    """Each file that cannot be used is named in a warning; leftovers and other files are passed over silently."""
    keyring.import_peer("ben", ben)
    peers = folder / "peers"
    bad = {
        "junk.pem": b"junk",
        "empty.pem": b"",
        "cut.pem": ben[:200],
        "secret.pem": read_key("rsa.pem"),
        "age.pem": b"age1kzymax77h6nu3pl6v8685ztzfphxr4tm7ptx9dpg3ny99h7laatqcd2v7g",
        "b n.pem": ben,
        "huge.pem": b"x" * 100_000,
    }
    for name, content in bad.items():
        (peers / name).write_bytes(content)
    (peers / "folder.pem").mkdir()
    for name in (".alive-p2p-0.tmp", ".hidden.pem", "README", "ben.pem~"):
        (peers / name).write_bytes(b"x")
    loaded = Keyring.load(runtime)
    assert list(loaded.peers) == ["ben"]
    for name in [*bad, "folder.pem"]:
        assert [w for w in loaded.warnings if f"/peers/{name}'" in w.replace("\\", "/")], name
    assert len(loaded.warnings) == len(bad) + 1
    for name in ("junk", "folder"):
        with pytest.raises(KeyProblem, match="in the way"):
            loaded.import_peer(name, read_key("other-public.pem"))
    assert loaded.import_peer("junk", read_key("other-public.pem"), replace=True).name == "junk"


@posix_only
def test_a_linked_peer_is_refused(keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes) -> None:
    """A link is a warning, and replacing it replaces the link and not what it points to."""
    keyring.import_peer("ben", ben)
    target = folder / "target"
    target.write_bytes(cleo)
    for name in ("cleo", "dangling", "fifo"):
        path = folder / "peers" / f"{name}.pem"
        os.mkfifo(path) if name == "fifo" else path.symlink_to(target if name == "cleo" else folder / "nowhere")
    loaded = Keyring.load(runtime)
    assert list(loaded.peers) == ["ben"]
    assert len(loaded.warnings) == 3
    assert sum("symbolic link" in warning for warning in loaded.warnings) == 2
    loaded.import_peer("cleo", cleo, replace=True)
    target.unlink()
    assert Keyring.load(runtime).peer("cleo").public == load_public_key(cleo)


def test_two_files_with_one_key_are_one_peer(
    keyring: Keyring, runtime: Runtime, folder: Path, ben: bytes, cleo: bytes
) -> None:
    """The one the index knows counts, the other is a warning; a revocation in either counts."""
    keyring.import_peer("ben", ben, status="paired")
    for name in ("aaa", "zzz"):
        (folder / "peers" / f"{name}.pem").write_bytes(ben)
    loaded = Keyring.load(runtime)
    assert (list(loaded.peers), loaded.peer("ben").status) == (["ben"], "paired")
    assert len(loaded.warnings) == 2
    (folder / "peers" / "zzz.pem").write_bytes(b"revoked\n" + ben)
    assert Keyring.load(runtime).peer("ben").status == "revoked"
    Keyring.load(runtime).import_peer("cleo", cleo)
    (folder / "peers" / "zzz.pem").unlink()
    assert Keyring.load(runtime).peer("ben").status == "revoked"


@pytest.mark.parametrize("where", ["relay/keys", "relay/keys/peers", "relay"])
def test_a_file_in_the_place_of_a_folder_is_told(where: str, runtime: Runtime, ben: bytes) -> None:
    """Loading works and says what is wrong; writing fails with the reason."""
    place = runtime.alive_home / where
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    keyring = Keyring.load(runtime)
    assert not keyring.peers
    assert keyring.warnings
    with pytest.raises(AliveP2PError, match=r"not a folder|cannot create"):
        keyring.import_peer("ben", ben)


def test_a_locked_folder_is_not_taken_for_an_empty_one(
    keyring: Keyring, runtime: Runtime, rsa: PrivateKey, ben: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may not be read is told, and our key is not "missing"."""
    keyring.install(rsa)
    keyring.import_peer("ben", ben)

    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "permission denied")

    monkeypatch.setattr(files, "open_regular", locked)
    for is_listable in (True, False):
        if not is_listable:
            monkeypatch.setattr(os, "listdir", locked)
        loaded = Keyring.load(runtime)
        assert not loaded.peers
        assert all("permission denied" in warning for warning in loaded.warnings)
        assert len(loaded.warnings) == 2
        for attempt in (loaded.own, loaded.own_public):
            with pytest.raises(FileSystemError, match="permission denied"):
                attempt()


# --- interruptions --------------------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[Keyring, bytes], object]] = {
    "import": lambda keyring, new: keyring.import_peer("new", new, status="paired", handle="new"),
    "replace": lambda keyring, new: keyring.import_peer("ben", new, status="paired", handle="new", replace=True),
    "revoke": lambda keyring, _: keyring.set_status("ben", "revoked"),
    "replace-revoked": lambda keyring, new: keyring.import_peer("eve", new, replace=True),
    "restore": lambda keyring, _: keyring.set_status("eve", "paired"),
    "remove": lambda keyring, _: keyring.remove("ben"),
}


RANKS = {"revoked": 0, None: 1, "unpaired": 2, "paired": 3}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_fails_anywhere_trusts_nobody_more(
    change: str,
    make_runtime: Callable[..., Runtime],
    tmp_path: Path,
    interrupted: Callable[[int], list[str]],
    rsa: PrivateKey,
    other: PrivateKey,
    read_key: ReadKey,
) -> None:
    """Whichever step fails, the keyring loads, and no key is trusted more than both before and after the change.

    What was revoked before and is after is never anything else between, and the change can be made again.
    """
    new = load_public_key(read_key("ssh-rsa.pub"))

    def state(runtime: Runtime) -> dict[str, tuple[str | None, str | None]]:
        keyring = Keyring.load(runtime)
        assert all("holds the same key" in warning for warning in keyring.warnings)
        found = {key.pubkey_id: keyring.find(key.pubkey_id) for key in (rsa.public, other.public, new)}
        return {one: (peer.status, peer.handle) if peer else (None, None) for one, peer in found.items()}

    def prepared(name: str) -> Runtime:
        runtime = make_runtime(ALIVE_HOME=str(tmp_path / name))
        keyring = Keyring.load(runtime)
        keyring.import_peer("ben", rsa.public.pem(), status="paired", handle="benny")
        keyring.import_peer("eve", other.public.pem(), status="revoked", handle="eve")
        return runtime

    clean = prepared("clean")
    before = state(clean)
    begun = interrupted(0)
    CHANGES[change](Keyring.load(clean), new.pem())
    files.watch(None)
    after = state(clean)
    assert after != before
    for count in range(1, len(begun) + 1):
        runtime = prepared(str(count))
        interrupted(count)
        with pytest.raises(FileSystemError) as caught:
            CHANGES[change](Keyring.load(runtime), new.pem())
        files.watch(None)
        assert caught.value.code == "disk-full"
        assert not list(runtime.alive_home.rglob("*.tmp"))
        for one, (status, handle) in state(runtime).items():
            allowed = {before[one][0], after[one][0]}
            assert RANKS[status] <= max(RANKS[known] for known in allowed)
            assert status == "revoked" or allowed != {"revoked"}
            assert handle in {None, before[one][1], after[one][1]}
        if change != "remove" or "ben" in Keyring.load(runtime).peers:
            CHANGES[change](Keyring.load(runtime), new.pem())
        assert state(runtime) == after


def test_storing_our_key_fails_cleanly_anywhere(
    make_runtime: Callable[..., Runtime],
    tmp_path: Path,
    interrupted: Callable[[int], list[str]],
    rsa: PrivateKey,
    other: PrivateKey,
) -> None:
    """Whichever step fails, no private key is lost, none is half written, and the two halves never disagree."""
    for count in range(1, 100):
        surroundings = make_runtime(ALIVE_HOME=str(tmp_path / str(count)))
        keyring = Keyring.load(surroundings)
        keyring.install(rsa)
        interrupted(count)
        try:
            keyring.install(other, overwrite=True)
        except FileSystemError:
            has_failed = True
        else:
            has_failed = False
        finally:
            files.watch(None)
        reloaded = Keyring.load(surroundings)
        found = {
            load_private_key(path.read_bytes(), label="").public.pubkey_id for path in keyring.folder.glob("private*")
        }
        assert rsa.public.pubkey_id in found
        own = reloaded.own()
        assert reloaded.warnings == ()
        assert own is None or own.public in {rsa.public, other.public}
        assert not list(keyring.folder.rglob("*.tmp"))
        if not has_failed:
            assert found == {rsa.public.pubkey_id, other.public.pubkey_id}
            break
    else:
        pytest.fail("the change never got through")
