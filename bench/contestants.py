"""Who is measured: this program, another build of it, another implementation, and the standard tools."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import corpora
from bench.measuring import FailedError, remove

OURS, BEFORE, PEER, TOOLS, BARE = "ours", "before", "peer", "tools", "bare"

LABELS = {
    OURS: "alive-p2p",
    BEFORE: "alive-p2p, the build before",
    PEER: "another implementation",
    TOOLS: "standard tools",
    BARE: "standard tools, unchecked",
}
"""What everybody is called in tables and charts."""

PASSPHRASE = "a passphrase of the bench"  # noqa: S105 -- it guards nothing
_FEW_AND_LARGE = 1_000_000
"""Bytes of a file, on average, from which on space counts for more than the number."""
WITHOUT_LIMITS = ("--max-files", "1000000", "--max-bytes", "100000000000")


@dataclass(frozen=True)
class Programs:
    """What is called, and how; see `found`.

    Attributes:
        ours: the program of this checkout.
        before: another build of it.
        peer: the command of another implementation of the format.
    """

    ours: tuple[str, ...]
    before: tuple[str, ...] | None = None
    peer: tuple[str, ...] | None = None

    @property
    def builds(self) -> dict[str, tuple[str, ...]]:
        """This program and the other build, where there is one."""
        return {OURS: self.ours, **({BEFORE: self.before} if self.before else {})}

    @property
    def implementations(self) -> dict[str, tuple[str, ...]]:
        """Everybody who makes packages."""
        return {**self.builds, **({PEER: self.peer} if self.peer else {})}


def found(environ: Mapping[str, str]) -> Programs:
    """The programs that this environment names.

    Args:
        environ: `ALIVE_P2P_BEFORE` is an executable, `ALIVE_P2P_PEER` a script for Python.

    Raises:
        FailedError: one of them is not there.
    """
    ours = Path(sys.executable).with_name("alive-p2p")
    if not ours.exists():
        raise FailedError("this checkout's own program is not installed beside Python; run it with `make bench`")
    before, peer = environ.get("ALIVE_P2P_BEFORE"), environ.get("ALIVE_P2P_PEER")
    if before and not shutil.which(before):
        raise FailedError("ALIVE_P2P_BEFORE names nothing that can be run")
    if peer and not Path(peer).is_file():
        raise FailedError("ALIVE_P2P_PEER names no file")
    return Programs(
        (str(ours),),
        (str(Path(str(shutil.which(before))).absolute()),) if before else None,
        (plain_python(), str(Path(peer).absolute())) if peer else None,
    )


def plain_python() -> str:
    """The interpreter itself, without a virtual environment around it."""
    return os.path.realpath(sys.executable)


class Stage:
    """The temporary place in which everything happens: two people with homes, and their worlds.

    Alice packs: she has Ben's public key and none of her own, so nothing is signed. Ben receives, and has his key.

    Args:
        root: an empty folder.
        programs: who is there.
    """

    def __init__(self, root: Path, programs: Programs) -> None:
        self.root = root
        self.programs = programs
        self.keys = root / "keys"
        self.scratch = root / "scratch"
        self._homes = {name: root / "homes" / name for name in ("alice", "ben")}
        for folder in (self.keys, self.scratch, *self._homes.values()):
            folder.mkdir(parents=True)
        self.world = corpora.world(root / "world")
        self.other_world = corpora.world(root / "other-world")
        self._make_keys()
        self._corpora: dict[str, corpora.Corpus] = {}

    def environ(self, name: str, **more: str) -> dict[str, str]:
        """Everything that a program run as somebody sees."""
        home = self._homes[name]
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ALIVE_HOME": str(home / ".alive"),
            "GH_USER": name,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "NO_COLOR": "1",
            "TMPDIR": str(self.scratch),
            "KEYS": str(self.keys),
            "BENCH_PASSPHRASE": PASSPHRASE,
            **more,
        }

    def do(self, name: str, *arguments: str) -> str:
        """Run our own program as somebody, unmeasured; what it printed.

        Raises:
            FailedError: it failed.
        """
        done = subprocess.run(
            [*self.programs.ours, *arguments],
            cwd=self.world,
            env=self.environ(name),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise FailedError(f"{arguments[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout.decode()

    def _make_keys(self) -> None:
        from cryptography.hazmat.primitives import serialization

        self.do("ben", "keys", "generate", "--yes")
        made = self._homes["ben"] / ".alive" / "relay" / "keys"
        shutil.copy(made / "public.pem", self.keys / "ben.pem")
        private = serialization.load_pem_private_key((made / "private.pem").read_bytes(), None)
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        key = self.keys / "ben.key"
        key.touch(mode=0o600)
        key.write_bytes(pem)
        public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        (self.keys / "ben.pub").write_bytes(public + b"\n")
        self.do("alice", "keys", "import", str(self.keys / "ben.pem"), "--name", "ben", "--yes")
        self._fresh = {name: self.root / "homes" / f"{name}-fresh" for name in self._homes}
        for name, home in self._homes.items():
            shutil.copytree(home, self._fresh[name])

    def fresh_home(self, name: str) -> None:
        """As it was at the beginning: what was sent before makes nobody slower."""
        remove(self._homes[name])
        shutil.copytree(self._fresh[name], self._homes[name])

    def put_aside(self, folder: Path, corpus: corpora.Corpus) -> None:
        """Take away what somebody has made from a walnut.

        Many files are removed only at the very end: for minutes afterwards a file system may look past the places
        of those that were removed, and whoever makes files is up to ten times slower (ext4 does that).
        """
        if not folder.exists():
            return
        if corpus.size > _FEW_AND_LARGE * corpus.files:
            remove(folder)
            return
        aside = self.root / "aside"
        aside.mkdir(exist_ok=True)
        folder.rename(aside / str(len(list(aside.iterdir()))))

    def place(self, name: str) -> Path:
        """Where a walnut of this name is in the first world."""
        return self.world / "04_Ventures" / name

    def keep(self, corpus: corpora.Corpus) -> corpora.Corpus:
        """Remember a corpus for parts to come."""
        self._corpora[corpus.name] = corpus
        return corpus

    def kept(self, name: str) -> corpora.Corpus | None:
        """A corpus that was made already."""
        return self._corpora.get(name)


def create_command(
    program: Sequence[str], walnut: Path, output: Path, envelope: str, *, is_large: bool = False
) -> list[str]:
    """How an implementation of the format is asked for a full package: with the flags of the original design.

    Args:
        program: the command.
        walnut: what is packed.
        output: the file to write.
        envelope: none, passphrase, rsa or age.
        is_large: whether it is over the limits, and they have to be raised; there is no such flag in the original.
    """
    seal = {
        "none": [],
        "passphrase": ["--encrypt", "passphrase", "--passphrase-env", "BENCH_PASSPHRASE"],
        "rsa": ["--encrypt", "rsa", "--recipient", "ben"],
        "age": ["--encrypt", "age", "--recipient", "ben"],
    }[envelope]
    more = WITHOUT_LIMITS if is_large else ()
    return [
        *program, "create", "--scope", "full", "--walnut", str(walnut), "--output", str(output), *seal, *more, "--yes",
    ]  # fmt: skip


def receive_command(
    program: Sequence[str], package: Path, target: Path, opening: Sequence[str], *, is_large: bool = False
) -> list[str]:
    """How an implementation of the format is asked to receive a package as a new walnut; see `create_command`."""
    more = WITHOUT_LIMITS if is_large else ()
    return [*program, "receive", str(package), "--target", str(target), *opening, *more, "--yes"]


def opening(envelope: str, private_key: Path) -> list[str]:
    """The flags that open an envelope."""
    if envelope == "passphrase":
        return ["--passphrase-env", "BENCH_PASSPHRASE"]
    return ["--private-key", str(private_key)] if envelope in {"rsa", "age"} else []
