"""The part of GitHub's REST API that is used here: statuses, bodies and headers as GitHub's are."""

import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from relay.github_world import Invitation, Repository, User, World, now

DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True)
class Request:
    """A call of the API.

    Attributes:
        base: what the addresses in an answer begin with.
        clone: what the addresses for git begin with.
    """

    world: World
    method: str
    path: str
    query: str
    body: Callable[[], Any]
    user: User | None
    scopes: frozenset[str]
    base: str
    clone: str

    def me(self) -> User:
        """Who asks; refused where nobody does."""
        if not self.user:
            raise RefusedError(401, "Requires authentication")
        return self.user

    def person(self, login: str) -> User:
        """Somebody by name."""
        if (found := self.world.users.get(login.lower())) is None:
            raise RefusedError(404, "Not Found")
        return found

    def needs(self, *scopes: str) -> None:
        """Refused without one of these scopes; GitHub's answer for that is that there is nothing."""
        self.me()
        if not self.scopes.intersection(scopes):
            raise RefusedError(404, "Not Found", headers={"X-Accepted-OAuth-Scopes": ", ".join(scopes)})

    def repository(self, owner: str, name: str, *, admin: bool = False) -> Repository:
        """A repository that whoever asks may see: the rest does not exist for them."""
        found = self.world.find(owner, name)
        if not found or not found.is_open_to(self.user) or (found.private and "repo" not in self.scopes):
            raise RefusedError(404, "Not Found")
        if admin and self.me().id != found.owner.id:
            raise RefusedError(403, "Must have admin rights to Repository.")
        return found


@dataclass(frozen=True)
class Answer:
    """What comes back."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


class RefusedError(Exception):
    """GitHub says no."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        self.body = {"message": message, **more, "documentation_url": DOCS, "status": str(status)}


_Route = tuple[str, re.Pattern[str], Callable[..., Answer]]
_ROUTES: list[_Route] = []


def _route(method: str, path: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def keep(function: Callable[..., Answer]) -> Callable[..., Answer]:
        _ROUTES.append((method, pattern, function))
        return function

    return keep


def answer(request: Request, rate: tuple[int, int]) -> Answer:
    """Answer a call; `rate` is how many are allowed and how many were made."""
    headers = {
        "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
        "X-GitHub-Media-Type": "github.v3; format=json",
        **rate_headers(*rate),
        **({"X-OAuth-Scopes": ", ".join(sorted(request.scopes))} if request.user else {}),
    }
    try:
        if rate[1] > rate[0] and request.path != "/rate_limit":
            number = request.user.id if request.user else 0
            raise RefusedError(403, f"API rate limit exceeded for user ID {number}.")
        for method, pattern, function in _ROUTES:
            if method == request.method and (match := pattern.fullmatch(request.path)):
                with request.world.lock:
                    done = function(request, **{name: unquote(text) for name, text in match.groupdict().items()})
                return Answer(done.status, done.body, {**headers, **(done.headers or {})})
        raise RefusedError(404, "Not Found")
    except RefusedError as refusal:
        return Answer(refusal.status, refusal.body, {**headers, **refusal.headers})


def rate_headers(limit: int, used: int, reset: int = 3600) -> dict[str, str]:
    """How much of the quota is left, as every answer says."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(0, limit - used)),
        "X-RateLimit-Used": str(used),
        "X-RateLimit-Reset": str(int(time.time()) + reset),
        "X-RateLimit-Resource": "core",
    }


def _page(request: Request, items: list[Any]) -> Answer:
    """One page of a list, and where the others are."""
    query = {name: values[-1] for name, values in parse_qs(request.query).items()}
    size = min(100, max(1, int(query.pop("per_page", 30))))
    page = max(1, int(query.pop("page", 1)))
    last = max(1, -(-len(items) // size))
    others = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page <= 1:
        del others["prev"], others["first"]
    if page >= last:
        del others["next"], others["last"]
    keep = "".join(f"&{name}={value}" for name, value in query.items())
    links = [
        f'<{request.base}{request.path}?per_page={size}&page={at}{keep}>; rel="{rel}"' for rel, at in others.items()
    ]
    return Answer(200, items[(page - 1) * size : page * size], {"Link": ", ".join(links)} if links else {})


def _user(request: Request, user: User) -> dict[str, Any]:
    return {
        "login": user.login,
        "id": user.id,
        "node_id": f"U_{user.id}",
        "url": f"{request.base}/users/{user.login}",
        "html_url": f"{request.clone}/{user.login}",
        "type": "User",
        "site_admin": False,
    }


def _permissions(repository: Repository, user: User | None) -> dict[str, bool]:
    is_owner = user is not None and user.id == repository.owner.id
    writes = repository.is_open_to(user, writing=True)
    return {"admin": is_owner, "maintain": is_owner, "push": writes, "triage": writes, "pull": True}


def _repository(request: Request, repository: Repository, *, minimal: bool = False) -> dict[str, Any]:
    address = f"{request.clone}/{repository.full_name}"
    short = {
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": _user(request, repository.owner),
        "html_url": address,
        "description": None,
        "fork": False,
        "url": f"{request.base}/repos/{repository.full_name}",
    }
    if minimal:
        return short
    return {
        **short,
        "created_at": repository.created_at,
        "updated_at": repository.pushed_at,
        "pushed_at": repository.pushed_at,
        "git_url": f"git://github.com/{repository.full_name}.git",
        "ssh_url": f"git@github.com:{repository.full_name}.git",
        "clone_url": f"{address}.git",
        "size": repository.size,
        "archived": False,
        "disabled": False,
        "visibility": "private" if repository.private else "public",
        "default_branch": repository.default_branch,
        "permissions": _permissions(repository, request.user),
    }


def _invitation(request: Request, repository: Repository, invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "node_id": f"RI_{invitation.id}",
        "repository": _repository(request, repository, minimal=True),
        "invitee": _user(request, invitation.invitee),
        "inviter": _user(request, invitation.inviter),
        "permissions": "write",
        "created_at": invitation.created_at,
        "expired": False,
        "url": f"{request.base}/user/repository_invitations/{invitation.id}",
        "html_url": f"{request.clone}/{repository.full_name}/invitations",
    }


@_route("GET", "/")
def _root(request: Request) -> Answer:
    return Answer(200, {"current_user_url": f"{request.base}/user"})


@_route("GET", "/rate_limit")
def _rate_limit(request: Request) -> Answer:
    core = {"limit": 5000, "used": 0, "remaining": 5000, "reset": int(time.time()) + 3600, "resource": "core"}
    return Answer(200, {"resources": {"core": core}, "rate": core})


@_route("GET", "/user")
def _me(request: Request) -> Answer:
    return Answer(200, _user(request, request.me()))


@_route("GET", "/users/{login}")
def _somebody(request: Request, login: str) -> Answer:
    return Answer(200, _user(request, request.person(login)))


@_route("GET", "/users/{login}/keys")
def _keys(request: Request, login: str) -> Answer:
    return _page(request, [{"id": at, "key": key} for at, key in enumerate(request.person(login).keys, start=1)])


@_route("POST", "/graphql")
def _graphql(request: Request) -> Answer:
    """For `gh auth status` alone, which asks for its own name in this way."""
    if "viewer{login}" not in request.body().get("query", ""):
        raise RefusedError(501, "Only REST is spoken here")
    return Answer(200, {"data": {"viewer": {"login": request.me().login}}})


@_route("POST", "/user/repos")
def _create(request: Request) -> Answer:
    body = request.body()
    request.needs("repo") if body.get("private") else request.needs("repo", "public_repo")
    name = re.sub(r"[^\w.-]", "-", str(body.get("name") or ""), flags=re.ASCII)
    error = {
        "resource": "Repository",
        "code": "custom",
        "field": "name",
        "message": "name already exists on this account",
    }
    if not name:
        error = {"resource": "Repository", "code": "missing_field", "field": "name"}
    if not name or request.world.find(request.me().login, name):
        raise RefusedError(422, "Repository creation failed.", errors=[error])
    made = request.world.create(
        request.me(), name, private=bool(body.get("private")), auto_init=bool(body.get("auto_init"))
    )
    return Answer(201, _repository(request, made), {"Location": f"{request.base}/repos/{made.full_name}"})


@_route("GET", "/repos/{owner}/{name}")
def _show(request: Request, owner: str, name: str) -> Answer:
    return Answer(200, _repository(request, request.repository(owner, name)))


@_route("DELETE", "/repos/{owner}/{name}")
def _delete(request: Request, owner: str, name: str) -> Answer:
    found = request.repository(owner, name, admin=True)
    if "delete_repo" not in request.scopes:
        raise RefusedError(403, "Must have admin rights to Repository.", {"X-Accepted-OAuth-Scopes": "delete_repo"})
    del request.world.repositories[found.owner.login.lower(), found.name.lower()]
    shutil.rmtree(found.path)
    return Answer(204)


@_route("GET", "/repos/{owner}/{name}/collaborators")
def _collaborators(request: Request, owner: str, name: str) -> Answer:
    found = request.repository(owner, name)
    if not found.is_open_to(request.me(), writing=True):
        raise RefusedError(403, "Must have push access to view repository collaborators.")
    return _page(
        request,
        [
            {
                **_user(request, user),
                "permissions": _permissions(found, user),
                "role_name": "admin" if user.id == found.owner.id else "write",
            }
            for user in (found.owner, *found.collaborators.values())
        ],
    )


@_route("GET", "/repos/{owner}/{name}/collaborators/{login}")
def _is_collaborator(request: Request, owner: str, name: str, login: str) -> Answer:
    found = request.repository(owner, name)
    user = request.world.users.get(login.lower())
    if not user or not found.is_open_to(user, writing=True):
        raise RefusedError(404, "Not Found")
    return Answer(204)


@_route("PUT", "/repos/{owner}/{name}/collaborators/{login}")
def _invite(request: Request, owner: str, name: str, login: str) -> Answer:
    found = request.repository(owner, name, admin=True)
    request.body()
    user = request.person(login)
    if user.id == found.owner.id:
        error = {"resource": "Repository", "code": "invalid", "message": "Repository owner cannot be a collaborator"}
        raise RefusedError(422, "Validation Failed", errors=[error])
    if user.id in found.collaborators:
        return Answer(204)
    pending = next((each for each in found.invitations.values() if each.invitee.id == user.id), None)
    if pending is None:
        pending = Invitation(request.world.next_id(), user, request.me())
        found.invitations[pending.id] = pending
    return Answer(201, _invitation(request, found, pending))


@_route("DELETE", "/repos/{owner}/{name}/collaborators/{login}")
def _remove(request: Request, owner: str, name: str, login: str) -> Answer:
    """An invitation that was not answered stays; it has to be taken back by its number."""
    found = request.repository(owner, name, admin=request.me().login.lower() != login.lower())
    found.collaborators.pop(request.person(login).id, None)
    return Answer(204)


@_route("GET", "/repos/{owner}/{name}/invitations")
def _invitations(request: Request, owner: str, name: str) -> Answer:
    found = request.repository(owner, name, admin=True)
    return _page(request, [_invitation(request, found, each) for each in found.invitations.values()])


@_route("DELETE", "/repos/{owner}/{name}/invitations/{number}")
def _take_back(request: Request, owner: str, name: str, number: str) -> Answer:
    found = request.repository(owner, name, admin=True)
    if not number.isdecimal() or found.invitations.pop(int(number), None) is None:
        raise RefusedError(404, "Not Found")
    return Answer(204)


@_route("GET", "/user/repository_invitations")
def _mine(request: Request) -> Answer:
    request.needs("repo", "repo:invite")
    return _page(
        request,
        [
            _invitation(request, repository, each)
            for repository in request.world.repositories.values()
            for each in repository.invitations.values()
            if each.invitee.id == request.me().id
        ],
    )


def _my_invitation(request: Request, number: str) -> tuple[Repository, Invitation]:
    request.needs("repo", "repo:invite")
    for repository in request.world.repositories.values():
        for each in repository.invitations.values():
            if str(each.id) == number and each.invitee.id == request.me().id:
                return repository, each
    raise RefusedError(404, "Not Found")


@_route("PATCH", "/user/repository_invitations/{number}")
def _accept(request: Request, number: str) -> Answer:
    repository, invitation = _my_invitation(request, number)
    del repository.invitations[invitation.id]
    repository.collaborators[request.me().id] = request.me()
    repository.pushed_at = now()
    return Answer(204)


@_route("DELETE", "/user/repository_invitations/{number}")
def _decline(request: Request, number: str) -> Answer:
    repository, invitation = _my_invitation(request, number)
    del repository.invitations[invitation.id]
    return Answer(204)
