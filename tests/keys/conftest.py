"""Key files as other programs make them, made once for a test session (once per xdist worker)."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from key_making import PASSPHRASE, run

from alive_p2p import files
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.runtime import Runtime


@pytest.fixture(scope="session", autouse=True)
def _real_programs() -> None:
    """The keys are compared with what these programs make of them."""
    missing = [name for name in ("openssl", "ssh-keygen", "age", "age-keygen") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"these programs are not installed: {', '.join(missing)}")


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys from `openssl` and `ssh-keygen`: plain, sealed, and of the wrong kinds."""
    folder = tmp_path_factory.mktemp("keys")

    def openssl(*arguments: str) -> None:
        run("openssl", *arguments)

    for name, bits in (("rsa", 2048), ("other", 2048), ("short", 1024)):
        path = str(folder / f"{name}.pem")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", path)
        openssl("pkey", "-in", path, "-pubout", "-out", str(folder / f"{name}-public.pem"))
    rsa, seal = str(folder / "rsa.pem"), ("-passout", f"pass:{PASSPHRASE}")
    openssl("rsa", "-in", rsa, "-traditional", "-out", str(folder / "rsa-pkcs1.pem"))
    openssl("rsa", "-in", rsa, "-RSAPublicKey_out", "-out", str(folder / "rsa-pkcs1-public.pem"))
    openssl("rsa", "-in", rsa, "-traditional", "-aes256", *seal, "-out", str(folder / "rsa-pkcs1-sealed.pem"))
    openssl("pkcs8", "-topk8", "-in", rsa, *seal, "-out", str(folder / "rsa-sealed.pem"))
    openssl("pkcs8", "-topk8", "-in", rsa, *seal, "-scrypt", "-out", str(folder / "rsa-scrypt-sealed.pem"))
    openssl("pkcs8", "-topk8", "-in", rsa, *seal, "-v2", "camellia-256-cbc", "-out", str(folder / "rsa-camellia.pem"))
    openssl("genpkey", "-algorithm", "ED25519", "-out", str(folder / "ed25519.pem"))
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(folder / "ecdsa.pem"))
    openssl("pkey", "-in", str(folder / "ecdsa.pem"), "-pubout", "-out", str(folder / "ecdsa-public.pem"))
    openssl("genpkey", "-algorithm", "X25519", "-out", str(folder / "raw-x25519.pem"))
    openssl("pkey", "-in", str(folder / "raw-x25519.pem"), "-pubout", "-out", str(folder / "raw-x25519-public.pem"))
    subject = ("-subj", "/CN=nobody", "-days", "1", "-out", str(folder / "certificate.pem"))
    openssl("req", "-x509", "-key", rsa, *subject)
    for name, options in {
        "ssh-rsa": ("rsa", "-b", "2048", "-N", ""),
        "ssh-rsa-sealed": ("rsa", "-b", "2048", "-N", PASSPHRASE),
        "ssh-rsa-pem": ("rsa", "-b", "2048", "-m", "PEM", "-N", ""),
        "ssh-rsa-pem-sealed": ("rsa", "-b", "2048", "-m", "PEM", "-N", PASSPHRASE),
        "ssh-rsa-pkcs8-sealed": ("rsa", "-b", "2048", "-m", "PKCS8", "-N", PASSPHRASE),
        "ssh-ed25519": ("ed25519", "-N", ""),
        "ssh-ed25519-sealed": ("ed25519", "-N", PASSPHRASE),
        "ssh-ecdsa": ("ecdsa", "-N", ""),
        "ssh-chacha": ("ed25519", "-N", PASSPHRASE, "-Z", "chacha20-poly1305@openssh.com"),
    }.items():
        run("ssh-keygen", "-q", "-a", "4", "-C", "ben at home", "-f", folder / name, "-t", *options)
    run("ssh-keygen", "-q", "-s", folder / "ssh-rsa", "-I", "id", folder / "ssh-ed25519.pub")
    run("age-keygen", "-o", folder / "age.txt")
    return folder


@pytest.fixture(scope="session")
def read_key(key_files: Path) -> Callable[[str], bytes]:
    return lambda name: (key_files / name).read_bytes()


@pytest.fixture(scope="session")
def rsa(read_key: Callable[[str], bytes]) -> PrivateKey:
    return load_private_key(read_key("rsa.pem"), label="rsa.pem")


@pytest.fixture(scope="session")
def other(read_key: Callable[[str], bytes]) -> PrivateKey:
    return load_private_key(read_key("other.pem"), label="other.pem")


# --- a keyring -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(runtime: Runtime) -> Path:
    return runtime.alive_home / "relay" / "keys"


@pytest.fixture
def keyring(runtime: Runtime) -> Keyring:
    return Keyring.load(runtime)


@pytest.fixture
def ben(rsa: PrivateKey) -> bytes:
    return rsa.public.pem()


@pytest.fixture
def cleo(other: PrivateKey) -> bytes:
    return other.public.pem()


@pytest.fixture
def interrupted() -> Iterator[Callable[[int], list[str]]]:
    """Makes the n-th durable operation from now on fail; returns the list of those that were begun."""

    def at(count: int) -> list[str]:
        begun: list[str] = []

        def watcher(operation: str, _paths: tuple[Path, ...]) -> None:
            begun.append(operation)
            if len(begun) == count:
                raise OSError(28, "no space left on device")

        files.watch(watcher)
        return begun

    yield at
    files.watch(None)
