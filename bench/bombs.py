"""How soon a package is refused that would unpack to more than the limit, beside unpacking that much and no more."""

import hashlib
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from bench import tools
from bench.bench import Bench
from bench.contestants import TOOLS, receive_command
from bench.corpora import SEED
from bench.measuring import Contestant, FailedError, Ran, remove
from bench.results import Case, timed

LIMIT = 500 << 20
"""What a receiver takes by default, in bytes (format.md §1)."""
ALONE = "the same decompressor alone"
_UNPACK = f"""
import os
try:
    from zlib_ng.gzip_ng import open
except ImportError:
    from gzip import open
left = {LIMIT}
with open(os.environ["PACKAGE"], "rb") as source:
    while left > 0 and (data := source.read(1 << 20)):
        left -= len(data)
"""
_ZEROS = 8 << 20
_SIZE = 8_000_000_000


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.USTAR_FORMAT)


def _manifest(path: str, size: int) -> bytes:
    """A manifest that is right in every respect but for the hash of what it lists."""
    sha256 = hashlib.sha256(str(SEED).encode()).hexdigest()
    listed = hashlib.sha256(f"{path}\0{sha256}\0{size}\n".encode()).hexdigest()
    return (
        'format_version: "2.1.0"\nsource_layout: "v3"\ncreated: "2026-04-07T10:15:00Z"\nscope: "full"\n'
        f'source:\n  walnut: "bomb"\nsender: "mallory"\npayload_sha256: "{listed}"\n'
        f'files:\n  - path: "{path}"\n    sha256: "{sha256}"\n    size: {size}\n'
    ).encode()


def _member(name: str, data: bytes) -> bytes:
    return _header(name, len(data)) + data + bytes(-len(data) % 512)


def _zeros(output: BinaryIO, size: int) -> None:
    """So many zeros, or a little more, in streams that gzip reads as one."""
    stream = _gzip(bytes(_ZEROS))
    output.writelines(stream for _ in range(-(-size // _ZEROS)))


def _one_large_file(output: BinaryIO) -> None:
    output.write(_gzip(_member("manifest.yaml", _manifest("a.txt", 3)) + _header("a.txt", _SIZE // 512 * 512)))
    _zeros(output, _SIZE)


def _many_files(output: BinaryIO) -> None:
    """The manifest comes last, so that nobody knows before the limit is reached."""
    one = 1 << 20
    content = _gzip(bytes(one))
    output.writelines(_gzip(_header(f"{number:05}.txt", one)) + content for number in range(1000))
    output.write(_gzip(_member("manifest.yaml", _manifest("a.txt", 3)) + bytes(1024)))


def _endless_padding(output: BinaryIO) -> None:
    output.write(_gzip(_member("manifest.yaml", _manifest("a.txt", 3)) + _member("a.txt", b"abc") + bytes(1024)))
    _zeros(output, _SIZE)


BOMBS: dict[str, Callable[[BinaryIO], None]] = {
    "one file of 8 GB": _one_large_file,
    "a thousand files of 1 MiB, the manifest last": _many_files,
    "8 GB of zeros after the end": _endless_padding,
}


def bombs(bench: Bench) -> Iterator[Case]:
    """Receive each bomb, which has to be refused without a trace."""
    stage = bench.stage
    target = stage.other_world / "04_Ventures" / "bomb"
    package = stage.root / "bomb.walnut"
    script = tools.unpack_limit(LIMIT)

    def check(ran: Ran) -> None:
        if target.exists() or ran.code == 0:
            raise FailedError("took a bomb")

    for title, write in BOMBS.items():
        bench.say(f"  bomb: {title}")
        with package.open("wb") as output:
            write(output)
        environ = stage.environ("ben", PACKAGE=str(package))
        made = [
            Contestant(
                name,
                receive_command(program, package, target, ()),
                environ,
                stage.other_world,
                check=check,
                clean=lambda: remove(target),
                codes=frozenset({1}),
            )
            for name, program in stage.programs.builds.items()
        ]
        reason = script.reason
        if not reason:
            made.append(Contestant(TOOLS, ["sh", "-ec", script.text], environ, stage.other_world))
        made.append(Contestant(ALONE, [sys.executable, "-c", _UNPACK], environ, stage.other_world))
        done = bench.meter.contest(made, bench.scale.rounds, 0)
        yield timed(
            "bombs", title, done, detail=f"{_size(package):,} bytes", left_out={TOOLS: reason} if reason else {}
        )
    remove(package)


def _size(path: Path) -> int:
    return path.stat().st_size
