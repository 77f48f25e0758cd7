"""What a person would use instead: the standard tools, in pipelines as they would be typed.

A script finds everything in its environment: `$WALNUT` the folder, `$OUT` the file to write, `$PACKAGE` the file to
open, `$COPY` the folder to make, `$KEYS` the keys. So it is the same on every machine.
"""

import shutil
from dataclasses import dataclass

ENVELOPES = ("none", "passphrase", "rsa", "age")

_SEAL = {
    "none": 'tar -cf - -C "$WALNUT" . | gzip > "$OUT"',
    "passphrase": (
        'tar -cf - -C "$WALNUT" . | gzip'
        ' | openssl enc -aes-256-cbc -md sha256 -pbkdf2 -iter 600000 -salt -pass env:BENCH_PASSPHRASE > "$OUT"'
    ),
    "rsa": (
        'openssl rand -hex 32 > "$OUT.once"\n'
        'tar -cf - -C "$WALNUT" . | gzip'
        ' | openssl enc -aes-256-cbc -md sha256 -pbkdf2 -iter 1 -salt -pass file:"$OUT.once" > "$OUT"\n'
        'openssl pkeyutl -encrypt -pubin -inkey "$KEYS/ben.pem" -pkeyopt rsa_padding_mode:oaep'
        ' -pkeyopt rsa_oaep_md:sha256 -in "$OUT.once" -out "$OUT.key"\n'
        'rm "$OUT.once"'
    ),
    "age": 'tar -cf - -C "$WALNUT" . | gzip | age -R "$KEYS/ben.pub" > "$OUT"',
}
_SUMS = '(cd "$WALNUT" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)'

_OPEN = {
    "none": 'cat "$PACKAGE"',
    "passphrase": (
        'openssl enc -d -aes-256-cbc -md sha256 -pbkdf2 -iter 600000 -pass env:BENCH_PASSPHRASE -in "$PACKAGE"'
    ),
    "rsa": ('openssl enc -d -aes-256-cbc -md sha256 -pbkdf2 -iter 1 -pass file:"$COPY.once" -in "$PACKAGE"'),
    "age": 'age -d -i "$KEYS/ben.key" "$PACKAGE"',
}
_UNWRAP = (
    'openssl pkeyutl -decrypt -inkey "$KEYS/ben.key" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256'
    ' -in "$PACKAGE.key" -out "$COPY.once"\n'
)
_NEEDS = {"none": (), "passphrase": ("openssl",), "rsa": ("openssl",), "age": ("age",)}


@dataclass(frozen=True)
class Script:
    """A pipeline of standard tools.

    Attributes:
        text: for `sh -e`.
        reason: why it cannot be run here; None where it can.
    """

    text: str
    reason: str | None = None


def _script(text: str, *needs: str) -> Script:
    missing = [one for one in ("sh", "tar", "gzip", *needs) if not shutil.which(one)]
    return Script(text, f"{' and '.join(missing)} not installed here" if missing else None)


def create(envelope: str, *, sums: bool) -> Script:
    """Pack a folder, sealed in the same way; with `sums`, a SHA-256 of every file goes along.

    Without them the file can be opened, and nobody can tell whether what is in it is what was put in.
    """
    text = f"{_SUMS}\n{_SEAL[envelope]}" if sums else _SEAL[envelope]
    return _script(text, *_NEEDS[envelope], *(("sha256sum", "find", "sort", "xargs") if sums else ()))


def _unpack(envelope: str) -> str:
    if envelope == "none":
        return 'mkdir "$COPY" && tar -xzf "$PACKAGE" -C "$COPY"'
    unwrap = _UNWRAP if envelope == "rsa" else ""
    tidy = '\nrm "$COPY.once"' if envelope == "rsa" else ""
    return f'{unwrap}mkdir "$COPY" && {_OPEN[envelope]} | tar -xzf - -C "$COPY"{tidy}'


_CHECK = '(cd "$COPY" && sha256sum --quiet -c SHA256SUMS)'


def receive(envelope: str, *, safe: bool) -> Script:
    """Unpack what `create` made; where it is to be `safe`, compare every hash and flush it all to the disk."""
    text = _unpack(envelope) + (f'\n{_CHECK}\nsync -f "$COPY"' if safe else "")
    return _script(text, *_NEEDS[envelope], *(("sha256sum", "sync") if safe else ()))


def verify(envelope: str) -> Script:
    """Unpack it into a temporary folder and compare every hash; the folder is removed afterwards, on nobody's time."""
    return _script(f"{_unpack(envelope)}\n{_CHECK}", *_NEEDS[envelope], "sha256sum")


def info(envelope: str) -> Script:
    """Read the manifest at the front of a package of ours, and nothing behind it."""
    first = "tar -xzOf - --occurrence=1 manifest.yaml"
    if envelope == "none":
        return _script('tar -xzOf "$PACKAGE" --occurrence=1 manifest.yaml')
    if envelope == "rsa":
        return Script("", "no standard tool opens this envelope in one go")
    return _script(f"{_OPEN[envelope]} 2>/dev/null | {first}", *_NEEDS[envelope])


def unpack_limit(size: int) -> Script:
    """Decompress so many bytes and throw them away."""
    return _script(f'gzip -dc "$PACKAGE" 2>/dev/null | head -c {size} > /dev/null', "head")
