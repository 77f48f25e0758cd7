"""The passphrase, RSA and older envelopes: with the real `openssl` in both directions, and against every alteration."""

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package.envelopes.base import Credentials, Envelope
from alive_p2p.package.envelopes.cbc import CbcSealer, CbcSource
from alive_p2p.package.envelopes.rsa import read_header
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.reader import PackageReader
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from worlds import NOVA, craft, pack, plant, tree_of

if shutil.which("openssl") is None:
    pytest.skip("the `openssl` program is not installed", allow_module_level=True)

PASSPHRASE = b"only a test: correct horse"
MESSAGE = "wrong passphrase or key"


class RsaKey:
    """A key pair made by `openssl`, used through `cryptography`; what an envelope needs and no more."""

    def __init__(self, folder: Path, name: str) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        self.path = folder / f"{name}.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)
        self._key = load_pem_private_key(self.path.read_bytes(), None)
        public = self._key.public_key()
        import hashlib

        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.pubkey_id = hashlib.sha256(der).hexdigest()[:16]
        (folder / f"{name}.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.public_path = folder / f"{name}.pub"
        self.public = self

    @staticmethod
    def _padding() -> object:
        from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
        from cryptography.hazmat.primitives.hashes import SHA256

        return OAEP(MGF1(SHA256()), SHA256(), None)

    def wrap(self, key: bytes) -> bytes:
        """Encrypt for this key."""
        return self._key.public_key().encrypt(key, self._padding())  # type: ignore[union-attr,call-arg,arg-type,no-any-return]

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt, or fail as the keys room does."""
        try:
            return self._key.decrypt(wrapped, self._padding())  # type: ignore[union-attr,call-arg,arg-type,no-any-return]
        except ValueError:
            raise AliveP2PError("cannot-unwrap", "no") from None

    def age_identity(self) -> object:
        """Not used here."""
        raise NotImplementedError


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RsaKey]:
    """Alice, Ben and Mallory."""
    folder = tmp_path_factory.mktemp("keys")
    return {name: RsaKey(folder, name) for name in ("alice", "ben", "mallory")}


def _with(*, passphrase: bytes | None = None, private: Sequence[RsaKey] = ()) -> Credentials:
    return Credentials((lambda: passphrase) if passphrase is not None else None, lambda _: list(private))


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """A walnut."""
    return plant(tmp_path / "nova", {**NOVA, "noise.bin": os.urandom(200_000)})


# --- with standard tools --------------------------------------------------------------------------------------


def test_openssl_opens_what_we_seal_with_a_passphrase(tmp_path: Path, runtime: Runtime, nova: Path) -> None:
    """The documented command, and tar, give the files."""
    package = pack(nova, tmp_path / "p.walnut", runtime, seal=Seal(Envelope.PASSPHRASE, PASSPHRASE))
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha256", "-pbkdf2", "-iter", "600000"]
    plain = subprocess.run(
        [*command, "-in", package, "-pass", "env:P"],
        env={"PATH": os.environ["PATH"], "P": PASSPHRASE.decode()},
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(plain.stdout)) as archive:
        member = archive.extractfile("noise.bin")
        assert member is not None
        assert member.read() == (nova / "noise.bin").read_bytes()


@pytest.mark.parametrize(
    "parameters",
    [
        ["-md", "sha256", "-pbkdf2", "-iter", "600000"],
        ["-md", "sha256", "-pbkdf2", "-iter", "100000"],
        ["-md", "sha256", "-pbkdf2"],
        ["-md", "md5"],
    ],
)
def test_we_open_what_openssl_seals(parameters: list[str], tmp_path: Path, runtime: Runtime, nova: Path) -> None:
    """Today's parameters, and each of the older ones."""
    plain = pack(nova, tmp_path / "plain.walnut", runtime)
    sealed = tmp_path / "sealed.walnut"
    subprocess.run(
        ["openssl", "enc", "-aes-256-cbc", *parameters, "-salt", "-in", plain, "-out", sealed, "-pass", "env:P"],
        env={"PATH": os.environ["PATH"], "P": PASSPHRASE.decode()},
        check=True,
        capture_output=True,
    )
    request = ReceiveRequest(sealed, target=tmp_path / "there", credentials=_with(passphrase=PASSPHRASE))
    assert receive(request, runtime).status == "ok"
    assert (tmp_path / "there" / "noise.bin").read_bytes() == (nova / "noise.bin").read_bytes()


def test_standard_tools_open_what_we_seal_for_a_key(
    tmp_path: Path, runtime: Runtime, nova: Path, keys: dict[str, RsaKey]
) -> None:
    """tar takes the envelope apart, `openssl pkeyutl` unwraps the key, `openssl enc` decrypts the payload."""
    import base64

    seal = Seal(Envelope.RSA, public_keys=(keys["ben"], keys["alice"]))
    package = pack(nova, tmp_path / "p.walnut", runtime, seal=seal)
    opened = tmp_path / "opened"
    opened.mkdir()
    subprocess.run(["tar", "xf", package, "-C", opened], check=True)
    document = json.loads((opened / "rsa-envelope-v1.json").read_bytes())
    assert [entry["pubkey_id"] for entry in document["recipients"]] == [keys["ben"].pubkey_id, keys["alice"].pubkey_id]
    (opened / "key.enc").write_bytes(base64.b64decode(document["recipients"][1]["key_enc_b64"]))
    oaep = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"]
    key = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-inkey", keys["alice"].path, *oaep, "-in", opened / "key.enc"],
        capture_output=True,
        check=True,
    ).stdout
    iv = base64.b64decode(document["payload_iv_b64"])
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-K", key.hex(), "-iv", iv.hex(), "-in", opened / "payload.enc"]
    plain = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert "noise.bin" in archive.getnames()


def test_two_recipients_open_it_and_a_third_does_not(
    tmp_path: Path, runtime: Runtime, nova: Path, keys: dict[str, RsaKey]
) -> None:
    """The third is told for whom it is, and nothing is written."""
    seal = Seal(Envelope.RSA, public_keys=(keys["alice"], keys["ben"]))
    package = pack(nova, tmp_path / "p.walnut", runtime, seal=seal)
    for name in ("alice", "ben"):
        target = tmp_path / f"for-{name}"
        receive(ReceiveRequest(package, target=target, credentials=_with(private=[keys[name]])), runtime)
        assert (target / "noise.bin").is_file()
    with pytest.raises(PackageError, match=keys["alice"].pubkey_id) as caught:
        receive(ReceiveRequest(package, target=tmp_path / "t", credentials=_with(private=[keys["mallory"]])), runtime)
    assert caught.value.code == "not-for-us"
    assert not (tmp_path / "t").exists()


# --- the same package in any envelope -------------------------------------------------------------------------


def test_the_import_id_does_not_depend_on_the_envelope(
    tmp_path: Path, make_runtime: Callable[..., Runtime], nova: Path, keys: dict[str, RsaKey]
) -> None:
    """The signed payload can be wrapped again for others without becoming something else."""
    runtime = make_runtime(SOURCE_DATE_EPOCH="1767225600")
    seals = (Seal(), Seal(Envelope.PASSPHRASE, PASSPHRASE), Seal(Envelope.RSA, public_keys=(keys["alice"],)))
    ids = set()
    for number, seal in enumerate(seals):
        package = pack(nova, tmp_path / f"{number}.walnut", runtime, seal=seal)
        with PackageReader(package, credentials=_with(passphrase=PASSPHRASE, private=[keys["alice"]])) as reader:
            assert reader.envelope is seal.envelope
            ids.add(reader.check().manifest.import_id)
    assert len(ids) == 1


def test_nothing_readable_is_in_a_sealed_package(tmp_path: Path, runtime: Runtime, keys: dict[str, RsaKey]) -> None:
    """Neither names nor texts, and the same package sealed twice has nothing in common."""
    nova = plant(tmp_path / "very-telling-name", NOVA)
    for seal in (Seal(Envelope.PASSPHRASE, PASSPHRASE), Seal(Envelope.RSA, public_keys=(keys["alice"],))):
        one = pack(nova, tmp_path / "1.walnut", runtime, seal=seal).read_bytes()
        two = pack(nova, tmp_path / "2.walnut", runtime, seal=seal).read_bytes()
        assert b"very-telling-name" not in one
        assert b"launch-window" not in one
        assert one[-1500:-1024] != two[-1500:-1024]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 131_071, 131_072, 131_073, 400_000])
def test_a_stream_of_any_size_survives(size: int) -> None:
    """Around every border of a block and of a chunk."""
    data, key, iv = os.urandom(size), os.urandom(32), os.urandom(16)
    output = io.BytesIO()
    sealer = CbcSealer(output, key, iv)  # type: ignore[arg-type]
    for start in range(0, size, 70_000):
        sealer.write(data[start : start + 70_000])
    sealer.finish()
    source = CbcSource(io.BytesIO(output.getvalue()), key, iv)
    assert b"".join(iter(lambda: source.read(1), b"")) == data


# --- wrong credentials ----------------------------------------------------------------------------------------


def test_a_missing_credential_says_which_one_is_needed(
    tmp_path: Path, runtime: Runtime, nova: Path, keys: dict[str, RsaKey]
) -> None:
    """A key for a passphrase package, a passphrase for a key package, or nothing at all."""
    by_passphrase = pack(nova, tmp_path / "a.walnut", runtime, seal=Seal(Envelope.PASSPHRASE, PASSPHRASE))
    for_key = pack(nova, tmp_path / "b.walnut", runtime, seal=Seal(Envelope.RSA, public_keys=(keys["alice"],)))
    cases = [
        (by_passphrase, _with(private=[keys["alice"]]), "with a passphrase"),
        (by_passphrase, _with(), "with a passphrase"),
        (for_key, _with(passphrase=PASSPHRASE), "for a private key"),
        (for_key, _with(), "for a private key"),
    ]
    for package, credentials, needed in cases:
        with PackageReader(package, credentials=credentials) as reader, pytest.raises(PackageError) as caught:
            reader.check()
        assert caught.value.code == "sealed"
        assert needed in caught.value.message


# --- alterations ----------------------------------------------------------------------------------------------


def _outcome(data: bytes, place: Path, credentials: Credentials) -> tuple[str, str]:
    place.write_bytes(data)
    try:
        with PackageReader(place, credentials=credentials) as reader:
            return "opened", reader.check().manifest.import_id
    except PackageError as error:
        return error.code, error.message


@pytest.mark.parametrize("envelope", [Envelope.PASSPHRASE, Envelope.RSA])
def test_a_flipped_bit_anywhere_in_the_ciphertext_has_one_message(
    envelope: Envelope, tmp_path: Path, runtime: Runtime, keys: dict[str, RsaKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never altered content, and never a hint at what failed: padding, gzip, tar, checksum or hash."""
    from alive_p2p.package.envelopes import passphrase

    monkeypatch.setattr(passphrase, "_OLDER_ITERATIONS", ())  # the same outcome, and faster to try hundreds
    nova = plant(tmp_path / "nova", NOVA)
    seal = Seal(envelope, PASSPHRASE if envelope is Envelope.PASSPHRASE else b"", (keys["alice"],))
    data = pack(nova, tmp_path / "p.walnut", runtime, seal=seal).read_bytes()
    start, end = 16, len(data)
    if envelope is Envelope.RSA:
        header = read_header(io.BytesIO(data))
        start, end = header.payload_at, header.payload_at + header.payload_size
    credentials = _with(passphrase=PASSPHRASE, private=[keys["alice"]])
    assert _outcome(data, tmp_path / "x", credentials)[0] == "opened"
    for at in [*range(start, end, 23), end - 1, end - 16, end - 17, end - 32]:
        altered = bytearray(data)
        altered[at] ^= 1 << (at % 8)
        code, message = _outcome(bytes(altered), tmp_path / "x", credentials)
        assert code == "cannot-open", f"at {at}: {code} {message}"
        assert MESSAGE in message


@pytest.mark.parametrize("envelope", [Envelope.PASSPHRASE, Envelope.RSA])
def test_a_sealed_package_cut_off_anywhere_is_refused(
    envelope: Envelope, tmp_path: Path, runtime: Runtime, keys: dict[str, RsaKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an error of ours."""
    from alive_p2p.package.envelopes import passphrase

    monkeypatch.setattr(passphrase, "_OLDER_ITERATIONS", ())
    seal = Seal(envelope, PASSPHRASE if envelope is Envelope.PASSPHRASE else b"", (keys["alice"],))
    data = pack(plant(tmp_path / "nova", NOVA), tmp_path / "p.walnut", runtime, seal=seal).read_bytes()
    credentials = _with(passphrase=PASSPHRASE, private=[keys["alice"]])
    for size in [*range(0, len(data), 37), len(data) - 1]:
        assert _outcome(data[:size], tmp_path / "x", credentials)[0] != "opened", size


def test_a_malformed_package_inside_a_good_envelope_says_what_is_wrong(tmp_path: Path) -> None:
    """Where the envelope is whole, it is the sender's package that is at fault."""
    plain = craft(tmp_path / "plain.walnut", {"_kernel/key.md": b"---\n---\n"}, scope="everything")
    sealed = tmp_path / "sealed.walnut"
    command = ["openssl", "enc", "-aes-256-cbc", "-md", "sha256", "-pbkdf2", "-iter", "600000", "-salt"]
    subprocess.run(
        [*command, "-in", plain, "-out", sealed, "-pass", "env:P"],
        env={"PATH": os.environ["PATH"], "P": PASSPHRASE.decode()},
        check=True,
    )
    with (
        PackageReader(sealed, credentials=_with(passphrase=PASSPHRASE)) as reader,
        pytest.raises(PackageError) as caught,
    ):
        reader.check()
    assert caught.value.code == "bad-manifest"


@pytest.mark.parametrize(
    "change",
    [
        {"version": True},
        {"version": 2},
        {"version": "1"},
        {"payload_algo": "aes-128-cbc"},
        {"payload_iv_b64": 7},
        {"payload_iv_b64": "AAAA"},
        {"payload_iv_b64": "A" * 22 + "!="},
        {"recipients": []},
        {"recipients": {}},
        {"recipients": ["x"]},
        {"recipients": [{"pubkey_id": "x", "key_enc_b64": 7}]},
        {"recipients": [{"pubkey_id": "x", "key_enc_b64": "AA=="}] * 1001},
    ],
)
def test_a_malformed_rsa_envelope_is_refused(
    change: dict[str, object], tmp_path: Path, runtime: Runtime, nova: Path, keys: dict[str, RsaKey]
) -> None:
    """Every field of it, by an error of ours."""
    seal = Seal(Envelope.RSA, public_keys=(keys["alice"],))
    package = pack(nova, tmp_path / "p.walnut", runtime, seal=seal)
    with tarfile.open(package) as archive:
        parts = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    document = {**json.loads(parts["rsa-envelope-v1.json"]), **change}
    _write_tar(tmp_path / "x", {**parts, "rsa-envelope-v1.json": json.dumps(document).encode()})
    with (
        PackageReader(tmp_path / "x", credentials=_with(private=[keys["alice"]])) as reader,
        pytest.raises(PackageError),
    ):
        reader.check()


def _write_tar(path: Path, parts: dict[str, bytes]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_the_members_of_an_rsa_envelope_may_stand_in_any_order_and_nothing_besides(
    tmp_path: Path, runtime: Runtime, nova: Path, keys: dict[str, RsaKey]
) -> None:
    """Exactly two; a third is refused."""
    package = pack(nova, tmp_path / "p.walnut", runtime, seal=Seal(Envelope.RSA, public_keys=(keys["alice"],)))
    with tarfile.open(package) as archive:
        parts = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    credentials = _with(private=[keys["alice"]])
    _write_tar(tmp_path / "x", dict(reversed(parts.items())))
    assert _outcome((tmp_path / "x").read_bytes(), tmp_path / "y", credentials)[0] == "opened"
    _write_tar(tmp_path / "x", {**parts, "third": b""})
    assert _outcome((tmp_path / "x").read_bytes(), tmp_path / "y", credentials)[0] == "bad-envelope"


# --- resources ------------------------------------------------------------------------------------------------


def test_no_plaintext_is_written_when_sealing(
    tmp_path: Path, runtime: Runtime, nova: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever files are made on the way hold ciphertext only, also when it fails half-way."""
    from alive_p2p.sharing import pipeline

    (nova / "more.bin").write_bytes(os.urandom(2_000_000))
    real = pipeline.write_package
    seen: list[bytes] = []

    def spy(*arguments: object, **options: object) -> None:
        real(*arguments, **options)  # type: ignore[arg-type]
        seen.extend(path.read_bytes() for path in tmp_path.glob(".alive-p2p-*"))
        raise AliveP2PError("stopped", "stopped half-way")

    monkeypatch.setattr(pipeline, "write_package", spy)
    with pytest.raises(AliveP2PError, match="half-way"):
        pack(nova, tmp_path / "p.walnut", runtime, seal=Seal(Envelope.PASSPHRASE, PASSPHRASE))
    assert seen
    assert all(data.startswith(b"Salted__") and b"\x1f\x8b\x08" not in data[:64] for data in seen)
    assert sorted(tree_of(tmp_path)) == sorted(p for p in tree_of(tmp_path) if not p.startswith(".alive-p2p"))


@pytest.mark.slow
@pytest.mark.parametrize("envelope", ["passphrase", "none"])
def test_memory_does_not_grow_with_the_package(envelope: str, tmp_path: Path, program: str) -> None:
    """300 MB of content through the whole program, making and receiving, in flat memory."""
    nova = plant(tmp_path / "nova", NOVA)
    with (nova / "big.bin").open("wb") as stream:
        for _ in range(300):
            stream.write(os.urandom(1 << 20))
    extra = ["--passphrase-env", "P"] if envelope == "passphrase" else []
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "P": PASSPHRASE.decode()}
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    for command in (
        ["create", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut", "--yes", "-q"],
        ["receive", tmp_path / "p.walnut", "--target", tmp_path / "there", "--yes", "-q"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, program, *map(str, command), *extra],
            env=env,
            capture_output=True,
            check=True,
        )
        kilobytes = int(done.stdout.split()[-1])
        assert kilobytes < 80_000
    assert resource.getpagesize()
