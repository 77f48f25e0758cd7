"""Sealed for people or with a passphrase, and signed, with the installed program."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from people import Person, make_ssh_key

from worlds import NOVA, plant, tree_of

Run = Callable[..., "object"]
if shutil.which("openssl") is None or shutil.which("ssh-keygen") is None:
    pytest.skip("`openssl` and `ssh-keygen` are not installed", allow_module_level=True)

SECRET = "only a test, correct horse"


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """A walnut."""
    return plant(tmp_path / "nova", NOVA)


# --- a passphrase ---------------------------------------------------------------------------------------------


def test_a_passphrase_from_a_variable_or_a_file(run: Run, tmp_path: Path, nova: Path) -> None:
    """Sealed with one, opened with the other; without it `info` says what is needed and nothing else."""
    sealed = tmp_path / "p.walnut"
    made = run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", sealed, "--passphrase-env", "P", P=SECRET)
    assert made.code == 0, made.err
    assert "with a passphrase" in made.out
    assert sealed.read_bytes().startswith(b"Salted__")
    outside = run("info", sealed)
    assert outside.code == 0
    assert "passphrase" in outside.out
    assert "nova" not in outside.out
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    assert run("verify", sealed, "--passphrase-file", tmp_path / "secret").code == 0
    inside = json.loads(run("info", sealed, "--passphrase-env", "P", "--json", P=SECRET).out)
    assert (inside["encryption"], inside["walnut"]) == ("passphrase", "nova")
    wrong = run("receive", sealed, "--target", tmp_path / "t", "--yes", "--passphrase-env", "P", P="wrong")
    assert wrong.code == 1
    assert "wrong passphrase or key" in wrong.err
    missing = run("receive", sealed, "--target", tmp_path / "t", "--yes")
    assert "--passphrase-env" in missing.err
    assert not (tmp_path / "t").exists()
    assert run("receive", sealed, "--target", tmp_path / "t", "-y", "--passphrase-env", "P", P=SECRET).code == 0


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        (["--encrypt", "passphrase"], "no terminal to ask on"),
        (["--passphrase-env", "NOT_SET"], "NOT_SET is not set"),
        (["--passphrase-env", "EMPTY"], "is empty"),
        (["--passphrase-file", "nowhere"], "there is no file"),
        (["--encrypt", "none", "--passphrase-env", "P"], "does not go with"),
        (["--encrypt", "rsa"], "at least one `--recipient PEER`"),
        (["--recipient", "nobody"], "nobody"),
        (["--sign"], "no key to sign with"),
    ],
)
def test_what_a_seal_needs_is_checked_before_anything_is_written(
    arguments: list[str], piece: str, run: Run, tmp_path: Path, nova: Path
) -> None:
    """The cause, and no file."""
    before = tree_of(tmp_path / "nova")
    ran = run(
        "create",
        "--yes",
        "--scope",
        "full",
        "--walnut",
        nova,
        "-o",
        tmp_path / "p",
        *arguments,
        EMPTY="",
        P="x",
        GH_USER="a",
    )
    assert ran.code in {1, 2}
    assert piece in ran.err
    assert not (tmp_path / "p").exists()
    assert tree_of(tmp_path / "nova") == before


# --- for people -----------------------------------------------------------------------------------------------


def test_a_package_for_two_people_opens_for_them_and_for_nobody_else(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """Both open it with their own key, without saying which; a third is told for whom it is."""
    alice, ben, mallory = people["alice"], people["ben"], people["mallory"]
    for other in (ben, mallory):
        alice.knows(other)
    sealed = tmp_path / "p.walnut"
    made = alice(
        "create",
        "--yes",
        "--scope",
        "full",
        "--walnut",
        nova,
        "-o",
        sealed,
        "--recipient",
        "ben",
        "--recipient",
        "mallory",
    )
    assert made.code == 0, made.err
    assert ben.pubkey_id in made.out
    for person in (ben, mallory):
        done = person("receive", sealed, "--target", person.home / "there", "--yes")
        assert done.code == 0, done.err
    refused = alice("receive", sealed, "--target", alice.home / "there", "--yes")
    assert refused.code == 1
    assert ben.pubkey_id in refused.err


# --- signatures -----------------------------------------------------------------------------------------------


def _signed(alice: Person, nova: Path, output: Path) -> Path:
    made = alice("create", "--yes", "--scope", "full", "--walnut", nova, "-o", output)
    assert made.code == 0, made.err
    assert f"by alice ({alice.pubkey_id})" in made.out
    return output


def test_a_signed_package_names_the_peer_everywhere(people: dict[str, Person], tmp_path: Path, nova: Path) -> None:
    """Preview, info, verify, JSON, log and ledger."""
    alice, ben = people["alice"], people["ben"]
    ben.knows(alice)
    package = _signed(alice, nova, tmp_path / "p.walnut")
    assert f"alice ({alice.pubkey_id}), signed" in ben("info", package).out
    assert "valid, by alice" in ben("verify", package, "--verify-signature").out
    done = ben("receive", package, "--target", ben.home / "there", "--yes", "--verify-signature", "--json")
    assert json.loads(done.out)["signature"] == "valid"
    log = (ben.home / "there" / "_kernel" / "log.md").read_text(encoding="utf-8")
    assert f"- Signed by: alice ({alice.pubkey_id})" in log
    entry = json.loads((ben.home / "there" / "_kernel" / "imports.json").read_bytes())["imports"][0]
    assert entry["signer"] == {"pubkey_id": alice.pubkey_id, "status": "valid", "name": "alice"}


def test_ones_own_signature_is_ones_own(people: dict[str, Person], tmp_path: Path, nova: Path) -> None:
    """Also where the own key was taken in as a peer's."""
    alice = people["alice"]
    alice.knows(alice, "me")
    package = _signed(alice, nova, tmp_path / "p.walnut")
    assert f"you ({alice.pubkey_id}), signed" in alice("info", package).out


def test_every_other_outcome_is_refused_where_a_signature_is_required(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """Unsigned, unknown, other signer, revoked; only the last is refused always."""
    alice, ben, mallory = people["alice"], people["ben"], people["mallory"]
    signed = _signed(alice, nova, tmp_path / "signed.walnut")
    unsigned = tmp_path / "unsigned.walnut"
    alice("create", "--yes", "--scope", "full", "--walnut", nova, "-o", unsigned, "--no-sign")
    forged = tmp_path / "forged.walnut"
    assert (
        mallory._run(
            "create",
            "--yes",
            "--scope",
            "full",
            "--walnut",
            nova,
            "-o",
            forged,
            HOME=str(mallory.home),
            GH_USER="alice",
        ).code
        == 0
    )

    def outcome(package: Path) -> str:
        word: str = json.loads(ben("info", package, "--json").out)["signature"]
        required = ben("receive", package, "--target", ben.home / "t", "--yes", "--verify-signature")
        assert (required.code == 0) is (word == "valid"), required.err
        return word

    assert outcome(unsigned) == "unsigned"
    assert outcome(signed) == "unknown"
    ben.knows(alice)
    ben.knows(mallory)
    assert outcome(forged) == "other-signer"
    ben.keyring.set_status("alice", "revoked")
    assert outcome(signed) == "revoked"
    always = ben("receive", signed, "--target", ben.home / "t", "--yes")
    assert always.code == 1
    assert "was revoked" in always.err
    assert not (ben.home / "t").exists()


def test_a_signed_package_whose_one_file_was_changed_is_refused(
    people: dict[str, Person], tmp_path: Path, nova: Path
) -> None:
    """Also where the manifest was made to fit: then the signature is not valid."""
    import hashlib
    import io

    alice, ben = people["alice"], people["ben"]
    ben.knows(alice)
    package = _signed(alice, nova, tmp_path / "p.walnut")
    with tarfile.open(package) as archive:
        parts = {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}  # type: ignore[union-attr]
    old, new = parts["notes.md"], b"b note\n"
    text = parts["manifest.yaml"].decode().replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest())
    listed = [line.split('"')[1] for line in text.splitlines() if line.startswith("  - path: ")]
    from alive_p2p.package.entries import FileEntry, payload_sha256

    entries = [
        FileEntry(path, hashlib.sha256(new if path == "notes.md" else parts[path]).hexdigest(), len(parts[path]))
        for path in listed
        if path in parts
    ]
    before = text.split('payload_sha256: "')[1][:64]
    text = text.replace(before, payload_sha256({e.path: e for e in entries}.values()))
    altered = tmp_path / "altered.walnut"
    with tarfile.open(altered, "w:gz") as archive:
        for name, content in {**parts, "manifest.yaml": text.encode(), "notes.md": new}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    done = ben("receive", altered, "--target", ben.home / "t", "--yes")
    assert done.code == 1
    assert "signature is not valid" in done.err
    assert not (ben.home / "t").exists()


def test_keys_are_shown_with_fingerprints_that_openssl_agrees_with(people: dict[str, Person]) -> None:
    """The SHA-256 of the DER public key."""
    import hashlib

    alice, ben = people["alice"], people["ben"]
    ben.knows(alice)
    command = ["openssl", "pkey", "-pubin", "-in", alice.public, "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    shown = json.loads(ben("keys", "show", "--json").out)
    assert shown["peers"]["alice"]["fingerprint"] == hashlib.sha256(der).hexdigest()
    assert shown["peers"]["alice"]["status"] == "unpaired"
    private = alice.home / ".alive" / "relay" / "keys" / "private.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    again = alice("keys", "generate")
    assert again.code == 1
    assert private.is_file()


def test_a_key_with_a_passphrase_is_asked_for(run: Run, tmp_path: Path, nova: Path) -> None:
    """Without a terminal the message says so; nothing is signed silently with nothing."""
    home = tmp_path / "locked"
    home.mkdir()
    assert run("keys", "generate", "--passphrase-env", "P", P=SECRET, HOME=str(home)).code == 0
    ran = run(
        "create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "x", HOME=str(home), GH_USER="alice"
    )
    assert ran.code == 1
    assert "no terminal" in ran.err or "passphrase" in ran.err
    assert (
        run(
            "create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "x", "--no-sign", HOME=str(home)
        ).code
        == 0
    )


# --- age ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_somebody_who_has_set_up_nothing_opens_it_with_theirmake_ssh_key(
    kind: str, run: Run, home: Path, tmp_path: Path, nova: Path
) -> None:
    """Sealed for a published public key; received with `~/.ssh`, and opened with the `age` command alone."""
    private = make_ssh_key(home / ".ssh", kind)
    sealed = tmp_path / "p.walnut"
    made = run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", sealed, "--to-keys", f"{private}.pub")
    assert made.code == 0, made.err
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1\n")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    make_ssh_key(stranger / ".ssh", kind)
    refused = run("receive", sealed, "--target", tmp_path / "s", "--yes", HOME=str(stranger))
    assert refused.code == 1
    assert not (tmp_path / "s").exists()
    assert run("verify", sealed).code == 0
    assert run("receive", sealed, "--target", tmp_path / "there", "--yes").code == 0
    assert (tmp_path / "there" / "notes.md").read_bytes() == NOVA["notes.md"]
    if shutil.which("age") is None:
        pytest.skip("the rest needs the `age` command")
    plain = subprocess.run(["age", "-d", "-i", private, sealed], capture_output=True, check=True).stdout
    (tmp_path / "plain.walnut").write_bytes(plain)
    assert run("verify", tmp_path / "plain.walnut").code == 0


def test_age_with_a_passphrase(run: Run, tmp_path: Path, nova: Path) -> None:
    """Sealed and opened in constant memory; a wrong one has the same message as everywhere."""
    sealed = tmp_path / "p.walnut"
    create = [
        "create",
        "--yes",
        "--scope",
        "full",
        "--walnut",
        nova,
        "-o",
        sealed,
        "--encrypt",
        "age",
        "--passphrase-env",
        "P",
    ]
    assert run(*create, P=SECRET).code == 0
    wrong = run("verify", sealed, "--passphrase-env", "P", P="wrong")
    assert wrong.code == 1
    assert "wrong passphrase or key" in wrong.err
    assert "passphrase" in run("receive", sealed, "--target", tmp_path / "t", "--yes").err
    assert run("receive", sealed, "--target", tmp_path / "t", "--yes", "--passphrase-env", "P", P=SECRET).code == 0


def test_peers_keys_are_age_recipients(people: dict[str, Person], tmp_path: Path, nova: Path) -> None:
    """The same RSA keys; an altered file is refused wherever it was altered."""
    alice, ben = people["alice"], people["ben"]
    alice.knows(ben)
    sealed = tmp_path / "p.walnut"
    made = alice(
        "create", "--yes", "--scope", "full", "--walnut", nova, "-o", sealed, "--recipient", "ben", "--encrypt", "age"
    )
    assert made.code == 0, made.err
    assert json.loads(ben("info", sealed, "--json").out)["encryption"] == "age"
    data = sealed.read_bytes()
    for at in (30, len(data) // 4, len(data) // 2, len(data) - 1):
        altered = bytearray(data)
        altered[at] ^= 1
        (tmp_path / "x.walnut").write_bytes(altered)
        done = ben("receive", tmp_path / "x.walnut", "--target", ben.home / "t", "--yes")
        assert done.code == 1, at
        assert not (ben.home / "t").exists()
    assert ben("receive", sealed, "--target", ben.home / "t", "--yes").code == 0


# --- published keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["github", "gitlab"])
def test_the_keys_somebody_publishes(
    word: str, run: Run, home: Path, tmp_path: Path, nova: Path, host: tuple[str, dict[str, tuple[int, bytes]]]
) -> None:
    """Fetched, shown with fingerprints, and used after a yes; the receiver needs nothing but `~/.ssh`."""
    address, answers = host
    private = make_ssh_key(home / ".ssh", "ed25519")
    public = Path(f"{private}.pub").read_bytes()
    other = Path(f"{make_ssh_key(tmp_path / 'other', 'ecdsa')}.pub").read_bytes()  # a kind that age cannot use
    answers["/carla.keys"] = (200, other + public)
    variable = {f"ALIVE_P2P_{word.upper()}_URL": address}
    sealed = tmp_path / "p.walnut"
    command = ["create", "--scope", "full", "--walnut", nova, "-o", sealed, "--to", f"{word}:carla"]
    asked = run(*command, **variable)
    assert asked.code == 1
    assert f"{word}:carla publishes" in asked.err
    assert not sealed.exists()
    made = run(*command, "--yes", **variable)
    assert made.code == 0, made.err
    assert "age -d -i" in made.out
    assert run("receive", sealed, "--target", tmp_path / "there", "--yes").code == 0


@pytest.mark.parametrize(
    ("whom", "answer", "piece"),
    [
        ("github:nobody", None, "nobody at GitHub is called 'nobody'"),
        ("github:carla", (200, b""), "publishes no key"),
        ("github:carla", (500, b"oops"), "it answered 500"),
        ("github:carla", (200, b"x" * (2 << 20)), "larger than a megabyte"),
        ("github:../../etc", None, "cannot be a login"),
        ("gitlab:a b", None, "cannot be a login"),
    ],
)
def test_a_host_that_does_not_help_is_an_error_of_ours(
    whom: str,
    answer: tuple[int, bytes] | None,
    piece: str,
    run: Run,
    tmp_path: Path,
    nova: Path,
    host: tuple[str, dict[str, tuple[int, bytes]]],
) -> None:
    """Each with its own message, and nothing made."""
    address, answers = host
    if answer is not None:
        answers["/carla.keys"] = answer
    command = ["create", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p", "--to", whom, "--yes"]
    ran = run(*command, ALIVE_P2P_GITHUB_URL=address, ALIVE_P2P_GITLAB_URL=address)
    assert ran.code in {1, 2}
    assert piece in ran.err
    assert not (tmp_path / "p").exists()


def test_keys_are_not_fetched_without_https_or_from_nowhere(run: Run, tmp_path: Path, nova: Path) -> None:
    """An address that is neither https nor this machine is refused; one that nobody answers at says so."""
    command = [
        "create",
        "--yes",
        "--scope",
        "full",
        "--walnut",
        nova,
        "-o",
        tmp_path / "p",
        "--to",
        "github:carla",
        "--yes",
    ]
    assert "only fetched over https" in run(*command, ALIVE_P2P_GITHUB_URL="http://example.org").err
    assert "only fetched over https" in run(*command, ALIVE_P2P_GITHUB_URL="file:///etc").err
    assert "could not be fetched" in run(*command, ALIVE_P2P_GITHUB_URL="http://127.0.0.1:1").err
