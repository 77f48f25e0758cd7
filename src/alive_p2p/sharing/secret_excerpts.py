"""What is told of a secret without telling it: the identity of a finding, and an excerpt to find it by."""

import hashlib
import re

from alive_p2p.sharing.secret_set import Hit
from alive_p2p.sharing.secret_values import assigned_name
from alive_p2p.text import escape


def finding_id(kind: str, path: str, secret: bytes) -> str:
    """The stable identity of a finding (share.md §4)."""
    parts = (kind.encode(), path.encode("utf-8", "surrogateescape"), secret)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()[:12]


def mask(secret: bytes) -> str:
    """At most the first four characters of a secret, fewer of a short one, and its length."""
    shown = 0 if len(secret) < 8 else 2 if len(secret) < 16 else 4
    beginning = secret[:shown].decode("ascii", "replace").replace("\ufffd", "?")
    return f"{beginning}… ({len(secret)} bytes)"


def excerpt_of(hit: Hit) -> str:
    """Where a secret stands, and its beginning: a key's header, a name, a host, with the secret masked."""
    secret, groups = hit.secret, hit.match.re.groupindex
    if "header" in groups:
        shown = f"{hit.match['header'].decode('ascii', 'replace')} …"
    elif "host" in groups:
        shown = f"://…:{mask(secret)}@{hit.match['host'].decode('ascii', 'replace')}"
    elif "name" in groups:
        shown = f"{assigned_name(hit.match)[-48:]} = {mask(secret)}"
    else:
        shown = mask(secret)
    return checked_excerpt(shown, secret)


def checked_excerpt(shown: str, secret: bytes) -> str:
    """An excerpt safe to print and of at most 80 characters; without its surroundings where those repeat the secret.

    A password may be in the name it is assigned to, or in the host's.
    """
    text = secret[:4096].decode("utf-8", "replace")
    bare = re.sub(re.escape(mask(secret)), "", shown, count=1)
    if any(text[i : i + 4] in bare for i in range(max(len(text) - 3, 1))):
        shown = "***"
    return escape(shown)[:80]
