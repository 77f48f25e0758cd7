"""GitHub for tests: the API, git over HTTP and published keys, on a loopback port and on a socket for `gh`.

    with GitHub(folder) as site:
        ada = site.person("ada", folder)
        ada.run("gh", "api", "-X", "POST", "user/repos", "-f", "name=relay", "-F", "private=true")
        ada.git("clone", site.clone_url("ada/relay"), folder / "clone")
        site.wire.fail("GET", "/user", 401)
        site.wire.traffic("upload-pack").down

Where it is stricter or more lenient than GitHub is left open, a test should not depend on it; what it is faithful in is
what `test_bed_github.py` shows.
"""

import base64
import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from relay.github_rest import DOCS, Request, answer, rate_headers
from relay.github_world import LARGEST_FILE, Repository, Token, World, environment, now
from relay.persons import Person, make_person
from relay.serving import Handler, Server, UnixServer
from relay.wire import Fault, Wire

SCOPES = ("gist", "read:org", "repo")
"""What the login of `gh` asks for; deleting a repository needs `delete_repo` besides."""

_GIT = re.compile(r"/(?P<owner>[^/]+)/(?P<name>[^/]+)/(?P<rest>info/refs|git-(?P<service>upload|receive)-pack)")
_PUBLISHED = re.compile(r"/(?P<login>[^/]+)\.keys")
_ENTERPRISE = "/api/v3"


class GitHub:
    """A running host. See the module for how it is used; `wire` makes things go wrong and counts.

    Attributes:
        url: where it is, for git, for published keys and, at its root and below `/api/v3`, for the API.
        socket: the same over a socket in the file system, for `gh config set http_unix_socket`.
        largest_file: in bytes; larger ones are refused as GitHub refuses those over 100 MB.
        rate_limit: how many calls of the API a person has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "github"
        self.folder.mkdir()
        self.world = World(self.folder)
        self.wire = Wire()
        self.largest_file = LARGEST_FILE
        self.rate_limit = 5000
        self._sockets = Path(tempfile.mkdtemp(prefix="gh-"))  # such a path may have 107 bytes, and pytest's are long
        self.socket = self._sockets / "s"
        self._servers = [Server(("127.0.0.1", 0), self), UnixServer(str(self.socket), self)]
        self.url = f"http://127.0.0.1:{self._servers[0].server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, with everything that is under way."""
        for server in self._servers:
            server.cut_off()
        self.wire.stopped.set()
        for server in self._servers:
            server.stop()
        shutil.rmtree(self._sockets, ignore_errors=True)

    # Who is there, and what they have.

    def person(self, login: str, folder: Path, *, scopes: Iterable[str] = SCOPES, has_gh: bool = True) -> Person:
        """Somebody with an account, a token, and a home below `folder` in which git and `gh` know both.

        Without `has_gh` there is no `gh` on their path, and its settings are not made.
        """
        token = self.world.add_token(login, scopes)
        helper = f'!f() {{ test \\"$1\\" = get && echo username={login} && echo password={token}; }}; f'
        person = make_person(
            folder,
            login,
            f"""[credential "{self.url}"]
	helper = "{helper}"
[url "{self.url}/"]
	insteadOf = https://github.com/
""",
            has_gh=has_gh,
        )
        person.environ["GH_TOKEN"] = token
        if has_gh:
            settings = Path(person.environ["GH_CONFIG_DIR"])
            settings.mkdir()
            (settings / "config.yml").write_text(f'version: "1"\nhttp_unix_socket: {self.socket}\n', encoding="utf-8")
        return person

    def repository(self, full_name: str) -> Repository:
        """A repository by its name, past every rule of the API."""
        found = self.world.find(*full_name.split("/"))
        assert found, full_name
        return found

    def create(self, full_name: str, collaborators: Iterable[str] = (), *, private: bool = True) -> Repository:
        """A repository without a commit, with collaborators who have said yes, past every rule of the API."""
        owner, _, name = full_name.partition("/")
        made = self.world.create(self.world.add_user(owner), name, private=private)
        for login in collaborators:
            user = self.world.add_user(login)
            made.collaborators[user.id] = user
        return made

    def clone_url(self, full_name: str) -> str:
        """What the API calls `clone_url`."""
        return f"{self.url}/{full_name}.git"

    # What goes wrong at GitHub, in its words. `path` and `times` are those of `Wire.fail`.

    def limit_rate(self, method: str = "*", path: str = ".*", times: int | None = 1, reset: int = 1800) -> Fault:
        """The hourly quota is used up."""
        headers = rate_headers(5000, 5000, reset)
        return self._refuse(method, path, 403, "API rate limit exceeded for user ID 1001.", headers, times)

    def limit_abuse(self, method: str = "*", path: str = ".*", times: int | None = 1, seconds: int = 60) -> Fault:
        """Too much in a short time: the secondary limit."""
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        return self._refuse(method, path, 403, message, {"Retry-After": str(seconds)}, times)

    def require_sso(self, method: str = "*", path: str = ".*", times: int | None = 1, org: str = "acme") -> Fault:
        """An organisation wants its own login first."""
        message = (
            "Resource protected by organization SAML enforcement. "
            "You must grant your OAuth token access to this organization."
        )
        url = f"https://github.com/orgs/{org}/sso?authorization_request=A7XYZ"
        return self._refuse(method, path, 403, message, {"X-GitHub-SSO": f"required; url={url}"}, times)

    def require_otp(self, method: str = "*", path: str = ".*", times: int | None = 1) -> Fault:
        """A second factor is wanted."""
        message = "Must specify two-factor authentication OTP code."
        return self._refuse(method, path, 401, message, {"X-GitHub-OTP": "required; app"}, times)

    def _refuse(
        self, method: str, path: str, status: int, message: str, headers: dict[str, str], times: int | None
    ) -> Fault:
        body = {"message": message, "documentation_url": DOCS, "status": str(status)}
        return self.wire.fail(method, path, status, body, headers, times)

    # What the wire asks.

    def place(self, handler: Handler) -> tuple[str, str]:
        """Of which kind a request is, and its path without a base path."""
        path = unquote(handler.path.partition("?")[0])
        if match := _GIT.fullmatch(path):
            service = match["service"] or ("receive" if "receive-pack" in handler.query else "upload")
            return f"{service}-pack", path
        return "api", path.removeprefix(_ENTERPRISE) or "/"

    def answer(self, handler: Handler) -> None:
        """Answer one request: git, published keys, or the API."""
        token = self._recognise(handler)
        handler.login = token.user.login if token else ""
        if match := _GIT.fullmatch(handler.place):
            self._answer_git(handler, token, match)
        elif handler.command == "GET" and (match := _PUBLISHED.fullmatch(handler.place)):
            user = self.world.users.get(match["login"].lower())
            keys = "".join(f"{key}\n" for key in user.keys) if user else "Not Found"
            handler.reply(200 if user else 404, keys)
        else:
            self._answer_api(handler, token)

    def _recognise(self, handler: Handler) -> Token | None:
        kind, _, text = handler.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            with contextlib.suppress(ValueError):
                text = base64.b64decode(text).decode().partition(":")[2]
        return self.world.tokens.get(text.strip())

    def _answer_api(self, handler: Handler, token: Token | None) -> None:
        if "Authorization" in handler.headers and not token:
            handler.reply(401, {"message": "Bad credentials", "documentation_url": DOCS, "status": "401"})
            return
        host = handler.headers.get("Host", "")
        base = f"http://{host}" if host in self.url else f"https://{host}"
        if handler.path.startswith(_ENTERPRISE):
            base += _ENTERPRISE
        used = 0
        if token:
            with self.world.lock:
                token.user.requests += 1
                used = token.user.requests
        done = answer(
            Request(
                self.world,
                handler.command,
                handler.place,
                handler.query,
                handler.json,
                token.user if token else None,
                token.scopes if token else frozenset(),
                base,
                self.url,
            ),
            (self.rate_limit, used),
        )
        handler.reply(done.status, done.body, done.headers)

    def _answer_git(self, handler: Handler, token: Token | None, match: re.Match[str]) -> None:
        writing = self.place(handler)[0] == "receive-pack"
        found = self.world.find(match["owner"], match["name"])
        if "Authorization" in handler.headers and not token:
            text = "Invalid username or token. Password authentication is not supported for Git operations.\n"
            handler.reply(401, text, {"WWW-Authenticate": 'Basic realm="GitHub"'})
        elif not token and (writing or not found or found.private):
            handler.reply(401, "Repository not found.\n", {"WWW-Authenticate": 'Basic realm="GitHub"'})
        elif not found or not found.is_open_to(token.user if token else None):
            handler.reply(404, "Repository not found.\n")
        elif writing and token and not found.is_open_to(token.user, writing=True):
            handler.reply(403, f"Permission to {found.full_name}.git denied to {token.user.login}.\n")
        elif token and "repo" not in token.scopes and (writing or found.private):
            handler.reply(403, "Write access to repository not granted.\n")
        else:
            self._run_git(handler, found, match["rest"])

    def _run_git(self, handler: Handler, found: Repository, rest: str) -> None:
        variables: dict[str, Any] = {
            "GIT_PROJECT_ROOT": str(self.world.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "PATH_INFO": f"/{found.path.name}/{rest}",
            "REMOTE_USER": handler.login,
            "BED_LARGEST_FILE": str(self.largest_file),
        }
        handler.run_cgi(["git", "http-backend"], environment(**variables))
        found.pushed_at = now()
