"""Fakes shaped like secrets, made anew from a seed: random, so none is real.

Prefixes are put together at test time, so that scanners of this repository itself stay quiet.
"""

import base64
import json
import random
import string
from dataclasses import dataclass

HEX = "0123456789abcdef"
ALNUM = string.ascii_letters + string.digits
URL = ALNUM + "-_"
BASE64 = ALNUM + "+/"
PEM_DASHES = "-" * 5


@dataclass(frozen=True)
class Planted:
    """A text, the secret in it, the kind a finding has to have, and a file name it may be in."""

    text: str
    secret: str
    kind: str
    name: str = "notes.md"


def planted(seed: int = 1) -> list[Planted]:
    """One of each."""
    dice = random.Random(seed)

    def some(letters: str, size: int) -> str:
        while True:
            made = "".join(dice.choices(letters, k=size))
            if sum(c.isdigit() for c in made) >= size // 16 and len(set(made)) > min(size, len(letters)) // 3:
                return made

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")

    tokens = [
        *(("github-token", f"gh{c}" + "_" + some(ALNUM, 36)) for c in "pousr"),
        ("github-token", "github" + "_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59)),
        ("gitlab-token", "gl" + "pat-" + some(URL, 20)),
        ("slack-token", "xo" + f"xb-{some('123456789', 12)}-{some('123456789', 12)}-{some(ALNUM, 24)}"),
        ("stripe-key", "sk" + "_live_" + some(ALNUM, 24)),
        ("stripe-key", "rk" + "_live_" + some(ALNUM, 24)),
        ("google-api-key", "AI" + "za" + some(URL, 34) + "q"),
        ("google-oauth-secret", "GOC" + "SPX-" + some(URL, 28)),
        ("anthropic-key", "sk-" + "ant-api03-" + some(URL, 93) + "AA"),
        ("openai-key", "sk" + "-proj-" + some(URL, 60)),
        ("openai-key", "sk" + "-" + some(ALNUM, 48)),
        ("huggingface-token", "h" + "f_" + some(ALNUM, 34)),
        ("groq-key", "gs" + "k_" + some(ALNUM, 52)),
        ("npm-token", "np" + "m_" + some(ALNUM, 36)),
        ("pypi-token", "py" + "pi-AgEIcHlwaS5vcmc" + some(URL, 120)),
        ("sendgrid-key", "S" + f"G.{some(URL, 22)}.{some(URL, 43)}"),
        ("mailgun-key", "ke" + "y-" + some(HEX, 32)),
        ("mailchimp-key", some(HEX, 32) + "-us" + "14"),
        ("twilio-key", "S" + "K" + some(HEX, 32)),
        ("telegram-token", f"{some('123456789', 10)}:A" + "A" + some(URL, 32) + "z"),
        ("discord-token", f"M{'T' + base64.b64encode(some('123456789', 17).encode()).decode()[2:22]}"),
        ("digitalocean-token", "do" + "p_v1_" + some(HEX, 64)),
        ("square-token", "sq" + "0csp-" + some(URL, 43)),
        ("shopify-token", "shp" + "at_" + some(HEX, 32)),
        ("dropbox-token", "s" + "l.B" + some(URL, 138)),
        ("linear-key", "lin" + "_api_" + some(ALNUM, 40)),
        ("notion-token", "nt" + "n_" + some(ALNUM, 46)),
        ("vault-token", "hv" + "s." + some(ALNUM, 90)),
        ("terraform-token", some(ALNUM, 14) + ".atlas" + "v1." + some(ALNUM, 67)),
        ("postman-key", "PM" + "AK-" + some(HEX, 24) + "-" + some(HEX, 34)),
        ("databricks-token", "da" + "pi" + some(HEX, 32)),
        ("aws-access-key-id", "AK" + "IA" + some(string.ascii_uppercase + "234567", 16)),
        ("aws-access-key-id", "AS" + "IA" + some(string.ascii_uppercase + "234567", 16)),
        ("age-key", "AGE-SECRET" + "-KEY-1" + some("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
        ("tailscale-key", "ts" + f"key-auth-{some(ALNUM, 12)}-{some(ALNUM, 32)}"),
        ("json-web-token", f"{encoded({'alg': 'HS256'})}.{encoded({'sub': some(HEX, 8)})}.{some(URL, 43)}"),
    ]
    made = [Planted(f"a line\nthe one we use is {token}, do not lose it\n", token, kind) for kind, token in tokens]
    made = [one for one in made if one.kind != "discord-token"]
    bot = base64.b64encode(("1" + some("123456789", 17)).encode()).decode()
    bot_token = f"{bot}.{some(ALNUM, 6)}.{some(URL, 38)}"
    made.append(Planted(f"bot: {bot_token}\n", bot_token, "discord-token"))

    for label in ("RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "):
        made.append(_pem(f"{label}PRIVATE KEY", "\n".join(some(BASE64, 64) for _ in range(8))))
    made.append(_pem("PGP PRIVATE KEY BLOCK", "Version: 1\n\n" + "\n".join(some(BASE64, 64) for _ in range(8))))
    inline = _pem("PRIVATE KEY", "\n".join(some(BASE64, 64) for _ in range(3)))
    made.append(
        Planted(json.dumps({"private_key": inline.text}), inline.secret.split("\n")[0], "private-key", "a.json")
    )
    lines = "\n".join(some(BASE64, 64) for _ in range(4))
    made.append(Planted(f"PuTTY-User-Key-File-2: x\nPrivate-Lines: 4\n{lines}\n", lines[:64], "private-key", "x.txt"))

    hook = f"T{some(ALNUM, 8).upper()}/B{some(ALNUM, 8).upper()}/{some(ALNUM, 24)}"
    made.append(Planted("https://hooks.slack" + f".com/services/{hook}", hook, "webhook"))
    assigned = "high-entropy-assignment"
    aws, azure, key, hexadecimal = some(BASE64, 40), some(BASE64, 86) + "==", some(ALNUM, 32), some(HEX, 40)
    word = "Tr0ub4dor" + some("123456789", 2) + "!"
    login = base64.b64encode(f"ben:{word}".encode()).decode()
    made += [
        Planted(f"aws_secret_access_key = {aws}\n", aws, "aws-secret-key", "credentials"),
        Planted(f"AccountName=x;AccountKey={azure};EndpointSuffix=core", azure, "azure-key", "app.config"),
        Planted(f"postgres://admin:{word}@db.internal:5432/prod", word, "password-in-url"),
        Planted(f"DATABASE_URL=mysql://root:{key}@10.0.0.3/shop", key, "password-in-url", "settings.env"),
        Planted(f"Authorization: Bearer {key}\n", key, "authorization", "request.http"),
        Planted(f"Authorization: Basic {login}\n", login, "authorization", "request.http"),
        Planted(f'{{"auths": {{"r": {{"auth": "{login}"}}}}}}', login, "authorization", "config.json"),
        Planted(f"curl -s -u ben:{word} https://h.internal", word, "command-line", "run.sh"),
        Planted(f"tool --api-key {key} run", key, "command-line", "run.sh"),
        Planted(f"machine h login ben password {word}\n", word, "netrc", "netrc"),
        Planted(f"API_KEY={key}\n", key, assigned, "settings.env"),
        Planted(f"export GITHUB_TOKEN='{hexadecimal}'\n", hexadecimal, assigned, "run.sh"),
        Planted(f'{{"clientSecret": "{key}"}}', key, assigned, "a.json"),
        Planted(f'{{"text": "{{\\"api_key\\": \\"{key}\\"}}"}}', key, assigned, "a.json"),
        Planted(f"secret_key: {key}\n", key, assigned, "a.yaml"),
        Planted(f'auth_token = "{hexadecimal}"\n', hexadecimal, assigned, "a.toml"),
        Planted(f"access_token: str = '{key}'\n", key, assigned, "a.py"),
        Planted(f'const apiKey = "{key}";\n', key, assigned, "a.ts"),
        Planted(f"<password>{word}</password>", word, assigned, "a.xml"),
        Planted(f"Server=h;Database=d;User Id=sa;Password={word};", word, assigned, "a.config"),
        Planted("password: hunter" + "2\n", "hunter" + "2", assigned),
        Planted(f"**Password:** {word}\n", word, assigned),
        Planted(f"- the wifi password is {word}.\n", word, assigned),
        Planted(f"Passwort: {word}\n", word, assigned),
        Planted(f"пароль: {word}\n", word, assigned),
        Planted(f"密码：{word}\n", word, assigned),
        Planted(f"| DB_PASSWORD | {word} |\n", word, assigned),
        Planted(f"PGPASSWORD={word} psql", word, assigned, "run.sh"),
        Planted(f"db.password={word}\n", word, assigned, "app.properties"),
    ]
    return made


def _pem(label: str, body: str) -> Planted:
    text = f"{PEM_DASHES}BEGIN {label}{PEM_DASHES}\n{body}\n{PEM_DASHES}END {label}{PEM_DASHES}\n"
    return Planted(text, body.rsplit("\n", maxsplit=1)[-1], "private-key", "id.txt")


def innocent(seed: int = 1) -> list[tuple[str, str]]:
    """Texts that must not fire, each with a file name."""
    dice = random.Random(seed)

    def digits(size: int) -> str:
        return "".join(dice.choices(HEX, k=size))

    def uuid() -> str:
        return "-".join(digits(n) for n in (8, 4, 4, 4, 12))

    blob = "".join(dice.choices(BASE64, k=8000))
    prose = """\
The password: required, at least 12 characters. Password: see the vault. Token: none yet. Secret: be kind.
The token is base64-encoded; the password is hashed with PBKDF2-HMAC-SHA-256 and the secret is derived from it.
password: OAuth2, 2FA later. passphrase: argon2id. API key: ask Ben. Passwort: folgt. Pass: 12 of 14. pw: tbd
Access token: expires after 3600s. A token: 1,500 per page. Password: `<password>`, ${PASSWORD}, {{ password }}, ***
postgres://user:password@localhost/db, https://user:<password>@host, redis://:${REDIS_PASSWORD}@cache:6379
ssh://git@host:2222/x, http://localhost:8080/a@b, mailto:ben@x.org, https://host:8443/@ben/post:1@2
Authorization: Bearer <token>, Authorization: Bearer $TOKEN, curl -u user:password https://h
A key file starts with `-----BEGIN OPENSSH PRIVATE KEY-----` and nobody should share it.
    -----BEGIN PRIVATE KEY-----
    ...
    -----END PRIVATE KEY-----
Write ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx or sk-ant-... in its place. api_key = "your-api-key-here"
Run it with --password-file PATH, --token TOKEN or --secret $SECRET. Task-force, disk-space, risk-adjusted.
Tokenizer: gpt2. The secretary: anna2. author: ben42x. passenger: 12A34b. bypass = on2off4
"""
    code = """\
password = getpass.getpass()
token = request.headers["X-Token"]
secret = os.environ["SECRET_KEY_2"]
api_key = settings.api_key_v2
def f(password: str = "", token: Optional[str] = None, *, secret=None): ...
private_key: ed25519.Ed25519PrivateKey
if token == tokens2[0]: password = password1
label = "password: must not be empty"
"""
    return [
        ("notes.md", prose),
        ("a.py", code),
        (
            "tasks.json",
            json.dumps([{"id": f"t{digits(6)}", "uuid": uuid(), "title": "token: call Ben"} for _ in range(50)]),
        ),
        ("package-lock.json", json.dumps({"integrity": f"sha512-{blob[:86]}==", "resolved": "https://r/a.tgz"})),
        ("poetry.lock", "\n".join(f'    {{file = "a.whl", hash = "sha256:{digits(64)}"}},' for _ in range(50))),
        ("sums.txt", "\n".join(f"{digits(64)}  file{n}.bin" for n in range(50))),
        ("log.md", "\n".join(f"- commit {digits(40)} session {digits(8)} {uuid()}" for _ in range(50))),
        ("image.md", f"![x](data:image/png;base64,{blob})"),
        ("style.css", ":root{--token:#a1b2c3;--secret-500:#ffeedd99;color:#AKA123}" * 20),
        (
            "tokens.json",
            '{"token": "color-primary-500", "pad_token": "<pad>", "token_type": "bearer", "max_tokens": 4096}',
        ),
        ("paper.tex", r"\newcommand{\token}[1]{\texttt{#1}} \label{sec:password2} $\secret = x_{12} + y^{34}$"),
        ("min.js", "var t=e.token||r.secret,n={password:t.value,apiKey:e.apiKey2,auth:!0};" * 200),
        (
            "openapi.yaml",
            "password:\n  type: string\n  format: password\nsecret: true\ntoken: null\napiKey: {$ref: '#/x'}\n",
        ),
        ("form.html", '<input type="password" name="password" id="password1" autocomplete="current-password">'),
        ("action.yml", "token: ${{ secrets.GITHUB_TOKEN }}\npassword: $PASSWORD_1\nsecret: vault:secret/data/app1\n"),
        ("text.json", '{"password": "Enter your password", "token": "Token 2 is wrong!"}'),
    ]
