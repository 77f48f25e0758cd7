"""What an attack on the secret scan got past it, and what stands beside it and must not stop a share."""

import pytest

from alive_p2p.sharing import findings
from alive_p2p.sharing.findings import Finding, Scanner
from alive_p2p.sharing.secret_rules import RULES
from alive_p2p.sharing.secret_set import slow_triggers, triggers

VALUE = "Xk29vQz7" + "LmRt4Wp8"
LINES = b"an ordinary line of notes\n" * 400  # more than the head that tells the kind of a file


def scan(data: bytes | str, path: str = "notes.md") -> tuple[list[Finding], bool]:
    """The findings, and whether the file is opaque."""
    file = Scanner().begin(path)
    file.feed(data.encode() if isinstance(data, str) else data)
    found = file.finish()
    return found, file.is_opaque


def lines(data: bytes | str, path: str = "notes.md") -> list[int | None]:
    return [finding.line for finding in scan(data, path)[0]]


@pytest.fixture(scope="module", autouse=True)
def _real_automaton() -> None:
    pytest.importorskip("re2")


# --- zero bytes ---------------------------------------------------------------------------------------------------

SECRET = f"password: {VALUE}\r\n".encode()
WIDE = f"and later\r\npassword: {VALUE}\r\n".encode("utf-16-le")


def test_a_zero_byte_late_in_a_text_hides_nothing() -> None:
    """Before the secret, behind it, and within it."""
    for text in (LINES + b"\0" + SECRET, LINES + SECRET + b"\0", LINES + SECRET[:14] + b"\0" + SECRET[14:]):
        assert [(f.line, f.count) for f in scan(text)[0]] == [(401, 1)]
        assert not scan(text)[1]


def test_a_zero_byte_early_in_a_text_hides_nothing() -> None:
    text = b"notes of today\0\n" + SECRET
    assert lines(text) == [2]
    assert not scan(text)[1]


@pytest.mark.parametrize("before", [b"even\n", b"odd\r\n", b"x\n", b"\n" * 5, b"x" * 99 + b"\n", LINES, LINES + b"\n"])
def test_what_a_shell_appended_in_utf_16_is_read(before: bytes) -> None:
    """PowerShell's `>>` adds two bytes a character to a file that has one: both parts are looked into."""
    first = b"pass" + b"word: Tiger-Boat-42\n"
    found, is_opaque = scan(before + first + WIDE + WIDE)
    count = before.count(b"\n")
    assert [(f.line, f.count) for f in found] == [(count + 1, 1), (count + 3, 2)]
    assert not is_opaque


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
@pytest.mark.parametrize("before", ["notes\r\n", "notes\r\n" * 2_000])
def test_what_was_appended_to_utf_16_is_read(mark: bytes, before: str) -> None:
    """The other way round, at either parity, and with more in two bytes behind it."""
    for filler in (b"", b" "):
        wide = f"password: Tiger-Boat-42\n{before}".encode("utf-16-le")
        text = mark + before.encode("utf-16-le") + filler + SECRET + wide
        count = before.count("\n")
        assert [f.excerpt for f in scan(text)[0]] == [
            f"password = {VALUE[:4]}… (16 bytes)",
            "password = Ti… (13 bytes)",
        ]
        assert lines(text) in ([count + 1, count + 1], [count + 1, count + 2])  # an editor shows one line, and garbage


def test_zero_bytes_change_no_line_over_many_windows() -> None:
    text = (LINES + b"\0\n") * 20 + SECRET + b"\0" + LINES * 10
    assert lines(text) == [401 * 20 + 1]


@pytest.mark.parametrize("junk", [bytes(range(256)) * 200, b"\0\1\2\3" * 4_000])
def test_a_binary_tail_makes_a_file_opaque(junk: bytes) -> None:
    """What comes before is read as text nevertheless, and noise behind it is not."""
    found, is_opaque = scan(LINES + SECRET + LINES + junk + b" password: Ab3!xyz9 \1\2" + junk)
    assert [f.line for f in found] == [401]
    assert is_opaque


def test_a_binary_tail_far_behind_makes_a_file_opaque() -> None:
    assert scan(LINES * 50 + bytes(range(256)) * 20)[1]


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_32_without_a_mark_is_read(order: str) -> None:
    text = f"notes of today\n\npassword: {VALUE}\n".encode(f"utf-32-{order}")
    assert lines(text) == [3]
    assert not scan(text)[1]


@pytest.mark.parametrize("width", [2, 4])
def test_numbers_are_not_taken_for_wide_text(width: int) -> None:
    data = b"".join((n % 31 + 1).to_bytes(width, "little") for n in range(4_000))
    assert scan(data) == ([], True)


# --- other disguises ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad"])
def test_an_invisible_character_hides_nothing(hidden: str) -> None:
    """In the name, or in the value."""
    assert lines(f"é\n\npass{hidden}word: {VALUE}\n") == [3]
    assert lines(f"é\n\npassword: {VALUE[:5]}{hidden}{VALUE[5:]}\n") == [3]
    assert [f.count for f in scan(f"{hidden}password: {VALUE}\n")[0]] == [1]


def test_a_text_that_begins_like_a_pdf_is_read() -> None:
    text = f"%PDF-1.7 is how such files begin.\n\npassword: {VALUE}\n"
    assert lines(text) == [3]
    assert not scan(text)[1]


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\n",
        b"%PDF-1.4\n\0\n",
        b"%PDF-2.0\r\n",
    ],
)
def test_a_pdf_is_opaque(data: bytes) -> None:
    assert scan(data + LINES) == ([], True) or len(data) == 10
    assert scan(data)[1]


@pytest.mark.parametrize("size", [4_000, 4_096, 4_200, 6_000, 20_000])
def test_a_long_json_web_token_is_found(size: int) -> None:
    token = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIx" * (size // 9) + "." + "dQw4w9WgXcQ" * 4
    found = scan(f"the session\n{token}\n")[0]
    assert [(f.kind, f.line) for f in found] == [("json-web-token", 2)]


# --- templates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "password: S3cur$ePass!9",
        "postgres://app:Pa$sw0rd!9x@db.example.org/x",
        'password: "Pa<s>s9!kkQ"',
        "PASSWORD=Gx{7}aQ9!pp",
        "password: Tr0ub%adour!9",
        'password: "Ab3<kd9!Zq"',
        "password: $ecret-Boat-42",
        "curl -u ben:Pa$sw0rd!9x https://h.internal",
    ],
)
def test_signs_of_templates_within_a_password_are_part_of_it(text: str) -> None:
    found = scan(text)[0]
    assert len(found) == 1


@pytest.mark.parametrize(
    "text",
    [
        "password: ${DB_PASSWORD_1}",
        "password: $DB_PASSWORD_1",
        "password: $db_password_1",
        'password="$this->password2"',
        "password: abc-${NAME_1}-9x!",
        "password: Abc9-$NAME",
        "password: pre9{{ name_1 }}X!",
        "password: {{name1}}",
        'password: "<your 1st Password!>"',
        'password: "<PASSWORD_1>"',
        "password: {password_1}",
        'token = f"{user_1}:{TOKEN_2}"',
        'password: "{user_1}-<id_2>"',
        "password: $(cat /run/secret9)",
        "password: %(password1)s",
        "password: %s-%d9",
        "password: #{ENV1}X",
        "postgres://app:$PASSWORD1@db.example.org/x",
        "postgres://app:${PASSWORD1}@db.example.org/x",
        "postgres://app:{password1}@db.example.org/x",
        "postgres://app:$pass1@db.example.org/x",
        "password: $2b$12$abcdefghijklmnopqrstuv",
    ],
)
def test_templates_are_none(text: str) -> None:
    assert lines(text) == []


# --- spellings ----------------------------------------------------------------------------------------------------

SPELLINGS = [
    ("password:\n  {}\n", 2, "a.yaml"),
    ("password: >-\n  {}\n", 2, "a.yaml"),
    ("password: |\n  {}\n", 2, "a.yaml"),
    ("db:\r\n  password:\r\n    {}\r\n", 3, "a.yaml"),
    ('{{"password":\n  "{}"}}', 2, "a.json"),
    ("Password:\n{}", 2, "notes.md"),
    ("# Router\n\n## Password\n\n{}\n", 5, "notes.md"),
    ("## API key ##\n\n`{}`\n", 3, "notes.md"),
    ("## Wi-Fi password\n\n```\n{}\n```\n", 4, "notes.md"),
    ("**Password**\n{}\n", 2, "notes.md"),
    ("Login\nben\nPassword\n{}\n", 4, "notes.txt"),
    ("env:\n  - name: DB_PASSWORD\n    value: {}\n", 3, "a.yaml"),
    ('env:\n  - name: "DB_PASSWORD"\n    value: "{}"\n', 3, "a.yaml"),
    ('{{"name": "DB_PASSWORD", "value": "{}"}}', 1, "a.json"),
    ('{{"name":"DB_PASSWORD","value":"{}"}}', 1, "a.json"),
    ('{{\n  "name": "DB_PASSWORD",\n  "value": "{}"\n}}', 3, "a.json"),
    ("<dict>\n<key>password</key><string>{}</string>\n</dict>", 2, "a.plist"),
    ("<key>apiToken</key>\n\t<string>{}</string>", 2, "a.plist"),
    ("| User | Password |\n| --- | --- |\n| ben | {} |\n", 3, "notes.md"),
    ("User | Password | Note\n:-- | :-: | --:\nben | `{}` | x\n", 3, "notes.md"),
    ("| Password |\n|---|\n| {} |\n", 3, "notes.md"),
    ("user,password\nben,{}\n", 2, "a.csv"),
    ('name,url,username,password,note\nx,https://h,ben,"{}","a, b"\n', 2, "a.csv"),
    ('name;"API key"\r\nben;{}\r\n', 2, "a.csv"),
    ("user\tpassword\nben\t{}\n", 2, "a.tsv"),
    ("Logins\n\nuser,password\n\nben,{}\n", 5, "notes.txt"),
]


@pytest.mark.parametrize(("text", "line", "name"), SPELLINGS)
def test_ordinary_spellings_are_found(text: str, line: int, name: str) -> None:
    found = scan(text.format(VALUE), name)[0]
    assert [(f.kind, f.line, f.count) for f in found] == [("high-entropy-assignment", line, 1)]
    assert f"{VALUE[:4]}… (16 bytes)" in found[0].excerpt


@pytest.mark.parametrize(("text", "line", "name"), SPELLINGS)
def test_the_fallback_finds_them_as_well(text: str, line: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the triggers fire wherever the patterns match."""
    data = text.format(VALUE).encode()
    expected = scan(data, name)
    matching = {n for n, rule in enumerate(RULES) if rule.compiled.search(data)}
    assert matching <= set(triggers()(data))
    monkeypatch.setattr(findings, "triggers", slow_triggers)
    assert scan(data, name) == expected


def test_every_row_of_a_table_is_looked_at() -> None:
    rows = "".join(f"user{n},{n:03d}{VALUE[n % 7 :]}!\n" for n in range(300))
    assert lines("user,password\n" + rows, "a.csv") == list(range(2, 302))


def test_a_table_goes_on_over_many_windows() -> None:
    rows = "".join(f"user{n},{n:05d}{VALUE[n % 7 :]}!,{'a word ' * 200}\n" for n in range(300))
    assert lines("user,password,note\n" + rows, "a.csv") == list(range(2, 302))


@pytest.mark.parametrize(
    "text",
    [
        'password: "blue Horse 42 stapler!"',
        "password = 'my Dog 7 runs'",
        '{"password": "Sommer Regen 1987!"}',
        'passphrase: "four Red 8 boats"',
    ],
)
def test_quoted_passwords_with_blanks_are_found(text: str) -> None:
    assert lines(text) == [1]


INNOCENT = [
    ("a.json", '{"password": "Must have at least 8 Characters!", "token": "Token 2 is Wrong!"}'),
    ("a.json", '{"password": "Enter Password 2!", "passwordHint": "Use 8 or more characters, A-Z!"}'),
    ("a.json", '{"password": "Passwort (mindestens 8 Zeichen)", "confirmPassword": "Le mot de passe, 12 Car."}'),
    ("a.yaml", "password:\n  type: string\n  minLength: 8\nsecret:\n  name: App2Config\ntoken:\n  $ref: '#/X9'\n"),
    ("a.yaml", "password:\n  required\nsecretKey: |\n  see README2.md\ntoken:\n  vault:secret/App9\n"),
    ("a.yaml", "password:\n  ${PASSWORD_1A}\npassword: >-\n  {{ password_1A }}\n"),
    ("a.yaml", "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: App9-Config\n      key: password\n"),
    ("a.yaml", "- name: DB_PASSWORD\n  value: $(DB_PASSWORD_2)\n- name: TOKEN\n  value: changeme\n"),
    ("a.plist", "<key>password</key><string>required</string><key>token</key><string>$(TOKEN_1)</string>"),
    (
        "notes.md",
        "## Password\n\nAt least 12 characters.\n\n## Token\n\nSee [2FA](x.md).\n\n## Secret\n\n- Chapter2.md\n",
    ),
    ("notes.md", "How to reset the old password\nVersion2.4-Beta\n\nthey lost the secret\nISO-27001-B\n"),
    (
        "notes.md",
        "| Setting | Password |\n|---|---|\n| length | 12 characters |\n| hash | PBKDF2 |\n| kind | required |\n",
    ),
    ("notes.md", "| Password | Token |\n|---|---|\n| `<password>` | `$TOKEN_1A` |\n| changeme | none |\n"),
    ("notes.txt", "user, password, and token\n2026, Abc12345!x, and 3\n"),
    ("notes.txt", "we need a user, a password\nAbc9!defg,Xyz9!klm\n"),
    ("a.csv", "user,password\nben,\nanna,********\ncarl,<hidden1A>\ndora,none\n"),
    ("a.csv", "token,count\nthe,12\nGPT-4,3\nfoo_bar9,2\n"),
    (
        "list.txt",
        "libauth1\t2.0\nbasic-auth\tb c\nlibXtst6-Dev\t3.1\nmy-token\tnew one\n@0xSequence/Auth9\tfor it\n" * 3,
    ),
    ("a.py", "def f(\n    user,\n    password,\n    Token2,\n): ...\nuser,password\nx,Abc12345!x\n"),
    ("a.py", "password:\n  Config2Loader\nif token:\n    Abc1Def2Ghi3()\n"),
]


@pytest.mark.parametrize(("name", "text"), INNOCENT)
def test_what_looks_like_it_has_no_findings(name: str, text: str) -> None:
    assert scan(text, name) == ([], False)
