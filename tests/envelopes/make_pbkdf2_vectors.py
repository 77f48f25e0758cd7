"""Makes `pbkdf2_vectors.json`: what the passphrase envelope derives, as two other programs compute it.

`openssl kdf` and `nettle-pbkdf2` have to agree on every vector, or nothing is written. Nettle is the one that counts:
the library our code calls is built on OpenSSL itself. Run it as `python make_pbkdf2_vectors.py`; it is needed again
only where vectors are added, and its output does not change from one run to the next.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

OUTPUT = Path(__file__).with_name("pbkdf2_vectors.json")
LENGTH = 48
"""A key of 32 bytes and an IV of 16."""

PASSWORDS = {
    "no password": b"",
    "one letter": b"a",
    "some words": b"correct horse battery staple",
    "in UTF-8": "пароль — 合言葉 🔑".encode(),
    "a line feed at the end": b"secret\n",
    "one byte less than a block of SHA-256": b"0123456789abcdef" * 3 + b"0123456789abcde",
    "a block of SHA-256": b"0123456789abcdef" * 4,
    "one byte more than a block, so that it is hashed first": b"0123456789abcdef" * 4 + b"!",
    "a zero byte inside": b"be\0fore",
    "a zero byte at the end, which padding the key makes the same as none": b"before\0",
    "without that zero byte": b"before",
    "bytes that are no text": bytes(range(128, 256)),
    "a thousand bytes": b"long " * 200,
}
SALT_SIZES = (1, 7, 9, 16, 51, 52, 64, 65, 200)


def _cases() -> Iterator[tuple[str, bytes, bytes, int]]:
    for what, password in PASSWORDS.items():
        for iterations in (1, 2, 1_000, 10_000):
            yield f"password: {what}", password, _salt(what, 8), iterations
    for size in SALT_SIZES:
        for iterations in (1, 4_096):
            yield f"a salt of {size} bytes", b"correct horse", _salt(str(size), size), iterations
    yield "a salt of zeros", b"correct horse", bytes(8), 1
    yield "a salt of ones", b"correct horse", b"\xff" * 8, 1
    for iterations in (100_000, 600_000):
        for what in ("some words", "in UTF-8", "a thousand bytes"):
            yield f"the envelope's rounds, password: {what}", PASSWORDS[what], _salt(what, 8), iterations


def _salt(what: str, size: int) -> bytes:
    return hashlib.shake_128(what.encode()).digest(size)


def _by_openssl(password: bytes, salt: bytes, iterations: int) -> str:
    options = (f"hexpass:{password.hex()}" if password else "pass:", f"hexsalt:{salt.hex()}", f"iter:{iterations}")
    command = ["openssl", "kdf", "-keylen", str(LENGTH), "-kdfopt", "digest:SHA256"]
    command += [part for option in options for part in ("-kdfopt", option)]
    done = subprocess.run([*command, "PBKDF2"], check=True, capture_output=True, text=True)
    return done.stdout.strip().replace(":", "").lower()


def _by_nettle(password: bytes, salt: bytes, iterations: int) -> str:
    command = ["nettle-pbkdf2", "--iterations", str(iterations), "--length", str(LENGTH), "--hex-salt", salt.hex()]
    done = subprocess.run(command, input=password, check=True, capture_output=True)
    return "".join(done.stdout.decode("ascii").split())


def main() -> None:
    """Write the file."""
    tests = []
    for number, (comment, password, salt, iterations) in enumerate(_cases(), 1):
        derived = _by_openssl(password, salt, iterations)
        if derived != _by_nettle(password, salt, iterations):
            raise SystemExit(f"the two programs do not agree: {comment}, {iterations} rounds")
        tests.append(
            {
                "tcId": number,
                "comment": comment,
                "password": password.hex(),
                "salt": salt.hex(),
                "iterationCount": iterations,
                "dkLen": LENGTH,
                "dk": derived,
                "result": "valid",
            }
        )
    document = {
        "algorithm": "PBKDF2-HMACSHA256",
        "notes": "Our own, made by make_pbkdf2_vectors.py in the layout of Wycheproof's files; not part of Wycheproof.",
        "numberOfTests": len(tests),
        "testGroups": [{"type": "PbkdfTest", "tests": tests}],
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
