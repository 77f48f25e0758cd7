"""docs/format.md and docs/relay-format.md are enough: a reader written from them alone agrees with the program.

It reads every vector, and packages that the program makes in each envelope.
"""

import ast
import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from interop import other_relay
from interop.other_archive import Refused, gunzip
from interop.other_envelopes import Keys, envelope_of, opened, read_package
from interop.other_manifest import canonical, import_id, manifest, payload_sha256, signature_of
from worlds import NOVA, make_world, plant

_HERE = Path(__file__).resolve().parent
_VECTORS = _HERE.parent / "vectors"
_INDEX: list[dict[str, Any]] = json.loads((_VECTORS / "data" / "index.json").read_text(encoding="utf-8"))
_BY_NAME = {vector["name"]: vector for vector in _INDEX}


def _named(*kinds: str) -> list[str]:
    return [vector["name"] for vector in _INDEX if vector["kind"] in kinds]


def _data(vector: dict[str, Any]) -> bytes:
    return (_VECTORS / "data" / vector["file"]).read_bytes()


def _private(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _known() -> dict[str, rsa.RSAPublicKey]:
    return {name: _private(_VECTORS / "keys" / f"{name}.pem").public_key() for name in ("alice", "ben")}


def _keys(vector: dict[str, Any]) -> Keys:
    path = vector.get("private_key")
    if path == "keys/age.txt":
        return Keys(age=bytes.fromhex((_VECTORS / "keys" / "age.hex").read_text(encoding="ascii").strip()))
    private = None if path is None else _private(_VECTORS / path)
    return Keys(passphrase=vector.get("passphrase", "").encode(), private=private)


def test_it_uses_nothing_of_the_program() -> None:
    """Or it would show nothing."""
    for name in ("other_archive.py", "other_manifest.py", "other_envelopes.py", "other_relay.py"):
        tree = ast.parse((_HERE / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            assert not any(one.split(".")[0] in {"alive_p2p", "yaml", "tarfile", "pyrage"} for one in names), name


@pytest.mark.parametrize("name", _named("manifest", "package", "sealed"))
def test_it_agrees_about_every_package(name: str) -> None:
    """What is accepted is accepted, with the same identity; all else is refused."""
    vector = _BY_NAME[name]

    def read() -> dict[str, Any]:
        if vector["kind"] == "manifest":
            return manifest(_data(vector))
        return read_package(_data(vector), _keys(vector))[0]

    if vector["expect"] != "accept":
        with pytest.raises(Refused):
            read()
        return
    found = read()
    if "canonical" in vector:
        assert canonical(found) == (_VECTORS / "data" / vector["canonical"]).read_bytes()
    assert import_id(found) == vector.get("import_id", import_id(found))
    assert payload_sha256(found["files"]) == vector.get("payload_sha256", found["payload_sha256"])


@pytest.mark.parametrize("name", _named("signature"))
def test_it_agrees_about_every_signature(name: str) -> None:
    """With the same outcome."""
    vector = _BY_NAME[name]
    assert signature_of(manifest(_data(vector)), _known()) == vector["signature"]


@pytest.mark.parametrize("name", _named("document"))
def test_it_agrees_about_every_document(name: str) -> None:
    """With the same outcome."""
    vector = _BY_NAME[name]
    try:
        document = other_relay.read(_data(vector), vector["type"])
    except Refused:
        assert vector["signature"] == "bad-document"
    else:
        assert other_relay.signature_of(document, _known()) == vector["signature"]


@pytest.mark.parametrize("name", _named("sealed-document"))
def test_it_opens_every_sealed_document(name: str) -> None:
    """To the same bytes."""
    vector = _BY_NAME[name]
    assert envelope_of(_data(vector)) == vector["envelope"]
    assert gunzip(opened(_data(vector), _keys(vector))) == (_VECTORS / "data" / vector["opens_to"]).read_bytes()


@pytest.mark.parametrize("name", _named("answer"))
def test_it_agrees_about_every_answer(name: str) -> None:
    """Whether it is signed by the key it brings, and whether it is proven."""
    vector = _BY_NAME[name]
    answer = other_relay.read(_data(vector), "pairing-answer")
    by = {answer["from"]: other_relay.key_in(answer)}
    found = other_relay.signature_of(answer, by, "hmac_sha256")
    assert ("valid" if found == "valid" else "invalid") == vector["signature"]
    assert other_relay.is_proven(answer, bytes.fromhex(vector["secret_hex"])) is vector["proven"]


@pytest.mark.parametrize("name", _named("code"))
def test_it_agrees_about_every_code(name: str) -> None:
    """What it says, or that it is none."""
    vector = _BY_NAME[name]
    try:
        assert other_relay.decode(_data(vector).decode()) == vector["says"]
    except Refused:
        assert vector["expect"] == "bad-code"


@pytest.mark.parametrize("name", _named("rotation"))
def test_it_agrees_about_every_rotation(name: str) -> None:
    """Which keys follow, and which are disputed."""
    vector = _BY_NAME[name]
    found = [(_VECTORS / "data" / file).read_bytes() for file in vector["files"]]
    steps, rivals = other_relay.follow(vector["handle"], _private(_VECTORS / vector["pinned"]).public_key(), found)
    assert (steps, rivals) == (vector["steps"], vector["rivals"])


# --- packages that the program makes --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(program: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages of one walnut in every envelope, all but one signed, and those for keys are for alice's."""
    folder = tmp_path_factory.mktemp("made")
    world = make_world(folder / "world")
    odd = {
        "notes/größe 🥜.md": b"x\n",
        "notes/" + "long/" * 40 + "f.md": b"y\n",
        "run.sh": b"#!/bin/sh\n",
        "empty/": b"",
    }
    walnut = plant(world / "04_Ventures" / "nova", {**NOVA, **odd})
    (walnut / "run.sh").chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "GH_USER": "alice", "PHRASE": "pâté"}
    environ["SOURCE_DATE_EPOCH"] = "1775556900"

    def run(*arguments: object) -> None:
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    own = folder / ".alive" / "relay" / "keys"
    own.mkdir(parents=True, mode=0o700)
    shutil.copy(_VECTORS / "keys" / "alice.pem", own / "private.pem")
    (own / "private.pem").chmod(0o600)
    line = (
        _private(own / "private.pem")
        .public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    (folder / "me.pub").write_bytes(line + b"\n")
    full = ("create", "--yes", "--scope", "full", "--walnut", walnut)
    run(*full, "--no-sign", "-o", folder / "unsigned.walnut")
    run(*full, "-o", folder / "none.walnut")
    run("create", "--yes", "--scope", "snapshot", "--walnut", walnut, "-o", folder / "snapshot.walnut")
    bundle = ("create", "--yes", "--scope", "bundle", "--bundle", "shielding-review", "--walnut", walnut)
    run(*bundle, "-o", folder / "bundle.walnut")
    run(*full, "--passphrase-env", "PHRASE", "-o", folder / "passphrase.walnut")
    run(*full, "--encrypt", "age", "--passphrase-env", "PHRASE", "-o", folder / "age-passphrase.walnut")
    for envelope in ("rsa", "age"):
        run(*full, "--encrypt", envelope, "--to-keys", folder / "me.pub", "-o", folder / f"{envelope}.walnut")
    return folder


_MADE = ["unsigned", "none", "snapshot", "bundle", "passphrase", "age-passphrase", "rsa", "age"]


@pytest.mark.parametrize("name", _MADE)
def test_it_reads_what_the_program_makes(name: str, made: Path) -> None:
    """Opened, whole, signed; the manifest is written as the page says."""
    private = _private(_VECTORS / "keys" / "alice.pem")
    data = (made / f"{name}.walnut").read_bytes()
    assert envelope_of(data) == {"rsa": "rsa", "age": "age", "passphrase": "passphrase"}.get(
        name.removesuffix("-passphrase"), "none"
    )
    found, files = read_package(data, Keys("pâté".encode(), private))
    outcome = signature_of(found, {"alice": private.public_key()})
    assert outcome == ("unsigned" if name == "unsigned" else "valid")
    assert "_kernel/key.md" in files
    if found["scope"] == "full":
        assert files["notes/größe 🥜.md"] == b"x\n"
        assert (found["executables"], found["empty_dirs"]) == (["run.sh"], ["empty"])


def test_the_standard_tools_open_what_the_program_seals(made: Path, tmp_path: Path) -> None:
    """`openssl` and `age` give the same bytes as this reader."""
    private = _private(_VECTORS / "keys" / "alice.pem")
    environ = {**os.environ, "PHRASE": "pâté"}
    if shutil.which("openssl"):
        sealed = made / "passphrase.walnut"
        how = ["enc", "-d", "-aes-256-cbc", "-md", "sha256", "-pbkdf2", "-iter", "600000", "-pass", "env:PHRASE"]
        command = ["openssl", *how, "-in", str(sealed)]
        plain = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
        assert plain == opened(sealed.read_bytes(), Keys("pâté".encode()))
    if shutil.which("age"):
        form = serialization.PrivateFormat.OpenSSH
        key = tmp_path / "id"
        key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        key.chmod(0o600)
        sealed = made / "age.walnut"
        plain = subprocess.run(["age", "-d", "-i", str(key), str(sealed)], capture_output=True, check=True).stdout
        assert plain == opened(sealed.read_bytes(), Keys(private=private))


def test_wrapped_for_others_it_is_the_same_package(made: Path) -> None:
    """Whatever is around it: payload hash and files are the same (docs/format.md §10)."""
    private = _private(_VECTORS / "keys" / "alice.pem")
    keys = Keys("pâté".encode(), private)
    found = [read_package((made / f"{name}.walnut").read_bytes(), keys)[0] for name in ("rsa", "age", "passphrase")]
    assert len({one["payload_sha256"] for one in found}) == 1
    assert all(base64.b64decode(one["signature"]["sig_b64"]) for one in found)
