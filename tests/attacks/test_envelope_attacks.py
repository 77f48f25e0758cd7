"""Envelopes that attack the receiver: JSON, headers, lengths and padding bent, and hostile packages inside whole ones.

What is sealed is opened before it is checked, so the envelope is the first thing a stranger can shape (format.md §5).
"""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from arena import Arena, Ended
from forging import END, FULL, KEY, MANIFEST, Draft, Member, gnu_long, gz, pax
from hypothesis import given, settings
from hypothesis import strategies as st
from seals import PASSPHRASE, AgeDraft, LegacyDraft, Receiver, RsaDraft, armored, b64, by_passphrase, cbc, raw64

_OPENED = {"cannot-open", "bad-envelope", "damaged", "unsafe-member", "over-limit", "not-for-us", "not-a-package"}
"""How an envelope that is bent may be refused."""


def _receive(arena: Arena, receiver: Receiver, data: bytes, **options: Any) -> Ended:
    return arena.receive(data, credentials=receiver.credentials, **options)


def _sealed_in_every_way(receiver: Receiver, package: bytes) -> dict[str, bytes]:
    return {
        "passphrase": by_passphrase(package),
        "rsa": RsaDraft(receiver, package).sealed(),
        "age-passphrase": AgeDraft.by_passphrase(package).sealed(),
        "age-rsa": AgeDraft.for_receiver(receiver, package).sealed(),
        "age-armored": armored(AgeDraft.for_receiver(receiver, package).sealed()),
    }


# --- what is inside -------------------------------------------------------------------------------------------


def test_a_package_that_is_well_made_opens_in_every_envelope(arena: Arena, receiver: Receiver) -> None:
    """The forged envelopes are right: otherwise the tests below would show nothing."""
    package = Draft().package()
    sealed = [*_sealed_in_every_way(receiver, package).values()]
    sealed += [LegacyDraft(Draft()).sealed(), LegacyDraft(Draft(), receiver).sealed()]
    sealed += [by_passphrase(package, iterations=rounds) for rounds in (100_000, 10_000)]
    for data in sealed:
        ended = _receive(arena, receiver, data)
        assert ended.accepted, ended.error
        assert FULL.keys() <= ended.installed.keys()


_INSIDE: dict[str, Callable[[Draft], object]] = {
    "climbs-out": lambda d: d.add("../evil.md"),
    "links-out": lambda d: d.add("l", b"", kind=b"2", fields={"link": b"/etc/passwd"}),
    "pax-climbs-out": lambda d: d.add("x", before=pax({"path": "../evil.md"})),
    "gnu-climbs-out": lambda d: d.add("x", before=gnu_long(b"../evil.md")),
    "twice": lambda d: d.add("notes.md", b"other", listed=False),
    "unlisted": lambda d: d.add("evil.md", listed=False),
    "missing": lambda d: d.mention("evil.md", b"x"),
    "in-the-kernel": lambda d: d.add("_kernel/evil.md"),
    "no-manifest-field": lambda d: d.remove("created"),
    "manifest-twice": lambda d: d.add(MANIFEST, b"x", listed=False),
    "far-too-large": lambda d: d.add("x", size=1 << 63),
    "no-end": lambda d: setattr(d, "end", b""),
    "trailing": lambda d: setattr(d, "end", END + b"more"),
}


@pytest.mark.parametrize("inside", _INSIDE)
def test_a_hostile_package_is_refused_in_every_envelope_as_it_is_without(
    arena: Arena, receiver: Receiver, inside: str
) -> None:
    """With the same error, and nothing of it is written however it was sealed."""
    draft = Draft()
    _INSIDE[inside](draft)
    plain = arena.receive(draft.package())
    assert not plain.accepted
    for data in _sealed_in_every_way(receiver, draft.package()).values():
        assert _receive(arena, receiver, data).code == plain.code


def test_what_is_sealed_twice_or_is_no_package_is_refused(arena: Arena, receiver: Receiver) -> None:
    """Envelopes do not nest, and only gzip is opened inside them."""
    package = Draft().package()
    for inner in (*_sealed_in_every_way(receiver, package).values(), Draft().tar(), gz(package), b"text", b"", b"BZh9"):
        for data in (RsaDraft(receiver, inner).sealed(), AgeDraft.by_passphrase(inner or b"x").sealed()):
            assert not _receive(arena, receiver, data).accepted


# --- RSA: the JSON --------------------------------------------------------------------------------------------

_JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    2,
    -1,
    10**400,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "1",
    "x",
    "\x1b[2J",
    "\ud800",
    "../../evil",
    "é" * 100,
    [],
    {},
    [[]],
    [None],
    [{}],
    ["x"],
    {"pubkey_id": "x"},
    [{"pubkey_id": "x"}],
    [{"pubkey_id": 7, "key_enc_b64": "AAAA"}],
    [{"pubkey_id": "x", "key_enc_b64": 7}],
    [{"pubkey_id": "x", "key_enc_b64": "no base64!"}],
    [{"pubkey_id": "x", "key_enc_b64": "AAA"}],
)


@pytest.mark.parametrize(
    "name", ["version", "recipients", "payload_algo", "payload_iv_b64", "pubkey_id", "key_enc_b64"]
)
def test_an_rsa_envelope_with_a_field_of_another_kind_is_refused(arena: Arena, receiver: Receiver, name: str) -> None:
    """Each field missing, and with every value that it should not have; only who is named does not matter."""
    for number, value in enumerate((None, *_JSON_VALUES)):
        draft = RsaDraft(receiver, Draft().package())
        place = draft.recipient if name in draft.recipient else draft.document
        if number:
            place[name] = value
        else:
            del place[name]
        ended = _receive(arena, receiver, draft.sealed())
        if name == "pubkey_id" and number and isinstance(value, str):
            assert ended.accepted
        else:
            assert ended.code in _OPENED, (value, ended)


def test_an_rsa_envelope_whose_iv_or_wrapped_key_has_another_length_is_refused(
    arena: Arena, receiver: Receiver
) -> None:
    """No length but sixteen for the one; for the other nothing but what unwraps to 32 bytes."""
    for length in (0, 1, 15, 17, 32):
        draft = RsaDraft(receiver, Draft().package())
        draft.document["payload_iv_b64"] = b64(bytes(length))
        assert _receive(arena, receiver, draft.sealed()).code == "bad-envelope"
    for length in (0, 1, 16, 31, 33, 48, 64):
        draft = RsaDraft(receiver, Draft().package(), key=bytes(length))
        assert _receive(arena, receiver, draft.sealed()).code == "cannot-open"
    for length in (0, 1, 255, 257, 4096):
        draft = RsaDraft(receiver, Draft().package())
        draft.recipient["key_enc_b64"] = b64(b"\xff" * length)
        assert _receive(arena, receiver, draft.sealed()).code == "cannot-open"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"7",
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"version":' * 50_000,
        b'{"version": ' + b"9" * 100_000 + b"}",
        b'{"version": 1' + b" " * (1 << 20) + b"}",
        b"{'version': 1}",
        b'{"version": 1} {"version": 1}',
        b'{"version": NaN}',
        b"\0" * 1000,
    ],
)
def test_an_rsa_envelope_that_is_no_json_object_is_refused(arena: Arena, receiver: Receiver, text: bytes) -> None:
    """Nothing of its kind, nested without end, with numbers without end, or larger than a megabyte."""
    draft = RsaDraft(receiver, Draft().package())
    draft.text = text
    assert _receive(arena, receiver, draft.sealed()).code == "bad-envelope"


def test_an_rsa_envelope_for_too_many_or_for_others_is_refused(arena: Arena, receiver: Receiver) -> None:
    """A thousand and one, none; and where all are others, the message names them without their escape codes."""
    draft = RsaDraft(receiver, Draft().package())
    one = draft.recipient
    for recipients in ([], [one] * 1001):
        draft.document["recipients"] = recipients
        assert _receive(arena, receiver, draft.sealed()).code == "bad-envelope"
    draft.document["recipients"] = [{"pubkey_id": "\x1b[2J" * 100, "key_enc_b64": b64(bytes(256))}] * 3
    ended = _receive(arena, receiver, draft.sealed())
    assert ended.code == "not-for-us"
    assert ended.error is not None
    assert len(ended.error.message) < 1000


def test_recipients_that_are_noise_do_not_keep_the_right_one_from_being_found(arena: Arena, receiver: Receiver) -> None:
    """Before and behind it, under our own id and under others."""
    draft = RsaDraft(receiver, Draft().package())
    noise = [{"pubkey_id": name, "key_enc_b64": b64(bytes(256))} for name in ("x", receiver.pubkey_id)]
    draft.document["recipients"] = [*noise, draft.recipient, *noise]
    assert _receive(arena, receiver, draft.sealed()).accepted


# --- RSA: the outer archive -----------------------------------------------------------------------------------

_OUTER: dict[str, Callable[[RsaDraft], object]] = {
    "third-member": lambda d: d.members.append(Member("evil.md", b"x")),
    "third-member-that-climbs-out": lambda d: d.members.append(Member("../evil.md", b"x")),
    "third-member-first": lambda d: d.members.insert(1, Member("evil.md", b"x")),
    "link": lambda d: d.members.append(Member("l", kind=b"2", fields={"link": b"/etc/passwd"})),
    "folder": lambda d: d.members.append(Member("d/", kind=b"5")),
    "manifest": lambda d: d.members.append(Member(MANIFEST, b"x")),
    "envelope-twice": lambda d: d.members.append(Member("rsa-envelope-v1.json", b"{}")),
    "payload-twice": lambda d: d.members.append(Member("./payload.enc", d.payload.content)),
    "no-envelope": lambda d: d.members.remove(d.envelope),
    "no-payload": lambda d: d.members.remove(d.payload),
    "envelope-as-folder": lambda d: vars(d).update(text=b"", envelope=d.envelope.change(kind=b"5")),
    "payload-as-folder": lambda d: d.payload.change(kind=b"5", content=b""),
    "payload-as-link": lambda d: d.payload.change(kind=b"2"),
    "payload-in-a-folder": lambda d: d.payload.change(name="x/payload.enc"),
    "other-name": lambda d: d.envelope.change(name="rsa-envelope-v2.json"),
    "payload-empty": lambda d: d.payload.change(content=b""),
    "payload-one-more": lambda d: d.payload.change(size=len(d.payload.content) + 1),
    "payload-one-less": lambda d: d.payload.change(size=len(d.payload.content) - 1),
    "payload-a-block-less": lambda d: d.payload.change(size=len(d.payload.content) - 16),
    "payload-8-eb": lambda d: d.payload.change(size=1 << 63),
    "payload-negative": lambda d: d.payload.fields.update(size_field=b"\xff" * 12),
    "envelope-8-eb": lambda d: d.envelope.change(size=1 << 63),
    "renamed-by-pax": lambda d: d.payload.change(before=pax({"path": "evil.md"})),
    "renamed-by-gnu": lambda d: d.payload.change(before=gnu_long(b"../evil.md")),
    "resized-by-pax": lambda d: d.payload.change(before=pax({"size": "16"})),
    "resized-by-all": lambda d: d.envelope.change(before=pax({"size": "16"}, b"g")),
    "no-end": lambda d: setattr(d, "end", b""),
    "trailing": lambda d: setattr(d, "end", END + b"more"),
    "an-archive-behind-the-end": lambda d: setattr(d, "end", END + Draft().tar()),
}


@pytest.mark.parametrize("outer", _OUTER)
def test_an_rsa_envelope_that_is_not_exactly_its_two_members_is_refused(
    arena: Arena, receiver: Receiver, outer: str
) -> None:
    """The rules for members hold for the outer archive as they do for the inner one."""
    draft = RsaDraft(receiver, Draft().package())
    _OUTER[outer](draft)
    assert _receive(arena, receiver, draft.sealed()).code in _OPENED


def test_the_outer_archive_may_be_written_in_any_valid_way(arena: Arena, receiver: Receiver) -> None:
    """In the other order, with the name in a PAX record or in the GNU way, with padding behind it."""
    for change in (
        lambda d: d.members.reverse(),
        lambda d: d.payload.change(before=pax({"path": "payload.enc"})),
        lambda d: d.payload.change(before=gnu_long(b"payload.enc")),
        lambda d: d.envelope.change(name="./rsa-envelope-v1.json"),
        lambda d: setattr(d, "end", bytes(10_240)),
    ):
        draft = RsaDraft(receiver, Draft().package())
        change(draft)
        assert _receive(arena, receiver, draft.sealed()).accepted


def test_a_compressed_rsa_envelope_is_no_package(arena: Arena, receiver: Receiver) -> None:
    """It holds no manifest, and its members are not taken for files of a walnut."""
    assert not _receive(arena, receiver, gz(RsaDraft(receiver, Draft().package()).sealed())).accepted


# --- CBC ------------------------------------------------------------------------------------------------------


def test_every_failure_to_open_a_cbc_envelope_says_the_same(arena: Arena, receiver: Receiver) -> None:
    """Padding, gzip, tar and checksum must not be told apart by one who can send many and watch."""
    package = Draft().package()
    wrong_sum = package[:-8] + bytes(4) + package[-4:]
    cases = [
        cbc(package, pad=bytes(16 - len(package) % 16)),
        cbc(package, pad=b"\xff" * (16 - len(package) % 16)),
        cbc(package)[:-16],
        cbc(package) + bytes(16),
        cbc(wrong_sum),
        cbc(package[:-9]),
        cbc(b"\x1f\x8b\x08" + bytes(100)),
        cbc(bytes(64)),
        cbc(gz(b"no archive" * 100)[:-4]),
        cbc(package, key=bytes(32)),
    ]
    said = set()
    for payload in cases:
        draft = RsaDraft(receiver, package)
        draft.payload.content = payload
        ended = _receive(arena, receiver, draft.sealed())
        assert ended.error is not None
        said.add((ended.code, ended.error.message, ended.error.hint))
    assert len(said) == 1
    assert {code for code, _, _ in said} == {"cannot-open"}


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_in_a_cbc_envelope_never_changes_what_arrives(
    arena: Arena, receiver: Receiver, seed: int
) -> None:
    """Refused, or, where it met nothing but times and comments, exactly the package that was sealed."""
    chance = random.Random(seed)
    draft = RsaDraft(receiver, Draft().package())
    data = bytearray(draft.sealed())
    end = len(data) - len(END) if seed % 2 else 4096
    for _ in range(chance.choice((1, 1, 2, 16))):
        data[chance.randrange(end)] ^= 1 << chance.randrange(8)
    ended = _receive(arena, receiver, bytes(data))
    if ended.accepted:
        kernel = {"_kernel/log.md", "_kernel/now.json", "_kernel/imports.json"}
        assert {p: c for p, c in ended.installed.items() if p in FULL and p not in kernel} == {
            p: c for p, c in FULL.items() if p not in kernel
        }


@pytest.mark.parametrize("length", [0, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, -17, -16, -15, -1])
def test_a_passphrase_envelope_of_any_length_but_its_own_is_refused(
    arena: Arena, receiver: Receiver, length: int
) -> None:
    """Cut off in the magic, the salt, the first block and the last; and with a block more."""
    sealed = by_passphrase(Draft().package())
    for data in (sealed[:length], sealed + bytes(abs(length))) if length else (sealed[:0],):
        assert _receive(arena, receiver, data).code in {"cannot-open", "not-a-package"}


def test_a_first_block_that_looks_right_gives_nothing_away(arena: Arena, receiver: Receiver) -> None:
    """The start of a gzip stream and noise behind it; a whole gzip stream of something else."""
    for inner in (b"\x1f\x8b\x08" + bytes(13), b"\x1f\x8b\x08" + PASSPHRASE, gz(b""), gz(KEY), gz(END)):
        assert not _receive(arena, receiver, by_passphrase(inner)).accepted


# --- age ------------------------------------------------------------------------------------------------------

_ONE = "scrypt AAAAAAAAAAAAAAAAAAAAAA 4"
_BODY = bytes(32)
_AGE: dict[str, Callable[[AgeDraft], object]] = {
    "no-stanza": lambda d: d.stanzas.clear(),
    "two-passphrases": lambda d: d.stanzas.append(d.stanzas[0]),
    "passphrase-and-key": lambda d: d.stanzas.append(("X25519 " + "A" * 43, _BODY)),
    "key-and-passphrase": lambda d: d.stanzas.insert(0, ("X25519 " + "A" * 43, _BODY)),
    "other-version": lambda d: setattr(d, "version", "age-encryption.org/v2"),
    "version-and-more": lambda d: setattr(d, "version", "age-encryption.org/v1 "),
    "windows-lines": lambda d: setattr(d, "line_end", "\r\n"),
    "wrong-mac": lambda d: setattr(d, "mac", "A" * 43),
    "no-mac": lambda d: setattr(d, "mac", ""),
    "short-mac": lambda d: setattr(d, "mac", "A" * 42),
    "long-mac": lambda d: setattr(d, "mac", "A" * 44),
    "unknown-kind": lambda d: d.stanzas.__setitem__(0, ("evil " + "A" * 22, _BODY)),
    "no-arguments": lambda d: d.stanzas.__setitem__(0, ("scrypt", _BODY)),
    "one-argument": lambda d: d.stanzas.__setitem__(0, ("scrypt AAAAAAAAAAAAAAAAAAAAAA", _BODY)),
    "three-arguments": lambda d: d.stanzas.__setitem__(0, (_ONE + " 4", _BODY)),
    "short-salt": lambda d: d.stanzas.__setitem__(0, ("scrypt AAAA 4", _BODY)),
    "padded-salt": lambda d: d.stanzas.__setitem__(0, ("scrypt AAAAAAAAAAAAAAAAAAAAAA== 4", _BODY)),
    "salt-with-spare-bits": lambda d: d.stanzas.__setitem__(0, ("scrypt AAAAAAAAAAAAAAAAAAAAAB 4", _BODY)),
    "double-space": lambda d: d.stanzas.__setitem__(0, (_ONE.replace(" ", "  "), _BODY)),
    "trailing-space": lambda d: d.stanzas.__setitem__(0, (_ONE + " ", _BODY)),
    "not-ascii": lambda d: d.stanzas.__setitem__(0, (_ONE + "é", _BODY)),
    "control-character": lambda d: d.stanzas.__setitem__(0, (_ONE + "\x1b", _BODY)),
    "line-feed": lambda d: d.stanzas.__setitem__(0, (_ONE + "\n", _BODY)),
    "no-body": lambda d: d.stanzas.__setitem__(0, (_ONE, b"")),
    "short-body": lambda d: d.stanzas.__setitem__(0, (_ONE, bytes(31))),
    "long-body": lambda d: d.stanzas.__setitem__(0, (_ONE, bytes(4800))),
    "wrong-body": lambda d: d.stanzas.__setitem__(0, (_ONE, _BODY)),
}


@pytest.mark.parametrize("bend", _AGE)
def test_an_age_header_that_is_bent_is_refused(arena: Arena, receiver: Receiver, bend: str) -> None:
    """With a MAC that is right for what it says; the same in armor."""
    draft = AgeDraft.by_passphrase(Draft().package())
    _AGE[bend](draft)
    for data in (draft.sealed(), armored(draft.sealed())):
        assert _receive(arena, receiver, data).code in {"cannot-open", "not-for-us", "not-a-package"}


@pytest.mark.parametrize(
    "factor",
    [
        "0",
        "00",
        "04",
        "-1",
        "+4",
        "4.0",
        "1e1",
        "0x4",
        " 4",
        "٤",
        "21",
        "30",
        "63",
        "64",
        "99",
        "999999999999",
        "5" * 5000,
    ],
)
def test_a_work_factor_that_is_no_number_or_too_much_is_refused_before_it_is_tried(
    arena: Arena, receiver: Receiver, factor: str
) -> None:
    """Thirty would take a terabyte of memory, if it were believed."""
    draft = AgeDraft.by_passphrase(Draft().package(), factor=factor)
    assert _receive(arena, receiver, draft.sealed()).code in {"cannot-open", "work-factor-too-high"}


def _payload_cases(draft: AgeDraft) -> dict[str, bytes]:
    head, chunks = draft.header() + draft.nonce, draft.chunks()
    return {
        "no-payload": draft.header(),
        "short-nonce": draft.header() + draft.nonce[:15],
        "no-chunk": head,
        "cut-in-a-chunk": head + b"".join(chunks)[:-1],
        "no-last-chunk": head + b"".join(chunks[:-1]),
        "first-chunk-gone": head + b"".join(chunks[1:]),
        "chunks-swapped": head + b"".join([chunks[1], chunks[0], *chunks[2:]]),
        "chunk-twice": head + b"".join([chunks[0], *chunks]),
        "last-chunk-twice": head + b"".join([*chunks, chunks[-1]]),
        "bytes-behind": head + b"".join(chunks) + b"x",
        "bit-flipped": head + b"".join(chunks)[:100] + b"\0" + b"".join(chunks)[101:],
    }


def test_an_age_payload_that_is_bent_is_refused(arena: Arena, receiver: Receiver) -> None:
    """Nothing that came out before the fault was seen stays anywhere."""
    large = Draft()
    large.add("noise", random.Random(1).randbytes(200_000))
    for draft in (AgeDraft.by_passphrase(large.package()), AgeDraft.for_receiver(receiver, large.package())):
        assert len(draft.chunks()) > 2
        for case, data in _payload_cases(draft).items():
            assert _receive(arena, receiver, data).code == "cannot-open", case


def test_an_age_payload_in_chunks_of_another_size_is_refused(arena: Arena, receiver: Receiver) -> None:
    """Also with an empty last chunk, which would be a second spelling of the same file."""
    package = Draft().package()
    for size in (1, 16, 1000):
        draft = AgeDraft.by_passphrase(package)
        draft.chunk_size = size
        assert _receive(arena, receiver, draft.sealed()).code == "cannot-open"


_ARMOR: dict[str, Callable[[bytes], bytes]] = {
    "no-end": lambda a: a.rsplit(b"\n", 2)[0],
    "other-end": lambda a: a.replace(b"END AGE", b"END  AGE"),
    "begins-twice": lambda a: a.split(b"\n")[0] + b"\n" + a,
    "long-lines": lambda a: a.replace(b"\n", b"", 2),
    "short-lines": lambda a: a[:60] + b"\n" + a[60:],
    "blank-line": lambda a: a.replace(b"\n", b"\n\n", 2),
    "space-in-a-line": lambda a: a[:60] + b" " + a[60:],
    "comment": lambda a: a.replace(b"-----\n", b"-----\nComment: x\n\n", 1),
    "text-before": lambda a: b"Dear Ben,\n" + a,
    "text-behind": lambda a: a + b"Yours, Mallory\n",
    "much-whitespace-before": lambda a: b"\n" * 5000 + a,
    "much-whitespace-behind": lambda a: a + b"\n" * 5000,
    "another-file-behind": lambda a: a + a,
    "zeros": lambda a: a.replace(b"A", b"\0"),
    "url-alphabet": lambda a: a[:60] + b"-_" + a[62:],
    "padding-inside": lambda a: a[:60] + b"==" + a[62:],
    "one-endless-line": lambda a: a[:35] + b"A" * (2 << 20),
    "nothing-inside": lambda a: a.split(b"\n")[0] + b"\n" + b"-----END AGE ENCRYPTED FILE-----\n",
}


@pytest.mark.parametrize("bend", _ARMOR)
def test_age_armor_that_is_bent_is_refused(arena: Arena, receiver: Receiver, bend: str) -> None:
    """Armor has exactly one form, so nothing can hide in it."""
    text = armored(AgeDraft.by_passphrase(Draft().package()).sealed())
    assert not _receive(arena, receiver, _ARMOR[bend](text)).accepted


def test_an_age_header_with_more_recipients_than_anybody_has_is_refused(arena: Arena, receiver: Receiver) -> None:
    """A thousand and one, or nine with the tag of one key, each of which would cost a private-key operation."""
    draft = AgeDraft.for_receiver(receiver, Draft().package())
    draft.stanzas = [("X25519 " + raw64(bytes(32)), _BODY)] * 1001
    assert _receive(arena, receiver, draft.sealed()).code == "bad-age-header"
    draft.stanzas = [(f"ssh-rsa {raw64(receiver.ssh_tag)}", bytes(256))] * 9
    assert _receive(arena, receiver, draft.sealed()).code == "bad-age-header"


# --- format 2.0 -----------------------------------------------------------------------------------------------

_LEGACY: dict[str, Callable[[LegacyDraft], object]] = {
    "fourth-member": lambda d: d.members.append(Member("evil.md", b"x")),
    "climbing-member": lambda d: d.members.append(Member("../evil.md", b"x")),
    "kernel-beside-it": lambda d: d.members.append(Member("_kernel/key.md", KEY)),
    "payload-twice": lambda d: d.members.append(Member("./payload.enc", b"x")),
    "manifest-twice": lambda d: d.members.append(Member(MANIFEST, b"x")),
    "no-manifest": lambda d: d.members.remove(d.manifest),
    "no-payload": lambda d: d.members.remove(d.payload),
    "payload-as-folder": lambda d: d.payload.change(kind=b"5", content=b""),
    "payload-as-link": lambda d: d.payload.change(kind=b"2"),
    "payload-empty": lambda d: d.payload.change(content=b""),
    "payload-cut": lambda d: d.payload.change(content=d.payload.content[:-1]),
    "payload-a-block-short": lambda d: d.payload.change(content=d.payload.content[:-16]),
    "payload-of-something-else": lambda d: d.payload.change(content=gz(KEY)),
    "payload-that-lies": lambda d: d.payload.change(size=1 << 63),
    "key-empty": lambda d: d.key.change(content=b""),
    "key-cut": lambda d: d.key.change(content=d.key.content[:-1]),
    "key-of-another-length": lambda d: d.key.change(content=bytes(4096)),
    "key-too-long": lambda d: d.key.change(content=bytes(5000)),
    "key-altered": lambda d: d.key.change(content=bytes(256)),
    "manifest-empty": lambda d: d.manifest.change(content=b""),
    "manifest-of-another": lambda d: d.manifest.change(content=Draft.of_snapshot().manifest()),
    "no-end": lambda d: setattr(d, "end", b""),
    "trailing": lambda d: setattr(d, "end", END + b"x"),
}


@pytest.mark.parametrize("bend", _LEGACY)
def test_a_package_of_format_2_0_that_is_bent_is_refused(arena: Arena, receiver: Receiver, bend: str) -> None:
    """Above all `payload.enc` is never taken for a file of the walnut."""
    for sealed_for in (receiver,) if bend.startswith("key") else (receiver, None):
        draft = LegacyDraft(Draft(), sealed_for)
        _LEGACY[bend](draft)
        assert not _receive(arena, receiver, draft.sealed()).accepted


def test_a_listed_payload_makes_no_package_of_format_2_0_a_plain_one(arena: Arena, receiver: Receiver) -> None:
    """Its three names are sealed whatever the manifest lists; with one more file it is a plain package."""
    sealed = Draft({"payload.enc": b"x" * 64}).package()
    assert _receive(arena, receiver, sealed).code == "cannot-open"
    for name in ("payload.enc", "payload.key", "rsa-envelope-v1.json"):
        draft = Draft()
        draft.add(name, b"only a name")
        assert arena.receive(draft.package()).installed[name] == b"only a name"


@pytest.mark.parametrize(
    "inside", ["climbs-out", "links-out", "twice", "unlisted", "missing", "manifest-twice", "trailing"]
)
def test_a_hostile_package_of_format_2_0_is_refused(arena: Arena, receiver: Receiver, inside: str) -> None:
    """The same rules hold for what was sealed by the older implementation."""
    draft = Draft()
    _INSIDE[inside](draft)
    ended = _receive(arena, receiver, LegacyDraft(draft, receiver).sealed())
    assert ended.code in {"unsafe-member", "altered", "damaged", "bad-envelope"}


# --- anything at all ------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["aes-256-cbc", "AAAA", b64(bytes(16)), b64(bytes(256))]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "recipients", "pubkey_id", "key_enc_b64", "payload_algo", "payload_iv_b64"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(data=st.data())
def test_any_json_anywhere_in_an_rsa_envelope_is_refused_or_exact(
    arena: Arena, receiver: Receiver, data: st.DataObject
) -> None:
    """A value replaced, a field added, or the whole document."""
    draft = RsaDraft(receiver, Draft.of_snapshot().package())
    place = data.draw(st.sampled_from(["all", "document", "recipient"]))
    if place == "all":
        draft.text = json.dumps(data.draw(_JSON)).encode()
    else:
        target = draft.document if place == "document" else draft.recipient
        target[data.draw(st.sampled_from([*target, "more"]))] = data.draw(_JSON)
    ended = _receive(arena, receiver, draft.sealed())
    if ended.accepted:
        assert ended.installed["_kernel/key.md"] == KEY


@settings(max_examples=60)
@given(data=st.data())
def test_any_lines_in_an_age_header_are_refused_or_exact(arena: Arena, receiver: Receiver, data: st.DataObject) -> None:
    """Lines taken out, doubled, exchanged and made up."""
    draft = AgeDraft.for_receiver(receiver, Draft.of_snapshot().package())
    lines = draft.header().split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        known = st.sampled_from([b"---", b"-> X25519 A", b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1", b"", b"A" * 64, *lines])
        lines[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(known | st.binary(max_size=70), max_size=2))
    ended = _receive(arena, receiver, b"\n".join(lines) + draft.nonce + b"".join(draft.chunks()))
    if ended.accepted:
        assert ended.installed["_kernel/key.md"] == KEY


_MAGICS = (b"Salted__", b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> ", b"\x1f\x8b\x08")


@settings(max_examples=60)
@given(magic=st.sampled_from(_MAGICS), body=st.binary())
def test_any_bytes_behind_a_magic_are_refused(arena: Arena, receiver: Receiver, magic: bytes, body: bytes) -> None:
    """Nothing that is made up opens."""
    lines = (b"-----BEGIN AGE ENCRYPTED FILE-----", base64.b64encode(body), b"-----END AGE ENCRYPTED FILE-----\n")
    for data in (magic + body, b"\n".join(lines)):
        if not data.startswith(b"Salted__") or len(data) < 32:  # every passphrase that is tried takes its time
            assert not _receive(arena, receiver, data).accepted
