"""age in constant memory, measured in processes of their own (format.md §5)."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_MEGABYTES = 200
_ALLOWED_KIB = 40 << 10
_PREPARE = f"""
import base64, io, resource, sys, tempfile
import pyrage
from alive_p2p.package.envelopes.age import KeySealer, KeySource
from alive_p2p.package.envelopes.age_armor import DearmoredSource
from alive_p2p.package.envelopes.age_header import read_header
from alive_p2p.package.envelopes.age_passphrase import PassphraseSealer, PassphraseSource

identity = pyrage.x25519.Identity.generate()
piece = bytes(range(256)) * 3907
unit = 1024 if sys.platform == "darwin" else 1
def peak():
    # What `getrusage` tells includes the parent before `exec`, a large pytest that would hide everything.
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except FileNotFoundError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
def fill(sealer):
    for _ in range({_MEGABYTES}):
        sealer.write(piece)
    sealer.finish()
def drain(source):
    size = 0
    while data := source.read(1 << 17):
        size += len(data)
    assert size == {_MEGABYTES} * len(piece)
def passphrase_source(stream):
    header = read_header(stream)
    return PassphraseSource(header.payload, header, b"x")
file = open(sys.argv[1], "w+b")
# Libraries, threads and their first buffers belong to the baseline.
with io.BytesIO() as small:
    PassphraseSealer(small, b"x", work_factor=1).finish()
    small.seek(0); passphrase_source(small).read(1)
    small.seek(0); small.truncate()
    KeySealer(small, [identity.to_public()]).finish()
    small.seek(0); KeySource(small, [identity]).read(1)
before = peak()
"""
_WAYS = {
    "passphrase": """
fill(PassphraseSealer(file, b"x", work_factor=1))
file.seek(0)
drain(passphrase_source(file))
""",
    "key": """
fill(KeySealer(file, [identity.to_public()]))
file.seek(0)
drain(KeySource(file, [identity]))
""",
    "armored": """
class Armoring:
    rest = b""
    def write(self, data):
        self.rest += data
        whole = len(self.rest) // 48 * 48
        for at in range(0, whole, 48):
            file.write(base64.b64encode(self.rest[at : at + 48]) + b"\\n")
        self.rest = self.rest[whole:]
file.write(b"-----BEGIN AGE ENCRYPTED FILE-----\\n")
armoring = Armoring()
fill(PassphraseSealer(armoring, b"x", work_factor=1))
if armoring.rest:
    file.write(base64.b64encode(armoring.rest) + b"\\n")
file.write(b"-----END AGE ENCRYPTED FILE-----\\n")
file.seek(0)
drain(passphrase_source(file))
""",
}


@pytest.mark.parametrize("way", _WAYS)
def test_memory_does_not_grow_with_the_file(way: str, tmp_path: Path) -> None:
    """Sealing and opening 200 MB takes less than 40 MiB above what the libraries take."""
    pytest.importorskip("resource")
    code = _PREPARE + _WAYS[way] + "print(peak() - before)"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "sealed"], capture_output=True, check=True, timeout=300
    )
    assert int(done.stdout) < _ALLOWED_KIB
