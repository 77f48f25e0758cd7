"""From git's words, and those of ssh and of hosts, to errors of ours: the cause, what was left, the next command."""

import re
from dataclasses import dataclass

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.git_address import Address
from alive_p2p.text import one_line

AGAIN = "nothing is lost; run it again later"
_MOST_LINES = 10

_CHATTER = re.compile(
    r"^(?:remote: *)?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Writing|Unpacking|Total|Delta)\b"
    r"|^hint: |^To |failed to push some refs"
)
"""How far something has got, and advice that is not ours."""


@dataclass(frozen=True)
class _Known:
    """Words that mean something: the code of the error, its message, and the next thing to do."""

    words: str
    code: str
    message: str
    hint: str | None = None


# `{place}` is the host, or the path; `{url}` the address; `{login}` is `user@host`. The first that matches counts: what
# is more exact stands first.
_KNOWN = (
    _Known(
        r"detected dubious ownership",
        "relay-denied",
        "'{url}' belongs to somebody else on this machine, so git does not touch it",
        "if you trust who owns it: `git config --global --add safe.directory PATH`",
    ),
    _Known(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "relay-host-changed",
        "{place} shows another key than the one that ssh knows it by: it was set up anew, or somebody is in between",
        "ask whoever runs it; only if it is true, run `ssh-keygen -R {place}` and `ssh {login}`",
    ),
    _Known(
        r"Host key verification failed|authenticity of host|No \S+ host key is known",
        "relay-host-unknown",
        "ssh does not know {place} yet, so it cannot tell whether it is the right one",
        "run `ssh {login}` once, and compare the fingerprint it shows with what whoever runs the host says",
    ),
    _Known(
        r"Permission denied \((?:[a-z-]+,?)+\)|Too many authentication failures|sign_and_send_pubkey|Load key ",
        "relay-denied",
        "{place} does not take any of your ssh keys",
        "`ssh-add` your key if it has a passphrase, and see that the host knows it; `ssh -v {login}` tells more",
    ),
    _Known(
        r"Could not resolve (?:host|proxy|hostname)|Name or service not known|nodename nor servname|"
        r"Temporary failure in name",
        "relay-unreachable",
        "no host of the name '{place}' can be found: the name is wrong, or there is no network",
        "check the network and the address, then run it again",
    ),
    _Known(
        r"SSL certificate|certificate verif|server certificate|gnutls_handshake|SSL_(?:connect|read|ERROR)|schannel|"
        r"error setting certificate|TLS connect|wrong version number|SSL peer",
        "relay-unreachable",
        "no connection to {place} that can be trusted: its certificate is not in order, or somebody is in between",
        "check this machine's clock and its certificates; never switch the check off",
    ),
    _Known(
        r"error: 407|CONNECT tunnel failed|Received HTTP code \d+ from proxy",
        "relay-unreachable",
        "the proxy on the way to {place} does not let us through",
        "check `http.proxy` in git's settings and HTTPS_PROXY",
    ),
    _Known(
        r"upload-pack: not our ref",
        "relay-unreachable",
        "{place} does not have what it told of a moment ago",
        "run it again",
    ),
    _Known(
        r"error: 429",
        "relay-unreachable",
        "{place} asks us to slow down",
        "wait a few minutes, then run it again",
    ),
    _Known(
        r"could not read (?:Username|Password)",
        "relay-denied",
        "{place} wants to know who you are, and git has no login for it",
        "run `gh auth login` and `gh auth setup-git` for GitHub, or set up a credential helper: `git help credentials`",
    ),
    _Known(
        r"Authentication failed|Invalid username or (?:token|password)|HTTP Basic: Access denied|error: 401",
        "relay-denied",
        "{place} does not take the login that git has for it",
        "log in again (`gh auth login` for GitHub), or replace the token that git keeps",
    ),
    _Known(
        r"Permission to \S+ denied|Write access to|error: 403|not allowed to push|insufficient permission|"
        r"unable to create temporary object directory|Permission denied",
        "relay-denied",
        "{place} does not let you do this",
        "ask the relay's owner whether you still have access; they give it with `alive-p2p relay invite`",
    ),
    _Known(
        r"Repository not found|repository '[^']*' not found|does not appear to be a git repository|"
        r"No such file or directory|could not be found|error: 404|not exported|does not exist",
        "relay-missing",
        "there is no repository at '{url}', or you may not see it: hosts say the same to both",
        "accept the host's invitation if there is one, check the address, and ask the owner whether you have access",
    ),
    _Known(
        r"transport '[^']*' not allowed|Unable to find remote helper|protocol '[^']*' is not supported",
        "bad-address",
        "your settings of git make something else of '{url}' that is not used for relays",
        "look for `insteadOf` in `git config --list --show-origin`",
    ),
    _Known(
        r"fsck error|badTree|unterminated|Malformed|bad tree|bad pack|pack has bad object|pack is corrupted|"
        r"inflate returned|SHA1 (?:COLLISION|mismatch)|loose object .* is corrupt|bad object|unable to read tree|"
        r"not a tree object|is not a valid|missing (?:blob|tree)|too-short tree|empty filename in tree",
        "relay-hostile",
        "what {place} sent is not in order, so nothing of it is used",
        "ask the relay's owner to look at it with `git fsck`",
    ),
    _Known(
        r"(?<!remote: )(?:fatal|error)[^\n]*(?:No space left on device|Disk quota exceeded)",
        "disk-full",
        "the disk for temporary files is full",
        "free some space, or set TMPDIR to a folder on another disk, and run it again",
    ),
    _Known(
        r"error: 5\d\d|Internal Server Error|internal error",
        "relay-unreachable",
        "{place} has a problem of its own",
        AGAIN,
    ),
    _Known(
        r"Connection (?:refused|timed out|reset)|Failed to connect|Couldn't connect|Network is unreachable|"
        r"No route to host|Operation timed out|Could not connect|port \d+: |Empty reply",
        "relay-unreachable",
        "{place} does not answer",
        "check the network and the address, then run it again",
    ),
    _Known(
        r"early EOF|hung up unexpectedly|unexpected disconnect|RPC failed|transfer closed|curl \d+|"
        r"invalid index-pack output|expected flush|Broken pipe|unexpected EOF|bad (?:line length|band)|"
        r"Connection closed|protocol error|invalid server response",
        "relay-unreachable",
        "the connection to {place} broke off",
        AGAIN,
    ),
)

_REFUSED = (
    _Known(
        r"GH001|file size limit|exceeds? (?:the|.*'s) (?:maximum|file size|limit)|pack exceeds maximum|too large",
        "relay-rejected",
        "{place} refuses it: a file is larger than it takes",
        "share single bundles, or send the file by another way",
    ),
    _Known(
        r"shallow update not allowed",
        "relay-rejected",
        "{place} takes changes only from whoever has the whole history",
        "let the relay's owner run `git config receive.shallowUpdate true` in it",
    ),
    _Known(
        r"branch is currently checked out|refusing to update checked out",
        "relay-rejected",
        "'{url}' is somebody's working copy, not a bare repository",
        "use a repository that was made with `git init --bare`",
    ),
    _Known(
        r"protected branch|GH006|GH013|Cannot force-push",
        "relay-denied",
        "{place} protects the branch: it does not let you do this to it",
        "let the relay's owner take the branch's protection away; a relay has to take changes from every peer",
    ),
    _Known(
        r"non-fast-forward",
        "relay-denied",
        "'{url}' cannot be compacted: the repository lets nobody replace what is in it",
        "let its owner run `git config receive.denyNonFastForwards false` in it; `git init --shared` sets that",
    ),
    _Known(
        r"unpacker error|unpack failed|No space left|quota",
        "relay-rejected",
        "{place} could not take it in",
        AGAIN,
    ),
    _Known(
        r"",
        "relay-rejected",
        "{place} refuses it",
        "ask the relay's owner",
    ),
)


def error_of(said: str, address: Address, *, untouched: str = "everything") -> RelayError:
    """The error for a command that failed.

    Args:
        said: what git, ssh and the host said.
        address: where the relay is.
        untouched: what is as it was.
    """
    said = address.without_secrets(said)
    # A host's own words come last: it could say of itself what only ssh and git can know.
    ours = "\n".join(line for line in re.split(r"[\r\n]+", said) if not line.startswith("remote:"))
    matches = (one for text in (ours, said) for one in _KNOWN if re.search(one.words, text, re.IGNORECASE))
    known = next(matches, None)
    if known is not None:
        return _made(known, said, address, untouched)
    lines = _lines(said)
    return RelayError(
        "relay-unreachable",
        f"git cannot use the relay at '{address.url}'",
        untouched=untouched,
        hint=f"try `git ls-remote {address.url}`",
        details=lines[-_MOST_LINES:],
    )


def refused(reason: str, said: str, address: Address, *, untouched: str) -> RelayError:
    """The error for a change that a host did not take.

    Args:
        reason: what git puts in brackets behind `[remote rejected]`.
        said: everything it said besides: a host's own words begin `remote: `.
        address: where the relay is.
        untouched: what is as it was.
    """
    said = address.without_secrets(f"{reason}\n{said}")
    known = next(one for one in _REFUSED if re.search(one.words, said, re.IGNORECASE))
    error = _made(known, said, address, untouched)
    if known.words or not error.details:
        return error
    # Nobody but the host knows why: what it says comes first, wherever only one line is shown.
    message = f"{error.message}: {error.details[0]}"
    return RelayError(error.code, message, untouched=untouched, hint=error.hint, details=error.details[1:])


def overtime(why: str, address: Address, *, untouched: str = "everything") -> RelayError:
    """The error for a host that keeps us waiting."""
    return RelayError("relay-unreachable", f"{address.place} kept us waiting: {why}", untouched=untouched, hint=AGAIN)


def _made(known: _Known, said: str, address: Address, untouched: str) -> RelayError:
    words = {"place": address.place, "url": address.url, "login": address.login}
    return RelayError(
        known.code,
        known.message.format(**words),
        untouched=untouched,
        hint=known.hint and known.hint.format(**words),
        details=_lines(said)[:_MOST_LINES],
    )


def _lines(said: str) -> list[str]:
    """What was said, one safe line each; only the host's own words where it has said something, and no progress."""
    every = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip() and not _CHATTER.search(line)]
    theirs = [line.removeprefix("remote:") for line in every if line.startswith("remote:")]
    return [text for line in (theirs or every) if (text := one_line(line))]
