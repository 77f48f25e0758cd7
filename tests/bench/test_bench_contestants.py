"""Those who are compared do what is said of them, and it is the same."""

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import corpora, roads, tools
from bench.bench import QUICK, Bench
from bench.contestants import BARE, BEFORE, OURS, PEER, Programs, Stage, found
from bench.corpora import Corpus
from bench.measuring import FailedError, Meter
from bench.tools import Script
from worlds import tree_of

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="the bench needs a POSIX system")


@pytest.fixture
def walnut(tmp_path: Path) -> Corpus:
    return corpora.one_bundle("D", tmp_path / "walnut", files=3)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    private = rsa.generate_private_key(65537, 2048)
    formats = serialization.PublicFormat, serialization.Encoding
    (folder / "ben.pem").write_bytes(private.public_key().public_bytes(formats[1].PEM, formats[0].SubjectPublicKeyInfo))
    (folder / "ben.pub").write_bytes(private.public_key().public_bytes(formats[1].OpenSSH, formats[0].OpenSSH))
    pem = serialization.PrivateFormat.TraditionalOpenSSL
    key = folder / "ben.key"
    key.write_bytes(private.private_bytes(formats[1].PEM, pem, serialization.NoEncryption()))
    key.chmod(0o600)
    return folder


def run(script: Script, keys: Path, **paths: Path) -> int:
    if script.reason:
        pytest.skip(script.reason)
    environ = {"PATH": os.environ["PATH"], "HOME": str(keys), "BENCH_PASSPHRASE": "for a test", "KEYS": str(keys)}
    environ |= {name: str(path) for name, path in paths.items()}
    return subprocess.run(["sh", "-ec", script.text], env=environ, capture_output=True, check=False).returncode


@pytest.mark.parametrize("envelope", tools.ENVELOPES)
def test_the_tools_bring_back_what_they_packed(envelope: str, walnut: Corpus, keys: Path, tmp_path: Path) -> None:
    """Every file, with sums of them all; sealed, none of it can be read; and nothing else is left behind."""
    package, copy = tmp_path / "package", tmp_path / "copy"
    assert run(tools.create(envelope, sums=True), keys, WALNUT=walnut.root, OUT=package) == 0
    assert run(tools.receive(envelope, safe=True), keys, PACKAGE=package, COPY=copy) == 0
    assert tree_of(copy) == tree_of(walnut.root)
    assert (copy / "SHA256SUMS").read_text().count("\n") == len(walnut.own)
    start = {"none": b"\x1f\x8b", "passphrase": b"Salted__", "rsa": b"Salted__", "age": b"age-encryption.org"}
    assert package.read_bytes().startswith(start[envelope])
    own = {"package", "copy", "walnut", *(["package.key"] if envelope == "rsa" else [])}
    assert {path.name for path in tmp_path.iterdir()} == own


def test_the_tools_notice_what_was_changed(walnut: Corpus, keys: Path, tmp_path: Path) -> None:
    """Which is what makes them as safe; unchecked they do not."""
    package = tmp_path / "package"
    run(tools.create("none", sums=True), keys, WALNUT=walnut.root, OUT=package)
    (walnut.root / "shielding-review" / "note-00.md").write_bytes(b"changed\n")
    run(tools.create("none", sums=False), keys, WALNUT=walnut.root, OUT=package)
    assert run(tools.receive("none", safe=True), keys, PACKAGE=package, COPY=tmp_path / "one") != 0
    assert run(tools.verify("none"), keys, PACKAGE=package, COPY=tmp_path / "two") != 0
    assert run(tools.receive("none", safe=False), keys, PACKAGE=package, COPY=tmp_path / "three") == 0


def test_programs_are_named_by_the_environment(tmp_path: Path) -> None:
    """Another build and another implementation; one that is not there is an error, and not left out in silence."""
    script = tmp_path / "peer.py"
    script.write_text("")
    both = found({"ALIVE_P2P_BEFORE": "/bin/sh", "ALIVE_P2P_PEER": str(script)})
    assert list(both.implementations) == [OURS, BEFORE, PEER]
    assert both.peer is not None
    assert both.peer[1] == str(script)
    assert list(found({}).implementations) == [OURS]
    for name in ("ALIVE_P2P_BEFORE", "ALIVE_P2P_PEER"):
        with pytest.raises(FailedError, match=name):
            found({name: str(tmp_path / "absent")})


def test_a_walnut_is_received_by_everybody(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From their own packages, and into nothing that is left; the original design has no age."""
    monkeypatch.setattr(os, "sync", lambda: None)  # other tests write
    monkeypatch.setattr(tools, "ENVELOPES", ("none", "age"))
    root = tmp_path / "bench"
    root.mkdir()
    stage = Stage(root, Programs((program,), None, (program,)))
    before = tree_of(root)
    said: list[str] = []
    bench = Bench(stage, Meter(stage.scratch, 0, said.append), QUICK, said.append, "D")
    monkeypatch.setattr(roads, "rounds", lambda *_: 1)
    plain, sealed = [case.document for case in roads.receive(bench)]
    assert set(plain["measured"]) >= {OURS, PEER, BARE}
    assert sealed["left_out"][PEER] == "age is not in the original design"
    assert OURS in sealed["measured"]
    new = {path.split("/")[0] for path in tree_of(root).keys() - before.keys()}
    assert new <= {"world", "packages", "scratch", "homes", "aside"}
