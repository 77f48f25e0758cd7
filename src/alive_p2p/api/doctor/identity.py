"""Who we are: our own folder, our key, what we call ourselves, and the keys of our peers (relay.md §2, §4).

Keys are read here and not through the keyring's own reading of them, which writes a wrong `public.pem` anew.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from alive_p2p import files
from alive_p2p.api.doctor.check import Check, failed, note, ok, problem
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.folder import KeyFolder, read_if_present
from alive_p2p.keys.index import read_index
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.keys.public import MAX_KEY_BYTES, KeyProblem, PublicKey, load_public_key
from alive_p2p.relay.config import own_handle, read_config
from alive_p2p.runtime import Runtime

_NO_KEY_MEANS = "what you share is not signed, and nobody can seal for you"
_BROKEN_KEY_MEANS = "nothing can be signed, and what was sealed for you cannot be opened"
_BRING_BACK = "put your own key back from a copy; on a new machine: alive-p2p relay setup --adopt FILE"


def home(runtime: Runtime) -> Iterator[Check]:
    """The folder in which this program keeps its own things."""
    place = runtime.alive_home
    there = next((one for one in (place, *place.parents) if os.path.lexists(one)), place)
    means = "no package can be received, and no key or relay be made"
    if not there.is_dir():
        yield problem("home", f"'{there}' is not a folder", means, f"mv {_q(there)} {_q(there)}.old")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield problem("home", f"'{there}' cannot be written by you", means, f'sudo chown -R "$USER" {_q(there)}')
    elif there != place:
        yield ok("home", f"'{place}' is made when it is first needed")
    else:
        yield ok("home", f"'{place}'")


def permissions(runtime: Runtime) -> Iterator[Check]:
    """Whether others on this machine could read or change our keys."""
    folder = Keyring.load(runtime).folder
    if not folder.is_dir():
        return
    if os.name != "posix":
        yield ok("permissions", "this system keeps them in its own way; they are not looked at")
        return
    found = KeyFolder(folder, runtime).open_to_others()
    if not found:
        yield ok("permissions", "nobody else can read or change your keys")
        return
    place = runtime.alive_home / "relay"
    target = place if folder.is_relative_to(place) else folder
    what = found[0].partition(": `chmod")[0] + (f", and {len(found) - 1} more" if len(found) > 1 else "")
    means = "others on this machine may sign as you, or name somebody else as your peer"
    yield problem("permissions", what, means, f"chmod -R go-rwx {_q(target)}")


def own_key(runtime: Runtime) -> Iterator[Check]:
    """Whether our key can be used, its two halves fit, and it is the one that was ours before."""
    folder = Keyring.load(runtime).folder
    private_path, public_path = folder / "private.pem", folder / "public.pem"
    try:
        secret = read_if_present(private_path, MAX_KEY_BYTES)
        private = None if secret is None else load_private_key(secret, label=str(private_path))
    except KeyProblem as error:
        if error.code == "key-locked":
            yield from _locked(private_path, public_path, folder)
        else:
            yield problem("key", error.message, _BROKEN_KEY_MEANS, _BRING_BACK)  # other keys will not do here
        return
    except AliveP2PError as error:
        yield failed("key", error, _BROKEN_KEY_MEANS, f"chmod 600 {_q(private_path)}")
        return
    if private is None:
        yield _no_key(public_path, runtime)
    else:
        yield _pair(private, public_path, folder)


def _no_key(public_path: Path, runtime: Runtime) -> Check:
    if files.is_taken(public_path):
        return problem("key", f"'{public_path}' is there, and its private key is not", _BROKEN_KEY_MEANS, _BRING_BACK)
    try:
        has_relay = read_config(runtime).url is not None
    except AliveP2PError:
        has_relay = False  # told where that file is looked at
    if has_relay:
        return problem(
            "key", "you have a relay, and the key that it belongs to is gone", _BROKEN_KEY_MEANS, _BRING_BACK
        )
    return note("key", "you have no key yet", _NO_KEY_MEANS, "alive-p2p keys generate")


def _pair(private: PrivateKey, public_path: Path, folder: Path) -> Check:
    if private.kind != "rsa":
        what = f"'{private.label}' is an {private.kind} key, and it has to be an RSA key"
        return problem("key", what, _BROKEN_KEY_MEANS, _BRING_BACK)
    try:
        public = _public(public_path)
    except AliveP2PError as error:
        return _misfit(f"'{public_path}' cannot be used: {error.message}", public_path)
    if public is not None and public != private.public:
        return _misfit(f"'{public_path}' does not belong to 'private.pem'", public_path)
    return _known(private.public, folder, "")


def _misfit(what: str, public_path: Path) -> Check:
    means = "the wrong key is given to your peers until 'private.pem' is next used"
    return problem("key", what, means, f"rm {_q(public_path)} && alive-p2p keys show")


def _locked(private_path: Path, public_path: Path, folder: Path) -> Iterator[Check]:
    """A key under a passphrase is not opened: nobody is asked here."""
    try:
        public = _public(public_path)
    except AliveP2PError as error:
        yield _misfit(f"'{public_path}' cannot be used: {error.message}", public_path)
        return
    if public is None:
        means = "the passphrase is asked for wherever only the public half is needed"
        yield note(
            "key", f"'{private_path}' has a passphrase, and no 'public.pem' beside it", means, "alive-p2p keys show"
        )
    else:
        yield _known(public, folder, ", under a passphrase; whether it opens is not tried here")


def _known(public: PublicKey, folder: Path, more: str) -> Check:
    """Whether it is the key that this folder was written for."""
    index, _ = read_index(folder / "index.json")
    before = index.raw.get("local_pubkey_id")
    if isinstance(before, str) and before != public.pubkey_id:
        return problem(
            "key",
            f"your key here is {public.pubkey_id}, and the keyring was written for {before[:40]}",
            "it may be somebody else's key: your peers would refuse what it signs",
            _BRING_BACK,
        )
    return ok("key", f"{public.kind} {public.pubkey_id}{more}")


def _public(path: Path) -> PublicKey | None:
    data = read_if_present(path, MAX_KEY_BYTES)
    return None if data is None else load_public_key(data)


def told_key(runtime: Runtime) -> PublicKey | None:
    """Our public key, as far as it can be told without asking anybody and without writing anything."""
    folder = Keyring.load(runtime).folder
    with suppress(AliveP2PError):
        if (data := read_if_present(folder / "private.pem", MAX_KEY_BYTES)) is not None:
            return load_private_key(data, label="private.pem").public
    with suppress(AliveP2PError):
        return _public(folder / "public.pem")
    return None


def sender(runtime: Runtime, seconds: float) -> Iterator[Check]:
    """What we call ourselves in what we share.

    Args:
        runtime: the surroundings.
        seconds: how long `gh` may take, where it is asked.
    """
    handle = own_handle(runtime, gh_seconds=seconds)
    try:
        username = read_config(runtime).username
    except AliveP2PError:
        username = None  # told where that file is looked at
    if handle is None:
        keys = Keyring.load(runtime).folder
        means = "packages are from 'unknown'"
        mend = "export GH_USER=NAME (in your shell's settings), or set up a relay with `alive-p2p relay setup`"
        if files.is_taken(keys / "private.pem"):
            yield problem("sender", "nothing says what you are called", f"{means}, and not signed with your key", mend)
        else:
            yield note("sender", "nothing says what you are called", means, mend)
    elif username is not None and handle != username:
        what = f"GH_USER says that you are '{handle}', and your relay is that of '{username}'"
        yield problem(
            "sender", what, "your peers know you by the second, and take nothing from the first", "unset GH_USER"
        )
    else:
        yield ok("sender", f"you are '{handle}'")


def keyring(runtime: Runtime) -> Iterator[Check]:
    """Whether what is known of peers can be read."""
    found = Keyring.load(runtime)
    wrong = set(found.warnings) - set(KeyFolder(found.folder, runtime).open_to_others())
    try:
        found.refuse_broken_index()
    except AliveP2PError as error:
        wrong = {one for one in wrong if not one.startswith(error.message)}
        yield failed("peers", error, "nobody counts as paired")
    for what in sorted(wrong):
        means = "what it holds counts as not there"
        yield problem(
            "peers", what, means, "take the file away, and import the peer's key again (alive-p2p keys import)"
        )
    paired = sum(1 for peer in found.peers.values() if peer.status == "paired")
    if found.peers and not wrong:
        yield ok("peers", f"{len(found.peers):,} in the keyring, {paired:,} of them paired")


def _q(path: Path) -> str:
    return shlex.quote(str(path))
