"""What goes wrong with a git relay, and what a person is told: cause, what was left, what to do (bars.md §5)."""

import io
import os
import sys
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.relay.reach import reach
from alive_p2p.relay.transports import git as git_module
from alive_p2p.relay.transports import git_address, git_command, git_errors
from alive_p2p.relay.transports.base import Put
from alive_p2p.runtime import Runtime
from relay.git_relays import HttpRelay, PathRelay, refusal_of
from relay.github import GitHub
from relay.serving import refusing_proxy
from relay.strict import StrictHost

RECEIVE = "/ada/relay.git/git-receive-pack"
UPLOAD = "/ada/relay.git/git-upload-pack"
REFERENCES = "/ada/relay.git/info/refs.*"


@pytest.fixture
def relay(github: GitHub, tmp_path: Path) -> HttpRelay:
    made = HttpRelay(github, tmp_path)
    made.fill([("inbox/ben/a", b"a" * 3000)])
    return made


def deposit(relay: HttpRelay, **options: object) -> None:
    relay.reach(**options).change([Put("inbox/ben/b", b"b")])


def is_told_well(error: AliveP2PError) -> bool:
    """Cause, what was left, and the next thing to do; nothing that a terminal would obey."""
    texts = [error.message, error.hint or "", error.untouched or "", *error.details]
    return bool(error.message and error.hint and error.untouched) and all(text.isprintable() for text in texts)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "relay-denied"),
        (404, "relay-missing"),
        (429, "relay-unreachable"),
        (500, "relay-unreachable"),
        (502, "relay-unreachable"),
        (503, "relay-unreachable"),
    ],
)
@pytest.mark.parametrize("where", [("GET", REFERENCES), ("POST", UPLOAD), ("POST", RECEIVE)], ids=str)
def test_a_host_that_refuses(relay: HttpRelay, status: int, code: str, where: tuple[str, str]) -> None:
    """Whatever the moment: nothing is changed, and the error says which kind of thing it is."""
    relay.site.wire.fail(*where, status, "no\x1b[31m red\n", times=None)
    error = refusal_of(lambda: deposit(relay))
    assert error.code == code
    assert is_told_well(error)
    assert relay.names == {"inbox/ben/a"}
    relay.site.wire.heal()
    deposit(relay)


@pytest.mark.parametrize("where", [("GET", REFERENCES), ("POST", UPLOAD), ("POST", RECEIVE)], ids=str)
@pytest.mark.parametrize("after", [0, 20])
def test_a_connection_that_breaks_off(relay: HttpRelay, where: tuple[str, str], after: int) -> None:
    """What came so far is not taken for the whole."""
    relay.site.wire.cut(*where, after=after, times=None)
    error = None
    try:
        deposit(relay)
    except AliveP2PError as raised:
        error = raised
    relay.site.wire.heal()
    if error is None:  # it had been taken, and the host could be asked
        assert "inbox/ben/b" in relay.names
    else:
        assert error.code == "relay-unreachable"
        assert is_told_well(error)


def test_an_upload_that_breaks_off(relay: HttpRelay) -> None:
    """The relay is as it was."""
    relay.site.wire.cut_upload("POST", RECEIVE, after=300_000, times=None)
    error = refusal_of(lambda: relay.reach().change([Put("inbox/ben/b", os.urandom(1_000_000))]))
    assert error.code == "relay-unreachable"
    assert is_told_well(error)
    assert relay.names == {"inbox/ben/a"}


@pytest.mark.parametrize("where", [("GET", REFERENCES), ("POST", UPLOAD), ("POST", RECEIVE)], ids=str)
def test_a_host_that_keeps_us_waiting(
    relay: HttpRelay, monkeypatch: pytest.MonkeyPatch, where: tuple[str, str]
) -> None:
    """As long as was said, or until nothing happens any more."""
    relay.site.wire.slow(*where, seconds=30, times=None)
    error = refusal_of(lambda: deposit(relay, timeout_seconds=0.5))
    assert error.code == "relay-unreachable"
    assert "0.5 seconds" in error.message
    assert is_told_well(error)
    monkeypatch.setattr(git_command, "STANDSTILL_SECONDS", 0.5)
    error = refusal_of(lambda: deposit(relay))
    assert "nothing happened for 0.5 seconds" in error.message
    relay.site.wire.heal()
    assert relay.names == {"inbox/ben/a"}


def test_who_may_not(relay: HttpRelay) -> None:
    """No login, a wrong one, somebody else's repository, one that anybody may read, and one that is not there."""
    stranger = relay.site.person("mallory", relay.folder, has_gh=False)
    nobody = relay.site.person("nobody", relay.folder, has_gh=False)
    (nobody.home / ".gitconfig").write_text("", encoding="utf-8")
    relay.site.create("ada/open", private=False)
    expected = {
        "relay-missing": refusal_of(relay.reach(stranger).list),
        "relay-denied": refusal_of(relay.reach(nobody).list),
    }
    for code, error in expected.items():
        assert error.code == code
        assert is_told_well(error)
    assert "or you may not see it" in expected["relay-missing"].message
    assert "gh auth login" in str(expected["relay-denied"].hint)
    open_url = relay.site.clone_url("ada/open")
    assert relay.reach(stranger, open_url).list().entries == {}
    assert refusal_of(lambda: relay.reach(stranger, open_url).change([Put("a", b"a")])).code == "relay-denied"
    assert refusal_of(relay.reach(url=relay.site.clone_url("ada/none")).list).code == "relay-missing"
    relay.site.world.tokens.clear()
    error = refusal_of(relay.reach().list)
    assert error.code == "relay-denied"
    assert "login" in error.message


def test_a_file_that_the_host_finds_too_large(relay: HttpRelay) -> None:
    """With the host's own words."""
    relay.site.largest_file = 10_000
    error = refusal_of(lambda: relay.reach().change([Put("inbox/ben/b", os.urandom(20_000))]))
    assert error.code == "relay-rejected"
    assert "larger than it takes" in error.message
    assert any("GH001" in line for line in error.details)
    assert is_told_well(error)


def test_a_pack_under_two_names_counts_once(tmp_path: Path) -> None:
    """Git gives a finished pack its name by a second link, and takes the first away a moment later."""
    (tmp_path / "tmp_pack_1").write_bytes(b"x" * 1000)
    (tmp_path / "pack-1.pack").hardlink_to(tmp_path / "tmp_pack_1")
    (tmp_path / "pack-1.idx").write_bytes(b"x" * 10)
    assert git_command.size_below(tmp_path) == 1010


def test_a_hook_s_words_are_cleaned(relay: HttpRelay) -> None:
    """A host may say anything; it does not get to the terminal."""
    hook = relay.repository.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nprintf 'not\\033[31m today\\nerror: twice\\n' >&2\nexit 1\n", encoding="ascii")
    hook.chmod(0o755)
    error = refusal_of(lambda: deposit(relay))
    assert error.code == "relay-rejected"
    assert ": not" in error.message  # what the host says is the only reason that is known, so it comes first
    assert "error: twice" in error.details
    assert is_told_well(error)


def test_a_disk_that_is_full_there(relay: HttpRelay) -> None:
    """The host cannot take it in, and says so."""
    hook = relay.repository.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'fatal: No space left on device' >&2\nexit 1\n", encoding="ascii")
    hook.chmod(0o755)
    error = refusal_of(lambda: deposit(relay))
    assert error.code == "relay-rejected"
    assert "could not take it in" in error.message


def test_nobody_answers(runtime: Runtime) -> None:
    """No host of that name, and nobody at that port."""
    for url in ("http://127.0.0.1:9/ada/relay.git", "https://127.0.0.1:9/relay.git", "ssh://git@127.0.0.1:9/relay"):
        error = refusal_of(reach(url, runtime).list)
        assert error.code == "relay-unreachable"
        assert is_told_well(error)
    error = refusal_of(reach("https://no-such-host.invalid/relay.git", runtime).list)
    assert error.code == "relay-unreachable"
    assert is_told_well(error)


def test_a_proxy_that_lets_nobody_through_is_told(tmp_path: Path) -> None:
    """It is not the host that refuses."""
    with refusing_proxy() as proxy:
        environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "HTTPS_PROXY": proxy, "https_proxy": proxy}
        error = refusal_of(reach("https://example.org/r.git", Runtime(environ=environ, cwd=tmp_path)).list)
    assert error.code == "relay-unreachable"
    assert error.message == "the proxy on the way to example.org does not let us through"
    assert "HTTPS_PROXY" in str(error.hint)
    assert is_told_well(error)


@pytest.mark.parametrize("request_number", [4, 5], ids=["the newest commit", "a folder of it"])
def test_a_past_that_is_folded_while_it_is_read_is_told(relay: HttpRelay, request_number: int) -> None:
    """The owner's host throws away what it has just told of; the next look finds what lies there now."""
    requests: list[None] = []

    def fold() -> None:
        requests.append(None)
        if len(requests) == request_number:
            git = relay.repository.git
            folder = git("mktree", data=f"100644 blob {git('hash-object', '-w', '--stdin', data=b'b')}\tb\n".encode())
            tree = git("mktree", data=f"040000 tree {folder}\tinbox\n".encode())
            git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "folded"))
            git("prune", "--expire=now")

    relay.site.wire.meanwhile("*", "/ada/relay.git/.*", fold, times=None)
    error = refusal_of(lambda: relay.reach().list("inbox"))
    assert error.code == "relay-unreachable"
    assert "does not have what it told of a moment ago" in error.message
    assert error.hint == "run it again"
    assert is_told_well(error)
    relay.site.wire.heal()
    assert list(relay.reach().list("inbox").entries) == ["inbox/b"]


def test_a_server_that_speaks_no_tls(relay: HttpRelay) -> None:
    """Whoever is there, it is not who it should be."""
    error = refusal_of(relay.reach(url=relay.url.replace("http://", "https://")).list)
    assert error.code == "relay-unreachable"
    assert is_told_well(error)


def test_a_path_where_nothing_is(tmp_path: Path, runtime: Runtime) -> None:
    """Nothing at all, or a folder of something else."""
    for place in (tmp_path / "none", tmp_path):
        error = refusal_of(reach(place.as_uri(), runtime).list)
        assert error.code == "relay-missing"
        assert is_told_well(error)


def test_ssh_says_who_may(strict: StrictHost, tmp_path: Path) -> None:
    """A key that is not let in, a host that is not known, one that is another than before, and a place that is none."""
    ada = strict.person("ada", tmp_path)
    stranger = strict.person("mallory", tmp_path, is_known=False)

    def error_for(environ: dict[str, str], url: str = strict.url) -> AliveP2PError:
        error = refusal_of(git_module.GitTransport(url, Runtime(environ=environ, cwd=tmp_path)).list)
        assert is_told_well(error)
        return error

    assert error_for(stranger.environ).code == "relay-denied"
    assert error_for(ada.environ, f"{strict.url}x").code == "relay-missing"
    known = ada.home / ".ssh" / "known_hosts"
    text = known.read_text(encoding="ascii")
    known.write_text("", encoding="ascii")
    assert error_for(ada.environ).code == "relay-host-unknown"
    other = (stranger.home / ".ssh" / "id_ed25519.pub").read_text(encoding="ascii").split()[1]
    known.write_text(text.replace(text.split()[2], other), encoding="ascii")
    assert error_for(ada.environ).code == "relay-host-changed"


def test_a_strict_host_lets_a_peer_only_into_their_own_folder(strict: StrictHost, tmp_path: Path) -> None:
    """Its hook decides; ours is to say so."""
    reaches = {
        login: git_module.GitTransport(
            strict.url, Runtime(environ=strict.person(login, tmp_path).environ, cwd=tmp_path)
        )
        for login in ("ada", "ben")
    }
    reaches["ada"].change([Put("keys/ada.pem", b"k")])
    reaches["ben"].change([Put("inbox/ben/a", b"a")])
    error = refusal_of(lambda: reaches["ben"].change([Put("keys/ben.pem", b"k")]))
    assert error.code == "relay-rejected"
    assert error.details
    assert is_told_well(error)


def test_ssh_asks_nobody(tmp_path: Path) -> None:
    """Unless the person has said how it is to be run."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/said"\nexit 255\n', encoding="ascii")
    program.chmod(0o755)
    home = tmp_path / "home-ssh"
    home.mkdir()
    environ = {"HOME": str(home), "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}

    def said() -> str:
        (tmp_path / "said").write_text("", encoding="ascii")
        refusal_of(git_module.GitTransport("git@host:relay", Runtime(environ=environ, cwd=tmp_path)).list)
        return (tmp_path / "said").read_text(encoding="ascii")

    assert "-oBatchMode=yes" in said()
    environ["GIT_SSH_COMMAND"] = f"{program} -theirs"
    assert "-theirs" in said()
    assert "BatchMode" not in said()
    del environ["GIT_SSH_COMMAND"]
    (home / ".gitconfig").write_text(f"[core]\n\tsshCommand = {program} -configured\n", encoding="utf-8")
    assert "-configured" in said()


def test_without_git_or_with_an_old_one(tmp_path: Path) -> None:
    """Said at once, with where to get it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    error = refusal_of(lambda: reach("git@host:relay", Runtime(environ={"PATH": str(empty)}, cwd=tmp_path)))
    assert error.code == "git-missing"
    assert is_told_well(error)
    program = empty / ("git.bat" if sys.platform == "win32" else "git")
    for text, code in (("git version 2.30.2", "git-too-old"), ("something else", "git-too-old")):
        folder = tmp_path / text.replace(" ", "-")
        folder.mkdir()
        program = folder / program.name
        program.write_text(f"#!/bin/sh\necho {text}\n", encoding="ascii")
        program.chmod(0o755)
        error = refusal_of(lambda f=folder: reach("git@host:relay", Runtime(environ={"PATH": str(f)}, cwd=tmp_path)))
        assert error.code == code
        assert is_told_well(error)


def test_no_room_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours, before anything is asked."""
    relay = PathRelay(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    error = refusal_of(relay.reach().list)
    assert error.code == "missing"
    assert error.untouched


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fatal: unable to access 'https://h/': Could not resolve host: h", "relay-unreachable"),
        ("ssh: Could not resolve hostname h: Name or service not known", "relay-unreachable"),
        ("ssh: connect to host h port 22: Connection refused", "relay-unreachable"),
        ("ssh: connect to host h port 22: No route to host", "relay-unreachable"),
        ("fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate", "relay-unreachable"),
        ("fatal: unable to access 'https://h/': server certificate verification failed.", "relay-unreachable"),
        ("fatal: unable to access 'https://h/': gnutls_handshake() failed: Handshake failed", "relay-unreachable"),
        ("error: RPC failed; curl 18 transfer closed with outstanding read data remaining", "relay-unreachable"),
        ("fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", "relay-unreachable"),
        ("fatal: Authentication failed for 'https://h/'", "relay-denied"),
        ("remote: HTTP Basic: Access denied", "relay-denied"),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", "relay-denied"),
        ("remote: Permission to ada/relay.git denied to ben.\nfatal: ... returned error: 403", "relay-denied"),
        ("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote", "relay-denied"),
        ('Load key "/home/a/.ssh/id": Permission denied\nReceived disconnect', "relay-denied"),
        ("fatal: detected dubious ownership in repository at '/srv/r'", "relay-denied"),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "relay-missing"),
        ("remote: The project you were looking for could not be found", "relay-missing"),
        ("fatal: repository 'https://h/r/' not found", "relay-missing"),
        ("Host key verification failed.\nfatal: Could not read from remote", "relay-host-unknown"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", "relay-host-changed"),
        ("error: object 12: hasDotdot: contains '..'\nfatal: fsck error in packed object\nearly EOF", "relay-hostile"),
        ("fatal: pack is corrupted (SHA1 mismatch)", "relay-hostile"),
        ("error: file write error: No space left on device\nfatal: early EOF", "disk-full"),
        ("fatal: transport 'ext' not allowed", "bad-address"),
        ("what nobody has heard of", "relay-unreachable"),
        ("", "relay-unreachable"),
    ],
)
def test_words_of_git_ssh_and_hosts(said: str, code: str) -> None:
    """Each is one of our errors, with the host, what was left, and what to do."""
    for url in ("https://ada@h/r.git", "git@h:r.git", "file:///srv/r"):
        error = git_errors.error_of(said, git_address.parse(url))
        assert error.code == code
        assert is_told_well(error)


@pytest.mark.parametrize(
    ("reason", "said", "code"),
    [
        (
            "[remote rejected] (pre-receive hook declined)",
            "remote: error: GH001: Large files detected.",
            "relay-rejected",
        ),
        ("[remote rejected] (shallow update not allowed)", "", "relay-rejected"),
        ("[remote rejected] (protected branch hook declined)", "remote: error: GH006", "relay-denied"),
        ("[remote rejected] (branch is currently checked out)", "", "relay-rejected"),
        ("[remote rejected] (unpacker error)", "", "relay-rejected"),
        ("[remote rejected] (what nobody has heard of)", "remote: \x1b]0;title\x07 no", "relay-rejected"),
    ],
)
def test_words_of_a_host_that_refuses_a_change(reason: str, said: str, code: str) -> None:
    """The same."""
    error = git_errors.refused(reason, said, git_address.parse("git@h:r.git"), untouched="everything")
    assert error.code == code
    assert is_told_well(error)
    assert error.details or error.message.endswith(" no")


def test_a_host_does_not_speak_for_ssh() -> None:
    """It may say anything, and at any length; what git has found out counts first."""
    said = "remote: WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\n" * 100 + "fatal: early EOF"
    error = git_errors.error_of(said, git_address.parse("git@h:r.git"))
    assert error.code == "relay-unreachable"
    assert len(error.details) <= 10


def test_an_address_taken_apart() -> None:
    """What is shown has neither a password nor a token; a login stays, because it says which of several is meant."""
    shown = {
        "https://ada@github.com/ada/r.git": "https://ada@github.com/ada/r.git",
        "https://ada:p%40ss@example.org:8443/r": "https://example.org:8443/r",
        "https://ghp_0123456789abcdefghij@github.com/r": "https://github.com/r",
        "https://glpat-0123456789@gitlab.com/r": "https://gitlab.com/r",
        "https://:secret@example.org/r": "https://example.org/r",
        "ssh://git:secret@example.org/r": "ssh://git@example.org/r",
        "git@example.org:r": "git@example.org:r",
        "file:///srv/r": "file:///srv/r",
    }
    for url, expected in shown.items():
        address = git_address.parse(url)
        assert address.url == expected
        assert "secret" not in repr(address)
    address = git_address.parse("https://ada:p%40ss@example.org/r")
    assert address.without_secrets("it was p@ss or p%40ss") == "it was *** or ***"


def test_reading_from_a_host_that_fails(relay: HttpRelay) -> None:
    """The same errors as for everything else, and nothing was handed out."""
    reader = relay.reach()
    entry = reader.list().entries["inbox/ben/a"]
    relay.site.wire.fail("POST", UPLOAD, 500, times=None)
    for limit in (10_000, 1 << 20):
        output = io.BytesIO()
        error = refusal_of(lambda out=output, most=limit: reader.read(entry, out, limit=most))
        assert error.code == "relay-unreachable"
        assert output.getvalue() == b""
