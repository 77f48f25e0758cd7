"""What a secret looks like (share.md §4): the rules, each with its patterns and its judge.

A rule has a *trigger* and a *pattern*. The trigger is coarse, valid in RE2 and in `re`, and goes into one automaton
that reads every text once; only where it fires does the pattern look for the place, and a judge for the sense. A
trigger therefore has to fire wherever its pattern matches. Patterns are bounded (`LONGEST`) and never nest one
unbounded repetition in another, so that time is linear in the text.

A missed secret leaks a key and a wrong alarm blocks a person's share. Tokens with a prefix of their own are
believed by their shape; everything else has to be *assigned to a telling name* and to look like something a machine
made or a person would choose as a password.
"""

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alive_p2p.sharing.secret_tables import cells_of_tables, judge_cell, tables
from alive_p2p.sharing.secret_tokens import (
    OVER,
    PREFIXED,
    judge_as_it_is,
    judge_discord,
    judge_key_block,
    judge_token,
    judge_whole_word,
)
from alive_p2p.sharing.secret_values import (
    KEY_QUALIFIERS,
    Span,
    judge_assignment,
    judge_aws_secret,
    judge_basic,
    judge_below,
    judge_curl,
    judge_flag,
    judge_login,
    judge_random,
)

LONGEST = 7 * 1024
"""No pattern matches more bytes than this: the overlap of two windows has to hold a whole match."""

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
        find: what finds the matches, given where the anchors are, if the pattern only tells that there may be some.
        in_text_only: whether the shape is not distinct enough to mean anything in binary data.
    """

    kind: str
    what: str
    trigger: bytes
    pattern: bytes
    judge: Judge
    anchor: bytes = b""
    find: "Callable[[bytes, list[int]], Iterator[re.Match[bytes]]] | None" = None
    in_text_only: bool = False

    @functools.cached_property
    def compiled(self) -> "re.Pattern[bytes]":
        """The pattern, compiled when it is first needed."""
        return re.compile(self.pattern)


# --- patterns of assignments and logins ---------------------------------------------------------------------------

# Every alternative begins with a letter of its own, not with a group: `re` then skips quickly to the next candidate.
_KEYWORDS = (
    rb"pass(?:word|wd|phrase|code|wort)?|pwd|pw|secret|token|auth|credentials?|kennwort|mot de passe|"
    rb"contrase(?:\xc3\xb1|\xf1|n)a|wachtwoord|senha|l\xc3\xb6senord|has\xc5\x82o|heslo|"
    rb"\xd0[\x9f\xbf]\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c|\xe5\xaf\x86\xe7[\xa0\xa2][\x81\xbc]|"
    rb"\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89|\xeb\xb9\x84\xeb\xb0\x80\xeb\xb2\x88\xed\x98\xb8|"
) + b"|".join(word.encode() + rb"[ _-]?key" for word in sorted(KEY_QUALIFIERS))
_KEYWORD = rb"(?i:" + _KEYWORDS + rb")"
_CLOSE = rb"[\\\"'`*\]]{0,6}"
_SEPARATOR_KINDS = (
    rb"(?P<separator>[ \t]{0,8}(?::=|=>|={1,3}|:|>|\||\xef\xbc\x9a)[ \t]{0,8}\*{0,2}[ \t]{0,4}|"
    rb"[ \t]{0,2}:[ \t]{0,2}[A-Za-z][A-Za-z0-9_.\[\]| ]{0,30}=[ \t]{0,4}|"  # a type between name and value
    rb"[ \t]{1,3}value=|(?:[ \t]{0,4},\s{0,40}|\s{1,40})[\\\"']{0,4}(?i:value)[\\\"']{0,4}[ \t]{0,4}[:=][ \t]{0,4}|"
    rb"</key>\s{0,40}<string>|[ \t]{1,3}(?i:is|ist|lautet)[ \t]?:?[ \t])"
)
_VALUE = rb"(?P<open>\\{0,3}[\"'`])?(?P<secret>(?(open)[^\"'`\\\r\n]{6,300}|[^\s\"'`<>,;&\\]{6,300}))"
_ASSIGNMENT = rb"(?P<name>" + _KEYWORD + rb"[A-Za-z0-9_.-]{0,32})" + _CLOSE + _SEPARATOR_KINDS + _VALUE
_ASSIGNMENT_TRIGGER = (
    _KEYWORD
    + rb"[A-Za-z0-9_.-]*"
    + _CLOSE
    + rb"(?:[ \t]*(?:[:=>|]|\xef\xbc\x9a)|[ \t]+(?i:is|ist|lautet|value)[ \t:=]|"
    rb"[\s,]+[\\\"']*(?i:value)[\\\"']*[ \t]*[:=]|</key>\s*<string>)"
)
_EOL = rb"(?:\r\n|\n|\r)"
_BELOW = (
    rb"(?P<name>" + _KEYWORD + rb"[A-Za-z0-9_.-]{0,32})" + _CLOSE + rb"(?P<separator>[ \t]{0,4}[:=]?[ \t*_#`]{0,8}"
    rb"(?:[|>][+-]?[0-9]?)?[ \t]{0,4})" + _EOL + rb"(?:[ \t]{0,40}" + _EOL + rb"){0,2}"
    rb"(?:[=-]{3,80}[ \t]{0,4}"
    + _EOL
    + rb"{1,2})?(?:`{3}[a-z]{0,12}"
    + _EOL
    + rb")?[ \t]{0,40}(?:[-*>][ \t]{1,3})?"
    + _VALUE
    + rb"(?(open)\\{0,3}[\"'`])[ \t]{0,4}[,;}\])]{0,3}[ \t]{0,4}(?=[\r\n]|\Z)"
)
_BELOW_TRIGGER = (
    _KEYWORD + rb"[A-Za-z0-9_.-]*" + _CLOSE + rb"[ \t]*[:=]?[ \t*_#`]*(?:[|>][+-]?[0-9]?)?[ \t]*[\r\n]\s*"
    rb"(?:[=`-][a-z=`-]*\s*[\r\n]\s*){0,2}(?:[-*>][ \t]+)?"
    rb"(?:\\*[\"'`][^\r\n]{6}|[^\s\"'`<>,;&\\]{6,}[ \t]*[,;}\])]*[ \t]*(?:[\r\n]|$))"
)
_COLUMN = rb"[\"']?[A-Za-z\x80-\xff][A-Za-z0-9_ /\x80-\xff-]*[\"']?"
_COLUMN_OF_SECRETS = rb"[\"']?[A-Za-z_ /\x80-\xff-]*" + _KEYWORD + rb"[A-Za-z0-9_ /\x80-\xff-]*[\"']?"
_TABLE = (
    rb"(?:^|[\r\n])(?:(?:"
    + _COLUMN
    + rb"[,;\t])+"
    + _COLUMN_OF_SECRETS
    + rb"(?:[,;\t]"
    + _COLUMN
    + rb")*|"
    + _COLUMN_OF_SECRETS
    + rb"(?:[,;\t]"
    + _COLUMN
    + rb")+)[\r\n]|"
    + _KEYWORD
    + rb"[^\r\n]*[\r\n]+[ \t>|:]*-[ \t:|-]*[\r\n]"
)
_FLAG_NAMES = rb"(?:password|passwd|passphrase|token|secret|api-key|access-key)"
_USER_AND_SECRET = rb"(?P<user>[^\s:/?#@\"'`<>\\\[\]]{0,128}):(?P<secret>[^\s@\"'`<>\\]{3,256})"
_PEM = rb"-{4,5} ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{4,5}"


def open_table(data: bytes, end: int) -> bytes:
    """The heading of the table that `data[end]` is in; empty if it is in none."""
    names = [name.start() for name in re.finditer(_KEYWORDS, data.lower())]
    return next((table.heading for table in tables(data, names) if table.end >= end), b"")


# --- the rules ----------------------------------------------------------------------------------------------------

RULES: tuple[Rule, ...] = (
    Rule("private-key", "a private key", _PEM, rb"(?P<secret>(?P<header>" + _PEM + rb"))", judge_key_block),
    Rule(
        "private-key",
        "a PuTTY private key",
        rb"Private-Lines: [0-9]",
        rb"(?P<secret>(?P<header>Private-Lines: [0-9]{1,3})[\r\n]{1,4}[A-Za-z0-9+/=\r\n]{32,5000})",
        judge_as_it_is,
    ),
    Rule(
        "aws-access-key-id",
        "an AWS access key id",
        rb"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{4}",
        rb"(?P<secret>A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16})" + OVER,
        judge_whole_word,
    ),
    *(
        Rule(kind, what, prefix + rb"[A-Za-z0-9_.:/-]", rb"(?P<secret>" + prefix + body + rb")", judge_token)
        for kind, what, prefix, body in PREFIXED
    ),
    Rule(
        "mailchimp-key",
        "a Mailchimp key",
        rb"[0-9a-f]-us[0-9]",
        rb"(?<![A-Za-z0-9])(?P<secret>[0-9a-f]{32}-us[0-9]{1,2})" + OVER,
        judge_token,
    ),
    Rule(
        "mailgun-key",
        "a Mailgun key",
        rb"[0-9a-f]-[0-9a-f]{8}-[0-9a-f]{8}[^0-9a-f-]",
        rb"(?<![A-Za-z0-9-])(?P<secret>[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})(?=[^A-Za-z0-9-])",
        judge_token,
        in_text_only=True,
    ),
    Rule(
        "terraform-token",
        "a Terraform token",
        rb"\.atlasv1\.",
        rb"(?P<secret>[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,100})",
        judge_token,
    ),
    Rule(
        "discord-token",
        "a Discord token",
        rb"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{10}",
        rb"(?<![A-Za-z0-9_.-])(?P<secret>[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45})",
        judge_discord,
    ),
    Rule(
        "webhook",
        "a Slack webhook",
        rb"hooks\.slack\.com/",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Z0-9]{6,14}/[A-Za-z0-9/]{20,120})",
        judge_token,
    ),
    Rule(
        "webhook",
        "a Discord webhook",
        rb"/api/webhooks/[0-9]",
        rb"discord(?:app)?\.com/api/webhooks/[0-9]{8,24}/(?P<secret>[A-Za-z0-9_-]{50,100})",
        judge_token,
    ),
    Rule(
        "square-token",
        "a Square token",
        rb"EAAA[EFl]",
        rb"(?<=[\"'=: ])(?P<secret>EAAA[EFl][A-Za-z0-9_-]{59})(?![A-Za-z0-9_+/=-])",
        judge_token,
        in_text_only=True,
    ),
    Rule(
        "azure-key",
        "an Azure storage key",
        rb"(?i:AccountKey|SharedAccessKey)=",
        rb"(?i:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,100}={0,2})",
        judge_token,
    ),
    Rule(
        "azure-key",
        "an Azure signed URL",
        rb"[?&;]sig=",
        rb"[?&;]sig=(?P<secret>[A-Za-z0-9%]{40,120})",
        judge_token,
    ),
    Rule(
        "json-web-token",
        "a JSON web token",
        rb"eyJ[A-Za-z0-9_-]*\.eyJ",
        rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
        rb"(?P<secret>eyJ[A-Za-z0-9_-]{8,1024}\.eyJ"
        rb"(?:[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{16,1024}|[A-Za-z0-9_-]{4097,5000}))",  # no need to see it whole
        judge_as_it_is,
    ),
    Rule(
        "json-web-key",
        "a private JSON web key",
        rb"\"d\"\s*:\s*\"[A-Za-z0-9_-]",
        rb"\"d\"\s{0,4}:\s{0,4}\"(?P<secret>[A-Za-z0-9_-]{42,700})\"",
        judge_random,
        in_text_only=True,
    ),
    Rule(
        "aws-secret-key",
        "an AWS secret key",
        rb"(?i:secret_?(?:access_?)?key)",
        rb"(?i:secret_?(?:access_?)?key)[\\\"'`*\]]{0,6}[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}[\\\"'`]{0,4}"
        rb"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        judge_aws_secret,
        in_text_only=True,
    ),
    Rule(
        "password-in-url",
        "a password in a URL",
        rb"://[^\s/@\"'`<>]*:[^\s@\"'`<>]*@",
        rb"://" + _USER_AND_SECRET + rb"@(?P<host>[A-Za-z0-9\[$%{][A-Za-z0-9.\[\]:_-]{0,60})",
        judge_login,
        in_text_only=True,
    ),
    Rule(
        "command-line",
        "a login on a command line",
        rb"curl(?:[ \t][^\r\n]*)?[ \t]-(?:u|-user)",
        rb"(?<=[ \t])-(?:u|-user)[ =]?[\"']?" + _USER_AND_SECRET,
        judge_curl,
        in_text_only=True,
    ),
    Rule(
        "netrc",
        "a password of a .netrc file",
        rb"login[ \t]+[^\s]+\s+password[ \t]",
        rb"\b(?:machine[ \t]{1,4}[^\s]{1,200}|default)\s{1,4}login[ \t]{1,4}(?P<user>[^\s]{1,100})\s{1,4}"
        rb"password[ \t]{1,4}(?P<secret>[^\s]{3,200})",
        judge_login,
        in_text_only=True,
    ),
    Rule(
        "authorization",
        "an authorization header",
        rb"(?i:bearer)(?:[ \t]|%20)",
        rb"(?i:bearer)(?:[ \t]{1,4}|%20)(?P<secret>[A-Za-z0-9._~+/=-]{16,2000})",
        judge_random,
        in_text_only=True,
    ),
    Rule(
        "authorization",
        "an authorization header",
        rb"(?i:authorization)[^\r\n]*(?i:basic)[ \t]",
        rb"(?i:authorization)[^A-Za-z0-9\r\n]{1,12}(?i:basic)[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{8,500}={0,2})",
        judge_basic,
        in_text_only=True,
    ),
    Rule(
        "authorization",
        "a login in base64",
        rb"\"auth\"\s*:\s*\"[A-Za-z0-9+/]",
        rb"\"auth\"\s{0,4}:\s{0,4}\"(?P<secret>[A-Za-z0-9+/]{8,500}={0,2})\"",
        judge_basic,
        in_text_only=True,
    ),
    Rule(
        "recovery-phrase",
        "a recovery phrase",
        rb"(?i:mnemonic|(?:seed|recovery)[ _-]?phrase)",
        rb"(?i:mnemonic|(?:seed|recovery)[ _-]?phrase)[\"'`*]{0,3}[ \t]{0,4}[:=]\s{0,4}[\"'`*]{0,3}[ \t]{0,4}"
        rb"(?P<secret>(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})",
        judge_as_it_is,
        in_text_only=True,
    ),
    Rule(
        "command-line",
        "a password or token on a command line",
        rb"--?[a-z-]*" + _FLAG_NAMES + rb"[ \t]",
        rb"--?(?P<name>[a-z-]{0,24}"
        + _FLAG_NAMES
        + rb")[ \t]{1,4}[\"']?(?P<secret>[^\s\"'`<>,;&\\-][^\s\"'`<>,;&\\]{5,300})",
        judge_flag,
        in_text_only=True,
    ),
    Rule(
        "high-entropy-assignment",
        "a password, key or token",
        _ASSIGNMENT_TRIGGER,
        _ASSIGNMENT,
        judge_assignment,
        anchor=_KEYWORDS,
        in_text_only=True,
    ),
    Rule(
        "high-entropy-assignment",
        "a password, key or token",
        _BELOW_TRIGGER,
        _BELOW,
        judge_below,
        anchor=_KEYWORDS,
        in_text_only=True,
    ),
    Rule(
        "high-entropy-assignment",
        "a password, key or token",
        _TABLE,
        _TABLE,
        judge_cell,
        anchor=_KEYWORDS,
        find=cells_of_tables,
        in_text_only=True,
    ),
)
"""In order of precedence: where two find the same place, the earlier one names it."""
