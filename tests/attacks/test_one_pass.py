"""The shared fixtures, made so that they can be unpacked while they are checked: it comes to the same."""

import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.receiving import ahead
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest
from alive_p2p.runtime import Runtime
from worlds import tree_of

_LARGEST = 3_000_000
_UNPACKED = 30 << 20


def _with_everything_stated(package: Path) -> bytes | None:
    """The package with a manifest that names executables and empty folders, none; None where it cannot be made so."""
    raw = package.read_bytes() if package.stat().st_size <= _LARGEST else b""
    try:
        archive = zlib.decompressobj(31).decompress(raw, _UNPACKED) if raw[:2] == b"\x1f\x8b" else b""
        size = int(archive[124:136].strip(b"\0 "), 8)
    except (zlib.error, ValueError):
        return None
    if archive[:13] != b"manifest.yaml" or archive[257:262] != b"ustar":
        return None
    text = archive[512 : 512 + size].rstrip(b"\n") + b"\n"
    for name in (b"executables", b"empty_dirs"):
        text += b"" if b"\n" + name + b":" in text else name + b": []\n"
    header = archive[:124] + b"%011o\0" % len(text) + archive[136:148] + b" " * 8 + archive[156:512]
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    rest = archive[512 + size + -size % 512 :]
    return gzip.compress(header + text + bytes(-len(text) % 512) + rest, 1)


def _looked_at(_plan: ReceivePlan) -> None:
    """Somebody who looks and agrees: two passes."""


def test_every_fixture_comes_to_the_same_in_one_pass(
    fixtures: Path, tmp_path: Path, make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Received alike or refused alike, with the same words, and nothing is left of what is refused."""
    used: list[bool] = []
    real = ahead.Ahead.begin

    def begin(self: ahead.Ahead, *arguments: object) -> object:
        used.append((found := real(self, *arguments)) is not None)  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(ahead.Ahead, "begin", begin)
    for package in sorted(fixtures.rglob("*.walnut")):
        variant = _with_everything_stated(package)
        if variant is None:
            continue
        outcomes = []
        for way, approve in (("asked", _looked_at), ("agreed", None)):
            base = tmp_path / hashlib.sha256(str(package).encode()).hexdigest()[:12] / way
            base.mkdir(parents=True)
            (base / "p.walnut").write_bytes(variant)
            runtime = make_runtime(cwd=base, HOME=str(base / "home"), ALIVE_SESSION_ID="s")
            runtime = replace(runtime, new_uuid=lambda: str(UUID(int=4)))
            try:
                result = receive(ReceiveRequest(base / "p.walnut", target=base / "new"), runtime, approve=approve)
                said: object = (result.status, result.plan.warnings)
            except AliveP2PError as error:
                said = (error.code, error.message.replace(str(base), ""))
            outcomes.append((said, {k: v for k, v in tree_of(base).items() if not k.startswith("home/")}))
        assert outcomes[0] == outcomes[1], package
    assert sum(used) > 30
