"""What a name says of a file: credentials, clutter and the like stay unless they are asked for (share.md §2)."""

import re

from alive_p2p.globs import Pattern
from alive_p2p.sharing.plan import Reason

NEVER_ANYWHERE = frozenset([".git", ".alive", ".walnut", "__macosx"])
CLUTTER = frozenset(["node_modules", "__pycache__", ".venv", "thumbs.db", "desktop.ini", "icon\r", ".ds_store"])
BUILD_OUTPUT = frozenset(["raw", "dist", "build", "target", ".next", "_archive", "_references"])
CREDENTIALS = re.compile(
    r"""
    .*\.(pem|key|p12|pfx|pkcs12|jks|keystore|kdbx|kdb|ppk|asc\.key|sqlite-wal|sqlite-shm|sqlite-journal|db-wal|db-shm)
    | id_(?!.*\.pub$).*
    | \.env.* | .*\.env | \.netrc | _netrc | \.pgpass | \.npmrc | \.pypirc | \.htpasswd | \.git-credentials
    | credentials.* | client_secret.* | service-account.*\.json
    | secrets\.(ya?ml|json|toml) | token\.json | kubeconfig | wallet\.dat
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_BACKUP = re.compile(r"(\.(bak|old|orig|save|swp)|~)+\Z", re.IGNORECASE)
"""What editors and people put behind the name of a copy; the copy is what the original is."""


def reason_by_name(name: str, walnut_path: str, *, is_folder: bool) -> Reason | None:
    """Why something stays unless it is asked for; None where its name says nothing against it.

    Args:
        name: its own.
        walnut_path: its path in the walnut.
        is_folder: whether it is a folder.
    """
    folded = name.lower()
    original = _BACKUP.sub("", name)
    if folded in CLUTTER or name.startswith("._"):
        return Reason.CLUTTER
    if _is_credential(name, original):
        return Reason.CREDENTIAL
    if is_folder and "/" not in walnut_path and folded in BUILD_OUTPUT:
        return Reason.BUILD_OUTPUT
    if name.startswith("."):
        return Reason.HIDDEN
    if not is_folder and original.lower().endswith(".walnut"):
        return Reason.OLDER_PACKAGE
    return None


def _is_credential(name: str, original: str) -> bool:
    """Whether a file holds credentials by its name, or by the name of what it is a copy of."""
    return bool(CREDENTIALS.fullmatch(name) or (original != name and CREDENTIALS.fullmatch(original)))


def names_a_credential(pattern: Pattern) -> bool:
    """Whether a pattern means credentials and does not only happen to match one: `*.pem`, but not `*.*`."""
    last = pattern.text.rstrip("/").rpartition("/")[2]
    name = re.sub(r"\[[^\]]*\]|[*?]", "x", last)
    return _is_credential(name, _BACKUP.sub("", name))
