"""The keyring: our own key pair and the pinned keys of our peers (relay.md §2, §4).

The folder holds `private.pem`, `public.pem`, `peers/<name>.pem` and `index.json`. The PEM files are the truth, the
index is rebuilt from them; one that cannot be read is never replaced. Looking changes nothing but a `public.pem` that
is not our key's. A change is made under a lock, with what lies there read afresh, and written file by file, each
atomically, in an order in which a crash between two of them leaves a peer less trusted, never more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alive_p2p import files
from alive_p2p.errors import FileSystemError, UsageError
from alive_p2p.keys.folder import KeyFolder
from alive_p2p.keys.index import STATUSES, KeyIndex, Status, default_accepts, read_index
from alive_p2p.keys.own import OwnPair
from alive_p2p.keys.peers import Peer, check_name, holds_key, name_in_the_way, pem_path, read_peers, write_peer_key
from alive_p2p.keys.private import Ask, PrivateKey, generate_private_key
from alive_p2p.keys.public import KeyProblem, PublicKey, load_public_key
from alive_p2p.runtime import Runtime
from alive_p2p.text import nearest

__all__ = ["Keyring", "Peer", "Status"]


class Keyring:
    """The keys on this machine; made by `Keyring.load`, and up to date after each change made through it.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.folder = folder
        self._runtime = runtime
        self._place = KeyFolder(folder, runtime)
        self._pair = OwnPair(self._place, runtime)
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
        return (*self._warnings, *self._pair.warnings)

    @property
    def peers(self) -> Mapping[str, Peer]:
        """The peers by name, sorted."""
        return MappingProxyType(self._peers)

    def refuse_broken_index(self) -> None:
        """Refuse to go on where `index.json` is there and cannot be read (relay.md §2).

        Who is paired, what peers call themselves, and whom we revoked may stand there and nowhere else.

        Raises:
            KeyProblem: `broken-index`, with the file's name.
        """
        if self._index_problem is not None:
            raise self._index_problem

    # --- our own key ------------------------------------------------------------------------------------------

    def own(self, ask: Ask | None = None) -> PrivateKey | None:
        """Our private key, read once; None where there is none. A `public.pem` that is not its own is written anew.

        Args:
            ask: asks for its passphrase, where it has one.

        Raises:
            KeyProblem: `private.pem` is not a usable key, or it is locked.
            FileSystemError: it cannot be read, or is a symbolic link.
        """
        return self._pair.private(ask)

    def own_public(self, ask: Ask | None = None) -> PublicKey | None:
        """Our public key; None where there is none.

        Where `public.pem` is missing or cannot be used, the private key says it, and the file is written anew.

        Args:
            ask: asks for the passphrase of the private key, only where it has to be opened for this.

        Raises:
            KeyProblem: `public.pem` is missing or not a key, and so is `private.pem`, or it is locked (`key-locked`).
            FileSystemError: neither can be read.
        """
        return self._pair.public(ask)

    def own_has_passphrase(self) -> bool:
        """Whether our private key lies on the disk under a passphrase.

        Raises:
            FileSystemError: it cannot be read.
        """
        return self._pair.has_passphrase()

    def retired(self, ask: Ask | None = None) -> list[PrivateKey]:
        """The private keys that were ours before, for packages that are still under way to them (relay.md §6, rotate).

        What is broken, or does not open with the passphrase given, is passed over and told in `warnings`.

        Args:
            ask: asks for the passphrase of each that has one; without it those are passed over.

        Raises:
            AliveP2PError: what `ask` raises.
        """
        return self._pair.retired(ask)

    def generate(self, *, passphrase: bytes | None = None, overwrite: bool = False) -> PublicKey:
        """Make our key pair (RSA-4096; about a second), and store it as `install` does.

        Raises:
            KeyProblem: there is a key already, the passphrase is empty, or the index is broken.
            BusyError: another process is changing the keyring.
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
            KeyProblem: there is a key already (`key-exists`), this one is not an RSA key, the passphrase is empty, or
                the index is broken.
            BusyError: another process is changing the keyring.
            FileSystemError: it cannot be written.
        """
        self._pair.check_new(key, overwrite=overwrite)
        secret = key.pkcs8_pem(passphrase)
        with self._changing():
            self._pair.check_new(key, overwrite=overwrite)
            self._place.make()
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
            hint=f"did you mean '{close}'?"
            if close
            else "`alive-p2p keys show` lists them; `alive-p2p relay invite NAME` invites somebody",
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
            name: what we call the peer (see `peers.check_name`).
            data: the key in any form `load_public_key` reads, except an age recipient.
            status: the status it gets.
            handle: what the peer calls itself.
            added_by: how the key came here.
            accepts: the envelopes the peer reads; where not known, what its kind of key surely can.
            replace: puts the key in the place of a different one, or brings back one that was revoked.

        Raises:
            KeyProblem: it is not a usable key; the name has a different key (`key-changed`), the key another name
                (`known-key`), the name is in use (`name-taken`), the key was revoked (`key-revoked`), or the index
                is broken (`broken-index`).
            UsageError: the name or the status cannot be used.
            BusyError: another process is changing the keyring.
            FileSystemError: it cannot be written.
        """
        check_name(name)
        _check_status(status)
        public = load_public_key(data)
        if public.kind == "x25519":
            raise KeyProblem(
                "bad-key",
                "an age recipient cannot sign, so it cannot be a peer's key",
                untouched="everything",
                hint="ask for what `alive-p2p keys export` prints for them; `--to-keys FILE` seals for an age key",
            )
        with self._changing():
            old = self.check_import(name, public, replace=replace)
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
            self._place.make()
            outdated = self._retire(old) if old is not None and old.public != public else None
            write_peer_key(self._place.peers, name, public, is_revoked=status == "revoked")
            self._write_index(
                lambda index: (index.without(outdated) if outdated else index).with_entry(public.pubkey_id, fields)
            )
            return self.peer(name)

    def set_status(self, name: str, status: Status) -> Peer:
        """Change what a peer's key counts as.

        Raises:
            UsageError: there is no such peer, or no such status.
            KeyProblem: the index is broken.
            BusyError: another process is changing the keyring.
            FileSystemError: it cannot be written.
        """
        _check_status(status)
        with self._changing():
            peer = self.peer(name)
            if "revoked" in {status, peer.status}:
                write_peer_key(self._place.peers, name, peer.public, is_revoked=status == "revoked")
            self._write_index(lambda index: index.with_entry(peer.public.pubkey_id, {"status": status}))
            return self.peer(name)

    def rename(self, name: str, new: str) -> Peer:
        """Call a peer by another name; the key and what is known of it stay. Again, it finishes what was interrupted.

        Raises:
            UsageError: there is no such peer, or the new name cannot be one.
            KeyProblem: the new name is in use, or the index is broken.
            BusyError: another process is changing the keyring.
            FileSystemError: it cannot be written.
        """
        check_name(new)
        with self._changing():
            is_done = name not in self._peers and new in self._peers
            peer = self.peer(new if is_done else name)
            old = pem_path(self._place.peers, name)
            if not is_done:
                self.check_rename(name, new)
                # First the new file: of two with one key the one counts that the index knows.
                write_peer_key(self._place.peers, new, peer.public, is_revoked=peer.status == "revoked")
                self._write_index(lambda index: index.with_entry(peer.public.pubkey_id, {"peer_name": new}))
            if holds_key(self._place.peers, name, peer.public):
                with files.translating("remove", old):
                    files.remove_file(old)
                    files.flush_folder(old.parent)
                self._write_index(lambda index: index.with_entry(peer.public.pubkey_id, {"peer_name": new}))
            return self.peer(new)

    def check_rename(self, name: str, new: str) -> None:
        """Refuse a new name for a peer that is in use.

        Raises:
            KeyProblem: `name-taken`.
        """
        taken = name_in_the_way(self._place.peers, new)
        if new in self._peers or taken not in {None, pem_path(self._place.peers, name).name}:
            raise KeyProblem(
                "name-taken", f"somebody is called '{new}' already", untouched="everything", hint="choose another name"
            )

    def remove(self, name: str) -> None:
        """Forget a peer and its key; its signatures count as unknown afterwards.

        Raises:
            UsageError: there is no such peer.
            KeyProblem: the index is broken.
            BusyError: another process is changing the keyring.
            FileSystemError: it cannot be removed.
        """
        with self._changing():
            pubkey_id = self.peer(name).public.pubkey_id
            path = pem_path(self._place.peers, name)
            with files.translating("remove", path):
                files.remove_file(path)
                files.flush_folder(path.parent)
            self._write_index(lambda index: index.without(pubkey_id))

    def check_import(self, name: str, public: PublicKey, *, replace: bool = False) -> Peer | None:
        """The peer of this name as it is now; refuses what `import_peer` must not do silently.

        Raises:
            KeyProblem: as `import_peer` does.
        """
        known = self.find(public.pubkey_id)
        if known is not None and known.name != name:
            raise KeyProblem(
                "known-key",
                f"this key ({public.fingerprint}) is pinned already, as the key of '{known.name}'",
                untouched="everything",
                hint=f"use the name '{known.name}'",
            )
        if (taken := name_in_the_way(self._place.peers, name)) is not None:
            raise KeyProblem(
                "name-taken",
                f"'{name}' differs only in case from '{taken}', which is there already",
                untouched="everything",
                hint="on other systems one file would take the other's place; use another name",
            )
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
        if old is None and files.is_taken(path := pem_path(self._place.peers, name)):
            raise KeyProblem(
                "name-taken",
                f"'{path}' is in the way, and is not a key that can be used",
                untouched="everything",
                hint="look at it, and move it away",
            )
        if (self._index.status(public.pubkey_id) if old is None else old.status) == "revoked":
            raise KeyProblem(
                "key-revoked",
                f"this key ({public.fingerprint}) was revoked",
                untouched="everything",
                hint="ask the person, over another channel, for the key that they use now",
            )
        return old

    def _retire(self, old: Peer) -> str | None:
        """Make way for a peer's new key; the id of the old one, where its entry is to go."""
        pubkey_id = old.public.pubkey_id
        if old.status != "revoked":
            return pubkey_id
        # Kept under a name of its own, so that what the revoked key signed stays refused.
        write_peer_key(self._place.peers, f"{old.name[:40]}.revoked-{pubkey_id[:8]}", old.public, is_revoked=True)
        return None

    # --- reading and writing the folder -----------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the keyring's lock, with everything read afresh; refuse a broken index before anything is written."""
        with self._place.changing():
            self._read()
            self.refuse_broken_index()
            yield

    def _read(self) -> None:
        """Read the index and the peers' keys as they are now."""
        self._warnings: list[str] = self._place.open_to_others()
        self._index, self._index_problem = read_index(self.folder / "index.json")
        if self._index_problem is not None:
            self._warnings.append(f"{self._index_problem.message}; nobody counts as paired until that is mended")
        self._peers = read_peers(self._place.peers, self._index, self._warnings.append)

    def _write_index(self, change: Callable[[KeyIndex], KeyIndex]) -> None:
        """Make one change, and write the index that belongs to the PEM files; only inside `_changing`."""
        index = change(self._index)
        with suppress(KeyProblem, FileSystemError):  # where our key cannot be told now, what is recorded stays
            own = self._pair.public()
            index = index.with_local(own.pubkey_id if own is not None else None)
        for peer in read_peers(self._place.peers, index, lambda _: None).values():
            index = index.with_peer(peer.public.pubkey_id, peer.name, _entry(peer))
        files.replace_file(self.folder / "index.json", index.serialise(), mode=0o600)
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
