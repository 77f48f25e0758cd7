"""Attacks on whom a package is sealed for, and on whom it is believed to be from, with the installed program."""

import base64
import gzip
import io
import json
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from people import Person, make_ssh_key

import alive_p2p
from alive_p2p import AliveP2PError, Credentials
from alive_p2p.package.envelopes.passphrase import PassphraseSealer
from alive_p2p.runtime import Runtime
from worlds import NOVA, plant, tree_of

if shutil.which("ssh-keygen") is None:
    pytest.skip("`ssh-keygen` is not installed", allow_module_level=True)

Run = Callable[..., Any]


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """A walnut."""
    return plant(tmp_path / "nova", NOVA)


def _create(who: Run, nova: Path, output: Path, *options: object, **environ: str) -> Any:
    return who("create", "--scope", "full", "--walnut", nova, "-o", output, "--yes", *options, **environ)


def _surroundings(person: Person, **environ: str) -> Runtime:
    return Runtime(environ={"HOME": str(person.home), "GH_USER": person.handle, **environ}, cwd=person.home)


# --- for whom -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["ecdsa", "empty", "comment"])
def test_a_file_without_a_usable_key_never_makes_a_plain_package(
    content: str, run: Run, tmp_path: Path, nova: Path
) -> None:
    """Somebody was to be the only reader; if nobody can be, there is no package."""
    keys = tmp_path / "k.pub"
    if content == "ecdsa":
        keys = make_ssh_key(tmp_path, "ecdsa").with_suffix(".pub")
    else:
        keys.write_text("" if content == "empty" else "# nothing here\n", encoding="utf-8")
    for option in ("--to-keys", "--to"):
        made = _create(run, nova, tmp_path / "p.walnut", option, keys)
        assert made.code != 0, made.out
        assert not (tmp_path / "p.walnut").exists()


def test_a_file_named_like_a_peer_does_not_take_the_peers_place(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """`--to ben` is the pinned key of Ben, with the patterns that are kept from Ben."""
    alice, ben, mallory = (people[name] for name in ("alice", "ben", "mallory"))
    alice.knows(ben)
    relay = alice.home / ".alive" / "relay"
    relay.joinpath("relay.json").write_text(
        json.dumps({"peers": {"ben": {"exclude_patterns": ["notes.md"]}}}), encoding="utf-8"
    )
    shutil.copy(mallory.public, tmp_path / "ben")
    for option in ("--to", "--recipient"):
        made = _create(alice, nova, tmp_path / f"{option}.walnut", option, "ben", "--json")
        document = json.loads(made.out)
        assert [one["pubkey_id"] for one in document["recipients"]] == [ben.pubkey_id]
        assert document["removed_paths"] == ["notes.md"]
        assert "notes.md" not in {one["path"] for one in document["files"]}
    named = json.loads(_create(alice, nova, tmp_path / "m.walnut", "--to", "./ben", "--json").out)
    assert [one["pubkey_id"] for one in named["recipients"]] == [mallory.pubkey_id]


def test_a_word_that_is_neither_a_peer_nor_a_path_is_refused(run: Run, tmp_path: Path, nova: Path) -> None:
    """A file of that name in the current folder is not meant by accident."""
    shutil.copy(make_ssh_key(tmp_path, "ed25519").with_suffix(".pub"), tmp_path / "ben")
    made = _create(run, nova, tmp_path / "p.walnut", "--to", "ben")
    assert (made.code, "there is no peer 'ben'" in made.err) == (2, True)


def test_more_recipients_than_readers_take_are_refused(run: Run, tmp_path: Path, nova: Path) -> None:
    """And the same key twice counts once."""
    line = make_ssh_key(tmp_path, "ed25519").with_suffix(".pub").read_text(encoding="ascii")
    many = tmp_path / "many.pub"
    many.write_text(line * 300, encoding="ascii")
    once = json.loads(_create(run, nova, tmp_path / "p.walnut", "--to-keys", many, "--json").out)
    assert len(once["recipients"]) == 1
    import pyrage

    many.write_text("".join(f"{pyrage.x25519.Identity.generate().to_public()}\n" for _ in range(201)), encoding="ascii")
    refused = _create(run, nova, tmp_path / "q.walnut", "--to-keys", many)
    assert (refused.code, "at most 200" in refused.err, (tmp_path / "q.walnut").exists()) == (2, True, False)


def test_a_key_too_large_for_age_is_found_out_before_anything_is_read(run: Run, tmp_path: Path, nova: Path) -> None:
    """Also by `--dry-run`; beside another key of the same person it is passed over."""
    path = tmp_path / "large.pem"
    make = ["openssl", "genrsa", "-out", path, "8192"]
    if shutil.which("openssl") is None:
        pytest.skip("`openssl` is not installed")
    subprocess.run(make, check=True, capture_output=True)
    public = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True).stdout
    keys = tmp_path / "keys.pub"
    keys.write_bytes(public)
    refused = _create(run, nova, tmp_path / "p.walnut", "--to-keys", keys, "--dry-run")
    assert (refused.code, "age cannot encrypt to it" in refused.err) == (2, True)
    assert _create(run, nova, tmp_path / "r.walnut", "--to-keys", keys, "--encrypt", "rsa").code == 0
    keys.write_bytes(public + make_ssh_key(tmp_path, "ed25519").with_suffix(".pub").read_bytes())
    made = json.loads(_create(run, nova, tmp_path / "p.walnut", "--to-keys", keys, "--json").out)
    assert [one["name"] for one in made["recipients"]] == [str(keys)]


def test_the_printed_instruction_is_one_command_whatever_the_walnut_is_called(run: Run, tmp_path: Path) -> None:
    """Pasted into a shell, a name is a name; the key is the one it was made for."""
    odd = plant(tmp_path / "x; touch PWNED #", NOVA)
    key = make_ssh_key(tmp_path, "rsa").with_suffix(".pub")
    (tmp_path / "out").mkdir()
    made = run("create", "--scope", "full", "--walnut", odd, "-o", tmp_path / "out", "--yes", "--to-keys", key)
    lines = [line for line in made.out.splitlines() if "age -d -i" in line]
    assert len(lines) == 1
    words = shlex.split(lines[0], comments=True)
    assert words[:4] == ["age", "-d", "-i", "~/.ssh/id_rsa"]
    assert words[4].startswith("x; touch PWNED #-full-")
    assert words[5:] == ["|", "tar", "xz"]


# --- from whom ------------------------------------------------------------------------------------------------


def test_a_broken_index_trusts_nobody_more(people: dict[str, Person], tmp_path: Path, nova: Path) -> None:
    """It says who was revoked and what peers call themselves; without it a signature is not judged."""
    alice, ben = people["alice"], people["ben"]
    ben.knows(alice)
    signed = tmp_path / "p.walnut"
    assert _create(alice, nova, signed).code == 0
    assert "valid, by alice" in ben("verify", signed).out
    index = ben.home / ".alive" / "relay" / "keys" / "index.json"
    broken = index.read_bytes()[:-3]
    index.write_bytes(broken)
    for command in (("verify", signed), ("info", signed), ("receive", signed, "--target", tmp_path / "t", "--yes")):
        ran = ben(*command)
        assert (ran.code, "index.json" in ran.err) == (1, True), ran.err
    assert not (tmp_path / "t").exists()
    assert ben("keys", "import", alice.public, "--name", "other").code == 1
    assert index.read_bytes() == broken


def _legacy(tmp_path: Path, outside: bytes, inside: Path, passphrase: bytes) -> Path:
    """A sealed package of format 2.0 with a manifest outside and a whole package, its own manifest too, inside."""
    sealed = io.BytesIO()
    with PassphraseSealer(sealed, passphrase) as sealer:
        sealer.write(inside.read_bytes())
        sealer.finish()
    made = tmp_path / "legacy.walnut"
    with gzip.open(made, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in (("manifest.yaml", outside), ("payload.enc", sealed.getvalue())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made


def test_a_package_with_two_manifests_is_neither_of_them(
    people: dict[str, Person], run: Run, tmp_path: Path, nova: Path
) -> None:
    """A genuine signed manifest outside vouches for nothing that another one lists inside."""
    alice, ben = people["alice"], people["ben"]
    ben.knows(alice)
    assert _create(alice, nova, tmp_path / "signed.walnut").code == 0
    with tarfile.open(tmp_path / "signed.walnut") as archive:
        stream = archive.extractfile("manifest.yaml")
        assert stream is not None
        outside = stream.read()
    other = plant(tmp_path / "other", {**NOVA, "notes.md": b"not what Alice wrote\n"})
    assert _create(run, other, tmp_path / "inner.walnut").code == 0
    made = _legacy(tmp_path, outside, tmp_path / "inner.walnut", b"p")
    for command in (("verify", made), ("receive", made, "--target", tmp_path / "t", "--yes")):
        ran = ben(*command, "--passphrase-env", "P", P="p")
        assert (ran.code, "second manifest" in ran.err) == (1, True), ran.err
    assert not (tmp_path / "t").exists()


def test_the_python_interface_judges_signatures_as_the_program_does(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """Valid by a peer's name; a revoked signer is refused; a required one has to be there."""
    alice, ben = people["alice"], people["ben"]
    ben.knows(alice)
    with pytest.raises(AliveP2PError) as unknown:
        alive_p2p.share(nova, recipients=["ben"], output=tmp_path / "x.walnut", runtime=_surroundings(alice))
    assert unknown.value.code == "unknown-peer"
    alice.knows(ben)
    signed = alive_p2p.share(nova, recipients=["ben"], output=tmp_path / "p.walnut", runtime=_surroundings(alice)).path
    assert not signed.read_bytes().startswith(b"\x1f\x8b")
    there = _surroundings(ben)
    found = alive_p2p.verify(signed, require_signature=True, runtime=there)
    assert found.passed
    assert found.verdict is not None
    assert (found.verdict.outcome.value, found.verdict.signer) == ("valid", "alice")
    ben.keyring.set_status("alice", "revoked")
    assert alive_p2p.verify(signed, runtime=there).error is not None
    with pytest.raises(AliveP2PError, match="revoked"):
        alive_p2p.receive(signed, target=tmp_path / "t", runtime=there)
    assert not (tmp_path / "t").exists()


def test_the_python_interface_seals_with_a_passphrase(tmp_path: Path, nova: Path, runtime: Runtime) -> None:
    """And opens with one; nothing else goes with it."""
    sealed = alive_p2p.share(nova, passphrase=b"correct horse", output=tmp_path / "p.walnut", runtime=runtime).path
    assert sealed.read_bytes().startswith(b"Salted__")
    assert alive_p2p.inspect(sealed, runtime=runtime).manifest is None
    done = alive_p2p.receive(
        sealed, target=tmp_path / "t", credentials=Credentials(lambda: b"correct horse"), runtime=runtime
    )
    assert done.status == "ok"
    for wrong in ({"encrypt": "rsa"}, {"encrypt": "none"}):
        with pytest.raises(AliveP2PError):
            alive_p2p.share(nova, passphrase=b"p", output=tmp_path / "q.walnut", runtime=runtime, **wrong)


def test_a_package_is_not_sealed_in_two_ways(people: dict[str, Person], tmp_path: Path, nova: Path) -> None:
    """Whoever has the passphrase would not need the key: it is refused, and nothing is made."""
    people["alice"].knows(people["ben"])
    runtime = Runtime(environ={"HOME": str(people["alice"].home), "GH_USER": "alice"}, cwd=tmp_path)
    with pytest.raises(AliveP2PError, match="for people or with a passphrase, not both") as caught:
        alive_p2p.share(nova, recipients=["ben"], passphrase=b"p", output=tmp_path / "q.walnut", runtime=runtime)
    assert (caught.value.code, caught.value.untouched) == ("usage", "everything")
    assert not list(tmp_path.glob("*.walnut"))


def test_our_own_signature_is_ours_by_the_name_in_relay_json(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """The handle a package is signed under and the one it is compared with come from the same place."""
    alice = people["alice"]
    (alice.home / ".alive" / "relay" / "relay.json").write_text('{"relay": {"username": "alice"}}', encoding="utf-8")
    alice.handle = ""
    assert _create(alice, nova, tmp_path / "p.walnut").code == 0
    assert "valid, by you" in alice("verify", tmp_path / "p.walnut", "--verify-signature").out


def test_a_key_without_a_name_is_told(people: dict[str, Person], tmp_path: Path, nova: Path) -> None:
    """Where nothing says who we are, the package is not signed, and a warning says why."""
    alice = people["alice"]
    alice.handle = ""
    made = _create(alice, nova, tmp_path / "p.walnut")
    assert (made.code, "not signed, because nothing says who you are" in made.err) == (0, True)
    assert _create(alice, nova, tmp_path / "q.walnut", "--strict").code == 1


def test_info_of_a_package_for_somebody_else_shows_it_from_outside(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """For whom it is, by name, and exit 0; a key that was named and does not fit is an error."""
    alice, ben, mallory = (people[name] for name in ("alice", "ben", "mallory"))
    alice.knows(ben)
    mallory.knows(ben, "benjamin")
    for envelope in ("rsa", "age"):
        sealed = tmp_path / f"{envelope}.walnut"
        assert _create(alice, nova, sealed, "--recipient", "ben", "--encrypt", envelope).code == 0
        outside = mallory("info", sealed)
        assert (outside.code, f"benjamin ({ben.pubkey_id})" in outside.out) == (0, True)
        document = json.loads(mallory("info", sealed, "--json").out)
        assert (document["recipients"], document["recipient_names"]) == ([ben.pubkey_id], {ben.pubkey_id: "benjamin"})
        key = mallory.home / ".alive" / "relay" / "keys" / "private.pem"
        assert mallory("info", sealed, "--private-key", key).code == 1
        refused = mallory("receive", sealed, "--target", tmp_path / "t", "--yes")
        assert (refused.code, f"it is for benjamin ({ben.pubkey_id})" in refused.err) == (1, True)
    assert not (tmp_path / "t").exists()


def test_verify_counts_nothing_as_done_that_was_not(run: Run, tmp_path: Path) -> None:
    """A header that is refused is the container's failure, and no later check passed."""
    import base64

    salt = base64.b64encode(bytes(16)).decode().rstrip("=")
    body = base64.b64encode(bytes(32)).decode().rstrip("=")
    mac = base64.b64encode(bytes(32)).decode().rstrip("=")
    made = tmp_path / "costly.walnut"
    made.write_bytes(f"age-encryption.org/v1\n-> scrypt {salt} 24\n{body}\n--- {mac}\n".encode() + bytes(48))
    ran = run("verify", made, "--passphrase-env", "P", "--json", P="p")
    assert [check["passed"] for check in json.loads(ran.out)["checks"]] == [False, *[None] * 5]


def test_a_thousand_stanzas_of_our_own_key_cost_nothing(run: Run, home: Path, tmp_path: Path, nova: Path) -> None:
    """Each would cost a private-key operation."""
    key = make_ssh_key(home / ".ssh", "rsa")
    sealed = tmp_path / "p.walnut"
    assert _create(run, nova, sealed, "--to-keys", key.with_suffix(".pub")).code == 0
    head, rest = sealed.read_bytes().split(b"---", 1)
    version, stanza = head.split(b"\n", 1)
    many = tmp_path / "many.walnut"
    many.write_bytes(version + b"\n" + stanza * 500 + b"---" + rest)
    ran = run("verify", many)
    assert (ran.code, "recipients of one key" in ran.err) == (1, True)


def test_a_traceback_is_escaped(program: str, home: Path, tmp_path: Path) -> None:
    """`--debug` shows where it failed, and no control character that a package brought."""
    made = tmp_path / "p.walnut"
    with tarfile.open(made, "w") as archive:  # an RSA envelope whose id is an escape sequence
        document = {"version": 1, "payload_algo": "aes-256-cbc", "payload_iv_b64": base64.b64encode(bytes(16)).decode()}
        document["recipients"] = [{"pubkey_id": "\x1b[31m", "key_enc_b64": ""}]
        for name, data in (("rsa-envelope-v1.json", json.dumps(document).encode()), ("payload.enc", bytes(16))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    make_ssh_key(home / ".ssh", "ed25519")
    done = subprocess.run(
        [program, "verify", made, "--debug"], env={"HOME": str(home)}, capture_output=True, check=False
    )
    assert b"Traceback" in done.stderr
    assert b"[31m" in done.stderr
    assert b"\x1b" not in done.stderr


# --- passphrases and keys from files --------------------------------------------------------------------------


def test_passphrase_files(run: Run, tmp_path: Path, nova: Path) -> None:
    """One line; a missing file is wrong usage, several lines are refused."""
    (tmp_path / "two").write_bytes(b"one\ntwo\n")
    assert _create(run, nova, tmp_path / "p", "--passphrase-file", "nowhere").code == 2
    assert "more than one line" in _create(run, nova, tmp_path / "p", "--passphrase-file", "two").err
    assert tree_of(tmp_path).keys() >= {"two"}


def test_a_private_key_is_not_read_for_a_plain_package(run: Run, tmp_path: Path, nova: Path) -> None:
    """What a package does not need is not asked for."""
    assert _create(run, nova, tmp_path / "p.walnut").code == 0
    key = make_ssh_key(tmp_path, "ed25519", "correct horse")
    assert run("verify", tmp_path / "p.walnut", "--private-key", key).code == 0
    assert run("verify", tmp_path / "p.walnut", "--private-key", "nowhere").code == 2
