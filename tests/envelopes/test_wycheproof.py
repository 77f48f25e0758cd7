"""Project Wycheproof's vectors for every primitive of format.md §4 and §5, through our own functions.

`test_wycheproof.zip` holds Wycheproof's files as they are: RSASSA-PSS with 4096 bits, SHA-256 and 32 bytes of salt, the
same with 2048 bits and no salt, RSAES-OAEP with 4096 bits and SHA-256 throughout, and AES-CBC with PKCS#7. Its NOTICE
says where each is from, its LICENSE is Wycheproof's, and the private keys in it are published ones.

None of the packages that can be had holds Wycheproof's file for PBKDF2-HMAC-SHA-256. `pbkdf2_vectors.json` stands in
for it: our own vectors in the same layout, made by `make_pbkdf2_vectors.py`, on which OpenSSL's command and Nettle's
agree. With them go the two that RFC 7914 prints.

Two groups of vectors have an outcome here that is not the one in the file, each because the format says so:

- a signature whose salt has another length than the file's is `invalid` there. Ours takes any length when it verifies;
- a ciphertext with a label is `valid` there, with that label. Our label is empty, so that we must not open it.

None of these files has an `acceptable` vector, and one that gets one fails `test_the_files_are_complete`.
"""

import base64
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.errors import PackageError
from alive_p2p.keys.private import CannotUnwrapError, PrivateKey, load_private_key
from alive_p2p.keys.public import PublicKey, load_public_key
from alive_p2p.package import signature
from alive_p2p.package.envelopes import passphrase
from alive_p2p.package.envelopes.base import Credentials, cannot_open
from alive_p2p.package.envelopes.cbc import BLOCK, KEY_BYTES, CbcSealer, CbcSource
from alive_p2p.package.envelopes.rsa import ENVELOPE, PAYLOAD, OpenedRsa
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.signature import ALGORITHM, SIGNED_BYTES, Outcome, Signer

_ZIP = Path(__file__).with_suffix(".zip")
_OWN = Path(__file__).with_name("pbkdf2_vectors.json")

_PSS = "rsa_pss_4096_sha256_mgf1_32_test.json"
_PSS_UNSALTED = "rsa_pss_2048_sha256_mgf1_0_test.json"
_OAEP = "rsa_oaep_4096_sha256_mgf1sha256_test.json"
_CBC = "aes_cbc_pkcs5_test.json"
_OTHER_SALT = "s_len changed to "


@dataclass(frozen=True)
class Vector:
    """One vector, with the parameters of its group."""

    group: Mapping[str, Any]
    test: Mapping[str, Any]

    def __getitem__(self, field: str) -> bytes:
        """A field in hex."""
        return bytes.fromhex(self.test[field])

    @property
    def is_valid(self) -> bool:
        """Whether Wycheproof calls it valid."""
        return str(self.test["result"]) == "valid"

    @property
    def comment(self) -> str:
        """What is special about it."""
        return str(self.test["comment"])

    def __str__(self) -> str:
        return f"{self.test['tcId']} {self.comment or 'plain'}"


def _read(document: Mapping[str, Any]) -> list[Vector]:
    return [Vector(group, test) for group in document["testGroups"] for test in group["tests"]]


with zipfile.ZipFile(_ZIP) as _archive:
    _DOCUMENTS = {name: json.loads(_archive.read(name)) for name in _archive.namelist() if name.endswith(".json")}
_VECTORS = {name: _read(document) for name, document in _DOCUMENTS.items()}
_SIGNATURES = [*_VECTORS[_PSS], *_VECTORS[_PSS_UNSALTED]]
_AES_256 = [vector for vector in _VECTORS[_CBC] if vector.group["keySize"] == 8 * KEY_BYTES]
_DERIVATIONS = _read(json.loads(_OWN.read_bytes()))


@cache
def _public(pem: str) -> PublicKey:
    return load_public_key(pem.encode())


@cache
def _private(pem: str) -> PrivateKey:
    return load_private_key(pem.encode(), label="wycheproof")


def test_the_files_are_complete() -> None:
    """Each says how many vectors it has; both outcomes are among them, and no third one that nobody decided on."""
    counts = {name: len(vectors) for name, vectors in _VECTORS.items()}
    assert counts == {_PSS: 108, _PSS_UNSALTED: _DOCUMENTS[_PSS_UNSALTED]["numberOfTests"], _OAEP: 37, _CBC: 183}
    for name, vectors in _VECTORS.items():
        assert _DOCUMENTS[name]["numberOfTests"] == len(vectors)
        assert {str(vector.test["result"]) for vector in vectors} == {"valid", "invalid"}
    assert counts[_PSS_UNSALTED] >= 90
    assert len(_AES_256) == 61
    assert [len(v["msg"]) for v in _VECTORS[_OAEP] if v.is_valid and not v["label"]].count(KEY_BYTES) == 1
    assert len(_DERIVATIONS) == json.loads(_OWN.read_bytes())["numberOfTests"] >= 70


def test_the_files_are_about_our_parameters() -> None:
    """What is tested is what the format says, and not a neighbour of it."""
    groups = {name: document["testGroups"] for name, document in _DOCUMENTS.items()}
    for name in (_PSS, _PSS_UNSALTED, _OAEP):
        assert all((g["sha"], g["mgf"], g["mgfSha"]) == ("SHA-256", "MGF1", "SHA-256") for g in groups[name])
    assert [(g["keySize"], g["sLen"]) for g in groups[_PSS]] == [(4096, 32)]
    assert {g["keySize"] for g in groups[_OAEP]} == {4096}
    assert {g["ivSize"] for g in groups[_CBC]} == {8 * BLOCK}


# --- RSASSA-PSS -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Signed(Manifest):
    """A manifest whose canonical bytes are a vector's message, which no manifest's could be."""

    data: bytes = b""

    @property
    def canonical_bytes(self) -> bytes:
        return self.data


def _is_ours(vector: Vector) -> bool:
    """What has to come out here: a salt of another length does not make a signature wrong (format.md §4)."""
    return vector.is_valid or vector.comment.startswith(_OTHER_SALT)


@pytest.mark.parametrize("vector", _SIGNATURES, ids=str)
def test_a_signature_is_judged_as_it_should_be(vector: Vector) -> None:
    """`check` finds it valid or invalid and nothing else, and so does the key by itself."""
    key = _public(vector.group["publicKeyPem"])
    block = {
        "algo": ALGORITHM,
        "pubkey_id": key.pubkey_id,
        "sig_b64": base64.b64encode(vector["sig"]).decode(),
        "signed_bytes": SIGNED_BYTES,
    }
    manifest = _Signed({"sender": "wycheproof", "signature": block}, vector["msg"])
    known = {key.pubkey_id: Signer("wycheproof", None, key)}

    verdict = signature.check(manifest, known.get)

    assert verdict.outcome is (Outcome.VALID if _is_ours(vector) else Outcome.INVALID)
    assert key.verify(vector["sig"], vector["msg"]) is _is_ours(vector)


def test_salts_of_other_lengths_are_among_the_signatures() -> None:
    """From none to the longest that a key can hold; otherwise the exception above would stand for nothing."""
    changed = [v for v in _SIGNATURES if v.comment.startswith(_OTHER_SALT)]
    assert {int(v.comment.removeprefix(_OTHER_SALT)) for v in changed} >= {0, 1, 20, 31, 33, 478}
    assert not [v for v in changed if v.is_valid]


# --- RSAES-OAEP -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", _VECTORS[_OAEP], ids=str)
def test_a_wrapped_key_opens_only_where_it_should(vector: Vector) -> None:
    """With an empty label: the message, or the one error for every reason."""
    key = _private(vector.group["privateKeyPem"])
    if vector.is_valid and not vector["label"]:
        assert key.unwrap(vector["ct"]) == vector["msg"]
        return
    with pytest.raises(CannotUnwrapError) as caught:
        key.unwrap(vector["ct"])
    assert (caught.value.code, caught.value.message) == ("cannot-unwrap", "it does not open with this private key")


@pytest.mark.parametrize("vector", [v for v in _VECTORS[_OAEP] if v["label"]], ids=str)
def test_a_wrapped_key_with_a_label_is_sound(vector: Vector) -> None:
    """The library opens it with its label, by the call that ours makes: ours refuses it because of the label alone."""
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(vector.group["privateKeyPem"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    assert vector.is_valid
    assert key.decrypt(vector["ct"], OAEP(MGF1(SHA256()), SHA256(), vector["label"])) == vector["msg"]


def _envelope(pubkey_id: str, wrapped: bytes) -> io.BytesIO:
    """An RSA envelope for one recipient around a block of zeros."""
    document = {
        "version": 1,
        "recipients": [{"pubkey_id": pubkey_id, "key_enc_b64": base64.b64encode(wrapped).decode()}],
        "payload_algo": "aes-256-cbc",
        "payload_iv_b64": base64.b64encode(bytes(BLOCK)).decode(),
    }
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in {ENVELOPE: json.dumps(document).encode(), PAYLOAD: bytes(BLOCK)}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return output


@pytest.mark.parametrize("vector", _VECTORS[_OAEP], ids=str)
def test_an_envelope_takes_a_key_of_32_bytes_and_has_one_error_for_all_else(vector: Vector) -> None:
    """A message of another length is as little told apart from a damaged one as a damaged one from another."""
    key = _private(vector.group["privateKeyPem"])
    stream, credentials = _envelope(key.public.pubkey_id, vector["ct"]), Credentials(None, lambda *_: [key])
    if vector.is_valid and not vector["label"] and len(vector["msg"]) == KEY_BYTES:
        assert OpenedRsa(stream, credentials)._key == vector["msg"]
        return
    with pytest.raises(PackageError) as caught:
        OpenedRsa(stream, credentials)
    assert vars(caught.value) == vars(cannot_open())


# --- AES-256-CBC with PKCS#7 ----------------------------------------------------------------------------------


class _Trickle:
    """A file that gives a few bytes at a time, so that no border of a read is a border of a block."""

    def __init__(self, data: bytes, most: int) -> None:
        self._stream = io.BytesIO(data)
        self._most = most

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, self._most))


@pytest.mark.parametrize("most", [1, 7, BLOCK, 1 << 20])
@pytest.mark.parametrize("vector", _AES_256, ids=str)
def test_a_ciphertext_decrypts_only_where_its_padding_is_right(vector: Vector, most: int) -> None:
    """The message, or the one error, however the ciphertext arrives."""
    source = CbcSource(_Trickle(vector["ct"], most), vector["key"], vector["iv"])
    if vector.is_valid:
        assert b"".join(iter(lambda: source.read(1), b"")) == vector["msg"]
        return
    with pytest.raises(PackageError) as caught:
        b"".join(iter(lambda: source.read(1), b""))
    assert vars(caught.value) == vars(cannot_open())


@pytest.mark.parametrize("vector", [v for v in _AES_256 if v.is_valid], ids=str)
def test_a_message_encrypts_to_the_ciphertext(vector: Vector) -> None:
    """The same way back, written at once or byte by byte."""
    for step in (1, 1 << 20):
        output = io.BytesIO()
        sealer = CbcSealer(output, vector["key"], vector["iv"])
        for start in range(0, len(vector["msg"]), step):
            sealer.write(vector["msg"][start : start + step])
        sealer.finish()
        assert output.getvalue() == vector["ct"]


# --- PBKDF2-HMAC-SHA-256 --------------------------------------------------------------------------------------


def _rounds(vector: Vector) -> str:
    return f"{vector}, {vector.test['iterationCount']} rounds"


@pytest.mark.parametrize("vector", _DERIVATIONS, ids=_rounds)
def test_a_passphrase_gives_the_key_and_the_iv(vector: Vector) -> None:
    """32 bytes and 16, as other programs derive them."""
    key, iv = passphrase._pbkdf2(vector["password"], vector["salt"], vector.test["iterationCount"])
    assert (len(key), len(iv)) == (KEY_BYTES, BLOCK)
    assert key + iv == vector["dk"]


@pytest.mark.parametrize(
    ("password", "salt", "iterations", "derived"),
    [
        (
            b"passwd",
            b"salt",
            1,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef31",
        ),
        (
            b"Password",
            b"NaCl",
            80_000,
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b317",
        ),
    ],
)
def test_the_derivation_is_the_published_one(password: bytes, salt: bytes, iterations: int, derived: str) -> None:
    """RFC 7914 §11 prints 64 bytes, of which these are the first 48."""
    key, iv = passphrase._pbkdf2(password, salt, iterations)
    assert (key + iv).hex() == derived


_READ_ROUNDS = (600_000, 100_000, 10_000)


@pytest.mark.parametrize("rounds", _READ_ROUNDS)
def test_an_envelope_with_any_of_the_rounds_is_opened_with_the_key_and_the_iv(rounds: int) -> None:
    """`find_key` gets there from the salt in the file and its first block alone."""
    words = "пароль — 合言葉 🔑".encode()
    (vector,) = [v for v in _DERIVATIONS if v.test["iterationCount"] == rounds and v["password"] == words]
    key, iv = vector["dk"][:KEY_BYTES], vector["dk"][KEY_BYTES:]
    output = io.BytesIO()
    sealer = CbcSealer(output, key, iv)
    sealer.write(b"\x1f\x8b\x08" + bytes(BLOCK))
    head = passphrase.MAGIC + vector["salt"] + output.getvalue()
    assert passphrase.find_key(head, Credentials(lambda: words)) == (key, iv)
