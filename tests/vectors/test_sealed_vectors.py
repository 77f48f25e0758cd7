"""The program and the vectors of signatures, envelopes, and what lies in relays."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from make_vectors import DATA

from alive_p2p.errors import AliveP2PError, PackageError, RelayError
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.package.envelopes.base import Credentials
from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import PackageReader
from alive_p2p.package.signature import Signer, check
from alive_p2p.relay import code, documents, rotation
from alive_p2p.relay.answers import introduced

_FOLDER = DATA.parent
_INDEX: list[dict[str, Any]] = json.loads((DATA / "index.json").read_text(encoding="utf-8"))
_BY_NAME = {vector["name"]: vector for vector in _INDEX}


def _named(kind: str) -> list[str]:
    return [vector["name"] for vector in _INDEX if vector["kind"] == kind]


def _key(path: str) -> PrivateKey:
    return load_private_key((_FOLDER / path).read_bytes(), label=path)


def _find(pubkey_id: str) -> Signer | None:
    """Alice and Ben are known."""
    for name in ("alice", "ben"):
        public = _key(f"keys/{name}.pem").public
        if public.pubkey_id == pubkey_id:
            return Signer(name, name, public)
    return None


def _credentials(vector: dict[str, Any]) -> Credentials:
    keys = [_key(vector["private_key"])] if "private_key" in vector else []
    passphrase = vector.get("passphrase")
    return Credentials(passphrase=None if passphrase is None else passphrase.encode, private_keys=lambda _: keys)


@pytest.mark.parametrize("name", _named("signature"))
def test_a_signature_has_its_outcome(name: str) -> None:
    """One of the outcomes, and the import id is that of the manifest without one."""
    vector = _BY_NAME[name]
    manifest = Manifest.parse((DATA / vector["file"]).read_bytes(), DEFAULT_LIMITS)
    assert check(manifest, _find).outcome.value == vector["signature"]
    if name != "signed-and-changed":
        assert manifest.import_id == _BY_NAME["manifest-plain"]["import_id"]


@pytest.mark.parametrize("name", _named("sealed"))
def test_a_sealed_package_has_its_outcome(name: str) -> None:
    """Opened and found whole, or refused with the code of the index."""
    vector = _BY_NAME[name]
    outcome, found = "accept", None
    try:
        with PackageReader(DATA / vector["file"], credentials=_credentials(vector)) as reader:
            assert reader.envelope.value == vector["envelope"]
            found = reader.check().manifest.import_id
    except PackageError as error:
        outcome = error.code
    assert outcome == vector["expect"]
    assert found in {None, vector["import_id"]}


@pytest.mark.parametrize("name", _named("document"))
def test_a_document_has_its_outcome(name: str) -> None:
    """Its signature is judged, or it is no document at all."""
    vector = _BY_NAME[name]
    data = (DATA / vector["file"]).read_bytes()
    if vector["signature"] == "bad-document":
        with pytest.raises(RelayError, match="cannot be used") as caught:
            documents.read(data, vector["type"])
        assert caught.value.code == "bad-document"
    else:
        outcome = documents.verdict_of(documents.read(data, vector["type"]), _find).outcome
        assert outcome.value == vector["signature"]


@pytest.mark.parametrize("name", _named("sealed-document"))
def test_a_sealed_document_opens_to_what_it_should(name: str) -> None:
    """Byte for byte."""
    vector = _BY_NAME[name]
    data = documents.opened((DATA / vector["file"]).read_bytes(), _credentials(vector), "delivery")
    assert data == (DATA / vector["opens_to"]).read_bytes()


@pytest.mark.parametrize("name", _named("answer"))
def test_an_answer_has_its_outcome(name: str) -> None:
    """Whether it introduces whose key it brings; the HMAC is looked at in tests/interop."""
    vector = _BY_NAME[name]
    document = documents.read((DATA / vector["file"]).read_bytes(), "pairing-answer")
    who = introduced({key: value for key, value in document.items() if key != "hmac_sha256"})
    assert (who is not None) is (vector["signature"] == "valid")
    assert who is None or (who.handle, who.url) == ("ben", document["relay"])


@pytest.mark.parametrize("name", _named("code"))
def test_a_code_has_its_outcome(name: str) -> None:
    """What it says, or that it is none."""
    vector = _BY_NAME[name]
    text = (DATA / vector["file"]).read_text(encoding="utf-8")
    if vector["expect"] != "accept":
        with pytest.raises(AliveP2PError) as caught:
            code.decode(text)
        assert caught.value.code == vector["expect"]
        return
    found = code.decode(text)
    assert vector["says"] == {
        "url": found.url,
        "handle": found.handle,
        "inbox": found.inbox,
        "fingerprint": found.fingerprint,
        "accepts": list(found.accepts),
        "secret_hex": found.secret.hex(),
    }
    if name == "code":
        assert found.encode() == text


@pytest.mark.parametrize("name", _named("rotation"))
def test_a_rotation_leads_where_it_should(name: str) -> None:
    """Step by step, or to two that dispute it, or nowhere."""
    vector = _BY_NAME[name]
    found = [(DATA / file).read_bytes() for file in vector["files"]]
    result = rotation.succession(vector["handle"], _key(vector["pinned"]).public, found, {})
    steps = [] if result is None else [step.new.fingerprint for step in result.steps]
    assert steps == vector["steps"]
    assert list(() if result is None else result.rivals) == vector["rivals"]


def test_the_readme_tells_of_every_kind_and_field() -> None:
    """Whoever checks another program against the vectors knows what stands in the index."""
    text = (_FOLDER / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z0-9_-]+)`", text))
    assert {vector["kind"] for vector in _INDEX} <= told
    assert {field for vector in _INDEX for field in vector} <= told
    assert {path.name for path in (_FOLDER / "keys").iterdir()} == set(re.findall(r"`keys/([a-z.]+)`", text))


def test_every_file_is_named_in_the_index() -> None:
    """Nothing lies there that nobody uses."""
    named = {"index.json"}
    for vector in _INDEX:
        named |= {vector[field] for field in ("file", "canonical", "opens_to") if field in vector}
        named |= set(vector.get("files", ()))
    assert named == {path.name for path in Path(DATA).iterdir()}
