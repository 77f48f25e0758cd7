"""The code of an invitation: everything that a peer needs to find a relay and to know its owner (relay.md §5).

One line that can be sent over any channel: `alive1-` and letters. It holds a secret that is good for one answer, and
ends in a checksum, so that a mistyped or cut-off code is told from one for another relay.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field

from alive_p2p.errors import RelayError, UsageError
from alive_p2p.keys.peers import check_name
from alive_p2p.text import breaks_the_line

_PREFIX = "alive1-"
_CHECK_BYTES = 4
_SECRET_BYTES = 16
_MOST = 4096


@dataclass(frozen=True)
class Code:
    """What an invitation says.

    Attributes:
        url: the relay's address.
        handle: what its owner calls themselves.
        inbox: the folder that is ours there: the owner's name for us.
        fingerprint: of the owner's key, whole; 64 hex digits.
        accepts: the envelopes the owner reads.
        secret: 16 bytes that only the owner and whoever got the code know.
    """

    url: str
    handle: str
    inbox: str
    fingerprint: str
    accepts: tuple[str, ...]
    secret: bytes = field(repr=False)

    def encode(self) -> str:
        """The code as one word."""
        said = [
            self.url,
            self.handle,
            self.inbox,
            base64.b64encode(bytes.fromhex(self.fingerprint)).decode(),
            " ".join(self.accepts),
            base64.b64encode(self.secret).decode(),
        ]
        data = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return _PREFIX + base64.urlsafe_b64encode(data + _check(data)).decode().rstrip("=")


def decode(text: str) -> Code:
    """Read a code, with whatever blanks and line breaks a mail program has put into it.

    Raises:
        RelayError: `bad-code`: it is mistyped, cut off, or something else.
    """
    word = re.sub(r"\s+", "", text).strip("`'\"<>")
    if not word.startswith(_PREFIX):
        raise _bad("it does not begin with `alive1-`")
    if len(word) > _MOST:
        raise _bad("it is far too long")
    letters = word.removeprefix(_PREFIX)
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad("it is mistyped or cut off") from None
    data, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if _check(data) != check:
        raise _bad("it is mistyped or cut off")
    try:
        url, handle, inbox, fingerprint, accepts, secret = json.loads(data.decode("utf-8"))
        code = Code(
            url,
            handle,
            inbox,
            base64.b64decode(fingerprint, validate=True).hex(),
            tuple(one for one in accepts.split() if one in {"age", "rsa"}),
            base64.b64decode(secret, validate=True),
        )
        check_name(handle)
        check_name(inbox)
    except (ValueError, TypeError, AttributeError, RecursionError, UsageError):
        raise _bad("it does not say what an invitation says") from None
    if not isinstance(url, str):
        raise _bad("it does not say what an invitation says")
    if len(code.fingerprint) != 64 or len(code.secret) != _SECRET_BYTES or not url or breaks_the_line(url):
        raise _bad("it does not say what an invitation says")
    return code


def _check(data: bytes) -> bytes:
    return hashlib.sha256(b"alive invitation" + data).digest()[:_CHECK_BYTES]


def _bad(why: str) -> RelayError:
    return RelayError(
        "bad-code",
        f"this is not the code of an invitation: {why}",
        untouched="everything",
        hint="copy the whole line once more, or ask for it again",
    )
