"""Makes right what a fuzzer cannot guess: the checksums of tar headers, and what ends an archive."""

import gzip

from alive_p2p.package.tar_headers import END

BLOCK = 512


def mended(tar: bytes) -> bytes:
    """The same archive with the checksum of every header that can be found, its last block filled up, and an end."""
    out = bytearray(tar)
    at = 0
    while at + BLOCK <= len(out) and any(out[at : at + BLOCK]):
        if bytes(out[at + 257 : at + 263]) != b"ustar ":
            out[at + 257 : at + 263] = b"ustar\0"
        total = sum(out[at : at + 148]) + 8 * 32 + sum(out[at + 156 : at + BLOCK])
        out[at + 148 : at + 156] = b"%06o\0 " % total
        stated = bytes(out[at + 124 : at + 135]).strip(b"\0 ")
        size = int(stated, 8) if stated and all(0x30 <= digit <= 0x37 for digit in stated) else 0
        at += BLOCK + size + -size % BLOCK
    out += bytes(max(at - len(out), 0) if at - len(out) < 1 << 16 else 0)
    out += bytes(-len(out) % BLOCK)
    return bytes(out[:at]) + END if at <= len(out) else bytes(out) + END


def gzipped(data: bytes) -> bytes:
    """As quickly as it can be done, and always the same."""
    return gzip.compress(data, 1, mtime=0)
