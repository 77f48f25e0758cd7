"""Relays at GitHub: making one, and letting people in and out (relay.md §5, §8).

Nothing else is asked there: what goes into a relay and comes out of it goes through git, which costs no quota.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from alive_p2p.errors import RelayError
from alive_p2p.relay.hosting import github_refusals as refusals
from alive_p2p.relay.hosting.base import Access
from alive_p2p.relay.hosting.github_api import Api
from alive_p2p.relay.hosting.github_refusals import Wish
from alive_p2p.relay.hosting.github_site import Place, Site, is_login, is_name, is_same
from alive_p2p.relay.hosting.github_ways import Reply, Way, at
from alive_p2p.runtime import Runtime

_MAY_WRITE = frozenset({"write", "maintain", "admin"})


@dataclass(frozen=True)
class _Repository:
    """What GitHub says of a repository, after it was checked."""

    place: Place
    is_private: bool
    may_write: bool
    is_ours_to_give: bool
    is_archived: bool


class GitHub:
    """A GitHub as one person uses it; implements `Hosting`.

    The codes of its errors, besides those of `github_refusals`: `bad-login`, `no-such-login`, `own-login`,
    `bad-repository-name`, `bad-address`, `host-public` (the repository can be read by everybody), `host-archived`,
    `host-invitation` (there is one, and it must not be accepted), and `bad-host`.

    Args:
        site: which GitHub.
        way: how it is asked; None where we have no login there, which every method but `covers` then says.
        runtime: the surroundings.
        variable: the environment variable in which a token is looked for.
    """

    def __init__(self, site: Site, way: Way | None, runtime: Runtime, *, variable: str = "GH_TOKEN") -> None:
        self._site = site
        self._way_if_any = way
        self._runtime = runtime
        self._variable = variable

    @property
    def _way(self) -> Way:
        if self._way_if_any is None:
            raise refusals.no_login(self._site, self._variable)
        return self._way_if_any

    @cached_property
    def _api(self) -> Api:
        return Api(self._site, self._way, self._runtime)

    @cached_property
    def _me(self) -> str:
        wish = Wish("ask who you are")
        login = self._api.ask("GET", "user", wish, wanted=(200, 404)).at("login")
        if not is_login(login):
            raise refusals.nonsense(self._site, wish)  # every GitHub knows this; 404 is from something else
        return str(login)

    def login(self) -> str:
        """Who we are there. Raises `RelayError`."""
        return self._me

    def covers(self, url: str) -> bool:
        """Whether a relay at this address is this host's; over https, or ssh in either form."""
        return self._site.place(url) is not None

    def create(self, name: str) -> str:
        """Make a private repository, or find the one that is there; gives its address for git.

        Args:
            name: of the repository.

        Raises:
            RelayError: also where the one that is there can be read by everybody, or is archived.
        """
        if not is_name(name) or name.startswith(("-", ".")):
            raise RelayError(
                "bad-repository-name",
                f"'{name}' cannot be the name of a relay at {self._site.name}",
                untouched="everything",
                hint="use letters, digits, `-`, `_` and `.`, and begin with a letter or digit",
            )
        place = Place(self._me, name)
        wish = Wish(f"make the repository '{place.full_name}'")
        body = {
            "name": name,
            "private": True,
            "auto_init": False,
            "description": "A relay of alive-p2p: sealed packages, put here by a program",
            "has_issues": False,
            "has_projects": False,
            "has_wiki": False,
        }
        reply = self._api.ask("POST", "user/repos", wish, body, wanted=(201, 422, 404))
        if reply.status == 404:  # how GitHub says that a token is not good for it
            raise refusals.missing_scope(self._site, self._way, wish)
        if reply.status == 422:  # in most cases because it is there already
            refused, reply = reply, self._api.ask("GET", place.path, wish, wanted=(200, 404))
            if reply.status == 404:
                self._api.refuse(refused, wish)
        found = self._read(reply, place, wish)
        self._refuse_public(found, wish)
        if found.is_archived:
            raise RelayError(
                "host-archived",
                f"'{place.full_name}' is archived, so nothing can be put there",
                untouched="everything",
                hint="take it out of the archive in its settings, or choose another name with `--repo-name`",
            )
        if not found.may_write:
            raise self._denied(place, wish)
        return self._site.url(found.place, is_ssh=self._way.prefers_ssh)

    def grant(self, url: str, login: str) -> Access:
        """Let somebody write to a relay of ours; again is harmless.

        Args:
            url: the relay.
            login: who they are at the host.

        Raises:
            RelayError: also where nobody is called so, or it is ourselves.
        """
        place = self._place(url)
        wish = Wish(f"invite '{login}' to '{place.full_name}'")
        found = self._ours(place, login, wish)
        self._refuse_public(found, wish)
        somebody = self._api.ask("GET", f"users/{login}", wish, wanted=(200, 404))
        if somebody.status == 404 or somebody.at("type") == "Organization":
            what = "nobody" if somebody.status == 404 else "an organisation, and no person,"
            raise RelayError(
                "no-such-login",
                f"{what} at {self._site.name} is called '{login}'",
                untouched="everything",
                hint="ask them how their name is spelt there",
            )
        path = f"{place.path}/collaborators/{login}"
        reply = self._api.ask("PUT", path, wish, {"permission": "push"}, wanted=(201, 204))
        return Access.INVITED if reply.status == 201 else Access.GRANTED

    def accept(self, url: str) -> bool:
        """Accept the host's invitation to somebody's relay: the one from its owner, to exactly this repository.

        Returns:
            Whether we may write there now; False where no invitation has come yet.

        Raises:
            RelayError: also where the invitation is somebody else's, over, or to reading only.
        """
        place = self._place(url)
        wish = Wish(f"accept the invitation to '{place.full_name}'")
        if self._may_write(place, wish):
            return True
        for each in self._api.pages("user/repository_invitations", wish):
            if not place.is_called(at(each, "repository", "owner", "login"), at(each, "repository", "full_name")):
                continue
            number = self._acceptable(each, place, wish)
            done = self._api.ask("PATCH", f"user/repository_invitations/{number}", wish, wanted=(204, 404))
            return done.status == 204 or self._may_write(place, wish)
        return False

    def revoke(self, url: str, login: str) -> None:
        """Let somebody in no longer, and take back an invitation that was not accepted yet; again is harmless.

        Args:
            url: the relay.
            login: who they are at the host.
        """
        place = self._place(url)
        wish = Wish(f"take the access to '{place.full_name}' from '{login}'")
        self._ours(place, login, wish)
        # Invitations first: one that is accepted in the middle of it is access by the time that access is taken.
        for each in list(self._api.pages(f"{place.path}/invitations", wish)):
            if is_same(at(each, "invitee", "login"), login):
                number = self._number(each, wish)
                self._api.ask("DELETE", f"{place.path}/invitations/{number}", wish, wanted=(204, 404))
                wish = Wish(wish.words, "the access itself; an invitation was taken back")
        self._api.ask("DELETE", f"{place.path}/collaborators/{login}", wish, wanted=(204, 404))

    # What is checked on the way.

    def _place(self, url: str) -> Place:
        if (place := self._site.place(url)) is None:
            raise RelayError(
                "bad-address",
                f"'{url[:200]}' is no repository at {self._site.name}",
                untouched="everything",
                hint="check the address",
            )
        return place

    def _ours(self, place: Place, login: str, wish: Wish) -> _Repository:
        """A repository to which we may invite this person, and which is where we think it is."""
        if not is_login(login):
            raise RelayError(
                "bad-login",
                f"'{login}' cannot be a login at {self._site.name}",
                untouched="everything",
                hint="it is the last part of the address of their page there",
            )
        if login.lower() in {self._me.lower(), place.owner.lower()}:
            whose = "you are" if login.lower() == self._me.lower() else "its owner is"
            raise RelayError(
                "own-login",
                f"could not {wish.words}: {whose} '{login}'",
                untouched="everything",
                hint="name the login of your peer",
            )
        found = self._show(place, wish)
        if not found.is_ours_to_give:
            raise self._denied(place, wish)
        return found

    def _show(self, place: Place, wish: Wish) -> _Repository:
        """What GitHub says of a repository; where it says nothing, what that can mean."""
        reply = self._api.ask("GET", place.path, wish, wanted=(200, 404))
        if reply.status == 200:
            return self._read(reply, place, wish)
        if refusals.lacks_scope(reply):
            raise refusals.missing_scope(self._site, self._way, wish)
        if place.owner.lower() == self._me.lower():
            why = f"you have no repository '{place.name}' at {self._site.name}"
            hint = "make it with `alive-p2p relay setup`"
            if "x-oauth-scopes" not in reply.headers:  # a token that is good for chosen repositories does not say which
                why, hint = f"{why}, or your token is not good for it", f"{hint}, or let the token see it"
        else:
            why = f"there is no '{place.full_name}' at {self._site.name}, or '{self._me}' has no access to it"
            hint = "ask its owner for the address, and whether you were invited"
        raise RelayError("relay-missing", f"could not {wish.words}: {why}", untouched=wish.untouched, hint=hint)

    def _may_write(self, place: Place, wish: Wish) -> bool:
        reply = self._api.ask("GET", place.path, wish, wanted=(200, 404))
        return reply.status == 200 and self._read(reply, place, wish).may_write

    def _read(self, reply: Reply, asked: Place, wish: Wish) -> _Repository:
        """Take apart what GitHub says of a repository. Its name there counts: it may have been renamed."""
        owner, name = reply.at("owner", "login"), reply.at("name")
        if not is_login(owner) or not is_name(name):
            raise refusals.nonsense(self._site, wish)
        place = Place(str(owner), str(name))
        if not asked.is_called(place.owner, place.full_name):
            raise RelayError(
                "host-moved",
                f"could not {wish.words}: it is called '{place.full_name}' by now",
                untouched=wish.untouched,
                hint=f"if that is as it should be, use {self._site.url(place)}",
            )
        return _Repository(
            place,
            is_private=reply.at("private") is True,
            may_write=reply.at("permissions", "push") is True,
            is_ours_to_give=reply.at("permissions", "admin") is True,
            is_archived=reply.at("archived") is True,
        )

    def _refuse_public(self, found: _Repository, wish: Wish) -> None:
        if not found.is_private:
            name = found.place.full_name
            raise RelayError(
                "host-public",
                f"could not {wish.words}: everybody can read it, and see who sends you something, and when",
                untouched=wish.untouched,
                hint=f"make it private in its settings, or with `gh api -X PATCH repos/{name} -F private=true`; "
                "or choose another name with `--repo-name`",
            )

    def _denied(self, place: Place, wish: Wish) -> RelayError:
        return RelayError(
            "relay-denied",
            f"could not {wish.words}: '{self._me}' may not do that there",
            untouched=wish.untouched,
            hint=f"ask '{place.owner}', whose repository it is",
        )

    def _acceptable(self, invitation: Any, place: Place, wish: Wish) -> int:  # noqa: ANN401  (what the host says)
        """The number of an invitation to this repository, if it is one to accept."""
        inviter = at(invitation, "inviter", "login")
        why = None
        if not is_same(inviter, place.owner):
            who = f"'{inviter}'" if is_login(inviter) else "somebody"
            why = f"it comes from {who}, and not from '{place.owner}', whose repository it is"
        elif at(invitation, "expired") is True:
            why = "it is too old by now"
        elif at(invitation, "permissions") not in _MAY_WRITE:
            why = "it is for reading only"
        if why is not None:
            raise RelayError(
                "host-invitation",
                f"could not {wish.words}: {why}",
                untouched="everything; it was not accepted",
                hint=f"ask '{place.owner}' to invite you again",
            )
        return self._number(invitation, wish)

    def _number(self, invitation: Any, wish: Wish) -> int:  # noqa: ANN401  (what the host says)
        number = at(invitation, "id")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise refusals.nonsense(self._site, wish)
        return number
