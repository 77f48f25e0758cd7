"""What a hostile peer, host or neighbour may put into a git relay, and what must not come of it (relay.md §4)."""

import io
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from alive_p2p.relay.reach import reach
from alive_p2p.relay.transports import git as git_module
from alive_p2p.relay.transports import git_command, git_small
from alive_p2p.relay.transports.base import MOST_ENTRIES, Entry, Put
from alive_p2p.relay.transports.git_scratch import PREFIX, sweep
from alive_p2p.runtime import Runtime
from relay.git_relays import HttpRelay, PathRelay, pending, read, refusal_of
from relay.github import GitHub
from relay.strict import StrictHost

RECEIVE = "/ada/relay.git/git-receive-pack"
UPLOAD = "/ada/relay.git/git-upload-pack"
LINK, SUBMODULE, FILE, FOLDER = "120000", "160000", "100644", "40000"


@pytest.fixture
def relay(tmp_path: Path) -> PathRelay:
    return PathRelay(tmp_path)


@pytest.fixture
def at_host(github: GitHub, tmp_path: Path) -> HttpRelay:
    return HttpRelay(github, tmp_path)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, and nothing else is."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def script(path: Path, marker: Path) -> Path:
    """A program that leaves a mark when it is run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho run >> '{marker}'\ncat >/dev/null 2>&1\nexit 0\n", encoding="ascii")
    path.chmod(0o755)
    return path


# --- what lies there ------------------------------------------------------------------------------------------


def test_what_is_no_file_is_told_and_passed_over(relay: PathRelay) -> None:
    """Links, other repositories, and names nobody accepts; what is in order beside them is listed."""
    blob = relay.blob(b"/etc/passwd")
    relay.commit(
        relay.tree(
            (SUBMODULE, "1" * 40, b"another"),
            (FILE, blob, b"a\x1b[31mred"),
            (FILE, blob, b"a\\b"),
            (FILE, blob, b"fine"),
            (LINK, blob, b"link"),
            (FILE, blob, b"n\xff"),
            ("100755", blob, b"run"),
        )
    )
    listing = relay.reach().list()
    assert list(listing.entries) == ["fine", "run"]
    assert len(listing.oddities) == 5
    assert read(relay.reach(), "fine") == b"/etc/passwd"
    relay.reach().change([Put("inbox/ben/a", b"a")], ["another", "link"])
    after = relay.reach().list()
    assert list(after.entries) == ["fine", "inbox/ben/a", "run"]
    assert len(after.oddities) == 3


@pytest.mark.parametrize("name", [b"..", b".", b".git", b"a/b", b""])
def test_a_name_that_leads_elsewhere_reaches_nothing(relay: PathRelay, name: bytes) -> None:
    """It is never used as a path. Git's own checks refuse the relay for it, with the object that is to be removed."""
    blob = relay.blob(b"x")
    relay.commit(relay.tree((FILE, blob, name), (FILE, blob, b"fine")))
    error = refusal_of(relay.reach().list)
    assert error.code == "relay-hostile"
    assert not name or any(relay.git("rev-parse", "main^{tree}") in line for line in error.details)


def test_a_few_folders_that_unfold_into_millions(relay: PathRelay) -> None:
    """Every level names the one below a hundred times: counted, and refused, before anybody runs out of anything."""
    tree = relay.tree(*((FILE, relay.blob(b"x"), b"%02d" % number) for number in range(100)))
    for _ in range(6):
        tree = relay.tree(*((FOLDER, tree, b"%02d" % number) for number in range(100)))
    relay.commit(tree)
    assert refusal_of(lambda: relay.reach().list()).code == "relay-hostile"
    assert refusal_of(lambda: relay.reach().list("01/02")).code == "relay-hostile"


def test_folders_without_end(relay: PathRelay) -> None:
    """Names that no system could hold; whatever git makes of them, it is an error or an oddity."""
    tree = relay.tree((FILE, relay.blob(b"x"), b"x"))
    for _ in range(600):
        tree = relay.tree((FOLDER, tree, b"deep"))
    relay.commit(tree)
    listing = relay.reach().list()
    assert listing.entries == {}
    assert len(listing.oddities) == 1


def test_more_files_than_a_relay_has(relay: PathRelay) -> None:
    """One more than is read."""
    blob = relay.blob(b"x")
    names = sorted(b"%d" % number for number in range(MOST_ENTRIES + 1))
    relay.commit(relay.tree(*((FILE, blob, name) for name in names)))
    assert refusal_of(lambda: relay.reach().list()).code == "relay-hostile"
    relay.commit(relay.tree(*((FILE, blob, name) for name in names[1:])))
    assert len(relay.reach().list().entries) == MOST_ENTRIES


@pytest.mark.parametrize("what", [FILE, LINK, SUBMODULE])
def test_what_is_in_the_way_stays_there(relay: PathRelay, what: str) -> None:
    """A file where a folder belongs, and a folder where a file does."""
    blob = relay.blob(b"x")
    relay.commit(relay.tree((what, blob, b"inbox"), (FOLDER, relay.tree((FILE, blob, b"x")), b"keys")))
    before = relay.git("rev-parse", "main")
    assert refusal_of(lambda: relay.reach().change([Put("inbox/ben/a", b"a")])).code == "relay-hostile"
    assert refusal_of(lambda: relay.reach().change([Put("keys", b"a", replaces=True)])).code == "relay-hostile"
    assert refusal_of(lambda: relay.reach().change([Put("keys", b"a")])).code == "relay-taken"
    assert refusal_of(lambda: relay.reach().change([Put("a", b"a"), Put("a/b", b"b")])).code == "relay-hostile"
    relay.reach().change(removes=["inbox/ben/a", "keys", "keys/x/y", "other", "other/a"])
    assert relay.git("rev-parse", "main") == before
    relay.reach().change([Put("other/a", b"a")], ["other", "other/a/b"])
    assert read(relay.reach(), "other/a") == b"a"


def test_settings_in_a_relay_are_content(relay: PathRelay, tmp_path: Path) -> None:
    """`.gitattributes` with a filter that the person has, and `.gitmodules`: nothing is run, nothing is changed."""
    marker = tmp_path / "marker"
    program = script(tmp_path / "filter", marker)
    (relay.home / ".gitconfig").write_text(
        f'[filter "theirs"]\n\tclean = {program}\n\tsmudge = {program}\n\trequired = true\n[core]\n\tautocrlf = true\n',
        encoding="utf-8",
    )
    attributes = b"* filter=theirs text eol=crlf ident\n"
    modules = b'[submodule "a"]\n\tpath = -a\n\turl = -u./payload\n\tupdate = !touch x\n'
    puts = [Put(".gitattributes", attributes), Put(".gitmodules", modules), Put("a.txt", b"$Id$\na\nb\r\n")]
    relay.reach().change(puts)
    assert read(relay.reach(), "a.txt") == b"$Id$\na\nb\r\n"
    assert read(relay.reach(), ".gitmodules") == modules
    assert not marker.exists()


# --- whose programs are run -----------------------------------------------------------------------------------


def test_nothing_of_a_repository_on_a_path_is_run(relay: PathRelay, tmp_path: Path) -> None:
    """Its hooks, its commands, and where it says that it has come from: all of that would run on our machine."""
    marker = tmp_path / "marker"
    for hook in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"):
        script(relay.path / "hooks" / hook, marker)
    program = script(tmp_path / "program", marker)
    other = tmp_path / "other.git"
    subprocess.run(["git", "init", "--quiet", "--bare", other], check=True)
    (relay.path / "objects" / "info" / "alternates").write_text(f"{other}/objects\n", encoding="utf-8")
    for name, value in {
        "core.alternateRefsCommand": program,
        "core.fsmonitor": program,
        "core.sshCommand": program,
        "core.gitProxy": program,
        "core.hooksPath": relay.path / "hooks",
        "core.askPass": program,
        "uploadpack.packObjectsHook": program,
        "receive.autogc": "true",
        "gc.auto": "1",
        "gc.recentObjectsHook": program,
        "gpg.program": program,
        "credential.helper": program,
        "protocol.ext.allow": "always",
        "protocol.file.allow": "always",
        "remote.origin.url": other,
        "remote.origin.uploadpack": program,
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
    }.items():
        relay.git("config", name, value)
    relay.reach().change([Put("inbox/ben/a", b"a")])
    assert read(relay.reach(), "inbox/ben/a") == b"a"
    missing = Entry("inbox/ben/a", "1" * 40)
    assert refusal_of(lambda: relay.reach().read(missing, io.BytesIO(), limit=100)).code == "relay-gone"
    relay.reach().compact()
    assert not marker.exists()


def test_nothing_of_a_repository_over_ssh_to_ourselves_is_run(strict: StrictHost, tmp_path: Path) -> None:
    """It is our machine all the same; where the host runs fixed commands only, it is its own."""
    marker = tmp_path / "marker"
    script(strict.path / "hooks" / "post-receive", marker)
    ada = strict.person("ada", tmp_path)
    runtime = Runtime(environ=ada.environ, cwd=tmp_path)
    git_module.GitTransport(strict.url, runtime).change([Put("inbox/ben/a", b"a")])
    assert marker.exists()
    marker.unlink()
    keys = strict.folder / "authorized_keys"
    keys.write_text(keys.read_text(encoding="ascii").replace("git shell -c", "sh -c"), encoding="ascii")
    there = git_module.GitTransport(strict.url, runtime)
    there.change([Put("inbox/ben/b", b"b")])
    assert list(there.list().entries) == ["inbox/ben/a", "inbox/ben/b"]
    assert not marker.exists()


def test_nobody_s_working_copy_is_changed(tmp_path: Path) -> None:
    """A repository that would update its files has filters and hooks of its own for that."""
    relay = PathRelay(tmp_path)
    relay.reach().change([Put("a", b"a")])
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", relay.path, copy], check=True, env=relay.environ)
    subprocess.run(["git", "config", "receive.denyCurrentBranch", "updateInstead"], check=True, cwd=copy)
    transport = git_module.GitTransport(copy.as_uri(), Runtime(environ=relay.environ, cwd=tmp_path))
    error = refusal_of(lambda: transport.change([Put("b", b"b")]))
    assert error.code == "relay-rejected"
    assert "bare" in error.message
    assert sorted(path.name for path in copy.iterdir()) == [".git", "a"]


def test_nothing_of_ours_is_run_but_what_reaches_the_host(at_host: HttpRelay, tmp_path: Path) -> None:
    """Hooks, templates, signing and variables that a person has for their own repositories; their login works."""
    marker = tmp_path / "marker"
    for hook in ("pre-push", "reference-transaction", "post-index-change"):
        script(tmp_path / "hooks" / hook, marker)
    program = script(tmp_path / "program", marker)
    with (at_host.ada.home / ".gitconfig").open("a", encoding="utf-8") as settings:
        settings.write(
            f"""
[core]
	hooksPath = {tmp_path / "hooks"}
	fsmonitor = {program}
	editor = {program}
	pager = {program}
	askPass = {program}
[init]
	templateDir = {tmp_path}
[push]
	gpgSign = true
	followTags = true
	recurseSubmodules = on-demand
[commit]
	gpgSign = true
[gpg]
	program = {program}
[safe]
	bareRepository = explicit
[remote "relay"]
	url = /nowhere
[gc]
	auto = 1
"""
        )
    at_host.ada.environ |= {
        "GIT_DIR": "/nowhere",
        "GIT_WORK_TREE": "/nowhere",
        "GIT_INDEX_FILE": "/nowhere",
        "GIT_OBJECT_DIRECTORY": "/nowhere",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nowhere",
        "GIT_TEMPLATE_DIR": "/nowhere",
        "GIT_ASKPASS": str(program),
        "SSH_ASKPASS": str(program),
        "GIT_EDITOR": str(program),
        "GIT_EXTERNAL_DIFF": str(program),
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_TRACE_CURL": str(tmp_path / "trace"),
        "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_NAMESPACE": "elsewhere",
        "GIT_CONFIG_PARAMETERS": "'core.sshcommand'='false'",
    }
    at_host.reach().change([Put("inbox/ben/a", b"a")])
    assert read(at_host.reach(), "inbox/ben/a") == b"a"
    assert at_host.names == {"inbox/ben/a"}
    at_host.reach().compact()
    assert not marker.exists()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% marker",
        "ext::touch marker",
        "--upload-pack=touch marker",
        "-oProxyCommand=touch marker",
        "ssh://-oProxyCommand=touch/relay",
        "git@-oProxyCommand=touch:relay",
        "-git@host:relay",
        "git@host:-relay",
        "fd::17",
        "git://host/relay",
        "ftp://host/relay",
        "http://host/relay",
        "file://",
        "https://host/re lay",
        "https://host/re\nlay",
        "transport::https://host/relay",
        "relay",
    ],
)
def test_an_address_that_is_none_reaches_nothing(runtime: Runtime, url: str) -> None:
    """Git runs a program for some of them."""
    assert "hunter2" not in refusal_of(lambda: reach("http://ada:hunter2@host/relay", runtime)).message
    if url != "file://":
        assert refusal_of(lambda: reach(url, runtime)).code == "bad-address"
    else:
        assert refusal_of(lambda: reach(url, runtime).list()).code in {"bad-address", "relay-missing"}


@pytest.mark.parametrize("base", ["ext::sh -c 'touch marker' ", "file:///", "git://127.0.0.1/"])
def test_settings_that_lead_elsewhere_are_not_followed(relay: PathRelay, base: str, tmp_path: Path) -> None:
    """An `insteadOf` may change hosts, and not how they are reached: for `https` no program, no path."""
    (relay.home / ".gitconfig").write_text(
        f'[url "{base}"]\n\tinsteadOf = https://relay.example.org/\n[protocol "ext"]\n\tallow = always\n',
        encoding="utf-8",
    )
    transport = git_module.GitTransport(
        f"https://relay.example.org{relay.path}", Runtime(environ=relay.environ, cwd=tmp_path)
    )
    assert refusal_of(transport.list).code == "bad-address"
    assert not list(tmp_path.rglob("marker"))


def test_a_host_cannot_send_us_elsewhere(at_host: HttpRelay) -> None:
    """A redirection may lead to https, and to nothing that can be read on the way."""
    at_host.site.wire.fail("GET", ".*info/refs.*", 302, {"Location": "http://127.0.0.1:9/x/info/refs"}, times=None)
    assert refusal_of(lambda: at_host.reach().list()).code in {"relay-unreachable", "bad-address"}
    at_host.site.wire.heal()
    at_host.site.wire.fail("GET", ".*info/refs.*", 302, {"Location": "file:///etc/passwd"}, times=None)
    assert refusal_of(lambda: at_host.reach().list()).code in {"relay-unreachable", "bad-address"}


def test_a_password_in_an_address_is_used_and_never_shown(at_host: HttpRelay) -> None:
    """Not in errors, not in the address, not on a command line that everybody on the machine can read."""
    ben = at_host.site.person("ben", at_host.folder, has_gh=False)
    (ben.home / ".gitconfig").write_text("", encoding="utf-8")
    token = at_host.ada.environ["GH_TOKEN"]
    for userinfo in (f"ada:{token}", token, f"{token}:x-oauth-basic"):
        url = at_host.url.replace("://", f"://{userinfo}@")
        lines: list[str] = []
        at_host.site.wire.meanwhile("*", ".*", lambda: lines.append(_running()), times=None)  # noqa: B023
        transport = at_host.reach(ben, url)
        transport.change([Put("a", b"a", replaces=True)])
        at_host.site.wire.heal()
        assert token not in transport.url
        assert transport.url == at_host.url
        assert token not in repr(vars(transport))
        assert not any(token in line for line in lines)
        at_host.site.wire.fail("GET", ".*", 500, f"no: {token}", times=None)
        error = refusal_of(transport.list)
        assert token not in " ".join([error.message, str(error.hint), *error.details])
        at_host.site.wire.heal()
    wrong = refusal_of(at_host.reach(ben, at_host.url.replace("://", "://ada:hunter2secret@")).list)
    assert wrong.code == "relay-denied"
    assert "hunter2" not in " ".join([wrong.message, str(wrong.hint), *wrong.details])


def _running() -> str:
    """Every command line on this machine, where the system tells them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


# --- too much -------------------------------------------------------------------------------------------------


def test_zeros_that_were_packed_are_not_unpacked(at_host: HttpRelay) -> None:
    """They are small on the way, and no quota sees them; their size does."""
    at_host.fill([("inbox/ben/bomb", bytes(60 << 20)), ("inbox/ben/note", b"n")])
    reader = at_host.reach()
    entry = reader.list().entries["inbox/ben/bomb"]
    output = io.BytesIO()
    assert refusal_of(lambda: reader.read(entry, output, limit=1 << 20)).code == "relay-over-limit"
    assert refusal_of(lambda: reader.read(entry, output, limit=1000)).code == "relay-over-limit"
    assert output.getvalue() == b""
    assert at_host.wire()[0] < 300_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits from outside how long a program computes")
def test_what_takes_too_long_to_unpack_is_ended(at_host: HttpRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    """No quota sees it, and it does not stand still: its time is measured out."""
    monkeypatch.setattr(git_command, "_CPU_SECONDS", 1)
    zeros = at_host.folder / "zeros"
    with zeros.open("wb") as stream:
        stream.truncate(500 << 20)
    git = at_host.repository.git
    blob = git("-c", "core.bigFileThreshold=1m", "hash-object", "-w", str(zeros))
    tree = git("mktree", data=f"100644 blob {blob}\tbomb\n".encode())
    git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "x"))
    reader = at_host.reach()
    entry = reader.list().entries["bomb"]
    assert refusal_of(lambda: reader.read(entry, io.BytesIO(), limit=1 << 20)).code == "relay-over-limit"


def test_what_is_too_large_is_ended_while_it_comes(at_host: HttpRelay, temporary: Path) -> None:
    """The host stands still in between; nobody waits for the rest."""
    at_host.fill([("inbox/ben/large", os.urandom(6 << 20))])
    reader = at_host.reach()
    entry = reader.list().entries["inbox/ben/large"]
    at_host.site.wire.slow("POST", UPLOAD, seconds=20, after=3 << 20)
    output = io.BytesIO()
    assert refusal_of(lambda: reader.read(entry, output, limit=200_000)).code == "relay-over-limit"
    assert output.getvalue() == b""
    assert list(temporary.iterdir()) == []


def test_a_host_that_sends_everything_is_ended(at_host: HttpRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not filter, and the relay is larger than names may be."""
    at_host.fill(pending(peers=1, each=2, size=2 << 20))
    at_host.repository.git("config", "uploadpack.allowFilter", "false")
    assert len(at_host.reach().list().entries) == 4
    assert len(at_host.reach().list("inbox/peer-0").entries) == 4
    monkeypatch.setattr(git_module, "MOST_NAMES", 1 << 20)
    for attempt in (at_host.reach().list, lambda: at_host.reach().change([Put("a", b"a")])):
        error = refusal_of(attempt)
        assert error.code == "relay-over-limit"
        assert "allowFilter" in str(error.hint)


def test_notes_that_unpack_into_too_much_come_one_by_one(at_host: HttpRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does what lies beside them and should not."""
    monkeypatch.setattr(git_small, "_MOST", 100_000)
    at_host.fill([*pending(peers=1, each=20, size=10_000), ("inbox/ben/a.note", b"n")])
    reader = at_host.reach()
    entries = reader.list().entries
    output = io.BytesIO()
    reader.read(entries["inbox/peer-0/0001.note"], output, limit=80_000)
    assert len(output.getvalue()) == 400


def test_a_host_that_does_not_stop_talking(at_host: HttpRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of references without end, or whatever it likes to say meanwhile."""
    monkeypatch.setattr(git_command, "MOST_SAID", 50_000)
    at_host.fill([("a", b"1")])
    commit = at_host.repository.git("rev-parse", "main")
    lines = "".join(f"create refs/x{number}/refs/heads/main {commit}\n" for number in range(1000))
    at_host.repository.git("update-ref", "--stdin", data=lines.encode())
    assert refusal_of(at_host.reach().tip).code == "relay-hostile"
    assert list(at_host.reach().list().entries) == ["a"]


# --- nothing stays --------------------------------------------------------------------------------------------


def _ours_running(relay: HttpRelay) -> list[str]:
    """What talks to the host of this test."""
    return [line for line in _running().splitlines() if relay.url in line]


@pytest.mark.parametrize("what", ["list", "read", "change"])
def test_an_interruption_leaves_nothing(at_host: HttpRelay, temporary: Path, what: str) -> None:
    """No process, no folder; and the relay is as it was."""
    at_host.fill([("inbox/ben/a", os.urandom(100_000))])
    entry = at_host.reach().list().entries["inbox/ben/a"]
    stands = at_host.site.wire.slow("POST", RECEIVE if what == "change" else UPLOAD, seconds=20, times=None)
    seen: list[str] = []

    def interrupted() -> float:
        if stands.used:
            seen.extend(_ours_running(at_host))
            raise KeyboardInterrupt
        return 0.0

    environ = at_host.ada.environ
    runtime = Runtime(environ=environ, cwd=at_host.folder, monotonic=interrupted)
    transport = git_module.GitTransport(at_host.url, runtime)
    actions = {
        "list": transport.list,
        "read": lambda: transport.read(entry, io.BytesIO(), limit=1 << 20),
        "change": lambda: transport.change([Put("inbox/ben/b", b"b")]),
    }
    with pytest.raises(KeyboardInterrupt):
        actions[what]()
    assert seen
    for _ in range(500):  # what was ended is gone a moment later
        if not _ours_running(at_host):
            break
        threading.Event().wait(0.02)
    assert _ours_running(at_host) == []
    assert list(temporary.iterdir()) == []
    at_host.site.wire.heal()
    at_host.site.wire.stopped.set()
    assert at_host.names == {"inbox/ben/a"}


def test_what_a_killed_process_left_is_removed_when_it_is_old(at_host: HttpRelay, temporary: Path) -> None:
    """And not before: somebody may be using it."""
    old, new, other = temporary / f"{PREFIX}old", temporary / f"{PREFIX}new", temporary / "other"
    for folder in (old, new, other):
        (folder / "repository").mkdir(parents=True)
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    sweep(Runtime(environ={}, cwd=temporary))
    assert sorted(path.name for path in temporary.iterdir()) == [new.name, "other"]


def test_where_it_is_written_to_is_the_caller_s(relay: PathRelay, temporary: Path) -> None:
    """A full disk there is an error of theirs, as it is."""

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    relay.reach().change([Put("a", b"a")])
    entry = relay.reach().list().entries["a"]
    for limit in (1000, 1 << 20):
        reader = relay.reach()
        reader.list()
        with pytest.raises(OSError, match="No space"):
            reader.read(entry, Full(), limit=limit)
    assert list(temporary.iterdir()) == []


def test_an_object_that_is_no_name_gets_into_no_command(relay: PathRelay) -> None:
    """A listing may be made up, or old."""
    relay.reach().change([Put("a", b"a")])
    for version in ("", "main", "-x", "--upload-pack=x", "0" * 39, "0" * 40 + "\n", "../a", "0" * 64):
        assert (
            refusal_of(lambda v=version: relay.reach().read(Entry("a", v), io.BytesIO(), limit=9)).code == "relay-gone"
        )
    commit = relay.git("rev-parse", "main")
    tree = relay.git("rev-parse", "main^{tree}")
    for version in (commit, tree):
        assert (
            refusal_of(lambda v=version: relay.reach().read(Entry("a", v), io.BytesIO(), limit=9)).code == "relay-gone"
        )


if sys.platform != "linux":  # pragma: no cover
    test_an_interruption_leaves_nothing = pytest.mark.skip("/proc tells what is running")(  # type: ignore[assignment]
        test_an_interruption_leaves_nothing
    )
