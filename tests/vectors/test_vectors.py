"""The golden vectors, one defect each, and the script that makes them."""

import bz2
import gzip
import json
import lzma
import zlib
from pathlib import Path
from typing import Any

import pytest
from make_vectors import DATA, write

from alive_p2p.errors import PackageError
from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import PackageReader

_INDEX: list[dict[str, Any]] = json.loads((DATA / "index.json").read_text(encoding="utf-8"))
_BY_NAME = {vector["name"]: vector for vector in _INDEX}


def _named(**wanted: str) -> list[Any]:
    return [v["name"] for v in _INDEX if all(v.get(key) == value for key, value in wanted.items())]


def _content(path: Path) -> object:
    """What is compared: compressed bytes may differ between versions of a library, what is in them may not."""
    data = path.read_bytes()
    if data.startswith(b"BZh"):
        return bz2.decompress(data)
    if data.startswith(b"\xfd7zXZ"):
        return lzma.decompress(data)
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error):  # cut off or altered on purpose, so that it depends on the version
        return "broken gzip"


def test_there_are_vectors_of_every_kind() -> None:
    """An empty list would make everything here pass."""
    assert len(_INDEX) > 80
    assert len(_BY_NAME) == len(_INDEX)
    kinds = {"manifest", "package", "signature", "sealed", "document", "sealed-document", "answer", "code", "rotation"}
    assert {vector["kind"] for vector in _INDEX} == kinds
    expected = {vector.get("expect") for vector in _INDEX}
    assert expected >= {"accept", "unsafe-member", "damaged", "over-limit", "altered", "bad-manifest", "not-a-package"}
    assert {f"rule-{n}" for n in range(1, 9)} <= {name[:6] for name in _BY_NAME}


def test_the_script_makes_these_vectors(tmp_path: Path) -> None:
    """Running it again gives the committed files, and no file lies there that it did not make."""
    write(tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in DATA.iterdir())
    for name in made:
        assert _content(tmp_path / name) == _content(DATA / name), name


def test_the_vectors_are_small() -> None:
    """They are kept with the source."""
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 500_000


@pytest.mark.parametrize("name", _named(kind="manifest", expect="accept"))
def test_a_golden_manifest_has_its_identity(name: str) -> None:
    """Canonical bytes, import id and payload hash are those of the vector; and it survives a round trip."""
    vector = _BY_NAME[name]
    manifest = Manifest.parse((DATA / vector["file"]).read_bytes(), DEFAULT_LIMITS)
    assert manifest.canonical_bytes == (DATA / vector["canonical"]).read_bytes()
    assert manifest.import_id == vector["import_id"]
    assert manifest.fields["payload_sha256"] == vector["payload_sha256"]
    assert Manifest.parse(manifest.to_yaml(), DEFAULT_LIMITS) == manifest


@pytest.mark.parametrize("name", [n for n in _named(kind="manifest", expect="accept") if n != "manifest-other-writer"])
def test_a_golden_manifest_is_written_as_it_stands(name: str) -> None:
    """Parsed and written again, byte for byte."""
    data = (DATA / _BY_NAME[name]["file"]).read_bytes()
    assert Manifest.parse(data, DEFAULT_LIMITS).to_yaml() == data


def test_another_writers_manifest_is_the_same_package() -> None:
    """Other quotes and line ends do not make another import id."""
    assert _BY_NAME["manifest-other-writer"]["import_id"] == _BY_NAME["manifest-plain"]["import_id"]


@pytest.mark.parametrize("name", [v["name"] for v in _INDEX if v["kind"] == "manifest" and v["expect"] != "accept"])
def test_a_manifest_with_one_defect_is_refused(name: str) -> None:
    """With the code of the index."""
    vector = _BY_NAME[name]
    with pytest.raises(PackageError) as caught:
        Manifest.parse((DATA / vector["file"]).read_bytes(), DEFAULT_LIMITS)
    assert caught.value.code == vector["expect"]


@pytest.mark.parametrize("name", _named(kind="package"))
def test_a_package_has_its_outcome(name: str) -> None:
    """Accepted, or refused with the code of the index."""
    vector = _BY_NAME[name]
    outcome = "accept"
    try:
        with PackageReader(DATA / vector["file"]) as reader:
            contents = reader.check()
    except PackageError as error:
        outcome = error.code
    else:
        assert contents.manifest.walnut == "vector"
        assert contents.executables == frozenset()
    assert outcome == vector["expect"]
