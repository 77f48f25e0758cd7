"""Relays at GitHub, over its API and through the real `gh`: what works, and every way in which it does not."""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alive_p2p import web
from alive_p2p.errors import RelayError
from alive_p2p.relay.hosting import github_api, github_gh, github_ways
from alive_p2p.relay.hosting.base import Access
from alive_p2p.relay.hosting.choose import choose_hosting
from alive_p2p.relay.hosting.github import GitHub as Hosting
from alive_p2p.relay.hosting.github_gh import Gh
from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.relay.hosting.github_ways import Rest, Way
from alive_p2p.runtime import Runtime
from relay.github import GitHub
from relay.github_world import Invitation
from relay.persons import Person, require_gh
from worlds import Clock

RELAY = "https://github.com/ada/relay.git"


@pytest.fixture
def slept() -> list[float]:
    """The pauses that were made."""
    return []


@pytest.fixture(params=["rest", "gh"])
def way(request: pytest.FixtureRequest) -> str:
    """How GitHub is asked; every test that sees it runs in both ways."""
    return str(request.param)


ONCE = pytest.mark.parametrize("way", ["rest"])
"""For what is checked before anything is asked, or on what came back: it is the same in both ways."""

As = Callable[..., Hosting]


@pytest.fixture
def as_(github: GitHub, way: str, slept: list[float]) -> As:
    """GitHub as somebody uses it."""

    def make(person: Person, **environ: str) -> Hosting:
        return hosting(github, person, way, slept, **environ)

    return make


def hosting(github: GitHub, person: Person, way: str, slept: list[float], **environ: str) -> Hosting:
    runtime = Runtime(environ={**person.environ, **environ}, cwd=person.home, clock=Clock(), sleep=slept.append)
    site = Site(api=github.url)
    chosen: Way | None
    if way == "gh":
        require_gh(person)
        chosen = Gh.find(site, runtime)
        assert chosen
    else:
        chosen = Rest(site, runtime.environ["GH_TOKEN"], "GH_TOKEN", runtime)
    return Hosting(site, chosen, runtime)


@pytest.fixture
def ada(github: GitHub, tmp_path: Path) -> Person:
    """Somebody with a relay."""
    github.create("ada/relay")
    return github.person("ada", tmp_path)


@pytest.fixture
def ben(github: GitHub, tmp_path: Path) -> Person:
    """Somebody else."""
    return github.person("ben", tmp_path)


def refused(call: Callable[[], object]) -> RelayError:
    """The error of a call, which says what was left as it was and what to do."""
    with pytest.raises(RelayError) as caught:
        call()
    error = caught.value
    assert error.untouched
    assert error.hint
    assert error.message[0].islower() or error.message[0] == "'"
    assert not error.message.endswith(".")
    for text in (error.message, error.hint, error.untouched):
        assert "gho_" not in text
        assert text.isprintable()
    return error


# What works.


def test_from_an_empty_account_to_a_peer_and_back(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """Made, invited, accepted, revoked; and everything twice, which changes nothing."""
    adas, bens = as_(ada), as_(ben)
    assert (adas.login(), bens.login()) == ("ada", "ben")
    url = adas.create("alive-relay")
    assert url == "https://github.com/ada/alive-relay.git"
    assert adas.create("Alive-Relay") == url
    made = github.repository("ada/alive-relay")
    assert made.private
    assert made.git("for-each-ref") == ""

    assert bens.accept(url) is False
    assert adas.grant(url, "ben") is Access.INVITED
    assert adas.grant(url, "BEN") is Access.INVITED
    assert len(made.invitations) == 1
    assert bens.accept(url) is True
    assert bens.accept(url) is True
    assert adas.grant(url, "ben") is Access.GRANTED
    assert [user.login for user in made.collaborators.values()] == ["ben"]
    ben.git("ls-remote", url)

    adas.revoke(url, "ben")
    assert not made.collaborators
    adas.revoke(url, "ben")
    ben.git_fails("ls-remote", url)
    assert bens.accept(url) is False


def test_an_invitation_that_was_not_accepted_is_taken_back(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """Only that person's, on whatever page of the list it stands."""
    relay = github.repository("ada/relay")
    for number in range(1, 131):
        relay.invitations[number] = Invitation(number, github.world.add_user(f"peer-{number}"), relay.owner)
    as_(ada).grant(RELAY, "ben")
    as_(ada).revoke(RELAY, "Ben")
    assert list(relay.invitations) == list(range(1, 131))
    assert as_(ben).accept(RELAY) is False


def test_revoking_somebody_who_is_not_there_any_more_is_no_error(github: GitHub, ada: Person, as_: As) -> None:
    """Nor if they have closed their account."""
    as_(ada).revoke(RELAY, "nobody")


def test_an_invitation_accepted_in_the_middle_is_taken_as_well(
    github: GitHub, ada: Person, ben: Person, as_: As
) -> None:
    """Between taking back what is pending and taking access, whoever is fast gains nothing."""
    relay = github.repository("ada/relay")
    as_(ada).grant(RELAY, "ben")

    def accept() -> None:
        relay.invitations.clear()
        relay.collaborators[github.world.users["ben"].id] = github.world.users["ben"]

    github.wire.meanwhile("GET", "/repos/ada/relay/invitations", accept)
    as_(ada).revoke(RELAY, "ben")
    assert not relay.collaborators


def test_every_form_of_an_address_is_the_same_relay(github: GitHub, ada: Person, as_: As) -> None:
    """As it stands in a code, or is copied from a page."""
    for at, url in enumerate(("git@github.com:ada/relay.git", "ssh://git@github.com/ada/relay", f"{RELAY[:-4]}/")):
        github.world.add_user(f"peer-{at}")
        assert as_(ada).grant(url, f"peer-{at}") is Access.INVITED


def test_gh_says_whether_it_is_ssh(github: GitHub, ada: Person, slept: list[float]) -> None:
    """The address that is given is the one that the person's git is set up for."""
    require_gh(ada)
    settings = Path(ada.environ["GH_CONFIG_DIR"]) / "config.yml"
    settings.write_text(f"{settings.read_text()}git_protocol: ssh\n")
    assert hosting(github, ada, "gh", slept).create("relay") == "git@github.com:ada/relay.git"
    assert hosting(github, ada, "rest", slept).create("relay") == RELAY


def test_gh_leaves_nothing(github: GitHub, ada: Person, slept: list[float]) -> None:
    """No device's number, no cache; and it asks what is in GH_HOST only where that is meant."""
    require_gh(ada)
    before = sorted(ada.home.rglob("*"))
    environ = {"GH_HOST": "example.org", "GH_REPO": "a/b", "GH_FORCE_TTY": "100%", "GH_DEBUG": "api"}
    assert hosting(github, ada, "gh", slept, **environ).login() == "ada"
    assert sorted(ada.home.rglob("*")) == before
    assert "POST" not in {each.method for each in github.wire.log}


# What is refused.


def test_a_public_repository_is_no_relay(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """It is told how to make it private; nobody is invited to it either."""
    relay = github.create("ada/open", private=False)
    for call in (lambda: as_(ada).create("open"), lambda: as_(ada).grant("https://github.com/ada/open", "ben")):
        error = refused(call)
        assert error.code == "host-public"
        assert "gh api -X PATCH repos/ada/open -F private=true" in str(error.hint)
    assert not relay.invitations


def test_a_host_that_makes_it_public_all_the_same_is_not_believed(github: GitHub, ada: Person, as_: As) -> None:
    """Private is what the answer says, and nothing that looks like it."""
    answer = {"owner": {"login": "ada"}, "name": "new", "permissions": {"push": True}, "private": "true"}
    github.wire.fail("POST", "/user/repos", 201, answer)
    assert refused(lambda: as_(ada).create("new")).code == "host-public"


def test_a_repository_that_is_archived_is_no_relay(github: GitHub, ada: Person, as_: As) -> None:
    """Nor is one that cannot be pushed to."""
    answer: dict[str, Any] = {"owner": {"login": "ada"}, "name": "relay", "private": True}
    github.wire.fail("GET", "/repos/ada/relay", 200, {**answer, "permissions": {"push": True}, "archived": True})
    assert refused(lambda: as_(ada).create("relay")).code == "host-archived"
    github.wire.fail("GET", "/repos/ada/relay", 200, {**answer, "permissions": {"push": False}})
    assert refused(lambda: as_(ada).create("relay")).code == "relay-denied"


def test_a_repository_that_has_moved_is_told(github: GitHub, ada: Person, as_: As) -> None:
    """Access to another one, or somebody else's, is not given by mistake."""
    for name in ("ada/new", "eve/relay"):
        owner, _, rest = name.partition("/")
        answer = {
            "owner": {"login": owner},
            "name": rest,
            "private": True,
            "permissions": {"push": True, "admin": True},
        }
        for call in (lambda: as_(ada).create("relay"), lambda: as_(ada).grant(RELAY, "ben")):
            github.wire.fail("GET", "/repos/ada/relay", 200, answer)
            error = refused(call)
            assert (error.code, name in error.message) == ("host-moved", True)


@pytest.mark.parametrize(
    "name",
    ["--hostname=example.org", "-x", ".x", "..", ".", "", "a/b", "a b", "x.git", "ä", "{owner}", "a" * 101, "a\n"],
)
@ONCE
def test_what_cannot_be_a_name_is_not_asked_for(name: str, github: GitHub, ada: Person, as_: As) -> None:
    """GitHub would make something else of it, and programs an option."""
    assert refused_name(lambda: as_(ada).create(name)).code == "bad-repository-name"
    assert not github.wire.log


def refused_name(call: Callable[[], object]) -> RelayError:
    """As `refused`, where the text that was typed may be anything: whoever shows it escapes it."""
    with pytest.raises(RelayError) as caught:
        call()
    assert caught.value.untouched == "everything"
    assert caught.value.hint
    return caught.value


def test_a_repository_named_like_an_option_is_one(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """GitHub allows it, and it never stands where an option can."""
    github.create("ada/--hostname")
    url = "https://github.com/ada/--hostname"
    assert as_(ada).grant(url, "ben") is Access.INVITED
    assert as_(ben).accept(url) is True
    as_(ada).revoke(url, "ben")


@pytest.mark.parametrize(
    "login", ["", "-x", "--input", "a/b", "../user", "a b", "bén", "{owner}", "a" * 40, "ben\n", "?"]
)
@ONCE
def test_what_cannot_be_a_login_is_not_asked_for(login: str, github: GitHub, ada: Person, as_: As) -> None:
    """It would become part of a path."""
    for call in (lambda: as_(ada).grant(RELAY, login), lambda: as_(ada).revoke(RELAY, login)):
        assert refused_name(call).code == "bad-login"
    assert not github.wire.log


def test_nobody_is_invited_who_does_not_exist(github: GitHub, ada: Person, as_: As) -> None:
    """The login is named, as it was typed; an organisation is nobody."""
    error = refused(lambda: as_(ada).grant(RELAY, "carla"))
    assert (error.code, error.message) == ("no-such-login", "nobody at GitHub is called 'carla'")
    github.wire.fail("GET", "/users/acme", 200, {"login": "acme", "type": "Organization"})
    assert refused(lambda: as_(ada).grant(RELAY, "acme")).code == "no-such-login"


def test_nobody_invites_themselves(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """Nor the owner, in whatever case."""
    assert refused(lambda: as_(ada).grant(RELAY, "ADA")).code == "own-login"
    assert refused(lambda: as_(ben).grant(RELAY, "Ada")).code == "own-login"
    assert refused(lambda: as_(ada).revoke(RELAY, "ada")).code == "own-login"


def test_only_the_owner_lets_people_in(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """Somebody who was let in is told whom to ask."""
    github.create("ada/shared", ["ben"])
    github.world.add_user("carla")
    for call in (as_(ben).grant, as_(ben).revoke):
        error = refused(lambda call=call: call("https://github.com/ada/shared", "carla"))  # type: ignore[misc]
        assert error.code == "relay-denied"
        assert "ada" in str(error.hint)


def test_what_is_missing_and_what_is_not_shown_are_told_apart_where_they_can_be(
    github: GitHub, ada: Person, ben: Person, as_: As
) -> None:
    """One's own repository is there or not; somebody else's may be closed to us; and the token may be the reason."""
    error = refused(lambda: as_(ada).grant("https://github.com/ada/gone", "ben"))
    assert (error.code, "you have no repository 'gone'" in error.message) == ("relay-missing", True)
    assert "your token" not in error.message
    error = refused(lambda: as_(ben).grant(RELAY, "carla"))
    assert (error.code, "or 'ben' has no access to it" in error.message) == ("relay-missing", True)
    github.wire.fail("GET", "/repos/ada/relay", 404, {"message": "Not Found"})
    error = refused(lambda: as_(ada).grant(RELAY, "ben"))
    assert (error.code, "or your token is not good for it" in error.message) == ("relay-missing", True)


def test_an_address_elsewhere_is_refused(github: GitHub, ada: Person, as_: As) -> None:
    """Nothing is asked."""
    host = as_(ada)
    for call in (lambda: host.grant("https://example.org/ada/relay", "ben"), lambda: host.accept("folder:/x")):
        with pytest.raises(RelayError, match="is no repository at GitHub"):
            call()
    assert not github.wire.log


# Invitations from strangers.


def test_only_the_invitation_to_this_repository_is_accepted(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """Among a hundred and thirty from strangers, whose names look like it, and which stand before it."""
    names = ["ada-/relay", "ada/relay-", "ada/relay2", "adа/relay", "ada/relаy", "Aada/relay", "eve/ada-relay"]
    strangers = [github.create(name) for name in names]
    for at in range(130):
        stranger = strangers[at % len(strangers)]
        number = github.world.next_id()
        stranger.invitations[number] = Invitation(number, github.world.users["ben"], stranger.owner)
    late = github.create("ada/wanted")
    assert as_(ben).accept("https://github.com/ada/wanted") is False
    as_(ada).grant("https://github.com/ada/wanted", "ben")
    assert as_(ben).accept("https://github.com/ada/wanted") is True
    assert late.collaborators
    assert not any(each.collaborators for each in strangers)
    assert sum(len(each.invitations) for each in strangers) == 130


def invitation(owner: str, full_name: str, inviter: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "repository": {"full_name": full_name, "owner": {"login": owner}},
        "inviter": {"login": inviter},
        "permissions": "write",
        **more,
    }


@pytest.mark.parametrize(
    "forged",
    [
        invitation("eve", "kim/relay", "kim"),
        invitation("kim", "eve/relay", "kim"),
        invitation("\u212aim", "\u212aim/relay", "\u212aim"),  # the Kelvin sign, which is a k in lower case
        invitation("kim", "kim/relay\n", "kim"),
        invitation("kim", "kim/relay.git", "kim"),
        {"id": 7, "repository": {"full_name": ["kim/relay"], "owner": "kim"}},
        {"id": 7, "repository": None},
        {"id": 7},
        ["kim/relay"],
        "kim/relay",
        None,
    ],
)
@ONCE
def test_what_only_looks_like_it_is_passed_over(forged: Any, github: GitHub, ben: Person, as_: As) -> None:
    """Whatever form it has."""
    github.wire.fail("GET", "/user/repository_invitations", 200, [forged])
    assert as_(ben).accept("https://github.com/kim/relay") is False
    assert {each.method for each in github.wire.log} == {"GET"}


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (invitation("kim", "kim/relay", "eve"), "it comes from 'eve', and not from 'kim'"),
        (invitation("kim", "kim/relay", "\u212aim"), "it comes from somebody"),
        (invitation("kim", "kim/relay", "\x1b[31m"), "it comes from somebody"),
        (invitation("kim", "kim/relay", None), "it comes from somebody"),
        (invitation("kim", "Kim/Relay", "KIM", expired=True), "too old"),
        (invitation("kim", "kim/relay", "kim", permissions="read"), "for reading only"),
        (invitation("kim", "kim/relay", "kim", permissions=None), "for reading only"),
    ],
)
def test_an_odd_invitation_is_not_accepted(odd: Any, words: str, github: GitHub, ben: Person, as_: As) -> None:
    """And told, because no other one will come while it is there."""
    github.wire.fail("GET", "/user/repository_invitations", 200, [odd])
    error = refused(lambda: as_(ben).accept("https://github.com/kim/relay"))
    assert (error.code, words in error.message) == ("host-invitation", True)
    assert {each.method for each in github.wire.log} == {"GET"}


@pytest.mark.parametrize("number", [None, "7", -1, True, "../../user", 1.5])
@ONCE
def test_a_number_that_is_none_is_no_part_of_a_path(number: Any, github: GitHub, ben: Person, as_: As) -> None:
    """Not in what is accepted, and not in what is taken back."""
    github.wire.fail(
        "GET", "/user/repository_invitations", 200, [{**invitation("kim", "kim/relay", "kim"), "id": number}]
    )
    assert refused(lambda: as_(ben).accept("https://github.com/kim/relay")).code == "host-answer"
    github.create("ben/relay")
    github.wire.fail("GET", "/repos/ben/relay/invitations", 200, [{"id": number, "invitee": {"login": "kim"}}])
    assert refused(lambda: as_(ben).revoke("https://github.com/ben/relay", "kim")).code == "host-answer"
    assert {each.method for each in github.wire.log} == {"GET"}


@ONCE
def test_a_list_that_is_none_is_told(github: GitHub, ben: Person, as_: As) -> None:
    """Nothing is accepted, and nothing taken for an empty one."""
    for answer in ({"id": 7}, "", None):
        github.wire.fail("GET", "/user/repository_invitations", 200, answer)
        assert refused(lambda: as_(ben).accept(RELAY)).code == "host-answer"


@ONCE
def test_a_repository_that_is_none_is_told(github: GitHub, ada: Person, as_: As) -> None:
    """What GitHub says of it has to have a name at least."""
    for answer in ({}, [], {"owner": {"login": "ada"}, "name": "../x"}, {"owner": "ada", "name": "relay"}):
        github.wire.fail("GET", "/repos/ada/relay", 200, answer)
        assert refused(lambda: as_(ada).grant(RELAY, "ben")).code == "host-answer"


def test_a_list_without_end_ends(github: GitHub, ben: Person, slept: list[float]) -> None:
    """A host that always has another page is not listened to for ever."""
    github.wire.fail(
        "GET", "/user/repository_invitations", 200, [], {"Link": '<http://example.org/>; rel="next"'}, times=None
    )
    assert hosting(github, ben, "rest", slept).accept(RELAY) is False
    assert 10 < len(github.wire.log) < 100


# Refusals of the host.


def say(message: str) -> dict[str, str]:
    return {"message": message}


@pytest.mark.parametrize(
    ("arrange", "code", "words"),
    [
        (lambda s: s.wire.fail("GET", "/user", 401, say("Bad credentials")), "host-token", "'Bad credentials'"),
        (lambda s: s.require_otp("GET", "/user"), "host-two-factor", "gh auth login"),
        (lambda s: s.limit_rate("GET", "/user"), "host-rate-limit", "that ends at 20"),
        (lambda s: s.limit_abuse("GET", "/user", seconds=900), "host-slow-down", "run it again after 20"),
        (lambda s: s.wire.fail("GET", "/user", 429), "host-slow-down", "in a few minutes"),
        (
            lambda s: s.require_sso("GET", "/user"),
            "host-sso",
            "https://github.com/orgs/acme/sso?authorization_request=",
        ),
        (lambda s: s.wire.fail("GET", "/user", 403, say("No")), "relay-denied", "says 'No'"),
        (lambda s: s.wire.fail("GET", "/user", 403, "<html><b>no</b></html>"), "relay-denied", "does not allow it"),
        (
            lambda s: s.wire.fail("GET", "/user", 403, headers={"X-OAuth-Scopes": "gist"}),
            "host-scope",
            "refresh -s repo",
        ),
        (
            lambda s: s.wire.fail(
                "GET", "/user", 403, headers={"X-Accepted-GitHub-Permissions": "administration=write"}
            ),
            "relay-denied",
            "administration=write",
        ),
        (lambda s: s.wire.fail("GET", "/user", 404, "<html>"), "host-answer", "a proxy"),
        (lambda s: s.wire.fail("GET", "/user", 409, say("Busy.")), "host-conflict", "it says 'Busy'"),
        (lambda s: s.wire.fail("GET", "/user", 410, say("Gone")), "host-refused", "(410): it says 'Gone'"),
        (lambda s: s.wire.fail("GET", "/user", 500, times=None), "relay-unreachable", "a problem of its own (500)"),
        (lambda s: s.wire.fail("GET", "/user", 502, "<html>", times=None), "relay-unreachable", "(502)"),
        (lambda s: s.wire.fail("GET", "/user", 200, "<html>sign in</html>"), "host-answer", "login page"),
        (lambda s: s.wire.fail("GET", "/user", 200, {"login": "../evil"}), "host-answer", "cannot be used"),
        (lambda s: s.wire.fail("GET", "/user", 200, ["ada"]), "host-answer", "cannot be used"),
        (lambda s: s.wire.fail("GET", "/user", 200, "[" * 100_000), "host-answer", "cannot be used"),
        (lambda s: s.wire.fail("GET", "/user", 200, "\x1b[31m"), "host-answer", "cannot be used"),
        (lambda s: s.wire.fail("GET", "/user", 200, {"login": "x" * (5 << 20)}), "host-answer", "larger than 4 mega"),
        (lambda s: s.wire.fail("GET", "/user", 204), "host-answer|host-refused", "cannot be used"),
        (lambda s: s.wire.cut("GET", "/user", 10, times=None), "relay-unreachable", "cut off"),
    ],
)
def test_every_refusal_is_an_error_of_its_own(
    arrange: Callable[[GitHub], object], code: str, words: str, github: GitHub, ada: Person, as_: As
) -> None:
    """With what was wanted, why it is not done, and what to do; and never with the token."""
    arrange(github)
    error = refused(as_(ada).login)
    assert error.code in code.split("|")
    assert words in f"{error.message} {error.hint}"
    assert error.untouched == "everything"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/orgs/acme/sso",
        "https://github.com.example.org/",
        "https://github.com@example.org/",
        "https://ada:pw@github.com/",
        "http://github.com/orgs/acme/sso",
        "javascript:alert(1)//github.com",
        "https://github.com/`rm -rf`",
        "https://github.com/'",
        "https://[",
        "https://github.com/" + "x" * 1000,
        "",
    ],
)
@ONCE
def test_where_to_log_in_is_only_the_host_itself(url: str, github: GitHub, ada: Person, as_: As) -> None:
    """A person is about to type a password there."""
    github.wire.fail("GET", "/user", 403, say("SAML"), {"X-GitHub-SSO": f"required; url={url}"})
    error = refused(as_(ada).login)
    assert error.code == "host-sso"
    assert "://" not in str(error.hint)


def test_a_404_where_none_belongs_is_told(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """The repository is there and ours, and all the same the host does not know it."""
    github.wire.fail("PUT", "/repos/ada/relay/collaborators/ben", 404, say("Not Found"))
    error = refused(lambda: as_(ada).grant(RELAY, "ben"))
    assert error.code == "relay-missing"
    assert "repo" in str(error.hint)


def test_what_the_host_says_is_one_safe_line(github: GitHub, ada: Person, as_: As) -> None:
    """However long, and whatever it does to a terminal."""
    errors = [
        {"message": "a\x1b[2J\nb\u202e" + "x" * 1000},
        {"field": "name", "code": "\r\nerror: forged"},
        "text",
        {"message": "never shown"},
    ]
    github.wire.fail("POST", "/user/repos", 422, {"message": "Validation\nfailed.", "errors": errors})
    error = refused(lambda: as_(ada).create("fresh"))
    assert error.code == "host-refused"
    assert "Validation failed; a" in error.message
    assert "name: error: forged" in error.message
    assert "never shown" not in error.message
    assert len(error.message) < 700


def test_a_token_that_may_too_little_is_told_with_what_it_needs(
    github: GitHub, ada: Person, tmp_path: Path, as_: As
) -> None:
    """GitHub only says that there is nothing."""
    dora = github.person("dora", tmp_path, scopes=["gist"])
    github.create("dora/relay")
    github.world.add_user("ben")
    for call in (lambda: as_(dora).create("relay"), lambda: as_(dora).grant("https://github.com/dora/relay", "ben")):
        error = refused(call)
        assert error.code == "host-scope"
        assert "`repo`" in error.message
        assert "gh auth refresh -s repo" in str(error.hint)
    error = refused(lambda: as_(dora).accept(RELAY))
    assert error.code == "host-scope"


def test_a_refusal_in_the_middle_says_what_was_done(github: GitHub, ada: Person, ben: Person, as_: As) -> None:
    """An invitation is taken back, and then the host has enough."""
    as_(ada).grant(RELAY, "ben")
    github.wire.fail("DELETE", "/repos/ada/relay/collaborators/ben", 403, say("No"))
    error = refused(lambda: as_(ada).revoke(RELAY, "ben"))
    assert (error.code, error.untouched) == ("relay-denied", "the access itself; an invitation was taken back")
    as_(ada).revoke(RELAY, "ben")


# Trying again.


def test_trouble_that_passes_is_not_told(github: GitHub, ada: Person, as_: As, slept: list[float]) -> None:
    """Neither of the host nor of the network; after a pause that grows."""
    github.wire.fail("GET", "/user", 503)
    github.wire.cut("GET", "/user", after=10)
    assert as_(ada).login() == "ada"
    assert slept == list(github_api.PAUSES)


def test_trouble_that_stays_is_told(github: GitHub, ada: Person, as_: As, slept: list[float]) -> None:
    """After a few times."""
    github.wire.fail("GET", "/user", 500, times=None)
    refused(as_(ada).login)
    assert slept == list(github_api.PAUSES)
    assert len(github.wire.log) == len(slept) + 1


def test_what_was_done_without_our_hearing_of_it_is_found(
    github: GitHub, ada: Person, ben: Person, as_: As, slept: list[float]
) -> None:
    """A connection that ends after the host has acted: asked again, everything is as it should be."""
    github.wire.cut("POST", "/user/repos")
    url = as_(ada).create("fresh")
    assert url == "https://github.com/ada/fresh.git"
    github.wire.cut("PUT", ".*/collaborators/ben")
    assert as_(ada).grant(url, "ben") is Access.INVITED
    # An empty answer cannot be cut, so the first one is made to come after it was done.
    pending = github.repository("ada/fresh").invitations
    number = next(iter(pending))
    users = github.world.users
    github.wire.meanwhile(
        "PATCH",
        f"/user/repository_invitations/{number}",
        lambda: (pending.clear(), github.repository("ada/fresh").collaborators.update({users["ben"].id: users["ben"]})),
    )
    assert as_(ben).accept(url) is True
    assert len(slept) == 2


def test_a_change_that_may_have_been_made_is_said_to_be_harmless_to_repeat(
    github: GitHub, ada: Person, ben: Person, as_: As
) -> None:
    """Where every try was cut off."""
    github.wire.cut("PUT", ".*", times=None)
    error = refused(lambda: as_(ada).grant(RELAY, "ben"))
    assert (error.code, error.hint) == ("relay-unreachable", "run it again; doing it twice is harmless")
    assert "it may have been done" in str(error.untouched)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_pause_that_the_host_wants_is_kept(
    status: int, github: GitHub, ada: Person, as_: As, slept: list[float]
) -> None:
    """In seconds, or until a moment."""
    github.wire.fail("GET", "/user", status, say("a secondary rate limit"), {"Retry-After": "41"})
    until = (Clock().moment + timedelta(seconds=7)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    github.wire.fail("GET", "/user", status, say("a secondary rate limit"), {"Retry-After": until})
    assert as_(ada).login() == "ada"
    assert slept == [41.0, 7.0]


def test_a_pause_that_is_too_long_is_told(github: GitHub, ada: Person, as_: As, slept: list[float]) -> None:
    """At once, or when the pauses have become too long together."""
    github.limit_abuse("GET", "/user", seconds=61)
    assert refused(as_(ada).login).code == "host-slow-down"
    assert slept == []
    github.limit_abuse("GET", "/user", seconds=31, times=None)
    assert refused(as_(ada).login).code == "host-slow-down"
    assert slept == [31.0]


@pytest.mark.parametrize("after", ["", "soon", "-5", "9" * 40, "Mon, 99 Foo 2026", "\u0661"])
def test_a_pause_that_is_none_is_not_made(after: str, github: GitHub, ada: Person, slept: list[float]) -> None:
    """The host is not asked again, and nothing else is made of it."""
    headers = {"Retry-After": after.encode().decode("latin-1")}
    github.wire.fail("GET", "/user", 429, headers=headers)
    assert refused(hosting(github, ada, "rest", slept).login).code == "host-slow-down"
    assert slept == []


@pytest.mark.parametrize("reset", ["", "soon", "9" * 40, "-1", "99999999999"])
@ONCE
def test_a_quota_without_a_sound_end_is_told_without_it(reset: str, github: GitHub, ada: Person, as_: As) -> None:
    """Nothing but an error of ours."""
    github.wire.fail(
        "GET", "/user", 403, say("API rate limit exceeded"), {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    )
    assert refused(as_(ada).login).code == "host-rate-limit"


# The network.


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("call", ["login", "create", "grant"])
def test_a_redirect_to_another_host_does_not_get_the_token(
    status: int, call: str, github: GitHub, ada: Person, as_: As, way: str, tmp_path: Path
) -> None:
    """Over HTTPS it is not followed at all; `gh` follows it, and says nothing to it."""
    github.world.add_user("ben")
    (tmp_path / "elsewhere").mkdir()
    with GitHub(tmp_path / "elsewhere") as elsewhere:
        # The very token would be good there. Over its socket, `gh` finds every host at the first one.
        elsewhere.world.tokens.update(github.world.tokens)
        target = "https://evil.example.org/taken" if way == "gh" else f"{elsewhere.url}/taken"
        github.wire.fail("*", "/(user|user/repos|repos/.*)", status, None, {"Location": target}, times=None)
        host = as_(ada)
        error = refused(
            {"login": host.login, "create": lambda: host.create("x"), "grant": lambda: host.grant(RELAY, "ben")}[call]
        )
        if way == "rest":
            assert error.code == "host-moved"
            assert not elsewhere.wire.log
        taken = [each for each in github.wire.log if each.path == "/taken"]
        assert {each.login for each in taken} <= {""}


def test_a_redirect_on_the_same_host_is_no_other_login(github: GitHub, ada: Person, slept: list[float]) -> None:
    """Over HTTPS, a redirect is no answer, wherever it leads."""
    github.wire.fail("GET", "/user", 302, None, {"Location": "/users/ben"})
    assert refused(hosting(github, ada, "rest", slept).login).code == "host-moved"


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[str]:
    """A host with a certificate that nobody has vouched for; its address."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = Clock().moment
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "impostor.pem").write_bytes(plain + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "impostor.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                if is_over.is_set():
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    is_over = threading.Event()
    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    is_over.set()
    socket.create_connection(listener.getsockname()).close()
    thread.join()
    listener.close()


def test_a_host_that_is_not_who_it_says_is_not_asked(
    impostor: str, ada: Person, slept: list[float], github: GitHub
) -> None:
    """Once is enough, and it is said that somebody may be reading along."""
    github.url = impostor
    error = refused(hosting(github, ada, "rest", slept).login)
    assert (error.code, slept) == ("relay-unreachable", [])
    assert "CERTIFICATE" in error.message.upper()
    assert "reading along" in str(error.hint)


def test_a_host_that_is_not_there_is_told(
    github: GitHub, ada: Person, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens; or its name is not known."""
    github.stop()
    host = hosting(github, ada, "rest", slept)
    error = refused(host.login)
    assert (error.code, len(slept)) == ("relay-unreachable", 2)
    assert "refused" in error.message

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refused(host.login)
    assert "Name or service not known" in error.message
    assert "online" in str(error.hint)


def test_a_slow_host_is_given_up_on(
    github: GitHub, ada: Person, as_: As, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, because it has taken its time already."""
    host = as_(ada)
    for module in (github_ways, github_gh):
        monkeypatch.setattr(module, "SECONDS", 0.3)
    github.wire.slow("GET", "/user", seconds=60)
    error = refused(host.login)
    assert (error.code, slept) == ("relay-unreachable", [])
    assert "longer than 0.3 seconds" in error.message or "too long" in error.message
    github.stop()
    for thread in threading.enumerate():
        if thread.name == web.THREAD_NAME:
            thread.join(10)


@pytest.fixture
def fake_gh(tmp_path: Path, slept: list[float]) -> Callable[..., Hosting]:
    """A `gh` that prints and says what a test wants."""
    if os.name != "posix":
        pytest.skip("a shell script stands in for gh")

    def make(*, out: bytes = b"", said: bytes = b"", code: int = 1) -> Hosting:
        folder = tmp_path / "fake"
        folder.mkdir(exist_ok=True)
        (folder / "out").write_bytes(out)
        (folder / "said").write_bytes(said)
        program = folder / "gh"
        program.write_text(f"#!/bin/sh\ncat '{folder}/said' >&2\ncat '{folder}/out'\nexit {code}\n")
        program.chmod(0o755)
        runtime = Runtime(
            environ={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, cwd=tmp_path, sleep=slept.append, clock=Clock()
        )
        return Hosting(Site(), Gh(Site(), str(program), runtime), runtime)

    return make


@pytest.mark.parametrize(
    ("said", "code", "expected", "words"),
    [
        (b"error connecting to api.github.com\ncheck your internet connection\n", 1, "relay-unreachable", "online"),
        (b"dial tcp: lookup api.github.com: no such host", 1, "relay-unreachable", "online"),
        (b'Get "https://api.github.com/user": dial tcp: connection refused', 1, "relay-unreachable", "a firewall"),
        (b"tls: failed to verify certificate: x509: unknown authority", 1, "relay-unreachable", "reading along"),
        (b"context deadline exceeded (Client.Timeout)", 1, "relay-unreachable", "run it again later"),
        (b"unexpected EOF", 1, "relay-unreachable", "cut off"),
        (b"\x1b[31mpanic\r\n\xff" + b"x" * 500_000, 2, "relay-unreachable", "panic"),
        (b"", 1, "relay-unreachable", "`gh` ended with 1"),
        (b"To get started with GitHub CLI, please run:  gh auth login", 4, "host-login", "gh auth login"),
    ],
)
def test_what_gh_says_of_the_network_is_understood(
    said: bytes, code: int, expected: str, words: str, fake_gh: Callable[..., Hosting]
) -> None:
    """Its words stand for what happened."""
    error = refused(fake_gh(said=said, code=code).login)
    assert error.code == expected
    assert words in f"{error.message} {error.hint}"
    assert len(error.message) < 500


@pytest.mark.parametrize(
    "out",
    [b"", b"HTTP/2.0 200 OK", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 abc\n\n{}", b"{}", b"x" * (5 << 20), b"\n" * 99],
)
def test_a_gh_that_prints_something_else_is_an_error(out: bytes, fake_gh: Callable[..., Hosting]) -> None:
    """Never a traceback."""
    assert refused(fake_gh(out=out, code=0).login).code in {"host-answer", "relay-unreachable"}


def test_a_gh_that_cannot_be_run_is_an_error(tmp_path: Path, runtime: Runtime, slept: list[float]) -> None:
    """It was removed in the meantime."""
    silent = Runtime(environ={}, cwd=tmp_path, sleep=slept.append)
    assert refused(Hosting(Site(), Gh(Site(), str(tmp_path / "gh"), silent), silent).login).code == "relay-unreachable"


# Which host, and how it is asked.


@pytest.mark.parametrize(
    ("host", "url", "is_covered"),
    [
        ("github.com", "https://github.com/o/r", True),
        ("github.com", "https://github.com/o/r.git", True),
        ("github.com", "HTTPS://GitHub.com:443/o/r/", True),
        ("github.com", "git@github.com:o/r.git", True),
        ("github.com", "git@github.com:/o/r", True),
        ("github.com", "ssh://git@github.com/o/r.git", True),
        ("github.com", "ssh://git@ssh.github.com:443/o/r.git", True),
        ("github.com", "https://github.com/acme_corp/r", True),
        ("ghe.example.org", "https://ghe.example.org/o/r", True),
        ("ghe.example.org:8443", "https://ghe.example.org:8443/o/r", True),
        ("ghe.example.org:8443", "ssh://git@ghe.example.org:2222/o/r", True),
        ("ghe.example.org", "https://github.com/o/r", False),
        ("ghe.example.org:8443", "https://ghe.example.org/o/r", False),
        ("github.com", "http://github.com/o/r", False),
        ("github.com", "https://github.com.example.org/o/r", False),
        ("github.com", "https://example.org/github.com/o/r", False),
        ("github.com", "https://ada:secret@github.com/o/r", False),
        ("github.com", "https://github.com@example.org/o/r", False),
        ("github.com", "https://github.com/o", False),
        ("github.com", "https://github.com/o/r/x", False),
        ("github.com", "https://github.com/o/..", False),
        ("github.com", "https://github.com/../r", False),
        ("github.com", "https://github.com/o/.git", False),
        ("github.com", "https://github.com/o/r?x=1", False),
        ("github.com", "https://github.com/o/r#x", False),
        ("github.com", "https://github.com/o/%2e%2e", False),
        ("github.com", "https://github.com/-o/r", False),
        ("github.com", "https://github.com/o/{owner}", False),
        ("github.com", "https://github.com/o/r\n", False),
        ("github.com", "ssh://root@github.com/o/r", False),
        ("github.com", "ada@github.com:o/r", False),
        ("github.com", "ext::sh -c x", False),
        ("github.com", "folder:/github.com/o/r", False),
        ("github.com", "file:///github.com/o/r", False),
        ("github.com", "", False),
    ],
)
def test_which_addresses_are_a_host_s(host: str, url: str, *, is_covered: bool, runtime: Runtime) -> None:
    """Whatever their form; and nothing that only looks like one."""
    assert Hosting(Site(host), None, runtime).covers(url) is is_covered


@pytest.mark.parametrize(
    "host", ["", "-x", "a b", "evil.example.org/x", "a@b", "x\n", "[::1]", "ünicode.org", "x" * 300]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    """It would become part of an address, or an option."""
    with pytest.raises(RelayError) as caught:
        Site(host)
    assert caught.value.code == "bad-host"


def test_where_the_api_is() -> None:
    """On the web, for a company with its own name there, and on an Enterprise server; http only on this machine."""
    assert Site().api == "https://api.github.com"
    assert Site("acme.ghe.com").api == "https://api.acme.ghe.com"
    assert Site("ghe.example.org").api == "https://ghe.example.org/api/v3"
    assert Site(api="http://127.0.0.1:1").host == "github.com"
    with pytest.raises(RelayError, match="not https"):
        Site(api="http://example.org")


@pytest.fixture
def choose(github: GitHub, slept: list[float]) -> Callable[..., Any]:
    """What is chosen as somebody, over the API of this GitHub where there is no `gh`."""

    def call(person: Person, url: str | None = None, **environ: str) -> Any:
        seen = {"ALIVE_P2P_GITHUB_URL": github.url, **person.environ, **environ}
        runtime = Runtime(environ=seen, cwd=person.home, sleep=slept.append, clock=Clock())
        return choose_hosting(runtime, url)

    return call


def test_gh_is_chosen_where_it_has_a_login(github: GitHub, ada: Person, choose: Callable[..., Any]) -> None:
    """Also for somebody's relay; not for what lies elsewhere."""
    require_gh(ada)
    assert isinstance(choose(ada)._way_if_any, Gh)
    assert choose(ada).login() == "ada"
    assert isinstance(choose(ada, "git@github.com:ben/relay")._way_if_any, Gh)
    assert choose(ada, "https://gitlab.com/ada/relay") is None
    assert choose(ada, "folder:/tmp/x") is None


def test_a_login_that_gh_keeps_is_used(github: GitHub, ada: Person, choose: Callable[..., Any]) -> None:
    """Without any token in the environment; what is wrong with it is mended with `gh`."""
    require_gh(ada)
    token = ada.environ.pop("GH_TOKEN")
    hosts = Path(ada.environ["GH_CONFIG_DIR"]) / "hosts.yml"
    hosts.write_text(f"github.com:\n    user: ada\n    oauth_token: {token}\n    git_protocol: ssh\n", encoding="utf-8")
    assert choose(ada).create("relay") == "git@github.com:ada/relay.git"
    github.wire.fail("GET", "/user", 401, say("Bad credentials"))
    assert refused(choose(ada).login).hint == "run `gh auth login`"
    github.wire.fail("GET", "/user", 403, headers={"X-OAuth-Scopes": "gist"})
    assert refused(choose(ada).login).hint == "run `gh auth refresh -s repo`"


def test_a_token_is_used_without_gh(github: GitHub, tmp_path: Path, choose: Callable[..., Any]) -> None:
    """From GH_TOKEN, or from the variable that the preferences name; the whole way works with it."""
    cleo = github.person("cleo", tmp_path, has_gh=False)
    found = choose(cleo)
    assert isinstance(found._way_if_any, Rest)
    assert found.create("relay") == "https://github.com/cleo/relay.git"

    world = cleo.home / ".alive"
    world.mkdir()
    (world / "preferences.yaml").write_text("p2p:\n  relay:\n    token_env: MY_TOKEN\n")
    assert choose(cleo) is None  # GH_TOKEN is set, and is not the one that was named
    assert choose(cleo, MY_TOKEN=cleo.environ["GH_TOKEN"] + "\n").login() == "cleo"
    error = refused(choose(cleo, RELAY).login)
    assert (error.code, "MY_TOKEN" in str(error.hint)) == ("host-login", True)


def test_gh_without_a_login_gives_way_to_the_token(github: GitHub, ada: Person, choose: Callable[..., Any]) -> None:
    """And where there is neither, a new relay is elsewhere, and an address at GitHub says what is missing."""
    (ada.home / ".alive").mkdir()
    (ada.home / ".alive" / "preferences.yaml").write_text("p2p: {relay: {token_env: MY_TOKEN}}\n")
    token = ada.environ.pop("GH_TOKEN")
    assert isinstance(choose(ada, MY_TOKEN=token)._way_if_any, Rest)
    assert choose(ada) is None
    nobody = choose(ada, RELAY)
    assert nobody.covers(RELAY)
    for call in (nobody.login, lambda: nobody.accept(RELAY), lambda: nobody.create("x")):
        error = refused(call)
        assert error.code == "host-login"
        assert "gh auth login" in str(error.hint)


@pytest.mark.parametrize("token", ["a b", "töken", "x\r\nX-Evil: 1", "\x00"])
def test_a_token_that_is_none_is_told(token: str, github: GitHub, tmp_path: Path, choose: Callable[..., Any]) -> None:
    """It would end up in a header."""
    cleo = github.person("cleo", tmp_path, has_gh=False)
    error = refused(choose(cleo, GH_TOKEN=token).login)
    assert (error.code, token in error.message) == ("host-login", False)
    assert not github.wire.log


def test_an_enterprise_server_has_its_own_login(github: GitHub, ada: Person, choose: Callable[..., Any]) -> None:
    """A token for GitHub is never shown to it; its own never to GitHub."""
    enterprise = {"GH_HOST": "ghe.example.org", "ALIVE_P2P_GITHUB_URL": ""}
    assert choose(ada, **enterprise) is None
    require_gh(ada)
    token = ada.environ["GH_TOKEN"]
    ours = choose(ada, **enterprise, GH_ENTERPRISE_TOKEN=token)
    assert isinstance(ours._way_if_any, Gh)
    assert ours.create("relay") == "https://ghe.example.org/ada/relay.git"
    error = refused(choose(ada, "https://ghe.example.org/ada/relay", **enterprise).login)
    assert "GH_ENTERPRISE_TOKEN" in error.message
    assert "gh auth login -h ghe.example.org" in str(error.hint)

    (ada.home / ".alive").mkdir()
    (ada.home / ".alive" / "preferences.yaml").write_text("p2p: {relay: {token_env: WORK}}\n")
    mine = {**enterprise, "WORK": token, "PATH": "/nowhere"}
    assert choose(ada, **mine)._way_if_any._variable == "WORK"
    assert choose(ada, RELAY, **mine)._way_if_any._variable == "GH_TOKEN"
    assert choose(ada, RELAY, **{**mine, "GH_TOKEN": ""})._way_if_any is None


def test_an_environment_that_names_no_host_is_told(ada: Person, choose: Callable[..., Any]) -> None:
    """Nothing is asked, nor sent."""
    for environ in ({"ALIVE_P2P_GITHUB_URL": "http://example.org"}, {"ALIVE_P2P_GITHUB_URL": "", "GH_HOST": "a b"}):
        with pytest.raises(RelayError) as caught:
            choose(ada, **environ)
        assert caught.value.code == "bad-host"
