"""The GitHub that relays are tested with: it does what GitHub does, counts every byte, and leaves nothing."""

import http.client
import json
import os
import resource
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay.github import GitHub
from relay.persons import Person, require_gh
from relay.wire import wait_until

Call = Callable[..., tuple[int, Any, dict[str, str]]]


@pytest.fixture
def ada(github: GitHub, tmp_path: Path) -> Person:
    """Somebody with a private repository, `ada/relay`, which is empty."""
    person = github.person("ada", tmp_path)
    github.create("ada/relay")
    return person


@pytest.fixture
def ben(github: GitHub, tmp_path: Path) -> Person:
    """Somebody else."""
    return github.person("ben", tmp_path)


@pytest.fixture
def call(github: GitHub) -> Call:
    """Calls the API without `gh`: status, what was said, and headers."""

    def send(person: Person | None, method: str, path: str, base: str = "", **body: object):
        request = urllib.request.Request(f"{github.url}{base}/{path}", method=method)
        if person:
            request.add_header("Authorization", f"Bearer {person.environ['GH_TOKEN']}")
        if body:
            request.data = json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as answer:
                return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read()), dict(refused.headers)

    return send


def deposit(person: Person, url: str, path: str, content: bytes, folder: Path | None = None) -> str:
    """Add a file as a relay's sender does: a shallow fetch without content, a commit from objects, a push."""
    folder = folder or person.home / "sender.git"
    if not folder.exists():
        person.git("init", "--quiet", "--bare", folder)
    index = {"GIT_INDEX_FILE": str(folder / "an-index")}
    known = person.git("ls-remote", url, "refs/heads/main")
    parent = []
    if known:
        person.git("fetch", "--quiet", "--depth=1", "--filter=blob:none", url, "main", cwd=folder)
        parent = ["-p", person.git("rev-parse", "FETCH_HEAD", cwd=folder)]
    person.git("read-tree", parent[1] if parent else "--empty", cwd=folder, **index)
    blob = person.git("hash-object", "-w", "--stdin", cwd=folder, data=content)
    person.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", cwd=folder, **index)
    tree = person.git("write-tree", "--missing-ok", cwd=folder, **index)
    commit = person.git("commit-tree", tree, *parent, "-m", "deposit", cwd=folder)
    person.git("push", "--quiet", url, f"{commit}:refs/heads/main", cwd=folder)
    return commit


# Git.


def test_a_clone_a_push_and_a_clone(github: GitHub, ada: Person, tmp_path: Path) -> None:
    """What one person pushes, another clones."""
    url = github.clone_url("ada/relay")
    ada.git("clone", "--quiet", url, tmp_path / "one")
    (tmp_path / "one" / "a.txt").write_text("hello\n", encoding="utf-8")
    ada.git("add", ".", cwd=tmp_path / "one")
    ada.git("commit", "--quiet", "-m", "one", cwd=tmp_path / "one")
    ada.git("push", "--quiet", "origin", "HEAD", cwd=tmp_path / "one")
    ada.git("clone", "--quiet", "https://github.com/ada/relay", tmp_path / "two")
    assert (tmp_path / "two" / "a.txt").read_text(encoding="utf-8") == "hello\n"


def test_a_deposit_reads_nothing_of_what_is_there(github: GitHub, ada: Person) -> None:
    """A shallow fetch by filter brings no content, and pushing on top of it neither."""
    url = github.clone_url("ada/relay")
    deposit(ada, url, "inbox/ada/large.walnut", os.urandom(300_000))
    github.wire.forget()
    second = deposit(ada, url, "inbox/ben/small.walnut", os.urandom(20_000), ada.home / "another.git")
    assert github.wire.traffic("upload-pack").down < 10_000
    assert 20_000 < github.wire.traffic("receive-pack").up < 24_000
    assert github.repository("ada/relay").git("ls-tree", "-r", "--name-only", second).split() == [
        "inbox/ada/large.walnut",
        "inbox/ben/small.walnut",
    ]


def test_any_object_is_fetched_by_name(github: GitHub, ada: Person) -> None:
    """One file's content, without the rest, and from a relay that offers no branch for it."""
    deposit(ada, github.clone_url("ada/relay"), "a.walnut", b"content")
    blob = github.repository("ada/relay").git("rev-parse", "main:a.walnut")
    folder = ada.home / "reader.git"
    ada.git("init", "--quiet", "--bare", folder)
    ada.git("fetch", "--quiet", "--depth=1", "--filter=blob:none", github.clone_url("ada/relay"), "main", cwd=folder)
    assert ada.run("git", "cat-file", "-e", blob, cwd=folder, code=None, GIT_ALLOW_PROTOCOL="").code != 0
    ada.git("fetch", "--quiet", github.clone_url("ada/relay"), blob, cwd=folder)
    assert ada.git("cat-file", "blob", blob, cwd=folder) == "content"


def test_the_first_branch_becomes_the_default(github: GitHub, ada: Person, call: Call) -> None:
    """A repository that is empty has the default that GitHub gives; the first push decides."""
    assert call(ada, "GET", "repos/ada/relay")[1]["default_branch"] == "main"
    commit = deposit(ada, github.clone_url("ada/relay"), "a", b"a")
    github.create("ada/other")
    ada.git("push", "--quiet", github.clone_url("ada/other"), f"{commit}:refs/heads/trunk", cwd=ada.home / "sender.git")
    assert call(ada, "GET", "repos/ada/other")[1]["default_branch"] == "trunk"


def test_a_collaborator_may_push_anything(github: GitHub, ada: Person, ben: Person) -> None:
    """Anywhere, also by force, also away; only the default branch stays, which git itself keeps."""
    url = github.clone_url("ada/relay")
    github.create("ada/shared", ["ben"])
    url = github.clone_url("ada/shared")
    deposit(ada, url, "keys/ada.pem", b"key")
    deposit(ben, url, "keys/ada.pem", b"ben's")
    folder = ben.home / "sender.git"
    tree = ben.git("mktree", cwd=folder)
    orphan = ben.git("commit-tree", tree, "-m", "gone", cwd=folder)
    ben.git("push", "--quiet", "--force", url, f"{orphan}:refs/heads/main", f"{orphan}:refs/heads/more", cwd=folder)
    assert github.repository("ada/shared").git("ls-tree", "main") == ""
    ben.git("push", "--quiet", url, ":refs/heads/more", cwd=folder)
    said = ben.git_fails("push", url, ":refs/heads/main", cwd=folder)
    assert "refusing to delete the current branch: refs/heads/main" in said


def test_access_follows_the_invitation(github: GitHub, ada: Person, ben: Person, call: Call) -> None:
    """Invited is not yet let in; accepted is; and revoked is not any more."""
    url = github.clone_url("ada/relay")
    deposit(ada, url, "a", b"a")
    assert call(ben, "GET", "repos/ada/relay")[0] == 404
    status, invitation, _ = call(ada, "PUT", "repos/ada/relay/collaborators/ben", permission="push")
    assert (status, invitation["invitee"]["login"], invitation["permissions"]) == (201, "ben", "write")
    assert call(ada, "PUT", "repos/ada/relay/collaborators/ben", permission="push")[1]["id"] == invitation["id"]
    assert call(ada, "GET", "repos/ada/relay/collaborators/ben")[0] == 404
    assert call(ben, "GET", "repos/ada/relay")[0] == 404
    assert "remote: Repository not found." in ben.git_fails("ls-remote", url)

    (mine,) = call(ben, "GET", "user/repository_invitations")[1]
    assert (mine["id"], mine["repository"]["full_name"]) == (invitation["id"], "ada/relay")
    assert call(ada, "PATCH", f"user/repository_invitations/{mine['id']}")[0] == 404
    assert call(ben, "PATCH", f"user/repository_invitations/{mine['id']}")[0] == 204
    assert call(ben, "PATCH", f"user/repository_invitations/{mine['id']}")[0] == 404
    permissions = call(ben, "GET", "repos/ada/relay")[1]["permissions"]
    assert (permissions["push"], permissions["admin"]) == (True, False)
    deposit(ben, url, "b", b"b")
    assert call(ada, "GET", "repos/ada/relay/collaborators/ben")[0] == 204
    assert call(ada, "PUT", "repos/ada/relay/collaborators/ben", permission="push")[0] == 204
    assert [each["login"] for each in call(ben, "GET", "repos/ada/relay/collaborators")[1]] == ["ada", "ben"]
    assert call(ben, "PUT", "repos/ada/relay/collaborators/cleo", permission="push")[0] == 403

    assert call(ada, "DELETE", "repos/ada/relay/collaborators/ben")[0] == 204
    assert call(ben, "GET", "repos/ada/relay")[0] == 404
    assert "remote: Repository not found." in ben.git_fails("ls-remote", url)


def test_an_invitation_is_taken_back_by_its_number(github: GitHub, ada: Person, ben: Person, call: Call) -> None:
    """Removing somebody who has not accepted leaves the invitation; both sides can end it."""
    number = call(ada, "PUT", "repos/ada/relay/collaborators/ben", permission="push")[1]["id"]
    assert call(ada, "DELETE", "repos/ada/relay/collaborators/ben")[0] == 204
    assert [each["id"] for each in call(ada, "GET", "repos/ada/relay/invitations")[1]] == [number]
    assert call(ada, "DELETE", f"repos/ada/relay/invitations/{number}")[0] == 204
    assert call(ben, "GET", "user/repository_invitations")[1] == []
    number = call(ada, "PUT", "repos/ada/relay/collaborators/BEN", permission="push")[1]["id"]
    assert call(ben, "DELETE", f"user/repository_invitations/{number}")[0] == 204
    assert call(ada, "GET", "repos/ada/relay/invitations")[1] == []


def test_what_git_says_without_access(github: GitHub, ada: Person, ben: Person, tmp_path: Path) -> None:
    """No token, a wrong one, no access, and read access only: each in GitHub's words."""
    url = github.clone_url("ada/relay")
    assert "could not read Username" in ada.git_fails("-c", f"credential.{github.url}.helper=", "ls-remote", url)
    helper = f"credential.{github.url}.helper=!echo username=x; echo password=wrong"
    wrong = ada.git_fails("-c", f"credential.{github.url}.helper=", "-c", helper, "ls-remote", url)
    assert "remote: Invalid username or token. Password authentication is not supported for Git operations." in wrong
    assert "fatal: Authentication failed for" in wrong
    missing = ben.git_fails("ls-remote", github.clone_url("ada/missing"))
    assert ben.git_fails("ls-remote", url) == missing.replace("missing", "relay")
    github.create("ada/open", private=False)
    folder = tmp_path / "x.git"
    ben.git("init", "--quiet", "--bare", folder)
    commit = ben.git("commit-tree", ben.git("mktree", cwd=folder), "-m", "x", cwd=folder)
    said = ben.git_fails("push", github.clone_url("ada/open"), f"{commit}:refs/heads/main", cwd=folder)
    assert "remote: Permission to ada/open.git denied to ben." in said
    weak = github.person("dora", tmp_path, scopes=["repo:invite"])
    github.create("dora/relay")
    assert "Write access to repository not granted." in weak.git_fails("ls-remote", github.clone_url("dora/relay"))


def test_a_file_over_the_limit_is_refused(github: GitHub, ada: Person) -> None:
    """In GitHub's words, and nothing of the push is kept."""
    github.largest_file = 100_000
    deposit(ada, github.clone_url("ada/relay"), "small", os.urandom(100_000))
    with pytest.raises(AssertionError) as refused:
        deposit(ada, github.clone_url("ada/relay"), "inbox/a large one", os.urandom(200_000))
    said = str(refused.value)
    assert "remote: error: File inbox/a large one is 0.19 MB; this exceeds GitHub's file size limit of 0.10 MB" in said
    assert "remote: error: GH001: Large files detected." in said
    assert "! [remote rejected]" in said
    assert "(pre-receive hook declined)" in said
    assert github.repository("ada/relay").git("ls-tree", "--name-only", "main") == "small"


@pytest.mark.slow
def test_a_large_pack_passes_without_being_held(github: GitHub, ada: Person, tmp_path: Path) -> None:
    """110 MB up, in chunks, and down again, in little memory."""
    github.largest_file = 200 << 20
    ada.git("config", "--global", "core.compression", "0")
    url = github.clone_url("ada/relay")
    deposit(ada, url, "small", b"s")
    content = os.urandom(110 << 20)
    github.wire.forget()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    commit = deposit(ada, url, "large", content)
    ada.git("clone", "--quiet", "--bare", url, tmp_path / "clone.git")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10
    assert github.wire.traffic("receive-pack").up > 110 << 20
    assert github.wire.traffic("upload-pack").down > 110 << 20
    assert ada.git("rev-parse", "main", cwd=tmp_path / "clone.git") == commit


# The API.


def test_a_repository_is_made_once(github: GitHub, ada: Person, call: Call) -> None:
    """And a second time refused as GitHub refuses it, in whatever case; made ready it has a commit."""
    status, made, _ = call(ada, "POST", "user/repos", name="alive-relay", private=True, auto_init=True)
    assert status == 201
    assert made["full_name"] == "ada/alive-relay"
    assert made["private"] is True
    assert made["permissions"]["admin"] is True
    assert made["clone_url"] == github.clone_url("ada/alive-relay")
    assert github.repository("ada/alive-relay").git("show", "main:README.md") == "# alive-relay"
    status, said, _ = call(ada, "POST", "user/repos", name="Alive-Relay", private=True)
    assert status == 422
    assert said["message"] == "Repository creation failed."
    assert said["errors"][0]["message"] == "name already exists on this account"


def test_a_repository_is_removed_with_the_right_to(
    github: GitHub, ada: Person, ben: Person, call: Call, tmp_path: Path
) -> None:
    """What `gh auth login` asks for is not enough."""
    assert call(ada, "DELETE", "repos/ada/relay")[0] == 403
    cleo = github.person("cleo", tmp_path, scopes=["repo", "delete_repo"])
    path = github.create("cleo/relay").path
    assert call(cleo, "DELETE", "repos/cleo/relay")[0] == 204
    assert call(cleo, "GET", "repos/cleo/relay")[0] == 404
    assert not path.exists()


def test_who_asks_is_known_by_token(github: GitHub, ada: Person, call: Call) -> None:
    """Without one, with a wrong one, and with one that may too little."""
    assert call(ada, "GET", "user")[1]["login"] == "ada"
    assert call(ada, "GET", "users/ADA")[1]["login"] == "ada"
    assert call(None, "GET", "user")[1]["message"] == "Requires authentication"
    weak = github.world.add_token("ada", ["gist"])
    status, _, headers = call(Person("ada", ada.home, {"GH_TOKEN": weak}), "POST", "user/repos", name="x", private=True)
    assert (status, headers["X-OAuth-Scopes"], headers["X-Accepted-OAuth-Scopes"]) == (404, "gist", "repo")
    status, said, _ = call(Person("ada", ada.home, {"GH_TOKEN": "wrong"}), "GET", "user")
    assert (status, said["message"]) == (401, "Bad credentials")
    assert call(None, "GET", "repos/ada/relay")[0] == 404


def test_lists_come_in_pages(github: GitHub, ada: Person, call: Call) -> None:
    """With links to the others, below the base path that was asked."""
    github.create("ada/busy", [f"peer-{number}" for number in range(44)])
    first, _, headers = call(ada, "GET", "repos/ada/busy/collaborators", base="/api/v3")
    assert first == 200
    assert f'<{github.url}/api/v3/repos/ada/busy/collaborators?per_page=30&page=2>; rel="next"' in headers["Link"]
    _, rest, headers = call(ada, "GET", "repos/ada/busy/collaborators?page=2&per_page=30")
    assert len(rest) == 15
    assert 'rel="next"' not in headers["Link"]
    assert 'rel="prev"' in headers["Link"]
    assert "Link" not in call(ada, "GET", "repos/ada/busy/collaborators?per_page=100")[2]


def test_keys_are_published(github: GitHub, ada: Person, call: Call) -> None:
    """As text for whoever asks, and through the API."""
    github.world.add_user("ada", ["ssh-ed25519 AAAA", "ssh-rsa BBBB"])
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{github.url}/ada.keys") as answer:
        assert answer.read() == b"ssh-ed25519 AAAA\nssh-rsa BBBB\n"
    assert [each["key"] for each in call(None, "GET", "users/ada/keys")[1]] == ["ssh-ed25519 AAAA", "ssh-rsa BBBB"]


def test_the_quota_is_counted(github: GitHub, ada: Person, call: Call) -> None:
    """For each person; asking how much is left is free."""
    github.rate_limit = 2
    assert call(ada, "GET", "user")[2]["X-RateLimit-Remaining"] == "1"
    assert call(ada, "GET", "user")[0] == 200
    status, said, headers = call(ada, "GET", "user")
    assert (status, headers["X-RateLimit-Remaining"]) == (403, "0")
    assert "API rate limit exceeded" in said["message"]
    assert call(ada, "GET", "rate_limit")[0] == 200


# What goes wrong.


def test_a_fault_comes_as_often_as_asked(github: GitHub, ada: Person, call: Call) -> None:
    """With its body and headers; then all is well. `heal` ends what was to last."""
    fault = github.wire.fail("GET", "/user", 500, {"message": "Server Error"}, {"X-Test": "yes"}, times=2)
    for _ in range(2):
        status, said, headers = call(ada, "GET", "user")
        assert (status, said["message"], headers["X-Test"]) == (500, "Server Error", "yes")
    assert call(ada, "GET", "user", base="/api/v3")[0] == 200
    assert fault.used == 2
    github.wire.fail("*", "/repos/.*", 404, {"message": "Not Found"}, times=None)
    assert [call(ada, "GET", "repos/ada/relay")[0] for _ in range(3)] == [404] * 3
    github.wire.heal()
    assert call(ada, "GET", "repos/ada/relay")[0] == 200


def test_githubs_refusals_carry_its_headers(github: GitHub, ada: Person, call: Call) -> None:
    """Quota, secondary limit, an organisation's login, a second factor: by these, a program tells them apart."""
    github.limit_rate(reset=1800)
    status, _, headers = call(ada, "GET", "user")
    assert (status, headers["X-RateLimit-Remaining"]) == (403, "0")
    assert int(headers["X-RateLimit-Reset"]) > 0
    github.limit_abuse(seconds=7)
    status, said, headers = call(ada, "GET", "user")
    assert (status, headers["Retry-After"]) == (403, "7")
    assert "secondary rate limit" in said["message"]
    github.require_sso()
    assert call(ada, "GET", "user")[2]["X-GitHub-SSO"].startswith("required; url=https://github.com/orgs/acme/sso")
    github.require_otp()
    status, _, headers = call(ada, "GET", "user")
    assert (status, headers["X-GitHub-OTP"]) == (401, "required; app")


def test_an_answer_is_cut_or_late(github: GitHub, ada: Person, call: Call) -> None:
    """Within its body or before it; one that is only slow comes whole, and stopping the host does not wait for it."""
    for after in (0, 10):
        github.wire.cut("GET", "/user", after)
        with pytest.raises(http.client.IncompleteRead) as cut:
            call(ada, "GET", "user")
        assert len(cut.value.partial) == after
    too_late = github.wire.cut("GET", "/user", after=1 << 20)
    github.wire.slow("GET", "/user", seconds=0.2, after=5)
    assert call(ada, "GET", "user")[1]["login"] == "ada"
    assert github.wire.traffic().requests == 3
    assert too_late.used == 0


def test_stopping_waits_for_nothing(github: GitHub, ada: Person, call: Call) -> None:
    """Whoever waits for a slow answer finds the connection closed."""
    slow = github.wire.slow("GET", "/user", seconds=600)
    ended: list[Exception] = []

    def wait() -> None:
        try:
            call(ada, "GET", "user")
        except OSError as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: slow.used)
    github.stop()
    waiting.join(10)
    assert ended


def test_a_pack_is_cut_on_its_way_down(github: GitHub, ada: Person, tmp_path: Path) -> None:
    """Git notices; what came is not kept as if it were whole; the next time it works."""
    url = github.clone_url("ada/relay")
    deposit(ada, url, "a", os.urandom(500_000))
    github.wire.cut("POST", "/ada/relay.git/git-upload-pack", after=100_000)
    assert "early EOF" in ada.git_fails("clone", "--bare", url, tmp_path / "c.git")
    ada.git("clone", "--quiet", "--bare", url, tmp_path / "c.git")


def test_a_pack_is_cut_on_its_way_up(github: GitHub, ada: Person) -> None:
    """Git notices, the host takes nothing, and nothing that worked on it is left; the next time it works."""
    url = github.clone_url("ada/relay")
    deposit(ada, url, "a", b"a")
    before = github.repository("ada/relay").git("rev-parse", "main")
    github.wire.forget()
    github.wire.cut_upload("POST", "/ada/relay.git/git-receive-pack", after=200_000)
    with pytest.raises(AssertionError) as cut:
        deposit(ada, url, "b", os.urandom(3_000_000))
    assert "RPC failed" in str(cut.value) or "the remote end hung up unexpectedly" in str(cut.value)
    assert github.repository("ada/relay").git("rev-parse", "main") == before
    assert 200_000 < github.wire.traffic("receive-pack").up < 400_000
    deposit(ada, url, "b", os.urandom(3_000_000))


def test_gits_requests_fail_as_asked(github: GitHub, ada: Person) -> None:
    """Asking for references, with which service in mind, and the exchange itself."""
    url = github.clone_url("ada/relay")
    github.wire.fail("GET", r"/ada/relay.git/info/refs\?service=git-upload-pack", 500)
    assert "500" in ada.git_fails("ls-remote", url)
    github.wire.fail("POST", "/ada/relay.git/git-receive-pack", 403, "Repository was archived so is read-only.\n")
    with pytest.raises(AssertionError, match="403"):
        deposit(ada, url, "a", b"a")
    deposit(ada, url, "a", b"a")


def test_a_race_is_lost_whenever_a_test_wants(github: GitHub, ada: Person, ben: Person) -> None:
    """Somebody pushes first: before references are asked for, or between that and the push."""
    github.create("ada/shared", ["ben"])
    url = github.clone_url("ada/shared")
    deposit(ada, url, "a", b"a")

    def push_first() -> None:
        deposit(ben, url, "b", os.urandom(10))

    github.wire.meanwhile("GET", r"/ada/shared.git/info/refs\?service=git-receive-pack", push_first)
    with pytest.raises(AssertionError, match=r"\[rejected\]"):
        deposit(ada, url, "c", b"c")
    github.wire.meanwhile("POST", "/ada/shared.git/git-receive-pack", push_first)
    with pytest.raises(AssertionError, match=r"\[remote rejected\]"):
        deposit(ada, url, "c", b"c")
    deposit(ada, url, "c", b"c")


# What is counted, and what is left.


def test_every_byte_is_counted(github: GitHub, ada: Person) -> None:
    """As many as a client sees on its side of the connection, over several requests on one."""
    request = b"GET /user HTTP/1.1\r\nHost: x\r\nAuthorization: token " + ada.environ["GH_TOKEN"].encode() + b"\r\n\r\n"
    last = request.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")
    with socket.create_connection(("127.0.0.1", int(github.url.rpartition(":")[2]))) as connection:
        connection.sendall(request)
        connection.sendall(last)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"200 OK") == 2
    assert github.wire.traffic() == github.wire.traffic("api")
    traffic = github.wire.traffic()
    assert (traffic.up, traffic.down, traffic.requests) == (len(request + last), len(received), 2)
    assert [(each.method, each.path, each.status, each.login) for each in github.wire.log] == [
        ("GET", "/user", 200, "ada")
    ] * 2


def _children() -> set[str]:
    """The processes that this one started and that are there still, where the system tells."""
    told = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(told.read_text(encoding="ascii").split()) if told.exists() else set()


def test_nothing_is_left(tmp_path: Path) -> None:
    """No thread, no socket, no program; and nobody's home but the person's was used."""
    threads, children = threading.active_count(), _children()
    with GitHub(tmp_path) as site:
        person = site.person("ada", tmp_path)
        site.create("ada/relay")
        deposit(person, site.clone_url("ada/relay"), "a", b"a")
    assert threading.active_count() == threads
    assert not site.socket.parent.exists()
    assert list(Path(os.environ["HOME"]).iterdir()) == []
    assert _children() <= children  # a server that several tests of this process share is none of it


def test_people_reach_nothing_but_loopback(ada: Person) -> None:
    """Whatever they ask for elsewhere goes to a port on which nobody answers."""
    said = ada.git_fails("ls-remote", "https://git.example.org/x.git")
    assert "127.0.0.1 port 9" in said


# The real gh.


@pytest.fixture
def gh(ada: Person) -> Person:
    """Ada, where `gh` is installed."""
    require_gh(ada)
    return ada


def test_gh_speaks_to_it_over_the_socket(github: GitHub, gh: Person, ben: Person) -> None:
    """In clear, as if it were GitHub itself: everything a relay's hosting asks for."""
    assert json.loads(gh.run("gh", "api", "user").out)["login"] == "ada"
    made = gh.run("gh", "api", "-X", "POST", "user/repos", "-f", "name=mine", "-F", "private=true").out
    assert json.loads(made)["url"] == "https://api.github.com/repos/ada/mine"
    gh.run("gh", "api", "-X", "PUT", "repos/ada/mine/collaborators/ben", "-f", "permission=push")
    (invitation,) = json.loads(ben.run("gh", "api", "user/repository_invitations").out)
    done = ben.run("gh", "api", "-X", "PATCH", f"user/repository_invitations/{invitation['id']}")
    assert (done.out, done.err) == ("", "")
    assert ben.run("gh", "api", "repos/ada/mine", "--jq", ".permissions.push").out == "true\n"
    assert gh.run("gh", "api", "-X", "DELETE", "repos/ada/mine/collaborators/ben").out == ""
    assert "✓ Logged in to github.com account ada (GH_TOKEN)" in gh.run("gh", "auth", "status").out
    assert gh.run("gh", "auth", "token").out.strip() == gh.environ["GH_TOKEN"]


def test_gh_follows_pages(github: GitHub, gh: Person) -> None:
    """By the links, over the same socket."""
    github.create("ada/busy", [f"peer-{number}" for number in range(250)])
    done = gh.run("gh", "api", "--paginate", "repos/ada/busy/collaborators?per_page=100", "--jq", ".[].login")
    assert len(done.out.split()) == 251
    assert github.wire.traffic().requests == 3


def test_gh_speaks_to_an_enterprise_host(gh: Person) -> None:
    """Below its base path, with the token that `gh` has for such hosts."""
    environ = {"GH_HOST": "git.example.org", "GH_ENTERPRISE_TOKEN": gh.environ["GH_TOKEN"]}
    made = gh.run("gh", "api", "repos/ada/relay", **environ).out
    assert json.loads(made)["url"] == "https://git.example.org/api/v3/repos/ada/relay"


def test_gh_says_what_went_wrong(github: GitHub, gh: Person) -> None:
    """On the screen its message and the status; on the output GitHub's own words; and exit 1."""
    github.limit_rate()
    done = gh.run("gh", "api", "user", code=1)
    assert done.err == "gh: API rate limit exceeded for user ID 1001. (HTTP 403)\n"
    assert json.loads(done.out)["status"] == "403"
    done = gh.run("gh", "api", "-i", "user", code=1, GH_TOKEN="wrong")
    assert done.out.startswith("HTTP/1.1 401 Unauthorized\n")
    assert done.err == "gh: Bad credentials (HTTP 401)\n"
    github.wire.cut("GET", "/user", after=10)
    assert gh.run("gh", "api", "user", code=1).err == "unexpected EOF\n"
    gh.environ.pop("GH_TOKEN")
    done = gh.run("gh", "api", "user", code=4)
    assert "gh auth login" in done.err
