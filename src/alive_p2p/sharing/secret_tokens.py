"""Tokens that are believed by their shape: the table of prefixes, and the judgement of what stands alone.

A provider's prefix with enough random characters after it is a secret wherever it stands, even in binary data. What
is left to judge is whether it begins where a word begins, and whether it is only a published example.
"""

import base64
import binascii
import re

from alive_p2p.sharing.secret_values import Span

_W = rb"[A-Za-z0-9_-]"
_A = rb"[A-Za-z0-9]"
_H = rb"[0-9a-f]"
OVER = rb"(?![A-Za-z0-9])"
"""Behind a token of fixed length: that no further character belongs to it."""

PREFIXED: tuple[tuple[str, str, bytes, bytes], ...] = (
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
    ("mailgun-key", "a Mailgun key", rb"key-", rb"[0-9a-f]{32}" + OVER),
    ("twilio-key", "a Twilio key", rb"SK[0-9a-f]{8}", rb"[0-9a-f]{24}" + OVER),
    ("digitalocean-token", "a DigitalOcean token", rb"do[opr]_v1_", _H + rb"{64}"),
    ("square-token", "a Square token", rb"sq0(?:atp|csp|idp)-", _W + rb"{22,50}"),
    ("shopify-token", "a Shopify token", rb"shp(?:at|ca|pa|ss|tka)_", rb"[0-9a-fA-F]{32}"),
    ("dropbox-token", "a Dropbox token", rb"sl\.", rb"(?:u\.)?[A-Za-z0-9_-]{60,1500}"),
    ("linear-key", "a Linear key", rb"lin_(?:api|oauth)_", _A + rb"{32,100}"),
    ("notion-token", "a Notion token", rb"ntn_", _A + rb"{40,60}"),
    ("notion-token", "a Notion token", rb"secret_", _A + rb"{43}" + OVER),
    ("vault-token", "a Vault token", rb"hv[sbr]\.", _W + rb"{24,300}"),
    ("databricks-token", "a Databricks token", rb"dapi", _H + rb"{32}" + OVER),
    ("grafana-token", "a Grafana token", rb"gl(?:c|sa)_", rb"[A-Za-z0-9_+/=]{32,300}"),
    ("postman-key", "a Postman key", rb"PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}"),
    ("atlassian-token", "an Atlassian token", rb"AT(?:ATT|CTT)3x", rb"[A-Za-z0-9_=-]{60,300}"),
    ("figma-token", "a Figma token", rb"figd_", _W + rb"{36,60}"),
    ("airtable-token", "an Airtable token", rb"pat[A-Za-z0-9]{14}\.", _H + rb"{64}"),
    ("asana-token", "an Asana token", rb"[12]/[0-9]{12,18}", rb"(?:/[0-9]{12,18})?:[0-9a-f]{32}" + OVER),
    ("supabase-key", "a Supabase key", rb"sb(?:p|_secret)_", _W + rb"{31,60}"),
    ("netlify-token", "a Netlify token", rb"nf[pco]_", _A + rb"{36,60}"),
    ("heroku-key", "a Heroku key", rb"HRKU-", _W + rb"{36,80}"),
    ("pulumi-token", "a Pulumi token", rb"pul-", _H + rb"{40}" + OVER),
    ("sentry-token", "a Sentry token", rb"sntry[su]_", rb"[A-Za-z0-9_+/=]{40,400}"),
    ("new-relic-key", "a New Relic key", rb"NRAK-", rb"[A-Z0-9]{27}" + OVER),
    ("tailscale-key", "a Tailscale key", rb"tskey-", rb"[a-z]{3,12}-[A-Za-z0-9-]{20,100}"),
    ("1password-token", "a 1Password token", rb"ops_eyJ", _W + rb"{100,2000}"),
    ("doppler-token", "a Doppler token", rb"dp\.(?:pt|st|ct|sa|scim|audit)\.", rb"[A-Za-z0-9_.-]{40,80}"),
    ("planetscale-token", "a PlanetScale token", rb"pscale_(?:tkn|pw|oauth)_", rb"[A-Za-z0-9_.-]{32,64}"),
    ("telegram-token", "a Telegram bot token", rb"[0-9]{8,10}:AA", _W + rb"{33}(?![A-Za-z0-9_-])"),
    ("facebook-token", "a Facebook token", rb"EAA[A-Z]", rb"[A-Za-z0-9]{100,300}" + OVER),
    ("age-key", "an age secret key", rb"AGE-SECRET-KEY-", rb"(?:PQ-)?1[0-9A-Z]{40,200}"),
)
"""Kind, name for people, what every one of them starts with, what follows."""


# --- judging what stands alone ------------------------------------------------------------------------------------

_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_FILL = re.compile(rb"(?i)x{6}|\*{3}|\.{3}|0{12}|example|placeholder|redacted|your[-_]|[-_]here$")


def _starts_a_word(data: bytes, start: int) -> bool:
    """Whether nothing of the same word stands before; an escaped line break (JSON) or `%3D` (URLs) may."""
    if start == 0 or data[start - 1] not in _WORD:
        return True
    return data[max(start - 2, 0) : start] in {b"\\n", b"\\r", b"\\t"} or data[max(start - 3, 0) : start - 2] == b"%"


def judge_token(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """Whether it begins a word and is no example."""
    start, end = match.span("secret")
    if not _starts_a_word(match.string, start) or _FILL.search(match.string, start, end):
        return None
    return start, end


def judge_as_it_is(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """What matches is a secret: the pattern has said everything."""
    return match.span("secret")


def judge_whole_word(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """As `judge_token`, for keys whose published examples should be shown as findings as well."""
    return match.span("secret") if _starts_a_word(match.string, match.start("secret")) else None


_PEM_REACH = 6 * 1024
_ESCAPED_BREAK = re.compile(rb"\\+[nrt]")
_NO_PAYLOAD = re.compile(rb"[^A-Za-z0-9]+")
_ARMOR_HEADER = re.compile(rb"[A-Za-z-]{3,20}: ")
_PAYLOAD = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9_.(])")


def judge_key_block(match: "re.Match[bytes]", is_code: bool) -> Span | None:
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


def judge_discord(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """The first part of a bot's token is its numeric id."""
    part = match["secret"].split(b".")[0]
    try:
        identity = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return judge_token(match, is_code) if identity.isdigit() else None
