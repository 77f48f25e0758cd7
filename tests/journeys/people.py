"""People for journeys: each with a home, a handle and keys of their own."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from alive_p2p.keys.keyring import Keyring
from alive_p2p.runtime import Runtime

Run = Callable[..., "object"]


class Person:
    """Somebody with a home, a handle and a key of their own."""

    def __init__(self, run: Run, folder: Path, handle: str) -> None:
        self._run, self.handle, self.home = run, handle, folder / handle
        self.home.mkdir()
        self.public = self.home / "public.pem"
        made = json.loads(self("keys", "generate", "--json").out)
        self.pubkey_id = made["own"]["pubkey_id"]
        self.public.write_text(json.loads(self("keys", "export", "--json").out)["pem"], encoding="ascii")

    def __call__(self, *arguments: object, **environ: str):  # noqa: ANN204  (what `run` returns)
        """Run the program as this person."""
        return self._run(*arguments, HOME=str(self.home), GH_USER=self.handle, **environ)

    def knows(self, other: "Person", name: str | None = None) -> None:
        """Take another person's key into the keyring."""
        done = self("keys", "import", other.public, "--name", name or other.handle)
        assert done.code == 0, done.err

    @property
    def keyring(self) -> Keyring:
        """This person's keyring."""
        return Keyring.load(Runtime(environ={"HOME": str(self.home)}, cwd=self.home))


def make_ssh_key(folder: Path, kind: str, passphrase: str = "") -> Path:
    """An SSH key pair in a folder; the path of its private half."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"id_{kind}"
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-f", path], check=True)
    return path
