"""Several processes that change one keyring at once: nobody's change is lost, and of two that exclude each other
one is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alive_p2p.errors import BusyError
from alive_p2p.keys import folder as folder_module
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime

# Every step that others could see is drawn out, so that processes that do not wait for each other meet in it.
CHILD = """
import sys, time
from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import load_private_key
from alive_p2p.runtime import Runtime

def slowly(operation, paths):
    if operation in ("replace", "rename", "remove"):
        time.sleep(0.05)

keyring = Keyring.load(Runtime.from_process())
files.watch(slowly)
print("ready", flush=True)
what, name, data = sys.stdin.readline().split()
data = bytes.fromhex(data)
try:
    if what == "import":
        keyring.import_peer(name, data, status="paired", handle=f"handle-of-{name}")
    elif what == "revoke":
        keyring.set_status(name, "revoked")
    else:
        keyring.install(load_private_key(data, label=name), overwrite=what == "overwrite")
    print("done")
except AliveP2PError as error:
    print(error.code)
"""


def at_once(runtime: Runtime, *jobs: tuple[str, str, bytes]) -> list[str]:
    """Run jobs in a process each, let go when all are ready; what each says at the end."""
    environ = {"ALIVE_HOME": str(runtime.alive_home), "HOME": str(runtime.home)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )
        for _ in jobs
    ]
    answers = []
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process, (what, name, data) in zip(processes, jobs, strict=True):
            assert process.stdin is not None
            process.stdin.write(f"{what} {name} {data.hex()}\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
    return answers


def fresh_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_no_change_is_lost(keyring: Keyring, runtime: Runtime, ben: bytes) -> None:
    """Four imports and a revocation at once: every handle, status and the revocation is in the index afterwards."""
    keyring.import_peer("ben", ben, status="paired", handle="benny")
    jobs = [("import", f"peer{number}", fresh_key()) for number in range(4)]
    assert at_once(runtime, *jobs, ("revoke", "ben", b"x")) == ["done"] * 5
    document = json.loads((keyring.folder / "index.json").read_bytes())
    found = {(entry["peer_name"], entry["handle"], entry["status"]) for entry in document["pubkeys"].values()}
    expected = {(f"peer{number}", f"handle-of-peer{number}", "paired") for number in range(4)}
    assert found == expected | {("ben", "benny", "revoked")}


def test_a_name_is_given_to_one(runtime: Runtime, folder: Path) -> None:
    """Of several keys that come under one name at once one is pinned, and the others are refused."""
    answers = at_once(runtime, *(("import", "ben", fresh_key()) for _ in range(3)))
    assert sorted(answers) == ["done", "key-changed", "key-changed"]
    assert len(json.loads((folder / "index.json").read_bytes())["pubkeys"]) == 1


def test_names_of_another_case_are_given_to_one(runtime: Runtime) -> None:
    """The same for names that are one on other systems."""
    answers = at_once(runtime, ("import", "ben", fresh_key()), ("import", "BEN", fresh_key()))
    assert sorted(answers) == ["done", "name-taken"]


def test_our_own_key_is_replaced_by_one_after_the_other(
    keyring: Keyring, runtime: Runtime, folder: Path, rsa: PrivateKey, other: PrivateKey, key_files: Path
) -> None:
    """The halves belong together afterwards, and no private key is lost."""
    third = load_private_key((key_files / "ssh-rsa").read_bytes(), label="third")
    keyring.install(rsa)
    jobs = [("overwrite", "x", key.pkcs8_pem(None)) for key in (other, third)]
    assert at_once(runtime, *jobs) == ["done", "done"]
    loaded = Keyring.load(runtime)
    own = loaded.own()
    assert own is not None
    assert loaded.warnings == ()
    assert (folder / "public.pem").read_bytes() == own.public.pem()
    kept = {key.public.pubkey_id for key in loaded.retired()}
    assert kept | {own.public.pubkey_id} == {key.public.pubkey_id for key in (rsa, other, third)}


def test_only_one_becomes_our_own_without_overwriting(runtime: Runtime, rsa: PrivateKey, other: PrivateKey) -> None:
    """The second is refused."""
    answers = at_once(runtime, *(("install", "x", key.pkcs8_pem(None)) for key in (rsa, other)))
    assert sorted(answers) == ["done", "key-exists"]


def test_a_change_does_not_wait_forever(
    keyring: Keyring, runtime: Runtime, ben: bytes, cleo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody holds the keyring, the error says so; looking does not wait at all."""
    keyring.import_peer("ben", ben)
    monkeypatch.setattr(folder_module, "WAIT_SECONDS", 0.1)
    with walnut_lock(keyring.folder, "project", runtime):
        loaded = Keyring.load(runtime)
        assert set(loaded.peers) == {"ben"}
        with pytest.raises(BusyError, match="keys") as caught:
            loaded.import_peer("cleo", cleo)
        assert caught.value.untouched == "everything"
        assert "--wait" not in (caught.value.hint or "")
    loaded.import_peer("cleo", cleo)
    loaded.remove("ben")  # the lock was let go of
