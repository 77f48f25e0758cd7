"""Reading private keys, and what can be done with one."""

import base64
import os
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
from key_making import PASSPHRASE, ReadKey, asks_once, run

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys import private as private_module
from alive_p2p.keys.private import CannotUnwrapError, PrivateKey, generate_private_key, load_private_key
from alive_p2p.keys.public import KeyProblem, load_public_key

PLAIN = {
    "rsa.pem": "rsa",
    "rsa-pkcs1.pem": "rsa",
    "ed25519.pem": "ed25519",
    "ssh-rsa": "rsa",
    "ssh-rsa-pem": "rsa",
    "ssh-ed25519": "ed25519",
    "age.txt": "x25519",
}
SEALED = {
    "rsa-sealed.pem": "rsa",
    "rsa-scrypt-sealed.pem": "rsa",
    "rsa-pkcs1-sealed.pem": "rsa",
    "ssh-rsa-sealed": "rsa",
    "ssh-rsa-pem-sealed": "rsa",
    "ssh-rsa-pkcs8-sealed": "rsa",
    "ssh-ed25519-sealed": "ed25519",
}


@pytest.mark.parametrize(("name", "kind"), [*PLAIN.items(), *SEALED.items()])
def test_every_form_is_read_and_opens_what_age_sealed(name: str, kind: str, read_key: ReadKey) -> None:
    """Each form of each kind gives a key that age can use; a passphrase is asked for once, where it has one."""
    ask = asks_once()
    key = load_private_key(read_key(name), label=f"/home/ben/{name}", ask=ask)
    assert key.kind == key.public.kind == kind
    assert ask.prompts == ([f"passphrase of '/home/ben/{name}'"] if name in SEALED else [])
    sealed = pyrage.encrypt(b"hello", [key.public.age_recipient()])
    assert pyrage.decrypt(sealed, [key.age_identity()]) == b"hello"


@pytest.mark.parametrize("name", ["ssh-rsa", "ssh-ed25519"])
def test_the_public_half_is_the_one_beside_it(name: str, read_key: ReadKey) -> None:
    """The public key of a private key is what `ssh-keygen` put into the `.pub` file."""
    assert load_private_key(read_key(name), label=name).public == load_public_key(read_key(f"{name}.pub"))


@pytest.mark.parametrize("name", SEALED)
def test_a_locked_key_says_so(name: str, read_key: ReadKey) -> None:
    """Without anybody to ask it is locked, with the wrong or an empty passphrase the passphrase is wrong."""
    with pytest.raises(KeyProblem, match="has a passphrase") as caught:
        load_private_key(read_key(name), label=name)
    assert caught.value.code == "key-locked"
    for wrong in ("wrong", "", "x" * 3000):
        with pytest.raises(KeyProblem, match="does not open") as caught:
            load_private_key(read_key(name), label=name, ask=asks_once(wrong))
        assert caught.value.code == "wrong-passphrase"


@pytest.mark.parametrize(
    "name", ["rsa-sealed.pem", "rsa-pkcs1-sealed.pem", "ssh-rsa-pem-sealed", "ssh-rsa-sealed", "ssh-ed25519-sealed"]
)
@pytest.mark.parametrize("code", ["no-terminal", "bad-key"])
def test_what_asking_raises_comes_through(name: str, code: str, read_key: ReadKey) -> None:
    """A door that cannot ask says so itself: PKCS#8, PKCS#1 and OpenSSH keys hand its very error on."""
    raised = [UsageError(code, "nobody is here", hint="come back")]

    def ask(_: str) -> bytes:
        raise raised[0]

    with pytest.raises(UsageError) as caught:
        load_private_key(read_key(name), label=name, ask=ask)
    assert caught.value is raised[0]


def test_the_key_is_used_as_the_age_command_would(read_key: ReadKey, key_files: Path, rsa: PrivateKey) -> None:
    """What `age` encrypts to the key, we open."""
    for name in ("ssh-rsa", "ssh-ed25519"):
        sealed = run("age", "-R", key_files / f"{name}.pub", data=b"hello")
        assert pyrage.decrypt(sealed, [load_private_key(read_key(name), label=name).age_identity()]) == b"hello"
    sealed = run("age", "-r", rsa.public.ssh_line(), data=b"hello")
    assert pyrage.decrypt(sealed, [rsa.age_identity()]) == b"hello"


def test_what_openssl_wrapped_is_opened(rsa: PrivateKey, key_files: Path) -> None:
    """OAEP with SHA-256 in the other direction."""
    secret = os.urandom(48)
    options = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")
    flags = [part for option in options for part in ("-pkeyopt", option)]
    public = key_files / "rsa-public.pem"
    assert rsa.unwrap(run("openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", public, *flags, data=secret)) == secret


def test_whatever_does_not_open_has_one_message(rsa: PrivateKey, other: PrivateKey, read_key: ReadKey) -> None:
    """Wrong key, damage, wrong length, older padding, wrong kind of key: nobody can tell them apart."""
    good = rsa.public.wrap(b"k" * 32)
    assert rsa.unwrap(good) == b"k" * 32
    changed = bytes([good[0] ^ 1]) + good[1:]
    messages = set()
    for key, wrapped in [
        (other, good),
        (rsa, changed),
        (rsa, b""),
        (rsa, good[:-1]),
        (rsa, good + b"\0"),
        (rsa, b"\0" * 256),
        (rsa, b"\xff" * 256),
        (rsa, b"x" * 100_000),
        (load_private_key(read_key("ssh-ed25519"), label="e"), good),
        (load_private_key(read_key("age.txt"), label="a"), good),
    ]:
        with pytest.raises(CannotUnwrapError) as caught:
            key.unwrap(wrapped)
        assert caught.value.code == "cannot-unwrap"
        assert caught.value.__cause__ is None
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_openssl_verifies_our_signature_with_a_salt_of_32(rsa: PrivateKey, key_files: Path, tmp_path: Path) -> None:
    """PSS with SHA-256, MGF1-SHA-256 and exactly 32 bytes of salt."""
    (tmp_path / "document").write_bytes(b"canonical bytes")
    (tmp_path / "signature").write_bytes(rsa.sign(b"canonical bytes"))
    options = ("rsa_padding_mode:pss", "rsa_pss_saltlen:32", "rsa_mgf1_md:sha256")
    flags = [part for option in options for part in ("-sigopt", option)]
    command = ("openssl", "dgst", "-sha256", *flags, "-verify", key_files / "rsa-public.pem")
    assert b"Verified OK" in run(*command, "-signature", tmp_path / "signature", tmp_path / "document")
    assert rsa.public.verify(rsa.sign(b"x"), b"x")
    assert rsa.sign(b"x") != rsa.sign(b"x")


@pytest.mark.parametrize("name", ["ssh-ed25519", "age.txt"])
def test_only_rsa_signs(name: str, read_key: ReadKey) -> None:
    """Packages are signed with RSA; another key says that it cannot."""
    with pytest.raises(KeyProblem, match="only an RSA key can sign"):
        load_private_key(read_key(name), label=name).sign(b"x")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rsa-public.pem", "public key"),
        ("ssh-rsa.pub", "public key"),
        ("ssh-ecdsa.pub", "public key"),
        ("certificate.pem", "certificate"),
        ("short.pem", "1024 bits"),
        ("ecdsa.pem", "ECDSA"),
        ("ssh-ecdsa", "ECDSA"),
        ("raw-x25519.pem", "X25519"),
    ],
)
def test_a_key_of_another_kind_is_named(name: str, says: str, read_key: ReadKey) -> None:
    """The refusal names the file, and says what it is."""
    with pytest.raises(KeyProblem, match=says) as caught:
        load_private_key(read_key(name), label=f"/keys/{name}")
    assert caught.value.code == "bad-key"
    assert f"/keys/{name}" in caught.value.message


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello", "not a private key"),
        (b"\xff\0" * 100, "not a private key"),
        (b"x" * 70_000, "too long"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519", "PuTTY"),
        (b"AGE-SECRET-KEY-1", "damaged"),
        (b"AGE-SECRET-KEY-1QQQQ", "damaged"),
        (b"AGE-PLUGIN-YUBIKEY-1QQQQ", "plugin"),
        (b"AGE-SECRET-KEY-1QQQQ\nAGE-SECRET-KEY-1PPPP", "2 lines"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA", "cut off"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "damaged"),
    ],
)
def test_what_is_no_key_is_said_to_be_none(data: bytes, says: str) -> None:
    """Junk is a `KeyProblem` that says what it looks like."""
    with pytest.raises(KeyProblem, match=says):
        load_private_key(data, label="x")


def test_a_cipher_that_is_not_supported_is_said_to_be_that(read_key: ReadKey) -> None:
    """OpenSSH's ChaCha20 is told before anybody is asked; where only opening shows it, the hint says it may be so."""
    ask = asks_once()
    with pytest.raises(KeyProblem, match="not supported") as caught:
        load_private_key(read_key("ssh-chacha"), label="ssh-chacha", ask=ask)
    assert "ssh-keygen -p" in (caught.value.hint or "")
    assert ask.prompts == []
    with pytest.raises(KeyProblem, match="does not open") as caught:
        load_private_key(read_key("rsa-camellia.pem"), label="rsa-camellia.pem", ask=ask)
    assert "unusual cipher" in (caught.value.hint or "")


def test_an_identity_age_cannot_use_is_a_key_problem(read_key: ReadKey) -> None:
    """The age library's own exception does not get out."""
    key = load_private_key(read_key("age.txt"), label="age.txt")
    with pytest.raises(KeyProblem, match="age cannot use"):
        replace(key, _key="AGE-SECRET-KEY-1").age_identity()


def test_two_private_keys_are_not_one(read_key: ReadKey) -> None:
    """A file with several private keys is refused; one with its certificate beside it is not."""
    with pytest.raises(KeyProblem, match="2 private keys"):
        load_private_key(read_key("rsa.pem") + read_key("other.pem"), label="x")
    assert load_private_key(read_key("certificate.pem") + read_key("rsa.pem"), label="x").kind == "rsa"


def test_an_identity_file_that_age_encrypted_says_how_to_open_it() -> None:
    """`age -p` over an identity file is common; it is told apart from junk."""
    with pytest.raises(KeyProblem, match="itself encrypted") as caught:
        load_private_key(b"age-encryption.org/v1\n-> scrypt", label="key.age")
    assert caught.value.code == "key-locked"


@pytest.mark.parametrize("name", [*PLAIN, "rsa-sealed.pem", "ssh-ed25519-sealed"])
def test_a_truncated_key_is_refused_at_every_byte(name: str, read_key: ReadKey) -> None:
    """Cut off anywhere, a private key is refused, and never with a foreign exception."""
    data = read_key(name).rstrip()
    for size in range(len(data)):
        with pytest.raises(KeyProblem):
            load_private_key(data[:size], label=name, ask=asks_once())


@pytest.mark.parametrize("name", ["ed25519.pem", "ssh-ed25519", "age.txt", "rsa-pkcs1.pem"])
def test_a_changed_byte_never_gives_a_foreign_exception(name: str, read_key: ReadKey) -> None:
    """Whatever byte is changed, the result is a key or a `KeyProblem`."""
    data = read_key(name)
    step = 41 if name.startswith("rsa") else 1  # a whole RSA key takes 50 ms to check
    for at in range(0, len(data), step):
        changed = bytearray(data)
        changed[at] ^= 0x01
        try:
            load_private_key(bytes(changed), label=name)
        except KeyProblem:
            continue


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(read_key: ReadKey) -> None:
    """Keys travel through editors."""
    for name in PLAIN:
        data = b"\xef\xbb\xbf" + read_key(name).replace(b"\n", b"\r\n")
        assert load_private_key(data, label=name).public == load_private_key(read_key(name), label=name).public


def test_a_private_key_shows_nothing_secret(read_key: ReadKey) -> None:
    """Neither its repr nor its text nor an error about it has key material in it."""
    for name in PLAIN:
        key = load_private_key(read_key(name), label=name)
        assert re.fullmatch(
            r"PrivateKey\(public=PublicKey\(kind='\w+', fingerprint='[0-9a-f]{64}'\), label='.*'\)", repr(key)
        )
        assert str(key) == repr(key)


def test_a_private_key_writes_no_file(read_key: ReadKey, tmp_path: Path) -> None:
    """What the age library needs is made in memory: no file is opened for writing on the way."""
    script = """
import sys
opened = []
def audit(event, arguments):
    if event == "open" and arguments[1] is not None and any(c in str(arguments[1]) for c in "wax+"):
        opened.append(arguments)
    if event == "subprocess.Popen":
        opened.append(arguments)
sys.dont_write_bytecode = True
sys.addaudithook(audit)
from alive_p2p.keys.private import load_private_key
key = load_private_key(sys.stdin.buffer.read(), label="x", ask=lambda prompt: b"correct horse")
key.age_identity()
print(opened)
"""
    for name in ("rsa-sealed.pem", "ssh-ed25519-sealed"):
        assert run(sys.executable, "-c", script, data=read_key(name)).strip() == b"[]"


def test_importing_the_keys_costs_nothing() -> None:
    """The heavy libraries are loaded when a key is used, not before."""
    script = (
        "import sys, alive_p2p.keys.keyring, alive_p2p.keys.private\n"
        "print([name for name in ('cryptography', 'pyrage', 'bcrypt') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", script]).strip() == b"[]"


# --- writing --------------------------------------------------------------------------------------------------


def test_a_generated_key_is_rsa_of_4096_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay's key is RSA-4096 with the usual exponent (generated smaller here, to save time)."""
    assert private_module.NEW_RSA_BITS == 4096
    monkeypatch.setattr(private_module, "NEW_RSA_BITS", 2048)
    one, two = generate_private_key(), generate_private_key()
    assert one.public != two.public
    assert one.public.verify(one.sign(b"x"), b"x")


def test_openssl_reads_what_was_written(rsa: PrivateKey, key_files: Path) -> None:
    """PKCS#8, plain and sealed; the seal is PBES2 with 600,000 rounds of PBKDF2-HMAC-SHA256 and AES-256-CBC."""
    expected = (key_files / "rsa-public.pem").read_bytes()
    plain = rsa.pkcs8_pem(None)
    assert plain.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert run("openssl", "pkey", "-pubout", data=plain) == expected
    sealed = rsa.pkcs8_pem(b"pw")
    assert sealed.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert max(map(len, sealed.splitlines())) == 64
    assert run("openssl", "pkey", "-passin", "pass:pw", "-pubout", data=sealed) == expected
    structure = run("openssl", "asn1parse", data=sealed)
    for part in (b"PBES2", b"PBKDF2", b"hmacWithSHA256", b"aes-256-cbc", b"%X" % 600_000):
        assert part in structure
    assert rsa.pkcs8_pem(b"pw") != sealed


@pytest.mark.parametrize("name", ["rsa.pem", "ssh-ed25519"])
@pytest.mark.parametrize("passphrase", [None, b"p", "pässwörd ✓".encode(), b"x" * 300])
def test_what_was_written_is_read(name: str, passphrase: bytes | None, read_key: ReadKey) -> None:
    """Writing and reading gives the same key, under any passphrase."""
    key = load_private_key(read_key(name), label=name)
    again = load_private_key(key.pkcs8_pem(passphrase), label=name, ask=lambda _: passphrase or b"")
    assert again == key
    assert isinstance(again, PrivateKey)


def test_ssh_keygen_reads_what_was_written(rsa: PrivateKey, tmp_path: Path) -> None:
    """A sealed key is an ordinary one for OpenSSH too."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(rsa.pkcs8_pem(PASSPHRASE.encode()))
    line = run("ssh-keygen", "-y", "-P", PASSPHRASE, "-f", path).decode().strip()
    assert line == rsa.public.ssh_line()


def test_an_empty_passphrase_protects_nothing(rsa: PrivateKey, read_key: ReadKey) -> None:
    """It is refused rather than taken for no passphrase; an age key has no PKCS#8 form."""
    with pytest.raises(KeyProblem, match="the passphrase is empty"):
        rsa.pkcs8_pem(b"")
    with pytest.raises(KeyProblem, match="PKCS#8"):
        load_private_key(read_key("age.txt"), label="age.txt").pkcs8_pem(None)


@pytest.mark.parametrize("rounds", [4097, 1 << 24, (1 << 32) - 1])
def test_a_key_that_takes_for_ever_to_unlock_is_refused(rounds: int) -> None:
    """Two bits of a file are enough to make the library work for days; nobody is asked for the passphrase first."""

    def text(value: bytes) -> bytes:
        return struct.pack(">I", len(value)) + value

    public = text(b"ssh-ed25519") + text(bytes(32))
    blob = (
        b"openssh-key-v1\0" + text(b"aes256-ctr") + text(b"bcrypt") + text(text(bytes(16)) + struct.pack(">I", rounds))
    )
    blob += struct.pack(">I", 1) + text(public) + text(bytes(144))
    block = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.encodebytes(blob) + b"-----END OPENSSH PRIVATE KEY-----\n"
    with pytest.raises(AliveP2PError, match="rounds to check"):
        load_private_key(block, label="slow", ask=lambda _: pytest.fail("asked"))


@pytest.mark.parametrize("name", ["d", "dmp1", "dmq1", "iqmp", "e"])
def test_numbers_that_do_not_belong_together_are_no_key(name: str) -> None:
    """A key that is damaged in one of its numbers signs what can give the others away, so it is never used."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers, generate_private_key

    said = generate_private_key(65537, 2048).private_numbers()
    parts = {one: getattr(said, one) for one in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    public = {"n": said.public_numbers.n, "e": said.public_numbers.e}
    (parts if name in parts else public)[name] += 2
    bent = RSAPrivateNumbers(**parts, public_numbers=RSAPublicNumbers(**public))
    key = bent.private_key(unsafe_skip_rsa_key_validation=True)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, form, plain)
    with pytest.raises(KeyProblem) as refused:
        load_private_key(pem, label="bent.pem")
    assert "damaged" in refused.value.message
