"""`active_sessions` in a bundle's manifest: who works on it on this machine, and nobody else's business.

It never leaves (share.md §2), and it is ignored when two versions of a manifest are compared (receive.md §5).
"""

from alive_p2p import hashing, safe_yaml
from alive_p2p.errors import WalnutError
from alive_p2p.safe_yaml import UnsafeYamlError
from alive_p2p.text import fold
from alive_p2p.walnut import frontmatter, kernel
from alive_p2p.walnut.markdown import split_lines

SESSIONS = "active_sessions"


def without_active_sessions(data: bytes, path: str) -> bytes:
    """Remove `active_sessions` from a bundle's manifest, leaving every other byte as it was (share.md §2).

    Args:
        data: the manifest.
        path: where it lies; one that is a `companion.md` keeps its fields in its frontmatter.

    Raises:
        WalnutError: it is there, and cannot be removed with certainty.
    """
    if fold(path.rpartition("/")[2]) != kernel.V1_BUNDLE_MANIFEST:
        return _without_sessions(data, path)
    block = frontmatter.read(data)
    if block.is_present:
        return data[: block.start] + _without_sessions(block.yaml_of(data), path) + data[block.end :]
    if block.problem is not None and SESSIONS in _said(data).replace("\0", ""):
        raise _uncertain(path)
    return data


def _said(data: bytes) -> str:
    return data.decode("utf-8", "replace").casefold()


def _is_sessions(name: str) -> bool:
    return name.strip().casefold() == SESSIONS


def _without_sessions(data: bytes, path: str) -> bytes:
    """The same, of YAML that is nothing else."""
    if not any(mark in _said(data) for mark in (SESSIONS, "\\", "\0")):
        return data  # an escape, or another encoding, may spell the key in another way
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WalnutError(
            "not-utf-8",
            f"'{path}' is not UTF-8, so nobody can tell what it says",
            untouched="everything",
            hint="save it as UTF-8, or leave the bundle out",
        ) from None
    try:
        before = safe_yaml.load_mapping(data).value
        covered = safe_yaml.top_level_lines(text.removeprefix("\ufeff"))
    except UnsafeYamlError:
        raise _uncertain(path) from None
    found = list(filter(_is_sessions, before)) if isinstance(before, dict) else []
    if not isinstance(before, dict) or not found:
        return data
    if not covered.keys() >= set(found):
        raise _uncertain(path)
    gone = {line for name in found for line in range(covered[name][0], covered[name][1] + 1)}
    kept = "".join(line for number, line in enumerate(split_lines(text)) if number not in gone)
    if 0 in gone and text.startswith("\ufeff"):
        kept = "\ufeff" + kept
    edited = kept.encode()
    try:
        after = safe_yaml.load_mapping(edited).value
    except UnsafeYamlError:
        raise _uncertain(path) from None
    if after != {name: value for name, value in before.items() if name not in found}:
        raise _uncertain(path)
    return edited


def _uncertain(path: str) -> WalnutError:
    return WalnutError(
        "active-sessions",
        f"'{path}' lists active sessions in a way that cannot be taken out safely",
        untouched="everything",
        hint=f"remove `{SESSIONS}` from that file, or leave the bundle out",
    )


def comparable_sha256(data: bytes, path: str) -> str:
    """The SHA-256 of a manifest without its sessions; of the manifest as it is, where they cannot be taken out."""
    try:
        return hashing.sha256(without_active_sessions(data, path))
    except WalnutError:
        return hashing.sha256(data)
