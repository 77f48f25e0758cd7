"""The whole story with the installed program at a GitHub of our own: real git, and real `gh` or none."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.keys.keyring import Keyring
from alive_p2p.runtime import Runtime
from relay.git_relays import fill
from relay.github import GitHub
from relay.people import key_of
from relay.persons import Done, Person, require_gh
from relay.rendezvous_server import real_server
from worlds import NOVA, make_world, plant


class At:
    """Somebody at GitHub with a world, who types commands."""

    def __init__(self, site: GitHub, login: str, folder: Path, program: str, *, has_gh: bool) -> None:
        self.person: Person = site.person(login, folder, has_gh=has_gh)
        if has_gh:
            require_gh(self.person)
        else:
            self.person.environ["ALIVE_P2P_GITHUB_URL"] = site.url
        self.world = make_world(self.person.home / "world")
        self.program = program
        self.typed: list[str] = []

    def __call__(self, *arguments: str, code: int | None = 0, data: str = "") -> Done:
        self.typed.append(" ".join(arguments))
        done = self.person.run(self.program, *arguments, cwd=self.world, code=code, data=data)
        assert "Traceback" not in done.err
        return done

    def told(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).out)


@pytest.fixture(params=[True, False], ids=["gh", "token"])
def two(request: pytest.FixtureRequest, github: GitHub, tmp_path: Path, program: str) -> tuple[At, At]:
    """Ada with a walnut, and Ben; both have an account, and nothing else."""
    ada, ben = (At(github, login, tmp_path, program, has_gh=request.param) for login in ("ada", "ben"))
    plant(ada.world / "04_Ventures" / "nova", NOVA)
    return ada, ben


def test_from_nothing_to_a_receipt(two: tuple[At, At], github: GitHub) -> None:
    """Two commands on one side and one on the other pair them; the next ones deliver, receive and tell."""
    ada, ben = two
    code = ada("relay", "invite", "ben", "--github").out.strip()
    ben("relay", "accept", "-", "--github", data=code)
    assert github.repository("ada/alive-relay").private
    shared = ada.told("share", "--walnut", "04_Ventures/nova", "--scope", "full", "--to", "ben", "--yes")
    assert [one["queued"] for one in shared["deliveries"]] == [False]
    (pulled,) = ben.told("receive", "--from-relay", "--yes")["packages"]
    assert (pulled["status"], pulled["peer"]) == ("received", "ada")
    assert (ben.world / "03_Inbox" / "nova" / "notes.md").read_bytes() == NOVA["notes.md"]
    ada("relay", "probe")
    status = ada.told("relay", "status")["peers"]["ben"]
    assert (status["state"], status["last_receipt"]["status"]) == ("mutual", "applied")
    assert len(ada.typed) + len(ben.typed) == 6


def test_what_the_host_refuses_is_told_and_stays_in_the_outbox(two: tuple[At, At], github: GitHub) -> None:
    """Access withdrawn, and given back: the package goes out with the next command."""
    ada, ben = two
    code = ada("relay", "invite", "ben", "--github").out.strip()
    ben("relay", "accept", "-", "--github", data=code)
    ada("relay", "pull", "--yes")
    package = ada.world / "p.walnut"
    ada(
        "create",
        "--walnut",
        "04_Ventures/nova",
        "--scope",
        "full",
        "-o",
        str(package),
        "--yes",
        "--sender",
        "ada",
        code=None,
    )
    ada("create", "--walnut", "04_Ventures/nova", "--scope", "full", "-o", str(package), "--yes", "--force")
    github.repository("ben/alive-relay").collaborators.clear()
    told = ada.told("relay", "push", "--peer", "ben", str(package))
    assert told["queued"] is True
    assert told["error"]
    assert len(ada.told("relay", "status")["outbox"]) == 1
    ada_ = github.world.add_user("ada")
    github.repository("ben/alive-relay").collaborators[ada_.id] = ada_
    ada("relay", "pull", "--yes")
    assert ada.told("relay", "status")["outbox"] == []
    assert [one["status"] for one in ben.told("relay", "pull", "--all", "--yes")["packages"]] == ["received"]


def test_set_up_twice_and_compact(two: tuple[At, At], github: GitHub) -> None:
    """Run again it changes nothing; folding leaves one commit, and what waits stays."""
    ada, ben = two
    ada("relay", "setup", "--github")
    assert ada.told("relay", "setup")["status"] == "noop"
    code = ada("relay", "invite", "ben").out.strip()
    ben("relay", "accept", "-", "--github", data=code)
    ben("share", "--walnut", str(ada.world / "04_Ventures" / "nova"), "--scope", "snapshot", "--to", "ada", "--yes")
    repository = github.repository("ada/alive-relay")
    assert int(repository.git("rev-list", "--count", "main")) > 1
    ada("relay", "compact")
    assert int(repository.git("rev-list", "--count", "main")) == 1
    assert [one["status"] for one in ada.told("relay", "pull", "--yes")["packages"]] == ["received"]


def test_a_login_that_nobody_has(two: tuple[At, At]) -> None:
    """It is told, with what was done nevertheless."""
    ada, _ = two
    ada("relay", "setup", "--github")
    assert ada.told("relay", "invite", "nobody-of-that-name", code=1)["error"]["code"] == "no-such-login"


def test_what_the_host_has_not_done_yet_is_told(github: GitHub, tmp_path: Path, program: str) -> None:
    """No invitation of it yet, somebody who is always faster, and access that it does not take back."""
    ada, ben = (At(github, login, tmp_path, program, has_gh=False) for login in ("ada", "ben"))
    for at, key in ((ada, key_of("alice")), (ben, key_of("ben"))):
        Keyring.load(Runtime(environ=at.person.environ, cwd=at.world)).install(key)
    code = ada("relay", "invite", "ben", "--github").out.strip()
    repository = github.repository("ada/alive-relay")
    repository.invitations.clear()
    accepted = ben.person.run(ben.program, "relay", "accept", "-", "--github", "--json", data=code, code=1)
    error = json.loads(accepted.out)["error"]
    assert error["code"] == "not-invited"
    assert "has not come yet" in error["message"]
    assert "nobody was pinned" in error["untouched"]
    assert list((ben.person.home / ".alive" / "relay" / "keys").glob("peers/*")) == []
    push = "/ada/alive-relay.git/git-receive-pack"
    fill(repository.path, [("inbox/ben/before", b"x")])
    github.wire.meanwhile("POST", push, lambda: fill(repository.path, [("inbox/ben/later", b"x")]))
    assert ada.told("relay", "compact", code=1)["error"]["code"] == "relay-busy"
    assert "inbox/ben/later" in repository.git("ls-tree", "-r", "--name-only", "main")
    github.wire.fail("DELETE", "/repos/ada/alive-relay/collaborators/ben", 403, times=None)
    parted = ada("relay", "peers", "remove", "ben", "--yes")
    assert "'ben' may still be let in: " in parted.err
    assert ada.told("relay", "status")["peers"] == {}


def test_a_spoken_code_and_a_host_where_only_one_is_known(github: GitHub, tmp_path: Path, program: str) -> None:
    """Ada has no account at Ben's host, and the login that he names is nobody's: both are paired, and told of it."""
    pytest.importorskip("spake2", reason="the extra [pair] is not installed")
    ada, ben = (At(github, login, tmp_path, program, has_gh=False) for login in ("ada", "ben"))
    del ada.person.environ["GH_TOKEN"]
    for at, key in ((ada, key_of("alice")), (ben, key_of("ben"))):
        Keyring.load(Runtime(environ=at.person.environ, cwd=at.world)).install(key)
    with real_server() as server:
        options, pipe = ("--via", server, "--yes"), subprocess.PIPE
        command = [program, "pair", "--folder", str(tmp_path / "relay"), *options]
        surroundings = {**ada.person.environ, "GH_USER": "ada"}
        with subprocess.Popen(command, cwd=ada.world, env=surroundings, stdout=pipe, stderr=pipe, text=True) as hers:
            assert hers.stdout is not None
            code = hers.stdout.readline()
            his = ben("pair", "-", "--github", "--login", "nobody-of-that-name", *options, data=code)
            said, beside = hers.communicate(timeout=120)
    assert (hers.returncode, "you and ben are paired" in said) == (0, True)
    assert "is not known, so they cannot let you in (you are not logged in at GitHub" in beside
    assert "log in there, and run it together once more" in beside
    assert "'ada' could not be let in at the host (nobody at GitHub is called" in his.err
    assert "put that right, and run it together once more" in his.err
    assert github.repository("ben/alive-relay").collaborators == {}


def test_a_spoken_code_lets_both_in(github: GitHub, tmp_path: Path, program: str) -> None:
    """From nothing: two repositories are made, each lets the other in, and both accept, in one command on each side."""
    pytest.importorskip("spake2", reason="the extra [pair] is not installed")
    ada, ben = (At(github, login, tmp_path, program, has_gh=False) for login in ("ada", "ben"))
    for at, key in ((ada, key_of("alice")), (ben, key_of("ben"))):
        Keyring.load(Runtime(environ=at.person.environ, cwd=at.world)).install(key)
    with real_server() as server:
        options = ("--github", "--via", server, "--yes")
        command, pipe = [program, "pair", *options], subprocess.PIPE
        with subprocess.Popen(
            command, cwd=ada.world, env=ada.person.environ, stdout=pipe, stderr=pipe, text=True
        ) as hers:
            assert hers.stdout is not None
            his = ben("pair", "-", *options, data=hers.stdout.readline())
            said, beside = hers.communicate(timeout=120)
    assert (hers.returncode, "you and ben are paired" in said) == (0, True)
    assert "warning" not in beside + his.err
    for owner, other in (("ada", "ben"), ("ben", "ada")):
        assert [user.login for user in github.repository(f"{owner}/alive-relay").collaborators.values()] == [other]
    assert ada.told("relay", "status")["peers"]["ben"]["state"] == "mutual"
    relay_json = json.loads((ada.person.home / ".alive" / "relay" / "relay.json").read_text("utf-8"))
    assert relay_json["peers"]["ben"]["login"] == "ben"
    plant(ada.world / "04_Ventures" / "nova", NOVA)
    shared = ada.told("share", "--walnut", "04_Ventures/nova", "--scope", "full", "--to", "ben", "--yes")
    assert [one["queued"] for one in shared["deliveries"]] == [False]
    assert [one["status"] for one in ben.told("relay", "pull", "--yes")["packages"]] == ["received"]
