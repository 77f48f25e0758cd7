"""Our own key pair as files: `private.pem` and `public.pem` (relay.md §2)."""

import os
import stat
from dataclasses import replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.keys.private import Ask, PrivateKey, load_private_key
from alive_p2p.keys.public import MAX_KEY_BYTES, KeyProblem, PublicKey, load_public_key
from alive_p2p.runtime import Runtime


def read_if_present(path: Path, limit: int) -> bytes | None:
    """A file's content; None only where it is known that nothing is there.

    Raises:
        FileSystemError: it cannot be read, is a link, is not a regular file, or is larger than `limit` bytes.
    """
    try:
        return files.read_bytes(path, limit=limit)
    except FileSystemError as error:
        if error.code == "missing":
            return None
        raise


class OwnPair:
    """The key pair in a keyring's folder, read when it is asked for.

    Attributes:
        warnings: what was found to be wrong with it.
    """

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.warnings: list[str] = []
        self._folder = folder
        self._runtime = runtime
        self._private_path = folder / "private.pem"
        self._public_path = folder / "public.pem"
        self._private: PrivateKey | None = None

    def private(self, ask: Ask | None = None) -> PrivateKey | None:
        """The private key; None where there is none (see `Keyring.own`)."""
        if self._private is None:
            data = read_if_present(self._private_path, MAX_KEY_BYTES)
            if data is None:
                return None
            self._check_permissions()
            self._private = load_private_key(data, label=str(self._private_path), ask=ask)
            try:
                published = self._published()
            except KeyProblem as problem:
                self._warn(problem.message)
            else:
                if published not in {None, self._private.public}:
                    self._warn(f"'{self._public_path}' does not belong to 'private.pem'")
        return self._private

    def public(self) -> PublicKey | None:
        """The public key; None where there is none (see `Keyring.own_public`)."""
        if self._private is not None:
            return self._private.public
        published = self._published()
        if published is not None:
            return published
        private = self.private()
        return private.public if private is not None else None

    def pubkey_id(self) -> str | None:
        """The id of the public key, as far as it can be told without reading the private one."""
        try:
            own = self._private.public if self._private is not None else self._published()
        except (KeyProblem, FileSystemError):
            return None
        return own.pubkey_id if own is not None else None

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
            raise KeyProblem("bad-key", f"our own key must be an RSA key; '{key.label}' is an {key.kind} key")

    def write(self, key: PrivateKey, secret: bytes, *, overwrite: bool) -> None:
        """Store a pair; the old one's private half is kept under another name.

        Args:
            key: the key.
            secret: its private half as it is to lie in the file.
            overwrite: whether there may be one already.

        Raises:
            KeyProblem: somebody else was faster.
            FileSystemError: it cannot be written.
        """
        if overwrite:
            self._set_aside()
        try:
            with files.PendingFile(self._folder) as pending:
                with files.translating("write", self._private_path):
                    pending.stream.write(secret)
                pending.publish(self._private_path, replace_existing=False)
        except FileExistsError:
            raise self._second() from None
        self._private = replace(key, label=str(self._private_path))
        files.replace_file(self._public_path, key.public.pem())

    def _second(self) -> KeyProblem:
        return KeyProblem(
            "key-exists",
            f"there is a key of yours in '{self._folder}' already",
            untouched="everything",
            hint="your peers know you by it; replace it only on purpose",
        )

    def _set_aside(self) -> None:
        """Give the old private key another name, its public half removed first, so that the two never disagree."""
        tag = self.pubkey_id() or self._runtime.random_hex(16)
        kept = self._private_path.with_name(f"private-{tag}.pem")
        if files.is_taken(kept):
            kept = kept.with_name(f"private-{tag}-{self._runtime.random_hex(8)}.pem")
        with files.translating("replace", self._private_path):
            files.remove_file(self._public_path)
            if files.is_taken(self._private_path):
                files.rename_exclusive(self._private_path, kept)
            files.flush_folder(self._folder)
        self._private = None

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

    def _check_permissions(self) -> None:
        with files.translating("read", self._private_path):
            mode = stat.S_IMODE(self._private_path.lstat().st_mode)
        if os.name == "posix" and mode & 0o077:
            self._warn(f"'{self._private_path}' is open to others (mode {mode:04o}): `chmod 600` it")

    def _warn(self, what: str) -> None:
        if what not in self.warnings:
            self.warnings.append(what)
