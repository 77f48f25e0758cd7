"""age in both directions with the `age` command, on files and with its own prompt (format.md §5)."""

import os
import shutil
import subprocess
from pathlib import Path

import pexpect
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from alive_p2p.package.envelopes.age import KeySealer, KeySource
from alive_p2p.package.envelopes.age_header import read_header
from alive_p2p.package.envelopes.age_passphrase import PassphraseSealer, PassphraseSource

pytestmark = pytest.mark.skipif(
    shutil.which("age") is None or shutil.which("age-keygen") is None,
    reason="the age command is not installed (Debian: apt-get install age)",
)

_SIZES = (0, 1, 65_536, 200_001)


def _key_files(kind: str, folder: Path) -> tuple[Path, str, object, object]:
    """The identity file and the recipient for the command, and both for us."""
    path = folder / "identity"
    if kind == "native":
        identity = pyrage.x25519.Identity.generate()
        path.write_text(f"{identity}\n")
        path.chmod(0o600)
        return path, str(identity.to_public()), identity, identity.to_public()
    if kind == "ssh-rsa":
        made = rsa.generate_private_key(65_537, 2048)
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        # The command takes PKCS#8; the library wants it as PKCS#1.
        key = load_pem_private_key(path.read_bytes(), None)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    else:
        edwards = ed25519.Ed25519PrivateKey.generate()
        private = edwards.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        path.write_bytes(private)
        public = edwards.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    path.chmod(0o600)
    return path, public, pyrage.ssh.Identity.from_buffer(private), pyrage.ssh.Recipient.from_str(public)


@pytest.mark.parametrize("kind", ["native", "ssh-ed25519", "ssh-rsa"])
def test_command_opens_ours_and_we_open_its_with_a_key(kind: str, tmp_path: Path) -> None:
    """Every kind of key, binary and armored."""
    path, public, identity, recipient = _key_files(kind, tmp_path)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for size in _SIZES:
        data = os.urandom(size)
        with ours.open("wb") as output, KeySealer(output, [recipient]) as sealer:  # type: ignore[arg-type]
            sealer.write(data)
        done = subprocess.run(["age", "-d", "-i", path, ours], capture_output=True, check=True)
        assert done.stdout == data

        for options in ([], ["--armor"]):
            subprocess.run(["age", *options, "-r", public, "-o", theirs], input=data, check=True)
            with theirs.open("rb") as stream, KeySource(stream, [identity]) as source:
                assert b"".join(iter(lambda: source.read(1 << 17), b"")) == data


def _answer(arguments: list[str], passphrase: str, prompts: int) -> None:
    child = pexpect.spawn("age", arguments, timeout=60)
    for _ in range(prompts):
        child.expect("passphrase[^:]*:")
        child.sendline(passphrase)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("size", [1, 65_536, 200_001])  # for nothing at all it makes no file
def test_command_opens_ours_and_we_open_its_with_a_passphrase(size: int, tmp_path: Path) -> None:
    """Through its own prompt, which it has no other way to ask."""
    passphrase = f"pässword {os.urandom(6).hex()}"
    ours, theirs, plain = tmp_path / "ours", tmp_path / "theirs", tmp_path / "plain"
    data = os.urandom(size)

    with ours.open("wb") as output, PassphraseSealer(output, passphrase.encode(), work_factor=12) as sealer:  # type: ignore[arg-type]
        sealer.write(data)
    _answer(["-d", "-o", str(plain), str(ours)], passphrase, 1)
    assert plain.read_bytes() == data

    armor = ["--armor"] if size == 200_001 else []
    _answer(["-p", *armor, "-o", str(theirs), str(plain)], passphrase, 2)
    with theirs.open("rb") as stream:
        header = read_header(stream)
        assert header.is_passphrase
        assert header.armored == bool(armor)
        source = PassphraseSource(header.payload, header, passphrase.encode())
        assert b"".join(iter(lambda: source.read(1 << 17), b"")) == data


def test_command_refuses_what_we_refuse(tmp_path: Path) -> None:
    """A file that was not completed is a package for neither."""
    path, _, _, recipient = _key_files("native", tmp_path)
    ours = tmp_path / "ours"
    with ours.open("wb") as output:
        sealer = KeySealer(output, [recipient])
        sealer.write(bytes(1_000_000))
        sealer.abort()
    done = subprocess.run(["age", "-d", "-i", path, "-o", tmp_path / "out", ours], capture_output=True, check=False)
    assert done.returncode != 0
