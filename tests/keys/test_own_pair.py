"""Our own pair when something is missing, junk, replaced or open to others: the private key decides."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from key_making import PASSPHRASE, asks_once

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys import pkcs8
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey
from alive_p2p.keys.public import KeyProblem
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime

posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")

SECRET = PASSPHRASE.encode()


class KilledError(BaseException):
    """The process ends here: nobody catches it, and nothing more is written."""


@pytest.fixture
def killed() -> Iterator[Callable[[int], None]]:
    """Ends the process, as it were, before the n-th durable operation from now on."""

    def at(count: int) -> None:
        left = count

        def watcher(_operation: str, _paths: tuple[Path, ...]) -> None:
            nonlocal left
            left -= 1
            if left <= 0:  # also what tidies up afterwards
                raise KilledError

        files.watch(watcher)

    yield at
    files.watch(None)


# --- a half that is missing or wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [None, b"", b"junk", "other", "folder", "huge"])
def test_the_public_half_of_a_locked_key_comes_back(
    damage: bytes | str | None, keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, cleo: bytes
) -> None:
    """Asked for the passphrase once, the private key says what the public one is, and it is written anew."""
    keyring.install(rsa, passphrase=SECRET)
    path = folder / "public.pem"
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage is not None:
        path.write_bytes({"other": cleo, "huge": b"x" * 100_000}.get(str(damage), b"junk" if damage else b""))
    loaded = Keyring.load(runtime)
    if damage != "other":
        with pytest.raises(KeyProblem) as caught:
            loaded.own_public()
        assert caught.value.code == "key-locked"
    ask = asks_once()
    if damage == "other":
        loaded.own(ask)  # what looks like a key is taken for ours until the private one is opened
    assert loaded.own_public(ask) == loaded.own_public() == rsa.public
    assert len(ask.prompts) == 1
    assert bool(loaded.warnings) == (damage is not None)
    assert all(str(path) in warning for warning in loaded.warnings)
    again = Keyring.load(runtime)
    if damage == "folder":
        assert path.is_dir()  # it cannot be replaced, and is only told
    else:
        assert path.read_bytes() == rsa.public.pem()
        assert again.own_public() == rsa.public
        assert again.own(asks_once()) is not None
        assert again.warnings == ()


@pytest.mark.parametrize("damage", [None, b"junk", b"\xff\xfe\0"])
def test_the_public_half_of_an_open_key_comes_back_by_itself(
    damage: bytes | None, keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey
) -> None:
    """Nobody needs to be asked; junk is told, a missing file is not worth a word."""
    keyring.install(rsa)
    (folder / "public.pem").unlink()
    if damage is not None:
        (folder / "public.pem").write_bytes(damage)
    loaded = Keyring.load(runtime)
    assert loaded.own_public() == rsa.public
    assert [w for w in loaded.warnings if "public.pem" in w] == list(loaded.warnings)
    assert len(loaded.warnings) == (0 if damage is None else 1)
    assert (folder / "public.pem").read_bytes() == rsa.public.pem()


def test_where_it_cannot_be_written_it_is_still_told(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, interrupted: Callable[[int], list[str]]
) -> None:
    """A full disk, or somebody else at work, does not take our key away."""
    keyring.install(rsa)
    (folder / "public.pem").write_bytes(b"junk")
    for count in range(1, 4):
        interrupted(count)
        loaded = Keyring.load(runtime)
        assert loaded.own_public() == rsa.public
        assert len(loaded.warnings) == 1
        files.watch(None)
        assert (folder / "public.pem").read_bytes() == b"junk"
    with walnut_lock(folder, "project", runtime):
        assert Keyring.load(runtime).own_public() == rsa.public
        assert (folder / "public.pem").read_bytes() == b"junk"


def test_a_public_half_alone_is_not_mended(keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey) -> None:
    """Without the private key there is nothing to make it from: junk is an error, a key is our public key."""
    keyring.install(rsa)
    (folder / "private.pem").unlink()
    assert Keyring.load(runtime).own_public() == rsa.public
    (folder / "public.pem").write_bytes(b"junk")
    with pytest.raises(KeyProblem, match=r"public\.pem"):
        Keyring.load(runtime).own_public(asks_once())
    assert (folder / "public.pem").read_bytes() == b"junk"


def test_a_private_key_that_was_replaced_meanwhile_is_left_alone(
    keyring: Keyring,
    runtime: Runtime,
    folder: Path,
    rsa: PrivateKey,
    other: PrivateKey,
) -> None:
    """The old public half is not written beside a new private one by somebody who still holds the old one."""
    keyring.install(rsa, passphrase=SECRET)
    (folder / "public.pem").unlink()
    loaded = Keyring.load(runtime)

    def ask(_: str) -> bytes:
        Keyring.load(runtime).install(other, overwrite=True)
        return SECRET

    assert loaded.own_public(ask) == rsa.public
    assert (folder / "public.pem").read_bytes() == other.public.pem()


def test_an_id_that_cannot_be_told_stays_in_the_index(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, cleo: bytes
) -> None:
    """A change of a peer does not forget which key is ours because it is locked."""
    keyring.install(rsa, passphrase=SECRET)
    (folder / "public.pem").unlink()
    Keyring.load(runtime).import_peer("cleo", cleo)
    assert rsa.public.pubkey_id in (folder / "index.json").read_text().split('"pubkeys"')[0]


# --- a kill at any moment -------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", [None, SECRET], ids=["open", "locked"])
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "overwrite"])
def test_a_kill_anywhere_leaves_a_usable_key(
    passphrase: bytes | None,
    is_first: bool,
    make_runtime: Callable[..., Runtime],
    tmp_path: Path,
    killed: Callable[[int], None],
    rsa: PrivateKey,
    other: PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The private key there is whole, its public half is never another's, and the old key is never lost."""
    monkeypatch.setattr(pkcs8, "ITERATIONS", 1000)  # this is not about how long guessing takes
    for count in range(1, 100):
        runtime = make_runtime(ALIVE_HOME=str(tmp_path / str(count)))
        if not is_first:
            Keyring.load(runtime).install(rsa, passphrase=passphrase)
        killed(count)
        try:
            Keyring.load(runtime).install(other, passphrase=passphrase, overwrite=not is_first)
        except KilledError:
            has_ended = True
        else:
            has_ended = False
        files.watch(None)
        folder = tmp_path / str(count) / "relay" / "keys"
        before = (folder / "public.pem").read_bytes() if (folder / "public.pem").exists() else None
        loaded = Keyring.load(runtime)
        own = loaded.own(asks_once())
        if own is None:
            assert is_first
            assert has_ended
            assert before is None
            assert Keyring.load(runtime).install(other) == other.public
            continue
        assert before in {None, own.public.pem()}
        assert own.public == loaded.own_public() == Keyring.load(runtime).own_public()
        assert loaded.warnings == ()
        if not is_first:
            known = {own.public.pubkey_id} | {key.public.pubkey_id for key in loaded.retired(asks_once())}
            assert rsa.public.pubkey_id in known
        if not has_ended:
            assert own.public == other.public
            break
        assert loaded.install(other, overwrite=True) == other.public
    else:
        pytest.fail("the change never got through")


# --- keys of former times -------------------------------------------------------------------------------------


def test_former_keys_are_offered(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, other: PrivateKey, key_files: Path
) -> None:
    """What was sealed for the old key still opens: locked ones where somebody can be asked, broken ones are told."""
    assert keyring.retired() == []
    keyring.install(rsa)
    assert keyring.retired() == []
    keyring.install(other, passphrase=SECRET, overwrite=True)
    keyring.install(rsa, overwrite=True)
    keyring.install(other, overwrite=True)
    loaded = Keyring.load(runtime)
    assert [key.public for key in loaded.retired()] == [rsa.public]
    assert loaded.retired()[0].label == str(folder / f"private-{rsa.public.pubkey_id}.pem")
    ask = asks_once()
    # The locked one is the key we have now once more, and is not given twice.
    assert [key.public for key in loaded.retired(ask)] == [rsa.public]
    keyring.install(rsa, overwrite=True)
    assert [key.public for key in keyring.retired(asks_once())] == [other.public]
    assert keyring.warnings == ()


def test_former_keys_that_cannot_be_used_are_told(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, other: PrivateKey
) -> None:
    """A broken file, a link or a wrong passphrase costs only the key itself; what asking raises comes through."""
    keyring.install(rsa, passphrase=SECRET)
    keyring.install(other, overwrite=True)
    (folder / "private-junk.pem").write_bytes(b"junk")
    (folder / "private-junk.pem").chmod(0o600)
    (folder / "private-folder.pem").mkdir(mode=0o700)
    loaded = Keyring.load(runtime)
    assert loaded.retired() == []
    assert len(loaded.warnings) == 2
    assert loaded.retired(asks_once("wrong")) == []
    assert len(loaded.warnings) == 3
    assert "does not open" in loaded.warnings[-1]

    def nobody(_: str) -> bytes:
        raise AliveP2PError("no-terminal", "there is no terminal")

    with pytest.raises(AliveP2PError, match="no terminal"):
        loaded.retired(nobody)


def test_former_keys_that_cannot_be_listed_are_told(
    keyring: Keyring, rsa: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not taken for none."""
    keyring.install(rsa)

    def locked(_: object) -> None:
        raise PermissionError(13, "permission denied")

    monkeypatch.setattr(os, "listdir", locked)
    assert keyring.retired() == []
    assert [w for w in keyring.warnings if "permission denied" in w] == list(keyring.warnings) != []


# --- permissions ----------------------------------------------------------------------------------------------


@posix_only
@pytest.mark.parametrize(
    ("what", "mode", "piece"),
    [
        (".", 0o750, "open to others"),
        (".", 0o705, "open to others"),
        (".", 0o770, "changed by others"),
        ("..", 0o755, "open to others"),
        ("..", 0o702, "changed by others"),
        ("peers", 0o707, "changed by others"),
        ("private.pem", 0o640, "open to others"),
        ("private.pem", 0o602, "open to others"),
        ("private-*.pem", 0o644, "open to others"),
    ],
)
def test_what_is_open_to_others_is_told_at_once(
    what: str,
    mode: int,
    piece: str,
    keyring: Keyring,
    runtime: Runtime,
    folder: Path,
    rsa: PrivateKey,
    other: PrivateKey,
) -> None:
    """As soon as the keyring is loaded, once, with the file's name and mode, and with the command that mends it."""
    keyring.install(other, passphrase=SECRET)
    keyring.install(rsa, passphrase=SECRET, overwrite=True)
    assert Keyring.load(runtime).warnings == ()
    (place,) = folder.glob(what) if "*" in what else [(folder / what).resolve()]
    place.chmod(mode)
    loaded = Keyring.load(runtime)
    (warning,) = loaded.warnings
    assert str(place) in warning
    assert piece in warning
    assert f"{mode:04o}" in warning
    assert ("chmod 600" if place.is_file() else "chmod 700") in warning
    loaded.own(asks_once())
    assert loaded.warnings == (warning,)


@posix_only
def test_a_folder_somewhere_else_answers_for_itself_only(
    make_runtime: Callable[..., Runtime], tmp_path: Path, ben: bytes
) -> None:
    """Above `ALIVE_RELAY_KEYS_DIR` lies somebody's home or a disk, which others may well look into."""
    (tmp_path / "mine").mkdir(mode=0o755)
    (tmp_path / "mine").chmod(0o755)
    runtime = make_runtime(ALIVE_RELAY_KEYS_DIR=str(tmp_path / "mine" / "keys"))
    Keyring.load(runtime).import_peer("ben", ben)
    assert Keyring.load(runtime).warnings == ()
    (tmp_path / "mine" / "keys").chmod(0o755)
    assert len(Keyring.load(runtime).warnings) == 1
