"""The local certificate is available when needed, private, and replaced when unusable."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from rtswap.core.errors import ConfigError
from rtswap.disclosure.certificate import SigningIdentity, forget_identity, identity_path, local_identity
from rtswap.disclosure.manifest import check_identity

posix_only = pytest.mark.skipif(os.name == "nt", reason="file modes")


def signer_of(identity: SigningIdentity) -> x509.Certificate:
    return x509.load_pem_x509_certificates(identity.chain.encode())[0]


def written(folder: Path, identity: SigningIdentity) -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_text(identity.chain)
    key.write_text(identity.key)
    key.chmod(0o600)
    return chain, key


def test_made_once_then_kept(tmp_path: Path) -> None:
    first = local_identity(tmp_path)
    assert local_identity(tmp_path) == first
    check_identity(first)


@posix_only
def test_key_is_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        local_identity(tmp_path / "new" / "folder")
    finally:
        os.umask(old)
    assert identity_path(tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o077 == 0


def test_key_does_not_show_in_messages(tmp_path: Path) -> None:
    assert "PRIVATE" not in repr(local_identity(tmp_path))


def test_follows_the_certificate_profile(tmp_path: Path) -> None:
    """Of C2PA: version 3, digitalSignature critical, an extended use, not an authority, not self-signed."""
    signer, authority = x509.load_pem_x509_certificates(local_identity(tmp_path).chain.encode())
    signer.verify_directly_issued_by(authority)
    assert signer.version is x509.Version.v3
    assert signer.subject != signer.issuer
    usage = signer.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    extended = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    assert not signer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_two_machines_differ_in_their_keys_alone(tmp_path: Path) -> None:
    one, other = local_identity(tmp_path / "a"), local_identity(tmp_path / "b")
    assert one.key != other.key
    assert signer_of(one).subject == signer_of(other).subject
    assert signer_of(one).not_valid_before_utc == signer_of(other).not_valid_before_utc


NO_KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("content", [b"", b"no PEM", b"\xff\xfe" * 100, NO_KEY, b"x" * 200_000])
def test_damaged_certificate_is_replaced_and_reported(tmp_path: Path, content: bytes) -> None:
    path = identity_path(tmp_path)
    path.write_bytes(content)
    path.chmod(0o600)
    events: list[str] = []
    found = local_identity(tmp_path, on_event=events.append)
    check_identity(found)
    assert len(events) == 1
    assert "replacing" in events[0]
    assert local_identity(tmp_path, on_event=events.append) == found
    assert len(events) == 1


@posix_only
def test_one_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    first = local_identity(tmp_path)
    identity_path(tmp_path).chmod(0o644)
    events: list[str] = []
    second = local_identity(tmp_path, on_event=events.append)
    assert second.key != first.key
    assert "other users can read" in events[0]
    assert identity_path(tmp_path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("year", [2020, 2050])
def test_expired_or_from_a_wrong_clock_is_replaced(tmp_path: Path, year: int) -> None:
    old = local_identity(tmp_path, now=datetime(year, 6, 1, tzinfo=UTC))
    new = local_identity(tmp_path, now=datetime(2045, 6, 1, tzinfo=UTC))
    assert new.key != old.key
    assert signer_of(new).not_valid_before_utc.year == 2045


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00", "2028-02-29T12:00:00", "2026-12-31T23:59:59"])
def test_valid_at_the_moment_it_is_made(tmp_path: Path, moment: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    events: list[str] = []
    assert local_identity(tmp_path, now=now) == local_identity(tmp_path, now=now, on_event=events.append)
    assert not events


def test_folder_that_cannot_be_written_costs_the_memory_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    events: list[str] = []
    check_identity(local_identity(tmp_path / "file" / "folder", on_event=events.append))
    assert any("for this run" in event for event in events)


def test_something_else_of_that_name_costs_the_memory_only(tmp_path: Path) -> None:
    identity_path(tmp_path).mkdir()
    events: list[str] = []
    check_identity(local_identity(tmp_path, on_event=events.append))
    assert any("for this run" in event for event in events)
    assert not list(tmp_path.glob("*.pem?*"))


def test_full_disk_costs_the_memory_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    events: list[str] = []
    check_identity(local_identity(tmp_path, on_event=events.append))
    assert "No space left" in events[0]
    assert not list(tmp_path.iterdir())


def test_file_system_without_links_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert local_identity(tmp_path) == local_identity(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["signing.pem"]


def test_processes_that_come_at_once_share_one(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom rtswap.disclosure.certificate import local_identity\n"
        "import cryptography.x509\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(local_identity(Path(sys.argv[1])).key.splitlines()[1])"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    keys = set()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        keys.add(process.communicate(timeout=60)[0])
        assert process.returncode == 0
    assert keys == {local_identity(tmp_path).key.splitlines()[1] + "\n"}
    assert [path.name for path in tmp_path.iterdir()] == ["signing.pem"]


def test_loser_of_the_race_takes_the_winners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    winner = local_identity(tmp_path / "winner")
    link = os.link

    def beaten(source: str, target: Path) -> None:
        if not target.exists():
            target.write_text(winner.chain + winner.key)
            target.chmod(0o600)
        link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    assert local_identity(tmp_path) == winner


def test_forgetting_deletes_it(tmp_path: Path) -> None:
    first = local_identity(tmp_path)
    assert forget_identity(tmp_path)
    assert not forget_identity(tmp_path)
    assert local_identity(tmp_path).key != first.key


def test_users_own_is_taken(tmp_path: Path) -> None:
    own = SigningIdentity.from_files(*written(tmp_path, local_identity(tmp_path)))
    assert own.algorithm == "es256"
    check_identity(own)


@posix_only
def test_users_own_key_must_be_private(tmp_path: Path) -> None:
    chain, key = written(tmp_path, local_identity(tmp_path))
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        SigningIdentity.from_files(chain, key)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    chain, _ = written(tmp_path, local_identity(tmp_path / "a"))
    (tmp_path / "other").mkdir()
    _, key = written(tmp_path / "other", local_identity(tmp_path / "b"))
    with pytest.raises(ConfigError, match="does not belong"):
        SigningIdentity.from_files(chain, key)


def _encrypted() -> bytes:
    form = serialization.BestAvailableEncryption(b"secret")
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form)


@pytest.mark.parametrize(
    ("content", "reason"), [(_encrypted(), "encrypted"), (b"no key", "PEM"), (b"\x80", "not PEM text")]
)
def test_key_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    chain, key = written(tmp_path, local_identity(tmp_path))
    key.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as caught:
        SigningIdentity.from_files(chain, key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", [0, 1])
def test_file_that_is_not_there_is_named(tmp_path: Path, missing: int) -> None:
    files = written(tmp_path, local_identity(tmp_path))
    files[missing].unlink()
    with pytest.raises(ConfigError, match=files[missing].name):
        SigningIdentity.from_files(*files)


def _certified(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey, *uses: x509.ObjectIdentifier):
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "studio")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7).not_valid_before(
        now.replace(year=now.year - 1)
    )
    builder = builder.not_valid_after(now.replace(year=now.year + 1, day=1))
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(uses)), critical=False)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return pem.decode(), key.private_bytes(serialization.Encoding.PEM, *form).decode()


def test_key_of_a_kind_that_c2pa_does_not_know(tmp_path: Path) -> None:
    pair = _certified(ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(ConfigError, match="does not support"):
        SigningIdentity.from_files(*written(tmp_path, SigningIdentity(*pair, "")))


def test_certificate_against_the_profile_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    """One for web servers, signed by itself: well-formed, and still not for C2PA."""
    pair = _certified(ec.generate_private_key(ec.SECP256R1()), ExtendedKeyUsageOID.SERVER_AUTH)
    own = SigningIdentity.from_files(*written(tmp_path, SigningIdentity(*pair, "")))
    with pytest.raises(ConfigError, match="C2PA does not accept") as caught:
        check_identity(own)
    assert "\n" not in str(caught.value)
