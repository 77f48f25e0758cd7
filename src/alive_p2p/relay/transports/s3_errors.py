"""From the library's words, and those of stores, to errors of ours: the cause, what was left, the next command.

Nothing of what a store says is shown but its code and its sentence, without our access key and token.
"""

import re
from dataclasses import dataclass
from enum import Enum

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.s3_address import Address
from alive_p2p.relay.transports.s3_login import Login
from alive_p2p.text import one_line

_AGAIN = "nothing is lost; run it again later"
_ASK = "ask the bucket's owner whether you may still do this; `alive-p2p relay invite` tells them what to grant"
_REGION = "add `region=NAME` with the bucket's own region to the address"


class Kind(Enum):
    """What a failure means for whoever goes on."""

    GONE = "it is not there"
    TAKEN = "it is there already"
    CHANGED = "it is another one by now"
    BAD_NAME = "a name cannot be one"
    NOT_OFFERED = "the store does not do that"
    DENIED = "we may not"
    BUSY = "nothing was done, and it is worth trying for a while"
    UNCLEAR = "it may have been done, and is worth trying again"
    OTHER = "anything else"


class StoreProblem(Exception):  # noqa: N818  (it is told as a RelayError, or never)
    """A request that failed.

    Args:
        kind: what it means.
        code: of the error that it is told as.
        message: the same.
        hint: the same.
        details: the same.
    """

    def __init__(
        self, kind: Kind, code: str, message: str, hint: str | None = None, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self._told = (code, message, hint, details)

    def error(self, untouched: str = "everything") -> RelayError:
        """How it is told."""
        code, message, hint, details = self._told
        return RelayError(code, message, untouched=untouched, hint=hint, details=details)


@dataclass(frozen=True)
class _Known:
    """A code of a store, or words of the library, that mean something."""

    words: str
    code: str
    message: str
    hint: str | None = None
    kind: Kind = Kind.OTHER


# `{place}` is the store, `{bucket}` the bucket, `{region}` the address's region, `{found}` the one that the store
# names, `{source}` where the login is from and `{renew}` how it is renewed.
_CODES = (
    _Known(
        "NoSuchBucket",
        "relay-missing",
        "there is no bucket '{bucket}' at {place}",
        "check the name, the endpoint and the region; a bucket is made at the store, not here",
    ),
    _Known("NoSuchKey", "relay-gone", "it is not in the bucket any more", "run it again", Kind.GONE),
    _Known(
        "InvalidAccessKeyId|InvalidClientTokenId|InvalidSecurity",
        "relay-denied",
        "{place} does not know your access key, from {source}",
        "check that it is the key for this store; {renew}",
    ),
    _Known(
        "SignatureDoesNotMatch",
        "relay-denied",
        "{place} does not take your login from {source}: its secret and its access key are not a pair",
        "copy both once more; {renew}",
    ),
    _Known(
        "ExpiredToken\\w*|TokenRefreshRequired|InvalidToken|UnrecognizedClientException",
        "relay-denied",
        "your login for {place}, from {source}, counts no longer",
        "{renew}",
    ),
    _Known(
        "RequestTimeTooSkewed|RequestExpired|RequestInTheFuture",
        "relay-denied",
        "this machine's clock and that of {place} differ too much",
        "set this machine's clock, then run it again",
    ),
    _Known(
        "PermanentRedirect|TemporaryRedirect|Redirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException",
        "relay-missing",
        "the bucket '{bucket}' does not lie in the region '{region}'{found}",
        _REGION,
    ),
    _Known(
        "SlowDown|TooManyRequests|Throttl\\w+|RequestLimitExceeded|ServiceUnavailable|BandwidthLimitExceeded",
        "relay-unreachable",
        "{place} asks us to slow down",
        "wait a few minutes, then run it again",
        Kind.BUSY,
    ),
    _Known(
        "ConditionalRequestConflict|OperationAborted",
        "relay-busy",
        "others were always faster to change the relay at {place}",
        "run it again in a few minutes",
        Kind.BUSY,
    ),
    _Known(
        "EntityTooLarge|MaxMessageLengthExceeded",
        "relay-rejected",
        "{place} refuses it: a file is larger than it takes",
        "share single bundles, or send the file by another way",
    ),
    _Known(
        "\\w*QuotaExceeded\\w*|XMinioStorageFull|InsufficientStorage|StorageFull|ServiceQuotaExceeded\\w*|NotEnoughSpace|AccountProblem|\\w*LimitExceeded",
        "relay-rejected",
        "{place} takes nothing more: its owner's space, or what was agreed on, is used up",
        "ask the bucket's owner to make room",
    ),
    _Known(
        "NotImplemented",
        "relay-rejected",
        "{place} does not do what a relay needs",
        "a store is needed that knows conditional requests (`If-None-Match`)",
        Kind.NOT_OFFERED,
    ),
    _Known(
        "InvalidBucketName", "bad-address", "'{bucket}' cannot be the name of a bucket at {place}", "check the address"
    ),
    _Known(
        "KeyTooLong\\w*",
        "relay-rejected",
        "{place} refuses it: a name is longer than it takes",
        "use a shorter prefix in the address",
    ),
    _Known(
        "InternalError|InternalServerError",
        "relay-unreachable",
        "{place} has a problem of its own",
        _AGAIN,
        Kind.UNCLEAR,
    ),
    _Known("RequestTimeout", "relay-unreachable", "{place} has waited too long for what we sent", _AGAIN, Kind.UNCLEAR),
    _Known(
        "PreconditionFailed",
        "relay-busy",
        "others were always faster to change the relay at {place}",
        "run it again in a few minutes",
        Kind.CHANGED,
    ),
    _Known(
        "AccessDenied|AllAccessDisabled|UnauthorizedAccess|Forbidden|AccountNotEntitled",
        "relay-denied",
        "{place} does not let you do this in the bucket '{bucket}'",
        _ASK,
        Kind.DENIED,
    ),
)

_STATUSES = {
    "301": "PermanentRedirect",
    "307": "TemporaryRedirect",
    "401": "InvalidToken",
    "403": "AccessDenied",
    "404": "NoSuchKey",
    "408": "RequestTimeout",
    "412": "PreconditionFailed",
    "413": "EntityTooLarge",
    "429": "TooManyRequests",
    "500": "InternalError",
    "501": "NotImplemented",
    "502": "InternalError",
    "503": "ServiceUnavailable",
    "504": "InternalError",
    "507": "InsufficientStorage",
}
"""What a status means where a store gives no code that is known."""

_CHECK = "check the network and the address, then run it again"

_WORDS = (
    _Known(
        "BareRedirect",
        "relay-missing",
        "the bucket '{bucket}' does not lie in the region '{region}'{found}",
        _REGION,
    ),
    _Known(
        "dns error|failed to lookup address|Name or service not known|nodename nor servname",
        "relay-unreachable",
        "no host of the name '{place}' can be found: the name is wrong, or there is no network",
        _CHECK,
    ),
    _Known(
        "invalid peer certificate|InvalidCertificate|CertificateRequired|UnknownIssuer|NotValidForName",
        "relay-unreachable",
        "no connection to {place} that can be trusted: its certificate is not in order, or somebody is in between",
        "check this machine's clock; AWS_CA_BUNDLE names the certificates of an authority of your own",
    ),
    _Known(
        "InvalidContentType|InvalidMessage|AlertReceived|HandshakeFail|tls|Tls|PeerIncompatible",
        "relay-unreachable",
        "no connection to {place} that can be trusted: it does not speak TLS there, or not as it should",
        "check the port in the address",
    ),
    _Known(
        "[Pp]roxy|[Tt]unnel",
        "relay-unreachable",
        "the proxy on the way to {place} does not let us through",
        "check HTTPS_PROXY and NO_PROXY",
    ),
    _Known(
        "ConnectionRefused|NetworkUnreachable|HostUnreachable|AddrNotAvailable|kind: Connect,",
        "relay-unreachable",
        "{place} does not answer",
        _CHECK,
    ),
    _Known("Timeout|TimedOut|timed out", "relay-unreachable", "{place} kept us waiting", _AGAIN, Kind.UNCLEAR),
    _Known(
        r"kind: (?:Request|Interrupted|Decode|Body|Unknown)|ConnectionReset|BrokenPipe|IncompleteMessage|UnexpectedEof|"
        r"connection closed|error decoding response body",
        "relay-unreachable",
        "the connection to {place} broke off",
        _AGAIN,
        Kind.UNCLEAR,
    ),
    _Known(
        r"list response|Got invalid|deserialize|unexpected end of|missing field|Missing ",
        "relay-hostile",
        "{place} does not answer as a store does",
        "check the endpoint in the address",
    ),
    _Known(
        "redential|container|WebIdentity|assume role|[Tt]oken",
        "s3-no-login",
        "the login for {place}, from {source}, cannot be had",
        "{renew}",
    ),
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,80})\s*</Code>|\(code: ([A-Za-z0-9.]{1,80})\)")
_SAID = re.compile(r"<Message>\s*([^<]{1,600})")
_FOUND = re.compile(r"<Region>\s*([a-z0-9-]{1,40})\s*</Region>")


def problem_of(error: BaseException, address: Address, login: Login) -> StoreProblem:
    """What an exception of the library means.

    Args:
        error: as it was raised.
        address: the bucket.
        login: what was sent along.
    """
    kind_of_error = type(error).__name__
    every = str(error)
    words, _, debug = every.partition("\n\nDebug source:")
    at = words.rfind("status code: ")
    answer = words[at:] if at >= 0 else words
    if kind_of_error == "InvalidPathError":
        return StoreProblem(
            Kind.BAD_NAME,
            "relay-hostile",
            "a name in the bucket is none that anybody accepts",
            "ask the bucket's owner who else may write there",
        )
    match = _CODE.search(answer)
    code = next(filter(None, match.groups()), "") if match is not None else ""
    status = found[1] if (found := _STATUS.match(answer)) is not None else ""
    known = _by_code(code) or _by_code(_STATUSES.get(status, ""))
    if kind_of_error == "AlreadyExistsError" and (known is None or known.kind in {Kind.CHANGED, Kind.OTHER}):
        return StoreProblem(Kind.TAKEN, "relay-taken", "it is in the bucket already", "run it again")
    if known is None and not (status or code):
        cause = debug[debug.rfind("inner:") :] if "inner:" in debug else words  # what stands before holds names
        known = next((one for one in _WORDS if re.search(one.words, cause)), None)
    if known is None:
        known = _Known("", "relay-unreachable", "the bucket '{bucket}' at {place} cannot be used", _CHECK)
    region = _FOUND.search(answer)
    told = {
        "place": address.place,
        "bucket": address.bucket,
        "region": address.region,
        "found": f", but in '{region[1]}'" if region is not None else "",
        "source": login.source,
        "renew": login.hint,
    }
    return StoreProblem(
        known.kind,
        known.code,
        known.message.format(**told),
        known.hint and known.hint.format(**told),
        _details(code or status, answer, login),
    )


def overtime(address: Address, seconds: float | None) -> StoreProblem:
    """A request that did not end in time; without a time, one that nobody wants to wait for any more."""
    how_long = "" if seconds is None else f" for {seconds:g} seconds"
    return StoreProblem(Kind.UNCLEAR, "relay-unreachable", f"{address.place} kept us waiting{how_long}", _AGAIN)


def _by_code(code: str) -> _Known | None:
    return next((one for one in _CODES if code and re.fullmatch(one.words, code)), None)


def _details(code: str, answer: str, login: Login) -> tuple[str, ...]:
    """What the store has said, in one safe line."""
    if not code:
        return ()
    said = _SAID.search(answer)
    text = one_line(f"{code}: {said[1]}" if said is not None else code, limit=300)
    for secret in login.secrets:
        text = text.replace(secret, "***")
    return (text,)
