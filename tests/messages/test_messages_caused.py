"""Messages that no other test causes: each with what causes it, and its code."""

import base64
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.private import load_private_key
from alive_p2p.package.envelopes import rsa
from alive_p2p.package.envelopes.age_passphrase import PassphraseSealer
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.manifest_text import to_yaml
from alive_p2p.pending import PendingFile
from alive_p2p.receiving.deciding import _version_warning
from alive_p2p.receiving.layout import plan_installation
from alive_p2p.receiving.log_import import LogImport, _find, log_import
from alive_p2p.relay import code, outbox
from alive_p2p.relay.config import read_config
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports import s3_address
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.output import Destination
from alive_p2p.transactions.staging import set_aside
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.regeneration import write_projection
from alive_p2p.walnut.walnut import open_walnut
from alive_p2p.web import Question, ask_host
from worlds import NOVA, make_world, plant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not an object"),
        ('{"peers": []}', "`peers` is not an object"),
        ('{"peers": {"ben": 7}}', "the peer 'ben' is not an object"),
    ],
)
def test_a_broken_relay_config_says_what_is_wrong(text: str, says: str, runtime: Runtime) -> None:
    """And which file it is."""
    plant(runtime.alive_home / "relay", {"relay.json": text.encode()})
    with pytest.raises(AliveP2PError, match=says) as caught:
        read_config(runtime)
    assert caught.value.code == "broken-relay-config"


def test_what_the_relay_has_written_is_not_believed_when_it_is_something_else(runtime: Runtime) -> None:
    """The state and the outbox are this program's own; what somebody else has put there is named."""
    plant(runtime.alive_home / "relay", {"state.json": b"[]"})
    with pytest.raises(AliveP2PError) as caught:
        read_state(runtime)
    assert caught.value.code == "broken-relay-state"
    plant(outbox.folder_of(runtime), {"x.json": b"{}"})
    with pytest.raises(AliveP2PError) as caught:
        outbox.waiting(runtime)
    assert caught.value.code == "broken-outbox"


def _as_code(document: object) -> str:
    data = json.dumps(document).encode()
    return "alive1-" + base64.urlsafe_b64encode(data + code._check(data)).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "alive1-" + "a" * 100_000,
        "alive1-!",
        _as_code([1, 2]),
        _as_code([7, "a", "b", "", "age", ""]),
        _as_code(["https://x", "a", "b", "", "age", ""]),
    ],
)
def test_a_code_that_is_none_is_refused(text: str) -> None:
    """Too long, cut off, or about something else."""
    with pytest.raises(AliveP2PError) as caught:
        code.decode(text)
    assert caught.value.code == "bad-code"


@pytest.mark.parametrize(
    "read",
    [
        lambda: s3_address.parse("s3://b/p?x"),
        lambda: s3_address.parse("s3://b/p#x"),
        lambda: s3_address.endpoint_of("https://x:port"),
        lambda: s3_address.endpoint_of("ftp://x"),
    ],
)
def test_an_address_that_is_not_a_bucket_is_refused(read: Callable[[], object]) -> None:
    """With the form that it has to have."""
    with pytest.raises(AliveP2PError, match="not of the form") as caught:
        read()
    assert caught.value.code == "bad-address"


@pytest.mark.parametrize(("value", "expected"), [("a\nb", "not-one-line"), (1.5, "not-a-manifest-value")])
def test_a_manifest_is_not_written_with_what_no_reader_takes(value: object, expected: str) -> None:
    """Only text on one line, and whole numbers."""
    with pytest.raises(AliveP2PError) as caught:
        to_yaml({"note": value})
    assert caught.value.code == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 100_000,
        b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n" * 2,
        b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
        b"AGE-PLUGIN-YUBIKEY-1QQQ\n",
        b"AGE-SECRET-KEY-1A\nAGE-SECRET-KEY-1B\n",
        b"AGE-SECRET-KEY-1A\n",
        b"age-secret-key-1\n",
    ],
)
def test_what_is_no_private_key_is_named(data: bytes) -> None:
    """Its label is said, and what would be one."""
    with pytest.raises(AliveP2PError, match="the private key 'mine' cannot be used") as caught:
        load_private_key(data, label="mine")
    assert caught.value.code == "bad-key"


def test_an_empty_passphrase_seals_nothing(tmp_path: Path) -> None:
    """It would open for everybody."""
    with (tmp_path / "x").open("wb") as stream, pytest.raises(AliveP2PError) as caught:
        PassphraseSealer(stream, b"")
    assert caught.value.code == "empty-passphrase"


def test_a_walnut_without_a_log_gets_no_entry(tmp_path: Path, runtime: Runtime) -> None:
    """There is nothing that it could be added to."""
    walnut = plant(tmp_path / "nova", {"_kernel/key.md": NOVA["_kernel/key.md"]})
    with pytest.raises(AliveP2PError) as caught:
        log_import(LogImport(walnut, "0123456789abcdef"), runtime)
    assert caught.value.code == "bad-log"


def test_there_is_an_end_to_names_for_what_is_set_aside(tmp_path: Path, runtime: Runtime, monkeypatch) -> None:
    """Nothing is replaced, and nothing is tried for ever."""
    monkeypatch.setattr("alive_p2p.transactions.staging._MOST_KEPT", 1)
    with pytest.raises(AliveP2PError) as caught:
        set_aside(plant(tmp_path / "x", {}), tmp_path, runtime)
    assert caught.value.code == "name-taken"


@pytest.mark.parametrize(
    ("script", "says"),
    [("raise SystemExit(3)", "it ended with code 3"), ("raise SystemExit('no room')", "no room")],
)
def test_a_plugin_that_fails_is_quoted(script: str, says: str, tmp_path: Path, make_runtime) -> None:
    """With its last line, or its code where it says nothing."""
    plugin = plant(tmp_path / "plugin", {"scripts/project.py": script.encode()})
    walnut = open_walnut(plant(make_world(tmp_path / "world") / "04_Ventures" / "nova", NOVA))
    with pytest.raises(AliveP2PError, match=says) as caught:
        write_projection(walnut, make_runtime(CLAUDE_PLUGIN_ROOT=str(plugin)))
    assert caught.value.code == "projection-failed"


def test_only_safe_addresses_are_asked(runtime: Runtime) -> None:
    """Nothing is fetched over http from another machine."""
    with pytest.raises(AliveP2PError, match="not one that is asked"):
        ask_host(Question("http://example.com/"), runtime, seconds=1)


def _manifest(scope: str, *listed: str, layout: str | None = "v3", bundles: tuple[str, ...] = ()) -> Manifest:
    files = [{"path": path, "sha256": "0" * 64, "size": 1} for path in listed]
    return Manifest({"scope": scope, "files": files, "bundles": list(bundles), "source_layout": layout or "?"})


_KEY = "_kernel/key.md"


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (_manifest("full", _KEY, "_Kernel/x"), "only looks like the kernel"),
        (_manifest("full", "notes.md"), "it has no `_kernel/key.md`"),
        (_manifest("full", _KEY, "_kernel/odd"), "does not belong in a kernel"),
        (_manifest("full", _KEY, "_kernel/odd/x"), "does not belong in a kernel"),
        (_manifest("bundle", _KEY, "notes.md", bundles=("b",)), "is in no bundle"),
        (_manifest("bundle", _KEY, "c/x", bundles=("b",)), "is in none of the bundles"),
        (_manifest("bundle", _KEY, "b/x", bundles=("b",)), "the bundle 'b' has no `context.manifest.yaml`"),
        (_manifest("full", _KEY, "CLAUDE.md", "CLAUDE.md.received"), "would both become"),
        (_manifest("full", _KEY, "CLAUDE.md", "CLAUDE.md.received/x"), "would be a file and a folder"),
        (_manifest("snapshot", _KEY, "_kernel/log.md"), "a snapshot cannot hold"),
    ],
)
def test_what_does_not_have_the_shape_of_its_scope_is_refused(manifest: Manifest, says: str) -> None:
    """Before anything is written, and with the path that does not fit."""
    with pytest.raises(AliveP2PError, match=re.escape(says)) as caught:
        plan_installation(manifest, ["_kernel/odd"] if says.startswith("does not belong") else [])
    assert caught.value.code == "bad-shape"


def test_a_layout_that_nothing_tells_is_not_guessed() -> None:
    """Neither the manifest nor the tree says which."""
    with pytest.raises(AliveP2PError) as caught:
        plan_installation(_manifest("full", _KEY, "notes.md", layout=None), [])
    assert caught.value.code == "unknown-layout"


def test_names_that_are_one_on_another_system_are_refused_there() -> None:
    """On Linux they are two."""
    manifest = _manifest("full", _KEY, "Notes.md", "notes.md")
    assert plan_installation(manifest, [], system="linux").names
    with pytest.raises(AliveP2PError, match="are one name here") as caught:
        plan_installation(manifest, [], system="darwin")
    assert caught.value.code == "names-of-other-systems"


def test_a_package_may_ask_for_a_newer_plugin() -> None:
    """It is a warning: what it holds is checked all the same."""
    assert "asks for version 99.0.0" in _version_warning("99.0.0")[0]


def test_an_import_id_that_two_receives_share_is_not_chosen_between() -> None:
    """More digits tell which."""
    entry = {"import_id": "0123456789abcdef" + "0" * 48}
    other = {"import_id": "0123456789abcdef" + "1" * 48}
    ledger = Ledger.parse(json.dumps({"imports": [entry, other]}).encode())
    with pytest.raises(AliveP2PError) as caught:
        _find(ledger, "0123456789abcdef")
    assert caught.value.code == "ambiguous-import-id"


def test_names_run_out(tmp_path: Path, monkeypatch) -> None:
    """Nothing is replaced that was not asked to be."""
    monkeypatch.setattr("alive_p2p.sharing.output._MAX_NUMBER", 2)
    plant(tmp_path, {"p.walnut": b""})
    with PendingFile(tmp_path) as pending, pytest.raises(AliveP2PError) as caught:
        Destination(tmp_path, "p.walnut", replaces=False).publish(pending)
    assert caught.value.code == "no-free-name"


def _rsa_archive(*members: tuple[str, bytes]) -> io.BytesIO:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return held


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([(rsa.PAYLOAD, b"x" * 16)], "bad-envelope"),
        ([(rsa.ENVELOPE, b"{}"), (rsa.PAYLOAD, b"x")], "damaged"),
    ],
)
def test_an_rsa_envelope_has_two_whole_members(members: list[tuple[str, bytes]], expected: str) -> None:
    """The keys, and what they open."""
    with pytest.raises(AliveP2PError) as caught:
        rsa.read_header(_rsa_archive(*members))
    assert caught.value.code == expected
