"""Reading public keys, and what can be done with one."""

import base64
import hashlib
import os
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa as foreign_rsa
from key_making import ReadKey, run

from alive_p2p.keys.public import ACCEPTED, KeyProblem, PublicKey, load_public_key, load_public_keys

FORMS = ["rsa-public.pem", "rsa-pkcs1-public.pem", "ssh-rsa.pub", "ssh-ed25519.pub"]


@pytest.fixture(scope="module")
def age_line(key_files: Path) -> bytes:
    return run("age-keygen", "-y", key_files / "age.txt").strip()


@pytest.mark.parametrize("name", FORMS)
def test_the_fingerprint_is_openssls(name: str, read_key: ReadKey, key_files: Path) -> None:
    """SHA-256 over the DER SubjectPublicKeyInfo, as `openssl pkey -pubin -outform DER | sha256sum` gives it."""
    key = load_public_key(read_key(name))
    der = run("openssl", "pkey", "-pubin", "-outform", "DER", data=key.pem())
    assert key.fingerprint == hashlib.sha256(der).hexdigest()
    assert key.pubkey_id == key.fingerprint[:16]


def test_every_form_of_a_key_is_the_same_key(read_key: ReadKey, key_files: Path) -> None:
    """PEM, PKCS#1, an OpenSSH line, Windows line ends, a byte order mark and text before a PEM make no difference."""
    key = load_public_key(read_key("rsa-public.pem"))
    assert key.kind == "rsa"
    pem = key.pem()
    assert pem == read_key("rsa-public.pem")
    for form in (
        read_key("rsa-pkcs1-public.pem"),
        key.ssh_line().encode(),
        key.ssh_line().encode() + b" ben at home\r\n",
        pem.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + pem,
        b"revoked\n" + pem + b"\n\n",
    ):
        assert load_public_key(form) == key


def test_an_openssh_line_is_what_ssh_keygen_wrote(read_key: ReadKey) -> None:
    """Reading a line and writing it gives the same line, without its comment."""
    for name in ("ssh-rsa.pub", "ssh-ed25519.pub"):
        line = read_key(name)
        assert load_public_key(line).ssh_line().encode() == b" ".join(line.split()[:2])


def test_an_age_recipient_is_known_by_its_text(age_line: bytes) -> None:
    """The fingerprint of an age key is the SHA-256 of its text; it has no PEM, no OpenSSH line, and does not sign."""
    key = load_public_key(b"# mine\n" + age_line + b"\n")
    assert (key.kind, key.fingerprint) == ("x25519", hashlib.sha256(age_line).hexdigest())
    assert not key.verify(b"x", b"y")
    for impossible in (key.pem, key.ssh_line, lambda: key.wrap(b"x" * 32)):
        with pytest.raises(KeyProblem, match="age key"):
            impossible()


def test_a_key_is_a_value(read_key: ReadKey) -> None:
    """Equal keys are equal and can be used in sets; a key cannot be changed, and its repr is short."""
    one, two = load_public_key(read_key("rsa-public.pem")), load_public_key(read_key("rsa-pkcs1-public.pem"))
    assert len({one, two}) == 1
    with pytest.raises(AttributeError):
        one.fingerprint = "0" * 64  # type: ignore[misc]
    assert repr(one) == f"PublicKey(kind='rsa', fingerprint='{one.fingerprint}')"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("short-public.pem", "an RSA key of 1024 bits"),
        ("ecdsa-public.pem", "ECDSA"),
        ("raw-x25519-public.pem", "X25519"),
        ("ssh-ecdsa.pub", "an ECDSA key (ecdsa-sha2-nistp256)"),
        ("certificate.pem", "a certificate"),
        ("ssh-ed25519-cert.pub", "a certificate (ssh-ed25519-cert-v01@openssh.com)"),
        ("rsa.pem", "a private key"),
        ("rsa-pkcs1.pem", "a private key"),
        ("rsa-sealed.pem", "a private key"),
        ("ssh-ed25519", "a private key"),
        ("age.txt", "a private key"),
    ],
)
def test_a_key_of_another_kind_is_named(name: str, says: str, read_key: ReadKey) -> None:
    """The refusal says what the file is and, unless it should never have been shown, what is accepted."""
    with pytest.raises(KeyProblem) as caught:
        load_public_key(read_key(name))
    assert caught.value.code == "bad-key"
    assert says in caught.value.message
    assert ACCEPTED in (caught.value.hint or "") or "private" in says


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "not a public key"),
        (b"<html><body>Not Found</body></html>", "not a public key"),
        (b"\x00\xff" * 50, "not a public key"),
        (b"ssh-rsa", "damaged"),
        (b"ssh-rsa AAAA", "damaged"),
        (b"ssh-ed25519 ????", "damaged"),
        (b"ecdsa-sha2-nistp256 AAAA", "not a public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n", "cut off"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "damaged"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nA\n-----END PGP PUBLIC KEY BLOCK-----", "PGP PUBLIC KEY BLOCK"),
        (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----", "SSH2"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519", "private key"),
        (b"age1", "damaged"),
        (b"AGE1ABC", "damaged"),
        (b"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "plugin"),
        (b"age1\xff\xff", "damaged"),
        (b"A" * 70_000, "too long"),
    ],
)
def test_what_is_no_key_is_said_to_be_none(data: bytes, says: str) -> None:
    """Junk in every disguise is a `KeyProblem` that says what it looks like."""
    with pytest.raises(KeyProblem, match=says):
        load_public_key(data)


def test_two_keys_are_not_one(read_key: ReadKey) -> None:
    """A text with several keys is refused rather than one of them chosen."""
    for two in (
        read_key("rsa-public.pem") + read_key("other-public.pem"),
        read_key("ssh-rsa.pub") + read_key("ssh-ed25519.pub"),
        read_key("rsa-public.pem") + read_key("certificate.pem"),
    ):
        with pytest.raises(KeyProblem, match="2 keys"):
            load_public_key(two)


@pytest.mark.parametrize("name", FORMS)
def test_a_truncated_key_is_refused_at_every_byte(name: str, read_key: ReadKey) -> None:
    """Cut off anywhere, a key is refused, and never with a foreign exception."""
    data = read_key(name)
    whole = load_public_key(data)
    end = len(data) - len(b" ben at home\n") if name.endswith(".pub") else len(data.rstrip())
    for size in range(end):
        with pytest.raises(KeyProblem):
            load_public_key(data[:size])
    assert load_public_key(data[:end]) == whole


@pytest.mark.parametrize("name", FORMS)
def test_a_changed_byte_never_gives_a_foreign_exception(name: str, read_key: ReadKey) -> None:
    """Whatever byte is changed, the result is another key or a `KeyProblem`, and its use does not crash either."""
    data = read_key(name)
    for at in range(len(data)):
        for change in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[at] ^= change
            try:
                key = load_public_key(bytes(changed))
                assert not key.verify(b"\1" * 256, b"x")
                key.pem()
                key.age_recipient()
            except KeyProblem:
                continue


def test_numbers_no_program_makes_are_refused() -> None:
    """An even modulus and a giant exponent are refused when the key is read, not when it is used."""
    good = foreign_rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers().n
    for exponent, modulus in ((3, good + 1), (2**33 + 1, good), (2**64 + 1, good)):
        pem = (
            foreign_rsa.RSAPublicNumbers(exponent, modulus)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        with pytest.raises(KeyProblem, match="not sound"):
            load_public_key(pem)


def test_the_largest_rsa_key_is_the_limit() -> None:
    """16384 bits are accepted, more are not; age refuses more than 4096, and says so."""

    def key(bits: int) -> bytes:
        number = foreign_rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return number.public_key().public_bytes(serialization.Encoding.PEM, form)

    with pytest.raises(KeyProblem, match="16400 bits"):
        load_public_key(key(16400))
    largest = load_public_key(key(16384))
    with pytest.raises(KeyProblem, match="limit is 4096"):
        largest.age_recipient()


# --- many keys ------------------------------------------------------------------------------------------------


def test_a_published_list_gives_the_usable_keys_once(read_key: ReadKey, age_line: bytes) -> None:
    """Blank lines, comments, doubles and keys of kinds that cannot be used are passed over."""
    fresh = b"\0\0\0\x0assh-future" + os.urandom(32)
    text = b"\n".join(
        [
            b"# ben's keys",
            b"",
            read_key("ssh-ed25519.pub"),
            read_key("ssh-ecdsa.pub"),
            read_key("ssh-ed25519-cert.pub"),
            b"ssh-future " + base64.b64encode(fresh),
            read_key("ssh-rsa.pub").strip() + b"\r",
            read_key("ssh-ed25519.pub").replace(b"ben", b"the same"),
            age_line,
        ]
    )
    assert [key.kind for key in load_public_keys(text)] == ["ed25519", "rsa", "x25519"]
    assert load_public_keys(b"") == []
    assert load_public_keys(b"\n# nothing\n") == []


def test_a_damaged_line_in_a_list_is_not_passed_over(read_key: ReadKey) -> None:
    """A key that was cut off is reported with its line: the person would not be able to read otherwise."""
    text = read_key("ssh-rsa.pub") + b"\n" + read_key("ssh-ed25519.pub")[:60] + b"\n"
    with pytest.raises(KeyProblem, match=r"line 3: .*damaged"):
        load_public_keys(text)
    with pytest.raises(KeyProblem, match=r"line 1: .*not a public key"):
        load_public_keys(b"Not Found")
    with pytest.raises(KeyProblem, match="too long"):
        load_public_keys(b"#" * (5 << 20))


def test_a_list_may_be_one_pem_key(read_key: ReadKey) -> None:
    """A file of keys that turns out to be a peer's PEM is that key."""
    assert load_public_keys(read_key("rsa-public.pem")) == [load_public_key(read_key("rsa-public.pem"))]


# --- use ------------------------------------------------------------------------------------------------------


def test_openssl_opens_what_was_wrapped(read_key: ReadKey, key_files: Path, tmp_path: Path) -> None:
    """OAEP with SHA-256, MGF1-SHA-256 and no label, as `openssl pkeyutl` understands it."""
    secret = os.urandom(48)
    wrapped = load_public_key(read_key("rsa-public.pem")).wrap(secret)
    options = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")
    flags = [part for option in options for part in ("-pkeyopt", option)]
    opened = run("openssl", "pkeyutl", "-decrypt", "-inkey", key_files / "rsa.pem", *flags, data=wrapped)
    assert opened == secret


def test_a_secret_that_does_not_fit_is_refused(read_key: ReadKey) -> None:
    """RSA-2048 holds 190 bytes under OAEP with SHA-256."""
    key = load_public_key(read_key("rsa-public.pem"))
    assert len(key.wrap(b"x" * 190)) == 256
    with pytest.raises(KeyProblem, match="191 bytes"):
        key.wrap(b"x" * 191)


@pytest.mark.parametrize("salt", ["0", "20", "32", "max"])
def test_openssls_signature_is_valid_with_any_salt(
    salt: str, read_key: ReadKey, key_files: Path, tmp_path: Path
) -> None:
    """PSS with SHA-256; the length of the salt is the signer's choice."""
    document = tmp_path / "document"
    document.write_bytes(b"canonical bytes")
    options = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}")
    signature = run("openssl", "dgst", "-sha256", *options, "-sign", key_files / "rsa.pem", document)
    key = load_public_key(read_key("rsa-public.pem"))
    assert key.verify(signature, b"canonical bytes")
    assert not key.verify(signature, b"canonical byte")
    assert not load_public_key(read_key("other-public.pem")).verify(signature, b"canonical bytes")


def test_junk_is_no_signature(read_key: ReadKey) -> None:
    """Of every length and content, junk is simply not valid; other paddings are not either."""
    key = load_public_key(read_key("rsa-public.pem"))
    for junk in (b"", b"\0", b"\0" * 256, b"\xff" * 256, b"\xff" * 255, b"\1" * 257, os.urandom(256), b"x" * 100_000):
        assert not key.verify(junk, b"data")
    assert not load_public_key(read_key("ssh-ed25519.pub")).verify(b"\0" * 64, b"data")


def test_a_pkcs1_signature_is_not_accepted(read_key: ReadKey, key_files: Path, tmp_path: Path) -> None:
    """A good signature by the right key in the older padding is invalid."""
    document = tmp_path / "document"
    document.write_bytes(b"data")
    signature = run("openssl", "dgst", "-sha256", "-sign", key_files / "rsa.pem", document)
    assert not load_public_key(read_key("rsa-public.pem")).verify(signature, b"data")


@pytest.mark.parametrize(("public", "private"), [("ssh-rsa.pub", "ssh-rsa"), ("ssh-ed25519.pub", "ssh-ed25519")])
def test_the_age_command_opens_what_was_encrypted_to_an_ssh_key(
    public: str, private: str, read_key: ReadKey, key_files: Path
) -> None:
    """An SSH key is an age recipient, and the person needs nothing but `age -d -i` to read."""
    sealed = pyrage.encrypt(b"hello", [load_public_key(read_key(public)).age_recipient()])
    assert run("age", "-d", "-i", key_files / private, data=sealed) == b"hello"


def test_the_age_command_opens_what_was_encrypted_to_a_pem_key(read_key: ReadKey, key_files: Path) -> None:
    """A peer's PEM key is the same age recipient as its OpenSSH line."""
    sealed = pyrage.encrypt(b"hello", [load_public_key(read_key("rsa-public.pem")).age_recipient()])
    assert run("age", "-d", "-i", key_files / "rsa-pkcs1.pem", data=sealed) == b"hello"


def test_the_age_command_opens_what_was_encrypted_to_its_own_key(age_line: bytes, key_files: Path) -> None:
    """`age1…` works as it does everywhere."""
    sealed = pyrage.encrypt(b"hello", [load_public_key(age_line).age_recipient()])
    assert run("age", "-d", "-i", key_files / "age.txt", data=sealed) == b"hello"


def test_an_unsound_point_is_no_recipient() -> None:
    """32 bytes that are no point of the curve are refused before anything is encrypted."""
    line = b"ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"\2" + bytes(31))
    key = load_public_key(line)
    assert isinstance(key, PublicKey)
    with pytest.raises(KeyProblem, match="not sound"):
        key.age_recipient()
