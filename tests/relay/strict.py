"""A relay on a host of one's own: a real `sshd` on a loopback port, and the hook that `docs` offers to owners.

    with StrictHost(folder, owner="ada") as host:
        ben = host.person("ben", folder)
        ben.git("clone", host.url, folder / "clone")

Every key is tied to its person by a forced command, so that the host knows who pushes. The server runs as whoever runs
the tests, with keys, settings and a log of its own.
"""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from relay.persons import Person, make_person

HOOK = Path(__file__).resolve().parents[2] / "docs" / "examples" / "relay-update-hook"
_SEPARATED = Path("/run/sshd")
"""Where `sshd` locks up what has not logged in yet, when it is started by root; systems make it at boot."""


def _sshd() -> str | None:
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/sbin")
    return found and str(Path(found).absolute())  # it starts itself anew, and wants its whole path for that


def require_sshd() -> None:
    """Skip where a real `sshd` cannot be run."""
    if os.name != "posix" or not _sshd():
        pytest.skip("sshd is not installed; Debian's openssh-server has it")
    import pwd

    if not all(shutil.which(name) for name in ("ssh", "ssh-keygen")):
        pytest.skip("ssh is not installed; Debian's openssh-client has it")
    if Path(pwd.getpwuid(os.getuid()).pw_shell).name in ("nologin", "false"):
        pytest.skip("whoever runs the tests may not log in, and sshd runs their shell")


class StrictHost:
    """A running host with one repository in it, which is empty until the owner has pushed something.

    Attributes:
        path: the bare repository.
        url: its address.
    """

    def __init__(self, folder: Path, owner: str, *, has_hook: bool = True) -> None:
        self.folder = folder / "host"
        self.folder.mkdir()
        self.owner = owner
        self.path = self.folder / "relay.git"
        self._authorized = self.folder / "authorized_keys"
        self._authorized.touch(mode=0o600)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", self.path)
        for name, value in {
            "relay.owner": owner,
            "receive.fsckObjects": "true",
            "receive.autogc": "false",
            "uploadpack.allowFilter": "true",
            "uploadpack.allowAnySHA1InWant": "true",
        }.items():
            self.git("config", name, value)
        if has_hook:
            (self.path / "hooks").mkdir()
            shutil.copy(HOOK, self.path / "hooks" / "update")
        _make_key(self.folder / "host_key")
        self._start()
        self.url = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def git(self, *arguments: object) -> str:
        """Run git at the host, as the one to whom the machine belongs."""
        folder = self.path if self.path.exists() else self.folder
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", *(str(each) for each in arguments)]
        return subprocess.run(
            command, cwd=folder, env=environ, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    def _start(self) -> None:
        program = _sshd()
        assert program
        if os.getuid() == 0:
            _SEPARATED.mkdir(mode=0o755, exist_ok=True)  # it stays: another test's server may be using it
        for _ in range(10):
            self.port = _free_port()
            settings = self.folder / "sshd_config"
            settings.write_text(
                f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.folder}/host_key
AuthorizedKeysFile {self._authorized}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin forced-commands-only
AuthenticationMethods publickey
PermitUserRC no
PermitUserEnvironment no
LoginGraceTime 20
MaxStartups 100
""",
                encoding="utf-8",
            )
            with (self.folder / "sshd.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [program, "-D", "-e", "-f", str(settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            if self._answers():
                return
            self.stop()
        pytest.fail(f"sshd does not start: {(self.folder / 'sshd.log').read_text(errors='replace')}")

    def _answers(self) -> bool:
        """Whether it came up; on a port that somebody else took in the meantime it does not."""
        end = time.monotonic() + 10
        while self._process.poll() is None and time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    return connection.recv(4) == b"SSH-" and self._process.poll() is None
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self) -> None:
        """End the server; what a client left running ends with its connection."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    def person(self, login: str, folder: Path, *, says: str | None = None, is_known: bool = True) -> Person:
        """Somebody with a key, whom the host calls `says`, and a home below `folder` in which git uses that key."""
        person = make_person(folder, login)
        keys = person.home / ".ssh"
        keys.mkdir(mode=0o700)
        public = _make_key(keys / "id_ed25519")
        _, _, host_key = (self.folder / "host_key.pub").read_text(encoding="ascii").partition(" ")
        (keys / "known_hosts").write_text(f"[127.0.0.1]:{self.port} ssh-ed25519 {host_key}", encoding="ascii")
        (keys / "config").write_text(
            f"""IdentityFile {keys}/id_ed25519
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {keys}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
BatchMode yes
""",
            encoding="utf-8",
        )
        # A program finds its settings for ssh in the account's home, whatever HOME says.
        ssh = f"ssh -F {shlex.quote(str(keys / 'config'))}"
        person.git("config", "--global", "core.sshCommand", ssh)
        person.environ["GIT_SSH_COMMAND"] = ssh
        if is_known:
            self.allow(public, login if says is None else says)
        return person

    def allow(self, public: str, login: str) -> None:
        """Let a key in with the line that an owner would write, and without anybody's settings for git at the host."""
        quiet = f"HOME={shlex.quote(str(self.folder))} GIT_CONFIG_NOSYSTEM=1 RELAY_USER={login}"
        with self._authorized.open("a", encoding="ascii") as lines:
            lines.write(f'restrict,command="{quiet} git shell -c \\"$SSH_ORIGINAL_COMMAND\\"" {public}')

    def forbid(self, login: str) -> None:
        """Let somebody's keys in no more."""
        lines = self._authorized.read_text(encoding="ascii").splitlines(keepends=True)
        kept = [line for line in lines if f"RELAY_USER={login} " not in line]
        self._authorized.write_text("".join(kept), encoding="ascii")


def _make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.stem, "-f", path], check=True)
    return path.with_suffix(".pub").read_text(encoding="ascii")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
