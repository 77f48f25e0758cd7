"""What a secret looks like (share.md §4): shapes of keys and tokens, and the judgement of assignments.

A rule has a *trigger* and a *pattern*. The trigger is coarse, valid in RE2 and in `re`, and goes into one automaton
that reads every text once; only where it fires does the pattern look for the place, and a judge for the sense. A
trigger therefore has to fire wherever its pattern matches. Patterns are bounded (`LONGEST`) and never nest one
unbounded repetition in another, so that time is linear in the text.

A missed secret leaks a key and a wrong alarm blocks a person's share. Tokens with a prefix of their own are
believed by their shape; everything else has to be *assigned to a telling name* and to look like something a machine
made or a person would choose as a password.
"""

import base64
import binascii
import functools
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

LONGEST = 7 * 1024
"""No pattern matches more bytes than this: the overlap of two windows has to hold a whole match."""

Span = tuple[int, int]
Judge = Callable[["re.Match[bytes]", bool], Span | None]
"""Gets a match and whether the file is program code; answers where the secret is, or None if it is none."""


@dataclass(frozen=True)
class Rule:
    """One kind of secret.

    Attributes:
        kind: the rule's word, part of a finding's identity.
        what: what it finds, for people.
        trigger: coarse pattern for the automaton.
        pattern: precise pattern; its group `secret` is the secret.
        judge: decides about a match.
        anchor: where a match may begin, as a pattern for the text in lower case; a slow pattern is tried only there.
        in_text_only: whether the shape is not distinct enough to mean anything in binary data.
    """

    kind: str
    what: str
    trigger: bytes
    pattern: bytes
    judge: Judge
    anchor: bytes = b""
    in_text_only: bool = False

    @functools.cached_property
    def compiled(self) -> "re.Pattern[bytes]":
        """The pattern, compiled when it is first needed."""
        return re.compile(self.pattern)


# --- judging what stands alone ------------------------------------------------------------------------------------

_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_FILL = re.compile(rb"(?i)x{6}|\*{3}|\.{3}|0{12}|example|placeholder|redacted|your[-_]|[-_]here$")


def _starts_a_word(data: bytes, start: int) -> bool:
    """Whether nothing of the same word stands before; an escaped line break (JSON) or `%3D` (URLs) may."""
    if start == 0 or data[start - 1] not in _WORD:
        return True
    return data[max(start - 2, 0) : start] in {b"\\n", b"\\r", b"\\t"} or data[max(start - 3, 0) : start - 2] == b"%"


def _token(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001  (all judges look alike)
    start, end = match.span("secret")
    if not _starts_a_word(match.string, start) or _FILL.search(match.string, start, end):
        return None
    return start, end


def _as_it_is(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    return match.span("secret")


def _whole_word(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    """As `_token`, for keys whose published examples should be shown as findings as well."""
    return match.span("secret") if _starts_a_word(match.string, match.start("secret")) else None


_PEM_REACH = 6 * 1024
_PORT = re.compile(rb"[0-9]{1,5}(?:[/?#,]|\Z)")
_ESCAPED_BREAK = re.compile(rb"\\+[nrt]")
_NO_PAYLOAD = re.compile(rb"[^A-Za-z0-9]+")
_ARMOR_HEADER = re.compile(rb"[A-Za-z-]{3,20}: ")
_PAYLOAD = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9_.(])")


def _pem(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    """A header with base64 after it is a key; a header that is merely talked about is none."""
    data, (start, end) = match.string, match.span("secret")
    after = data[end : end + _PEM_REACH]
    closing = after.find(b"END ")
    body = after if closing < 0 else after[:closing]
    for line in _ESCAPED_BREAK.sub(b"\n", body[:1024]).splitlines():
        text = line[gap.end() :] if (gap := _NO_PAYLOAD.match(line)) else line
        if not text or _ARMOR_HEADER.match(text):
            continue
        payload = _PAYLOAD.match(text)
        is_key = payload is not None and not payload[0].islower() and not _FILL.search(payload[0])
        return (start, end + len(body.rstrip(b"- \t\r\n"))) if is_key else None
    return None


def _random(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    secret = match["secret"]
    return None if _is_stand_in(secret) or not looks_random(secret) else match.span("secret")


def _aws_secret(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    secret = match["secret"]
    return None if _HEX.match(secret) or secret.isalpha() or entropy(secret) < 3.5 else match.span("secret")


def _login(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    """A user and a password side by side: in a URL, for curl, in a `.netrc`."""
    user, secret = match["user"], match["secret"].strip(b"\"'")
    if user in {b"anonymous", b"ftp"} or len(secret) < 4:
        return None
    if _is_stand_in(secret, user) or _PORT.match(secret) or (b"/" in secret and not looks_random(secret)):
        return None
    return match.span("secret")


def _discord(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: FBT001
    """The first part of a bot's token is its numeric id."""
    part = match["secret"].split(b".")[0]
    try:
        identity = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return _token(match, is_code) if identity.isdigit() else None


def _basic(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    """Basic credentials are `user:password` in base64."""
    text = match["secret"]
    try:
        user, colon, password = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True).partition(b":")
    except binascii.Error:
        return None
    if not colon or not (user + password).isascii() or not password or _is_stand_in(password, user):
        return None
    return match.span("secret")


def _curl(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: FBT001
    return _login(match, is_code) if b"curl" in _line_before(match.string, match.start()) else None


# --- judging values -----------------------------------------------------------------------------------------------

_STAND_INS = frozenset(
    b"password passwd pass passw passwort pwd pw secret token key apikey user username usr name login admin root guest"
    b" test testing example sample demo dummy fake foo bar baz foobar changeme change-me changeit placeholder redacted"
    b" hidden masked none null nil undefined true false yes no empty unset todo tbd xxx xx x p me mypass mypassword"
    b" mysecret my-password yourpassword x-oauth-basic oauth2 bearer basic string bytes str p4ss".split()
)
_TEMPLATE = re.compile(
    rb"[<>]|\$[({A-Za-z_0-9]|\{[^}]*\}|%[({a-zA-Z]|\*{3}|\.{3}|\xe2\x80\xa6|\xe2\x80\xa2|#\{|"
    rb"\[\^?[A-Za-z0-9]-|\\[dwsnu]|(?i:x{4}|your[-_]?|change[-_]?(?:me|it|this)|placeholder|redacted|replace|insert[-_])"
)
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
    return is_filler or is_word or _TEMPLATE.search(value) is not None


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
    """Whether a person may have chosen it as a , `Tiger-Boat-42`, but not `required`."""
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


# --- judging assignments ------------------------------------------------------------------------------------------

_PASSWORDS = (
    *("password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "wachtwoord", "senha", "contrasena"),
    *("contraseña", "пароль", "密码", "密碼", "パスワード", "비밀번호", "lösenord", "hasło", "heslo", "mot·de·passe"),
)
_WEAK_PASSWORDS = frozenset(["pass", "pw", "pwd"])
_SECRETS = ("secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "encryptionkey")
_KEY_QUALIFIERS = frozenset({
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

_Strength = str  # "password", "weak" (a password by a short name), "secret" (made by machines), "" (nothing)


def assigned_name(match: "re.Match[bytes]") -> str:
    """The whole name something is assigned to; the pattern knows only its telling part."""
    start = match.start("name")
    before = _NAME_BEFORE.search(match.string, max(start - 48, 0), start)
    return ((before[0] if before else b"") + match["name"]).decode("utf-8", "replace").lstrip(".-")


def _strength(name: str) -> _Strength:
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
    if last in {"credential", "credentials", "auth"} or (last == "key" and previous in _KEY_QUALIFIERS):
        return "secret"
    return ""


def _is_believable(value: bytes, strength: _Strength, *, is_variable: bool) -> bool:
    if b" " in value or _is_stand_in(value) or _NOT_A_VALUE.match(value):
        return False
    if is_variable:  # what stands bare in program code is a name, unless no name looks like that
        return looks_random(value) and len(_JOINT.findall(value)) >= 5 and b"." not in value
    if looks_random(value):
        return True
    if strength == "secret":  # a person's choice for a machine's secret is believed only if it tries hard
        digits_and_symbols = any(48 <= byte <= 57 for byte in value) and _SYMBOLS.search(value.rstrip(b"=")) is not None
        return len(value) >= 10 and digits_and_symbols and looks_chosen(value, is_weak_name=True)
    return looks_chosen(value, is_weak_name=strength == "weak")


def _assignment(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: FBT001
    data, (start, end) = match.string, match.span("secret")
    separator = match["separator"].strip(b" \t*")
    if separator == b">" and data[end : end + 2] != b"</":
        return None
    if separator == b"|" and not _line_before(data, start).startswith(b"|"):
        return None
    if separator == b":" and _PATH_STEP.search(data, max(match.start() - 2, 0), match.start()):
        return None  # `AWS::ApiGateway::ApiKey`, `arn:…:secret:name`
    strength = _strength(assigned_name(match))
    if not strength or (separator.rstrip(b":").isalpha() and strength != "password"):
        return None  # "the token is …" says nothing, "the password is …" does
    is_bare = not match["open"]
    if is_bare:
        while end > start and data[end - 1] in b")]}.:!?*|_":  # the sentence's or the bracket's, not the secret's
            end -= 1
        if data[start] in b"([{+":  # an expression
            return None
    is_secret = _is_believable(data[start:end], strength, is_variable=is_bare and is_code)
    return (start, end) if is_secret else None


_PATH_STEP = re.compile(rb"[A-Za-z0-9:*]:\Z")


def _line_before(data: bytes, position: int) -> bytes:
    low = max(position - 400, 0)
    return data[max(data.rfind(b"\n", low, position), data.rfind(b"\r", low, position), low - 1) + 1 : position]


def _flag(match: "re.Match[bytes]", is_code: bool) -> Span | None:  # noqa: ARG001, FBT001
    strength = _strength(assigned_name(match))
    is_secret = _is_believable(match["secret"], strength, is_variable=False)
    return match.span("secret") if is_secret else None


# --- the rules ----------------------------------------------------------------------------------------------------

_W = rb"[A-Za-z0-9_-]"
_A = rb"[A-Za-z0-9]"
_H = rb"[0-9a-f]"
_OVER = rb"(?![A-Za-z0-9])"

# kind, name for people, what every one of them starts with, what follows
_PREFIXED: tuple[tuple[str, str, bytes, bytes], ...] = (
    ("github-token", "a GitHub token", rb"gh[pousr]_", _A + rb"{36,255}"),
    ("github-token", "a GitHub token", rb"github_pat_", rb"[A-Za-z0-9_]{60,255}"),
    ("gitlab-token", "a GitLab token", rb"gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat)-", rb"[A-Za-z0-9_.-]{20,300}"),
    ("slack-token", "a Slack token", rb"xox[abeoprs](?:\.xox[bp])?-", rb"[A-Za-z0-9-]{18,300}"),
    ("slack-token", "a Slack token", rb"xapp-", rb"[0-9]-[A-Za-z0-9-]{30,300}"),
    ("stripe-key", "a Stripe key", rb"[sr]k_live_", _A + rb"{16,255}"),
    ("stripe-key", "a Stripe webhook secret", rb"whsec_", rb"[A-Za-z0-9+/=]{32,100}"),
    ("google-api-key", "a Google API key", rb"AIza", _W + rb"{35}(?![A-Za-z0-9_-])"),
    ("google-oauth-secret", "a Google OAuth client secret", rb"GOCSPX-", _W + rb"{24,40}"),
    ("google-oauth-token", "a Google OAuth token", rb"ya29\.", _W + rb"{40,2000}"),
    ("google-oauth-token", "a Google OAuth token", rb"1//0", _W + rb"{40,300}"),
    ("anthropic-key", "an Anthropic key", rb"sk-ant-", _W + rb"{24,300}"),
    ("openai-key", "an OpenAI key", rb"sk-(?:proj|svcacct|admin|None)-", _W + rb"{24,300}"),
    ("openai-key", "an OpenAI key", rb"sk-", _A + rb"{32,100}"),
    ("openrouter-key", "an OpenRouter key", rb"sk-or-", rb"[a-z0-9-]{32,100}"),
    ("huggingface-token", "a Hugging Face token", rb"hf_", _A + rb"{34,60}"),
    ("groq-key", "a Groq key", rb"gsk_", _A + rb"{40,100}"),
    ("xai-key", "an xAI key", rb"xai-", _A + rb"{60,120}"),
    ("perplexity-key", "a Perplexity key", rb"pplx-", _A + rb"{40,100}"),
    ("replicate-token", "a Replicate token", rb"r8_", _A + rb"{37,60}"),
    ("npm-token", "an npm token", rb"npm_", _A + rb"{36,60}"),
    ("pypi-token", "a PyPI token", rb"pypi-Ag", _W + rb"{50,1000}"),
    ("rubygems-key", "a RubyGems key", rb"rubygems_", _H + rb"{48}"),
    ("docker-token", "a Docker token", rb"dckr_(?:pat|oat)_", _W + rb"{27,60}"),
    ("sendgrid-key", "a SendGrid key", rb"SG\.", _W + rb"{20,24}\.[A-Za-z0-9_-]{39,50}"),
    ("brevo-key", "a Brevo key", rb"xkeysib-", _H + rb"{64}-[A-Za-z0-9]{16}"),
    ("mailgun-key", "a Mailgun key", rb"key-", rb"[0-9a-f]{32}" + _OVER),
    ("twilio-key", "a Twilio key", rb"SK[0-9a-f]{8}", rb"[0-9a-f]{24}" + _OVER),
    ("digitalocean-token", "a DigitalOcean token", rb"do[opr]_v1_", _H + rb"{64}"),
    ("square-token", "a Square token", rb"sq0(?:atp|csp|idp)-", _W + rb"{22,50}"),
    ("shopify-token", "a Shopify token", rb"shp(?:at|ca|pa|ss|tka)_", rb"[0-9a-fA-F]{32}"),
    ("dropbox-token", "a Dropbox token", rb"sl\.", rb"(?:u\.)?[A-Za-z0-9_-]{60,1500}"),
    ("linear-key", "a Linear key", rb"lin_(?:api|oauth)_", _A + rb"{32,100}"),
    ("notion-token", "a Notion token", rb"ntn_", _A + rb"{40,60}"),
    ("notion-token", "a Notion token", rb"secret_", _A + rb"{43}" + _OVER),
    ("vault-token", "a Vault token", rb"hv[sbr]\.", _W + rb"{24,300}"),
    ("databricks-token", "a Databricks token", rb"dapi", _H + rb"{32}" + _OVER),
    ("grafana-token", "a Grafana token", rb"gl(?:c|sa)_", rb"[A-Za-z0-9_+/=]{32,300}"),
    ("postman-key", "a Postman key", rb"PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}"),
    ("atlassian-token", "an Atlassian token", rb"AT(?:ATT|CTT)3x", rb"[A-Za-z0-9_=-]{60,300}"),
    ("figma-token", "a Figma token", rb"figd_", _W + rb"{36,60}"),
    ("airtable-token", "an Airtable token", rb"pat[A-Za-z0-9]{14}\.", _H + rb"{64}"),
    ("asana-token", "an Asana token", rb"[12]/[0-9]{12,18}", rb"(?:/[0-9]{12,18})?:[0-9a-f]{32}" + _OVER),
    ("supabase-key", "a Supabase key", rb"sb(?:p|_secret)_", _W + rb"{31,60}"),
    ("netlify-token", "a Netlify token", rb"nf[pco]_", _A + rb"{36,60}"),
    ("heroku-key", "a Heroku key", rb"HRKU-", _W + rb"{36,80}"),
    ("pulumi-token", "a Pulumi token", rb"pul-", _H + rb"{40}" + _OVER),
    ("sentry-token", "a Sentry token", rb"sntry[su]_", rb"[A-Za-z0-9_+/=]{40,400}"),
    ("new-relic-key", "a New Relic key", rb"NRAK-", rb"[A-Z0-9]{27}" + _OVER),
    ("tailscale-key", "a Tailscale key", rb"tskey-", rb"[a-z]{3,12}-[A-Za-z0-9-]{20,100}"),
    ("1password-token", "a 1Password token", rb"ops_eyJ", _W + rb"{100,2000}"),
    ("doppler-token", "a Doppler token", rb"dp\.(?:pt|st|ct|sa|scim|audit)\.", rb"[A-Za-z0-9_.-]{40,80}"),
    ("planetscale-token", "a PlanetScale token", rb"pscale_(?:tkn|pw|oauth)_", rb"[A-Za-z0-9_.-]{32,64}"),
    ("telegram-token", "a Telegram bot token", rb"[0-9]{8,10}:AA", _W + rb"{33}(?![A-Za-z0-9_-])"),
    ("facebook-token", "a Facebook token", rb"EAA[A-Z]", rb"[A-Za-z0-9]{100,300}" + _OVER),
    ("age-key", "an age secret key", rb"AGE-SECRET-KEY-", rb"(?:PQ-)?1[0-9A-Z]{40,200}"),
)


# Every alternative begins with a letter of its own, not with a group: `re` then skips quickly to the next candidate.
_KEYWORDS = (
    rb"pass(?:word|wd|phrase|code|wort)?|pwd|pw|secret|token|auth|credentials?|kennwort|mot de passe|"
    rb"contrase(?:\xc3\xb1|\xf1|n)a|wachtwoord|senha|l\xc3\xb6senord|has\xc5\x82o|heslo|"
    rb"\xd0[\x9f\xbf]\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c|\xe5\xaf\x86\xe7[\xa0\xa2][\x81\xbc]|"
    rb"\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89|\xeb\xb9\x84\xeb\xb0\x80\xeb\xb2\x88\xed\x98\xb8|"
) + b"|".join(word.encode() + rb"[ _-]?key" for word in sorted(_KEY_QUALIFIERS))
_KEYWORD = rb"(?i:" + _KEYWORDS + rb")"
_CLOSE = rb"[\\\"'`*\]]{0,6}"
_SEPARATOR_KINDS = (
    rb"(?P<separator>[ \t]{0,8}(?::=|=>|={1,3}|:|>|\||\xef\xbc\x9a)[ \t]{0,8}\*{0,2}[ \t]{0,4}|"
    rb"[ \t]{0,2}:[ \t]{0,2}[A-Za-z][A-Za-z0-9_.\[\]| ]{0,30}=[ \t]{0,4}|"  # a type between name and value
    rb"[ \t]{1,3}value=|[ \t]{1,3}(?i:is|ist|lautet)[ \t]?:?[ \t])"
)
_VALUE = rb"(?P<open>\\{0,3}[\"'`])?(?P<secret>(?(open)[^\"'`\\\r\n]{6,300}|[^\s\"'`<>,;&\\]{6,300}))"
_ASSIGNMENT = rb"(?P<name>" + _KEYWORD + rb"[A-Za-z0-9_.-]{0,32})" + _CLOSE + _SEPARATOR_KINDS + _VALUE
_ASSIGNMENT_TRIGGER = (
    _KEYWORD
    + rb"[A-Za-z0-9_.-]*"
    + _CLOSE
    + rb"(?:[ \t]*(?:[:=>|]|\xef\xbc\x9a)|[ \t]+(?i:is|ist|lautet|value)[ \t:=])"
)
_FLAG_NAMES = rb"(?:password|passwd|passphrase|token|secret|api-key|access-key)"
_USER_AND_SECRET = rb"(?P<user>[^\s:/?#@\"'`<>\\\[\]]{0,128}):(?P<secret>[^\s@\"'`<>\\]{3,256})"
_PEM = rb"-{4,5} ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{4,5}"


RULES: tuple[Rule, ...] = (
    Rule("private-key", "a private key", _PEM, rb"(?P<secret>(?P<header>" + _PEM + rb"))", _pem),
    Rule(
        "private-key",
        "a PuTTY private key",
        rb"Private-Lines: [0-9]",
        rb"(?P<secret>(?P<header>Private-Lines: [0-9]{1,3})[\r\n]{1,4}[A-Za-z0-9+/=\r\n]{32,5000})",
        _as_it_is,
    ),
    Rule(
        "aws-access-key-id",
        "an AWS access key id",
        rb"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{4}",
        rb"(?P<secret>A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16})" + _OVER,
        _whole_word,
    ),
    *(
        Rule(kind, what, prefix + rb"[A-Za-z0-9_.:/-]", rb"(?P<secret>" + prefix + body + rb")", _token)
        for kind, what, prefix, body in _PREFIXED
    ),
    Rule(
        "mailchimp-key",
        "a Mailchimp key",
        rb"[0-9a-f]-us[0-9]",
        rb"(?<![A-Za-z0-9])(?P<secret>[0-9a-f]{32}-us[0-9]{1,2})" + _OVER,
        _token,
    ),
    Rule(
        "mailgun-key",
        "a Mailgun key",
        rb"[0-9a-f]-[0-9a-f]{8}-[0-9a-f]{8}[^0-9a-f-]",
        rb"(?<![A-Za-z0-9-])(?P<secret>[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})(?=[^A-Za-z0-9-])",
        _token,
        in_text_only=True,
    ),
    Rule(
        "terraform-token",
        "a Terraform token",
        rb"\.atlasv1\.",
        rb"(?P<secret>[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,100})",
        _token,
    ),
    Rule(
        "discord-token",
        "a Discord token",
        rb"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{10}",
        rb"(?<![A-Za-z0-9_.-])(?P<secret>[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45})",
        _discord,
    ),
    Rule(
        "webhook",
        "a Slack webhook",
        rb"hooks\.slack\.com/",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Z0-9]{6,14}/[A-Za-z0-9/]{20,120})",
        _token,
    ),
    Rule(
        "webhook",
        "a Discord webhook",
        rb"/api/webhooks/[0-9]",
        rb"discord(?:app)?\.com/api/webhooks/[0-9]{8,24}/(?P<secret>[A-Za-z0-9_-]{50,100})",
        _token,
    ),
    Rule(
        "square-token",
        "a Square token",
        rb"EAAA[EFl]",
        rb"(?<=[\"'=: ])(?P<secret>EAAA[EFl][A-Za-z0-9_-]{59})(?![A-Za-z0-9_+/=-])",
        _token,
        in_text_only=True,
    ),
    Rule(
        "azure-key",
        "an Azure storage key",
        rb"(?i:AccountKey|SharedAccessKey)=",
        rb"(?i:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,100}={0,2})",
        _token,
    ),
    Rule(
        "azure-key",
        "an Azure signed URL",
        rb"[?&;]sig=",
        rb"[?&;]sig=(?P<secret>[A-Za-z0-9%]{40,120})",
        _token,
    ),
    Rule(
        "json-web-token",
        "a JSON web token",
        rb"eyJ[A-Za-z0-9_-]*\.eyJ",
        rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
        rb"(?P<secret>eyJ[A-Za-z0-9_-]{8,1024}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{16,1024})",
        _as_it_is,
    ),
    Rule(
        "json-web-key",
        "a private JSON web key",
        rb"\"d\"\s*:\s*\"[A-Za-z0-9_-]",
        rb"\"d\"\s{0,4}:\s{0,4}\"(?P<secret>[A-Za-z0-9_-]{42,700})\"",
        _random,
        in_text_only=True,
    ),
    Rule(
        "aws-secret-key",
        "an AWS secret key",
        rb"(?i:secret_?(?:access_?)?key)",
        rb"(?i:secret_?(?:access_?)?key)[\\\"'`*\]]{0,6}[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}[\\\"'`]{0,4}"
        rb"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        _aws_secret,
        in_text_only=True,
    ),
    Rule(
        "password-in-url",
        "a password in a URL",
        rb"://[^\s/@\"'`<>]*:[^\s@\"'`<>]*@",
        rb"://" + _USER_AND_SECRET + rb"@(?P<host>[A-Za-z0-9\[$%{][A-Za-z0-9.\[\]:_-]{0,60})",
        _login,
        in_text_only=True,
    ),
    Rule(
        "command-line",
        "a login on a command line",
        rb"curl[ \t][^\r\n]*[ \t]-(?:u|-user)",
        rb"(?<=[ \t])-(?:u|-user)[ =]?[\"']?" + _USER_AND_SECRET,
        _curl,
        in_text_only=True,
    ),
    Rule(
        "netrc",
        "a password of a .netrc file",
        rb"login[ \t]+[^\s]+\s+password[ \t]",
        rb"\b(?:machine[ \t]{1,4}[^\s]{1,200}|default)\s{1,4}login[ \t]{1,4}(?P<user>[^\s]{1,100})\s{1,4}"
        rb"password[ \t]{1,4}(?P<secret>[^\s]{3,200})",
        _login,
        in_text_only=True,
    ),
    Rule(
        "authorization",
        "an authorization header",
        rb"(?i:bearer)(?:[ \t]|%20)",
        rb"(?i:bearer)(?:[ \t]{1,4}|%20)(?P<secret>[A-Za-z0-9._~+/=-]{16,2000})",
        _random,
        in_text_only=True,
    ),
    Rule(
        "authorization",
        "an authorization header",
        rb"(?i:authorization)[^\r\n]*(?i:basic)[ \t]",
        rb"(?i:authorization)[^A-Za-z0-9\r\n]{1,12}(?i:basic)[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{8,500}={0,2})",
        _basic,
        in_text_only=True,
    ),
    Rule(
        "authorization",
        "a login in base64",
        rb"\"auth\"\s*:\s*\"[A-Za-z0-9+/]",
        rb"\"auth\"\s{0,4}:\s{0,4}\"(?P<secret>[A-Za-z0-9+/]{8,500}={0,2})\"",
        _basic,
        in_text_only=True,
    ),
    Rule(
        "recovery-phrase",
        "a recovery phrase",
        rb"(?i:mnemonic|(?:seed|recovery)[ _-]?phrase)",
        rb"(?i:mnemonic|(?:seed|recovery)[ _-]?phrase)[\"'`*]{0,3}[ \t]{0,4}[:=]\s{0,4}[\"'`*]{0,3}[ \t]{0,4}"
        rb"(?P<secret>(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})",
        _as_it_is,
        in_text_only=True,
    ),
    Rule(
        "command-line",
        "a password or token on a command line",
        rb"--?[a-z-]*" + _FLAG_NAMES + rb"[ \t]",
        rb"--?(?P<name>[a-z-]{0,24}"
        + _FLAG_NAMES
        + rb")[ \t]{1,4}[\"']?(?P<secret>[^\s\"'`<>,;&\\-][^\s\"'`<>,;&\\]{5,300})",
        _flag,
        in_text_only=True,
    ),
    Rule(
        "high-entropy-assignment",
        "a password, key or token",
        _ASSIGNMENT_TRIGGER,
        _ASSIGNMENT,
        _assignment,
        anchor=_KEYWORDS,
        in_text_only=True,
    ),
)
"""In order of precedence: where two find the same place, the earlier one names it."""
