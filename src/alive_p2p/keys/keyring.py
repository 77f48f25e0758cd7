"""The keyring: our own key pair and the pinned keys of our peers (relay.md §2, §4).

The folder holds `private.pem`, `public.pem`, `peers/<name>.pem` and `index.json`. The PEM files are the truth, the
index is rebuilt from them. Looking changes nothing; a change is written file by file, each atomically, in an order
in which a crash between two of them leaves a peer less trusted, never more.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alive_p2p import files
from alive_p2p.errors import FileSystemError, UsageError
from alive_p2p.keys.index import STATUSES, BrokenIndexError, KeyIndex, Status, default_accepts
from alive_p2p.keys.own import OwnPair, read_if_present
from alive_p2p.keys.peers import Peer, check_name, pem_path, read_peers, write_peer_key
from alive_p2p.keys.private import Ask, PrivateKey, generate_private_key
from alive_p2p.keys.public import KeyProblem, PublicKey, load_public_key
from alive_p2p.runtime import Runtime
from alive_p2p.text import fold, nearest

__all__ = ["Keyring", "Peer", "Status"]

_INDEX_LIMIT = 4 << 20


class Keyring:
    """The keys on this machine; made by `Keyring.load`, and up to date after each change made through it.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.folder = folder
        self._runtime = runtime
        self._pair = OwnPair(folder, runtime)
        self._set_aside: list[str] = []
        self._read()

    @classmethod
    def load(cls, runtime: Runtime) -> "Keyring":
        """Read the keyring in `ALIVE_RELAY_KEYS_DIR`, by default `$ALIVE_HOME/relay/keys`; a missing one is empty.

        What cannot be used is passed over and told in `warnings`; nothing is written.
        """
        chosen = runtime.environ.get("ALIVE_RELAY_KEYS_DIR")
        return cls(runtime.cwd / chosen if chosen else runtime.alive_home / "relay" / "keys", runtime)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong in the folder, one line each."""
        return (*self._warnings, *self._pair.warnings, *self._set_aside)

    @property
    def peers(self) -> Mapping[str, Peer]:
        """The peers by name, sorted."""
        return MappingProxyType(self._peers)

    # --- our own key ------------------------------------------------------------------------------------------

    def own(self, ask: Ask | None = None) -> PrivateKey | None:
        """Our private key, read once; None where there is none.

        Args:
            ask: asks for its passphrase, where it has one.

        Raises:
            KeyProblem: `private.pem` is not a usable key, or it is locked.
            FileSystemError: it cannot be read, or is a symbolic link.
        """
        return self._pair.private(ask)

    def own_public(self) -> PublicKey | None:
        """Our public key; None where there is none.

        Raises:
            KeyProblem: `public.pem` is not a key; or it is missing, and `private.pem` cannot be read without asking.
            FileSystemError: it cannot be read, or is a symbolic link.
        """
        return self._pair.public()

    def generate(self, *, passphrase: bytes | None = None, overwrite: bool = False) -> PublicKey:
        """Make our key pair (RSA-4096; about a second), and store it as `install` does.

        Raises:
            KeyProblem: there is a key already, or the passphrase is empty.
            FileSystemError: it cannot be written.
        """
        if not overwrite:
            self._pair.refuse_second()
        return self.install(generate_private_key(), passphrase=passphrase, overwrite=overwrite)

    def install(self, key: PrivateKey, *, passphrase: bytes | None = None, overwrite: bool = False) -> PublicKey:
        """Store a key pair as our own: `private.pem` (PKCS#8, `0600`) and `public.pem`.

        Args:
            key: an RSA key.
            passphrase: seals `private.pem`.
            overwrite: replaces the key that is there; the old private key is kept as `private-<pubkey_id>.pem`,
                because packages may still be under way to it (relay.md §6, rotate).

        Raises:
            KeyProblem: there is a key already (`key-exists`), this one is not an RSA key, or the passphrase is empty.
            FileSystemError: it cannot be written.
        """
        self._pair.check_new(key, overwrite=overwrite)
        secret = key.pkcs8_pem(passphrase)
        self._make_folders()
        self._pair.write(key, secret, overwrite=overwrite)
        self._write_index(lambda index: index)
        return key.public

    # --- peers ------------------------------------------------------------------------------------------------

    def find(self, pubkey_id: str) -> Peer | None:
        """The peer with this key, whatever its status."""
        return next((peer for peer in self._peers.values() if peer.public.pubkey_id == pubkey_id), None)

    def peer(self, name: str) -> Peer:
        """A peer by name.

        Raises:
            UsageError: nobody of that name is known; the message lists who is.
        """
        if name in self._peers:
            return self._peers[name]
        known = ", ".join(self._peers) or "nobody yet"
        close = nearest(name, list(self._peers))
        raise UsageError(
            "unknown-peer",
            f"there is no peer '{name}'; known: {known}",
            untouched="everything",
            hint=f"did you mean '{close}'?" if close else None,
        )

    def import_peer(
        self,
        name: str,
        data: bytes,
        *,
        status: Status = "unpaired",
        handle: str | None = None,
        added_by: str = "import",
        accepts: Sequence[str] | None = None,
        replace: bool = False,
    ) -> Peer:
        """Pin a peer's key (relay.md §4). The same key again only adds what is new: nobody is unpaired by it.

        Args:
            name: what we call the peer: letters, digits, `.`, `_`, `-`, at most 64, no dot in front.
            data: the key in any form `load_public_key` reads, except an age recipient.
            status: the status it gets.
            handle: what the peer calls itself.
            added_by: how the key came here.
            accepts: the envelopes the peer reads; where not known, what its kind of key surely can.
            replace: puts the key in the place of a different one, or brings back one that was revoked.

        Raises:
            KeyProblem: it is not a usable key; the name has a different key (`key-changed`), the key another name
                (`known-key`), the name is in use (`name-taken`), or the key was revoked (`key-revoked`).
            UsageError: the name or the status cannot be used.
            FileSystemError: it cannot be written.
        """
        check_name(name)
        _check_status(status)
        public = load_public_key(data)
        if public.kind == "x25519":
            raise KeyProblem("bad-key", "an age recipient cannot sign, so it cannot be a peer's key")
        self._read()
        old = self._check_import(name, public, replace=replace)
        is_known = old is not None and old.public == public and not replace
        fields: dict[str, Any] = {"peer_name": name}
        if not is_known:
            given = default_accepts(public.kind) if accepts is None else accepts
            fields |= {"added_at": self._runtime.timestamp(), "added_by": added_by, "handle": handle}
            fields |= {"accepts": list(given), "status": status}
        else:
            fields |= {"handle": handle} if handle is not None else {}
            fields |= {"accepts": list(accepts)} if accepts is not None else {}
            fields |= {"status": status} if status != "unpaired" else {}

        self._make_folders()
        outdated = old.public.pubkey_id if old is not None and old.public != public else None
        if old is not None and outdated is not None and old.status == "revoked":
            # Kept under a name of its own, so that what the revoked key signed stays refused.
            kept = f"{name[:40]}.revoked-{outdated[:8]}"
            write_peer_key(self._peer_folder, kept, old.public, is_revoked=True)
            outdated = None
        write_peer_key(self._peer_folder, name, public, is_revoked=status == "revoked")
        self._write_index(
            lambda index: (index.without(outdated) if outdated else index).with_entry(public.pubkey_id, fields)
        )
        return self.peer(name)

    def set_status(self, name: str, status: Status) -> Peer:
        """Change what a peer's key counts as.

        Raises:
            UsageError: there is no such peer, or no such status.
            FileSystemError: it cannot be written.
        """
        _check_status(status)
        self._read()
        peer = self.peer(name)
        if "revoked" in {status, peer.status}:
            write_peer_key(self._peer_folder, name, peer.public, is_revoked=status == "revoked")
        self._write_index(lambda index: index.with_entry(peer.public.pubkey_id, {"status": status}))
        return self.peer(name)

    def remove(self, name: str) -> None:
        """Forget a peer and its key; its signatures count as unknown afterwards.

        Raises:
            UsageError: there is no such peer.
            FileSystemError: it cannot be removed.
        """
        self._read()
        pubkey_id = self.peer(name).public.pubkey_id
        path = pem_path(self._peer_folder, name)
        with files.translating("remove", path):
            files.remove_file(path)
            files.flush_folder(path.parent)
        self._write_index(lambda index: index.without(pubkey_id))

    def _check_import(self, name: str, public: PublicKey, *, replace: bool) -> Peer | None:
        """The peer of this name as it is now; refuses what must not be done silently."""
        known = self.find(public.pubkey_id)
        if known is not None and known.name != name:
            raise KeyProblem(
                "known-key",
                f"this key ({public.fingerprint}) is pinned already, as the key of '{known.name}'",
                untouched="everything",
                hint=f"use the name '{known.name}'",
            )
        alike = next((other for other in self._peers if other != name and fold(other) == fold(name)), None)
        if alike is not None:
            raise KeyProblem("name-taken", f"'{name}' differs from the peer '{alike}' only in case")
        old = self._peers.get(name)
        if replace:
            return old
        if old is not None and old.public != public:
            raise KeyProblem(
                "key-changed",
                f"'{name}' has a different key: pinned is {old.public.fingerprint}, this one is {public.fingerprint}",
                untouched="everything",
                hint="ask the person, over another channel, before you trust the new one",
            )
        if old is None and files.is_taken(path := pem_path(self._peer_folder, name)):
            raise KeyProblem(
                "name-taken",
                f"'{path}' is in the way, and is not a key that can be used",
                untouched="everything",
                hint="look at it, and move it away",
            )
        if (self._index.status(public.pubkey_id) if old is None else old.status) == "revoked":
            raise KeyProblem("key-revoked", f"this key ({public.fingerprint}) was revoked", untouched="everything")
        return old

    # --- reading and writing the folder -----------------------------------------------------------------------

    @property
    def _peer_folder(self) -> Path:
        return self.folder / "peers"

    def _make_folders(self) -> None:
        for folder in (self.folder.parent, self.folder, self._peer_folder):
            files.ensure_private_folder(folder)

    def _read(self) -> None:
        """Read the index and the peers' keys as they are now."""
        self._warnings: list[str] = []
        warn = self._warnings.append
        for folder in filter(_others_can_change, (self.folder, self._peer_folder)):
            warn(f"'{folder}' can be changed by others: `chmod 700` it")
        self._index_is_broken = False
        path = self.folder / "index.json"
        try:
            self._index = KeyIndex.parse(read_if_present(path, _INDEX_LIMIT))
        except (FileSystemError, BrokenIndexError) as error:
            self._index, self._index_is_broken = KeyIndex(), True
            why = error.message if isinstance(error, FileSystemError) else f"'{path}' cannot be used: {error}"
            warn(f"{why}; nobody counts as paired until that is mended")
        self._peers = read_peers(self._peer_folder, self._index, warn)

    def _write_index(self, change: Callable[[KeyIndex], KeyIndex]) -> None:
        """Read the folder afresh, make one change, and write the index that belongs to the PEM files."""
        self._read()
        path = self.folder / "index.json"
        if self._index_is_broken:
            aside = path.with_name(f"index.broken-{self._runtime.random_hex(8)}.json")
            with files.translating("set aside", path):
                files.rename_exclusive(path, aside)
            self._set_aside.append(f"'{path}' could not be used; it is kept as '{aside.name}'")
        index = change(self._index).with_local(self._pair.pubkey_id())
        for peer in read_peers(self._peer_folder, index, lambda _: None).values():
            index = index.with_peer(peer.public.pubkey_id, peer.name, _entry(peer))
        files.replace_file(path, index.serialise(), mode=0o600)
        self._read()


def _entry(peer: Peer) -> dict[str, Any]:
    return {
        "added_at": peer.added_at,
        "added_by": peer.added_by,
        "handle": peer.handle,
        "accepts": list(peer.accepts),
        "status": peer.status,
    }


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise UsageError("bad-status", f"'{status}' is not the status of a key: {', '.join(STATUSES)}")


def _others_can_change(folder: Path) -> bool:
    try:
        return os.name == "posix" and bool(folder.stat().st_mode & 0o022)
    except OSError:
        return False
