"""Our own key pair as files: `private.pem` and `public.pem` (relay.md §2).

The private key decides who we are. `public.pem` saves asking for its passphrase, and is written anew where the
private key was opened and says something else. Two files cannot change in one step, so `public.pem` is taken away
before `private.pem` changes: at every moment it is either right or missing, and never another key's.
"""

from dataclasses import replace

from alive_p2p import files
from alive_p2p.errors import BusyError, FileSystemError
from alive_p2p.keys.folder import KeyFolder, read_if_present
from alive_p2p.keys.private import Ask, PrivateKey, load_private_key
from alive_p2p.keys.public import MAX_KEY_BYTES, KeyProblem, PublicKey, load_public_key
from alive_p2p.pending import PendingFile
from alive_p2p.runtime import Runtime


class OwnPair:
    """The key pair in a keyring's folder, read when it is asked for.

    Attributes:
        warnings: what was found to be wrong with it.
    """

    def __init__(self, folder: KeyFolder, runtime: Runtime) -> None:
        self.warnings: list[str] = []
        self._folder = folder
        self._runtime = runtime
        self._private_path = folder.path / "private.pem"
        self._public_path = folder.path / "public.pem"
        self._private: PrivateKey | None = None

    # --- reading ----------------------------------------------------------------------------------------------

    def private(self, ask: Ask | None = None) -> PrivateKey | None:
        """The private key; None where there is none (see `Keyring.own`)."""
        if self._private is None:
            data = read_if_present(self._private_path, MAX_KEY_BYTES)
            if data is None:
                return None
            self._private = load_private_key(data, label=str(self._private_path), ask=ask)
            self._mend_public(self._private.public, data)
        return self._private

    def public(self, ask: Ask | None = None) -> PublicKey | None:
        """The public key; None where there is none (see `Keyring.own_public`)."""
        if self._private is not None:
            return self._private.public
        problem: KeyProblem | FileSystemError | None = None
        try:
            published = self._published()
        except (KeyProblem, FileSystemError) as error:
            published, problem = None, error
        if published is not None:
            return published
        private = self.private(ask)
        if private is None and problem is not None:
            raise problem
        return private.public if private is not None else None

    def has_passphrase(self) -> bool:
        """Whether the private key is under a passphrase (see `Keyring.own_has_passphrase`)."""
        data = read_if_present(self._private_path, MAX_KEY_BYTES)
        if data is None:
            return False
        try:
            load_private_key(data, label=str(self._private_path))
        except KeyProblem as problem:
            return problem.code == "key-locked"
        return False

    def retired(self, ask: Ask | None = None) -> list[PrivateKey]:
        """The private keys that were replaced (see `Keyring.retired`)."""
        found: dict[str, PrivateKey] = {}
        try:
            paths = [path for path in self._folder.private_files() if path != self._private_path]
        except FileSystemError as error:
            self._warn(error.message)
            return []
        for path in paths:
            try:
                data = files.read_bytes(path, limit=MAX_KEY_BYTES)
            except FileSystemError as error:
                self._warn(error.message)
                continue
            try:
                key = load_private_key(data, label=str(path), ask=ask)
            except KeyProblem as problem:
                if problem.code != "key-locked" or ask is not None:
                    self._warn(problem.message)
                continue
            found.setdefault(key.public.fingerprint, key)
        if found and (current := self._told()) is not None:
            found.pop(current.fingerprint, None)
        return list(found.values())

    def _published(self) -> PublicKey | None:
        data = read_if_present(self._public_path, MAX_KEY_BYTES)
        if data is None:
            return None
        try:
            return load_public_key(data)
        except KeyProblem as problem:
            raise KeyProblem(
                problem.code, f"'{self._public_path}' cannot be used: {problem.message}", hint=problem.hint
            ) from None

    def _told(self) -> PublicKey | None:
        """The public key as far as it can be told without asking anybody."""
        try:
            return self.public()
        except (KeyProblem, FileSystemError):
            return None

    # --- mending ----------------------------------------------------------------------------------------------

    def _mend_public(self, public: PublicKey, opened: bytes) -> None:
        """Write `public.pem` anew where it is not what the private key says; what cannot be written is only told."""
        if self._is_published(public):
            return
        doubt = None
        try:
            with self._folder.changing(wait_seconds=0):
                # Only beside the key that was opened: somebody may have put another one there meanwhile.
                if read_if_present(self._private_path, MAX_KEY_BYTES) != opened:
                    return
                doubt = self._doubt(public)
                files.replace_file(self._public_path, public.pem())
        except (BusyError, FileSystemError) as error:
            self._warn(f"{self._doubt(public) or error.message}; 'private.pem' is used")
        else:
            if doubt is not None:
                self._warn(f"{doubt}; it was written anew from 'private.pem'")

    def _is_published(self, public: PublicKey) -> bool:
        try:
            return self._published() == public
        except (KeyProblem, FileSystemError):
            return False

    def _doubt(self, public: PublicKey) -> str | None:
        """What is wrong with `public.pem`; None where it is missing, or right."""
        try:
            published = self._published()
        except (KeyProblem, FileSystemError) as problem:
            return problem.message
        return None if published in {None, public} else f"'{self._public_path}' does not belong to 'private.pem'"

    # --- writing ----------------------------------------------------------------------------------------------

    def refuse_second(self) -> None:
        """Refuse where there is a key, or half of one.

        Raises:
            KeyProblem: there is.
        """
        if files.is_taken(self._private_path) or files.is_taken(self._public_path):
            raise self._second()

    def check_new(self, key: PrivateKey, *, overwrite: bool) -> None:
        """Refuse what cannot become our own key.

        Raises:
            KeyProblem: there is a key already and `overwrite` is false, or this is not an RSA key.
        """
        if not overwrite:
            self.refuse_second()
        if key.kind != "rsa":
            raise KeyProblem(
                "bad-key",
                f"your own key has to be an RSA key, and '{key.label}' is an {key.kind} key",
                untouched="everything",
                hint="alive-p2p keys generate",
            )

    def write(self, key: PrivateKey, secret: bytes, *, overwrite: bool) -> None:
        """Store a pair, under the folder's lock; the old one's private half is kept under another name first.

        Args:
            key: the key.
            secret: its private half as it is to lie in the file.
            overwrite: whether there may be one already.

        Raises:
            KeyProblem: somebody else was faster.
            FileSystemError: it cannot be written; or the old private key cannot be read, so that it cannot be kept.
        """
        if overwrite:
            self._keep_old()
            with files.translating("replace", self._public_path):
                files.remove_file(self._public_path)
                files.flush_folder(self._folder.path)
        try:
            with PendingFile(self._folder.path) as pending:
                with files.translating("write", self._private_path):
                    pending.stream.write(secret)
                pending.publish(self._private_path, replace_existing=overwrite)
        except FileExistsError:
            raise self._second() from None
        self._private = replace(key, label=str(self._private_path))
        files.replace_file(self._public_path, key.public.pem())

    def _second(self) -> KeyProblem:
        return KeyProblem(
            "key-exists",
            f"there is a key of yours in '{self._folder.path}' already",
            untouched="everything",
            hint="your peers know you by it; replace it only on purpose",
        )

    def _keep_old(self) -> None:
        """Give the old private key a second file, under its id."""
        old = read_if_present(self._private_path, MAX_KEY_BYTES)
        self._private = None  # what was opened once may not be what lies there now
        if old is None:
            return
        told = self._told()
        tag = told.pubkey_id if told is not None else self._runtime.random_hex(16)
        kept = self._private_path.with_name(f"private-{tag}.pem")
        if files.is_taken(kept) and read_if_present(kept, MAX_KEY_BYTES) != old:
            kept = kept.with_name(f"private-{tag}-{self._runtime.random_hex(8)}.pem")
        files.replace_file(kept, old, mode=0o600)

    def _warn(self, what: str) -> None:
        if what not in self.warnings:
            self.warnings.append(what)
