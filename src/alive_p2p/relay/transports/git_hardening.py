"""What is switched off on every command of git, and what stays as the person has it (relay.md §4, §8)."""

import os
import re
from collections.abc import Mapping

from alive_p2p.relay.transports.git_address import Address

_NOTHING = os.devnull

_HARDENED = (
    # Nothing that runs a program of whoever wrote it.
    f"core.hooksPath={_NOTHING}",
    "core.fsmonitor=false",
    f"core.attributesFile={_NOTHING}",
    "core.alternateRefsCommand=true",
    "core.askPass=",
    "push.gpgSign=false",
    # Nothing over any other way than these; `user` is: asked for by us, not by a host that redirects.
    "protocol.version=2",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "protocol.git.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.http.allow=user",
    "http.followRedirects=initial",
    # What comes is checked, before anything of it is looked at.
    "transfer.fsckObjects=true",
    "fetch.fsckObjects=true",
    # One pack that can be watched while it grows, and files that pass without being held in memory.
    "fetch.unpackLimit=1",
    "core.bigFileThreshold=1m",
    "core.compression=1",  # what is sent is encrypted and does not become smaller
    # Nothing besides.
    "transfer.bundleURI=false",
    "fetch.writeCommitGraph=false",
    "fetch.recurseSubmodules=false",
    "fetch.prune=false",
    "submodule.recurse=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "push.negotiate=false",
    "push.useForceIfIncludes=false",
    "push.pushOption=",
    "core.symlinks=false",
    "core.logAllRefUpdates=false",
    "core.sharedRepository=umask",
    "i18n.commitEncoding=UTF-8",
    "gc.auto=0",
    "maintenance.auto=false",
    "color.ui=false",
    "advice.pushUpdateRejected=false",
)

_KEPT = re.compile(
    r"GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|EXEC_PATH|PROXY_COMMAND|HTTP_PROXY_AUTHMETHOD|(?:PROXY_)?SSL_\w+"
    r"|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+))"
)
"""Of git's own variables: how a person reaches hosts. The others would make it work elsewhere, ask, or tell secrets."""


def settings_for(address: Address) -> list[str]:
    """What is set on the command line, where it counts more than anything that is set elsewhere."""
    return [*_HARDENED, f"protocol.file.allow={'always' if address.protocol == 'file' else 'never'}"]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What git sees of a person's environment, with everything that would let it ask somebody switched off."""
    return {name: text for name, text in environ.items() if not name.startswith("GIT_") or _KEPT.fullmatch(name)} | {
        "LC_ALL": "C",  # we read what it says
        "LANGUAGE": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
