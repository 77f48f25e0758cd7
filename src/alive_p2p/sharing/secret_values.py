"""What a value is worth: whether something assigned, or beside a user, is a secret or merely stands there.

A value is believed if a machine seems to have made it (`looks_random`), or if it goes with a name that tells of a
password and a person may have chosen it (`looks_chosen`). Words, numbers, templates, references and addresses are
none. How much a name tells is its strength.
"""

import base64
import binascii
import math
import re
from collections import Counter

Span = tuple[int, int]
"""Where a secret is in a text."""


# --- judging values -----------------------------------------------------------------------------------------------

_STAND_INS = frozenset(
    b"password passwd pass passw passwort pwd pw secret token key apikey user username usr name login admin root guest"
    b" test testing example sample demo dummy fake foo bar baz foobar changeme change-me changeit placeholder redacted"
    b" hidden masked none null nil undefined true false yes no empty unset todo tbd xxx xx x p me mypass mypassword"
    b" mysecret my-password yourpassword x-oauth-basic oauth2 bearer basic string bytes str p4ss".split()
)
_TEMPLATE = re.compile(
    rb"\$[({]|\$[A-Z_][A-Z0-9_]+(?![A-Za-z0-9_])|\{\{|%[({]|\*{3}|\.{3}|\xe2\x80\xa6|\xe2\x80\xa2|#\{|"
    rb"\[\^?[A-Za-z0-9]-|\\[dwsnu]|(?i:x{4}|your[-_]?|change[-_]?(?:me|it|this)|placeholder|redacted|replace|insert[-_])"
)
_WHOLE_TEMPLATE = re.compile(
    rb"<[^<>]*>?\Z|\{[^{}]*\}?\Z|\$\w+(?:(?:->|::|\.)\w+)*\Z|%\w+%\Z|"
    rb"\$[0-9a-z-]{1,12}\$"  # a hash of a password, which is none
)
_VARIABLE = re.compile(rb"\$[A-Za-z_]")
_PLACES = re.compile(rb"<[^<>]*>|\{[^{}]*\}|%[A-Za-z]|[<>]")
"""What stands for something else if it stands alone, or among words; a password may hold it just as well."""

_NOT_A_VALUE = re.compile(
    rb"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//|[~.]{0,2}/[A-Za-z.]|[A-Za-z]:\\|[A-Za-z_$][\w$.:>-]*[(\[]|[@!&*][A-Za-z_.]+$|"
    rb"(?:data|urn|file|env|vault|arn|op|ssm|mailto):|[A-Za-z_-]+=\Z|-----"
)
_TECHNICAL = re.compile(
    rb"(?i)(?:sha|md|aes|rsa|oauth|argon|pbkdf|base|utf|hs|rs|es|ps|ed|x|hmac|rfc|iso|ipv|python|http|tls|win|k|v|"
    rb"i|s|u|h|p|ec|a|int|uint|float|fido|web|auth|level|step|part|chapter|note|page|table|fig|section|line|item|arg|"
    rb"param|value|field|var|str|string|char|user|test|group|type|option|version|phase|week|day|q|fy|id|no|nr)"
    rb"[-_ ]?[0-9]{1,5}(?:[-_./:,a-z]|$)"
)
_NUMERIC = re.compile(rb"[+~=]?[0-9][0-9.,:/x_+%\xc2\xb0-]*[a-zA-Z%]{0,9}$")
_SYMBOLS = re.compile(rb"[!@#$%^&*?+~=]")
_STRONG_SYMBOLS = re.compile(rb"[!@#$%^&]")
_SEPARATOR = re.compile(rb"[-_./:+=@, ]+")
_HEX = re.compile(rb"[0-9a-fA-F]+\Z")
_ONE_JOINT = re.compile(rb"[A-Za-z]+[0-9]+\Z|[0-9]+[A-Za-z]+\Z|[0-9]+\Z")
_CAMEL = re.compile(rb"[a-z][A-Z]")
_JOINT = re.compile(rb"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_ADDRESS = re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\Z")


def entropy(value: bytes) -> float:
    """Shannon entropy in bits per byte."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def _is_stand_in(value: bytes, user: bytes = b"") -> bool:
    """Whether it stands where a secret would be: a template, a reference, a word such as `changeme`."""
    low = value.lower().strip(b"-_*.")
    is_filler = len(set(low)) <= 2 and not low.isdigit()
    is_word = low in _STAND_INS or low == user.lower() or (low.isalpha() and low.endswith((b"pass", b"password")))
    return is_filler or is_word or _is_template(value)


def _is_template(value: bytes) -> bool:
    if _TEMPLATE.search(value) or _WHOLE_TEMPLATE.match(value):
        return True
    if _VARIABLE.search(value) and not any(48 <= byte <= 57 for byte in value):
        return True
    rest, places = _PLACES.subn(b"", value)
    return places > 0 and not looks_random(rest) and not looks_chosen(rest, is_weak_name=True)


def _is_wordy(segment: bytes) -> bool:
    """Whether a piece between separators is a word, a number, or a word with a number."""
    if segment.isalpha():
        return len(segment) < 12 or len(_CAMEL.findall(segment)) < len(segment) * 0.22
    return _ONE_JOINT.match(segment) is not None


def looks_random(value: bytes) -> bool:
    """Whether a machine made it: enough of it is neither words nor numbers, and its entropy is high."""
    if len(value) < 12 or not value.isascii() or (b"example" in value.lower() and len(value) < 32):
        return False
    random = sum(len(segment) for segment in _SEPARATOR.split(value) if segment and not _is_wordy(segment))
    if random < 12 or random * 2 < len(value):
        return False
    return entropy(value) >= (2.5 if _HEX.match(value) else 3.0)


def looks_chosen(value: bytes, *, is_weak_name: bool = False) -> bool:
    """Whether a person may have chosen it: `Tiger-Boat-42`, but not `required`."""
    if len(value) < (8 if is_weak_name else 6) or len(value) > 64 or b" " in value:
        return False
    if _ADDRESS.match(value):
        return False
    if _TECHNICAL.match(value) or _NUMERIC.match(value):
        return value.isdigit() and len(value) >= 8 and not is_weak_name
    has_lower, has_upper = value.upper() != value, value.lower() != value
    has_digit, has_symbol = any(48 <= byte <= 57 for byte in value), _SYMBOLS.search(value) is not None
    classes = has_lower + has_upper + has_digit + has_symbol
    if is_weak_name:
        return classes >= 3 and (has_digit or has_symbol)
    if _SEPARATOR.search(value.strip(b"=+@")):
        return has_digit and classes >= 3
    return (has_lower or has_upper) and (has_digit or _STRONG_SYMBOLS.search(value) is not None)


_SENTENCE = re.compile(
    rb"(?i)\b(?:must|least|chars?|characters?|digits?|letters?|numbers?|symbols?|enter|your|use|more|with|and|the|at|is|"
    rb"are|be|for|to|of|or|in|not|no|wrong|invalid|new|error|expired?|field|required|step|version|min|max|than|please|"
    rb"if|only|should|zeichen|mindestens|mit|der|die|das|und|de|la|le|et|el|y|para|con|caracteres)\b|pass|[.:()]\Z"
)


def _looks_like_a_phrase(value: bytes) -> bool:
    """Whether a person may have chosen it from several words: `four Red 8 boats`, but nothing that says something."""
    words = value.split(b" ")
    if not 3 <= len(words) <= 8 or not 10 <= len(value) <= 64 or b"" in words or _SENTENCE.search(value):
        return False
    return value.upper() != value and value.lower() != value and any(48 <= byte <= 57 for byte in value)


# --- judging assignments ------------------------------------------------------------------------------------------

_PASSWORDS = (
    *("password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "wachtwoord", "senha", "contrasena"),
    *("contraseña", "пароль", "密码", "密碼", "パスワード", "비밀번호", "lösenord", "hasło", "heslo", "mot·de·passe"),
)
_WEAK_PASSWORDS = frozenset(["pass", "pw", "pwd"])
_SECRETS = ("secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "encryptionkey")
KEY_QUALIFIERS = frozenset({
    "api", "access", "secret", "private", "encryption", "signing", "auth", "account", "master",
    "shared", "storage", "license", "admin", "hmac", "webhook", "consumer", "subscription", "app",
    "service", "deploy", "bot", "client", "server", "crypto", "jwt", "session",
})  # fmt: skip
_NAME_SUFFIXES = frozenset({
    "prod", "production", "staging", "stage", "dev", "development", "test", "live", "main", "old",
    "new", "backup", "default", "value", "val", "b64", "base64", "base", "plain", "raw", "primary",
    "secondary", "current", "encoded", "text", "data",
})  # fmt: skip
_HARMLESS_TOKENS = frozenset({
    "page", "nextpage", "next", "continuation", "continue", "sync", "pagination", "resume", "cursor",
    "pad", "eos", "bos", "unk", "sep", "cls", "mask", "special", "public", "cancel", "cancellation",
    "class", "css", "design", "lock", "idempotency", "request", "change", "forward", "backward",
})  # fmt: skip
_NAME_BEFORE = re.compile(rb"[A-Za-z0-9_.-]{0,48}\Z")
_NAME_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z\u0080-\uffff·]+|[0-9]+")

Strength = str  # "password", "weak" (a password by a short name), "secret" (made by machines), "" (nothing)


def assigned_name(match: "re.Match[bytes]") -> str:
    """The whole name something is assigned to; the pattern knows only its telling part."""
    start = match.start("name")
    before = _NAME_BEFORE.search(match.string, max(start - 48, 0), start)
    return ((before[0] if before else b"") + match["name"]).decode("utf-8", "replace").lstrip(".-")


def strength_of(name: str) -> Strength:
    """What the name of a variable, a field or a column promises of its value."""
    words = [piece.lower() for piece in _NAME_PIECES.findall(name.replace("mot de passe", "mot·de·passe"))]
    while len(words) > 1 and (words[-1] in _NAME_SUFFIXES or words[-1].isdigit()):
        words.pop()
    if not words:
        return ""
    last, previous = words[-1], words[-2] if len(words) > 1 else ""
    if last.endswith(_PASSWORDS):
        return "password"
    if last in _WEAK_PASSWORDS or (last.endswith(("pass", "pwd")) and last not in {"bypass", "compass", "surpass"}):
        return "weak"
    if last.endswith(_SECRETS):
        return "" if previous in _HARMLESS_TOKENS or "public" in words else "secret"
    if last in {"credential", "credentials", "auth"} or (last == "key" and previous in KEY_QUALIFIERS):
        return "secret"
    return ""


def is_believable(value: bytes, strength: Strength, *, is_variable: bool = False, is_quoted: bool = False) -> bool:
    """Whether a value behind a name of this strength looks like a real one, and not like a stand-in or a reference."""
    if _is_stand_in(value) or _NOT_A_VALUE.match(value):
        return False
    if b" " in value:
        return is_quoted and strength == "password" and _looks_like_a_phrase(value)
    if is_variable:  # what stands bare in program code is a name, unless no name looks like that
        return looks_random(value) and len(_JOINT.findall(value)) >= 5 and b"." not in value
    if looks_random(value):
        return True
    if strength == "secret":  # a person's choice for a machine's secret is believed only if it tries hard
        digits_and_symbols = any(48 <= byte <= 57 for byte in value) and _SYMBOLS.search(value.rstrip(b"=")) is not None
        return len(value) >= 10 and digits_and_symbols and looks_chosen(value, is_weak_name=True)
    return looks_chosen(value, is_weak_name=strength == "weak")


# --- judging matches ----------------------------------------------------------------------------------------------

_PORT = re.compile(rb"[0-9]{1,5}(?:[/?#,]|\Z)")
_PATH_STEP = re.compile(rb"[A-Za-z0-9:*]:\Z")


def judge_random(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """Whether it is no stand-in and a machine made it."""
    secret = match["secret"]
    return None if _is_stand_in(secret) or not looks_random(secret) else match.span("secret")


def judge_aws_secret(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """Forty characters of base64 are a key unless they are a checksum or words."""
    secret = match["secret"]
    return None if _HEX.match(secret) or secret.isalpha() or entropy(secret) < 3.5 else match.span("secret")


def judge_login(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """A user and a password side by side: in a URL, for curl, in a `.netrc`."""
    user, secret = match["user"], match["secret"].strip(b"\"'")
    if user in {b"anonymous", b"ftp"} or len(secret) < 4:
        return None
    if _is_stand_in(secret, user) or _PORT.match(secret) or (b"/" in secret and not looks_random(secret)):
        return None
    return match.span("secret")


def judge_basic(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """Basic credentials are `user:password` in base64."""
    text = match["secret"]
    try:
        user, colon, password = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True).partition(b":")
    except binascii.Error:
        return None
    if not colon or not (user + password).isascii() or not password or _is_stand_in(password, user):
        return None
    return match.span("secret")


def judge_curl(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """As `judge_login`, on a line that calls curl."""
    return judge_login(match, is_code) if b"curl" in line_before(match.string, match.start()) else None


def judge_assignment(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """Whether the name tells of a secret, and the value may be one."""
    data, (start, end) = match.string, match.span("secret")
    separator = match["separator"].strip(b" \t*")
    if separator.endswith(b">") and separator != b"=>" and data[end : end + 2] != b"</":
        return None
    if separator == b"|" and not line_before(data, start).startswith(b"|"):
        return None
    if separator == b":" and _PATH_STEP.search(data, max(match.start() - 2, 0), match.start()):
        return None  # `AWS::ApiGateway::ApiKey`, `arn:…:secret:name`
    strength = strength_of(assigned_name(match))
    if not strength or (separator.rstrip(b":").isalpha() and strength != "password"):
        return None  # "the token is …" says nothing, "the password is …" does
    is_bare = not match["open"]
    if is_bare:
        while end > start and data[end - 1] in b")]}.:!?*|_":  # the sentence's or the bracket's, not the secret's
            end -= 1
        if data[start] in b"([{+":  # an expression
            return None
    is_quoted = not is_bare and data[end : end + 1] == match["open"][-1:]
    is_secret = is_believable(data[start:end], strength, is_variable=is_bare and is_code, is_quoted=is_quoted)
    return (start, end) if is_secret else None


_LABEL = re.compile(
    rb"[ 	>]*(?:#{1,6}[ \t]+(?:[^\s:=]{1,24}[ \t]+){0,4}|(?:[-*+][ \t]+)?[*_]{0,3}(?:[^\s:=,;()]{1,20}[ \t]+){0,2})"
    rb"[*_\"'`]{0,3}[A-Za-z0-9_.-]*\Z"
)
_PAIR = re.compile(rb"[A-Za-z_][\w.-]*[:=][^=]")


def judge_below(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """A value alone on its line, below a name with a colon, a heading, or a label that is alone on its line as well."""
    data, (start, end) = match.string, match.span("secret")
    is_assigned = match["separator"].strip(b" \t*_#`")[:1] in {b":", b"="}
    if not is_assigned and (is_code or not _LABEL.match(line_before(data, match.start()))):
        return None
    if not match["open"] and (
        is_code or data[start] in b"([{+|" or data[end - 1] in b":)]}" or _PAIR.match(data[start:end])
    ):
        return None
    strength = strength_of(assigned_name(match))
    is_secret = strength and is_believable(data[start:end], "weak" if strength == "password" else strength)
    return (start, end) if is_secret else None


def judge_flag(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """The same for an option of a command, whose value is never a variable."""
    strength = strength_of(assigned_name(match))
    is_secret = is_believable(match["secret"], strength, is_variable=False)
    return match.span("secret") if is_secret else None


def line_before(data: bytes, position: int) -> bytes:
    """What stands before a place on its line, up to 400 bytes of it."""
    low = max(position - 400, 0)
    return data[max(data.rfind(b"\n", low, position), data.rfind(b"\r", low, position), low - 1) + 1 : position]
