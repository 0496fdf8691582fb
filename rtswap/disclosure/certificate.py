"""Signing identities: the user's own certificate, or one created on this machine at first use.

The local certificate proves that a recording has not changed since rtswap signed it. It does not prove who made it:
anybody can create one. Its subject is ``rtswap local`` on every machine, and its dates reveal only a year.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rtswap.core.errors import ConfigError, reason
from rtswap.core.files import open_regular
from rtswap.core.isolation import pip_install
from rtswap.core.text import as_argument
from rtswap.core.user_folders import user_folder

if TYPE_CHECKING:  # takes 50 ms, and the default install may lack it
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

FILE_NAME = "signing.pem"
SUBJECT = "rtswap local"
YEARS = 20
"""Without a time stamp from a third party, a signature is valid only as long as its certificate."""
MAX_BYTES = 100_000
_INSTALL = f"Install it: {pip_install('c2pa-python')}"
_PEM_KEY = "PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A certificate chain with the key of its first certificate, both PEM, and C2PA's name of the algorithm."""

    chain: str
    key: str = field(repr=False)
    algorithm: str
    """``es256``, ``es384``, ``es512``, ``ps256`` or ``ed25519``."""

    @classmethod
    def from_files(cls, chain: str | Path, key: str | Path) -> SigningIdentity:
        """Load the user's own certificate. ``chain``: the signer's certificate first, then its issuers.

        Raises ConfigError: unreadable, not PEM, encrypted, expired, a key that does not belong to the certificate, or
        a key that other users can read.
        """
        chain, key = Path(chain), Path(key)
        if not _is_private(key):
            do = f"Run: chmod 600 {as_argument(key)}"
            raise ConfigError(f"other users can read the signing key {key}", expected="mode 600", do=do)
        try:
            return _check(_text(chain), _text(key), datetime.now(UTC))
        except OSError as error:
            raise ConfigError(f"cannot read {error.filename}", got=reason(error), do="Check the path.") from None
        except ValueError as error:
            raise ConfigError(
                f"cannot sign with {chain} and {key}",
                expected="a PEM certificate chain and its unencrypted PEM key",
                got=reason(error),
            ) from None


def identity_path(folder: Path | None = None) -> Path:
    """Path of the local identity, in the user's configuration folder."""
    return (user_folder("config") if folder is None else folder) / FILE_NAME


def local_identity(
    folder: Path | None = None,
    *,
    on_event: Callable[[str], None] = lambda event: None,
    now: datetime | None = None,
) -> SigningIdentity:
    """This machine's identity, created at first use. Raises ConfigError only if ``cryptography`` is not installed.

    Replaces an identity that is damaged, expired or readable by other users: nothing is lost, since recordings
    contain their certificate. If it cannot be stored, it is valid for this run. Concurrent processes share one.
    """
    path, now = identity_path(folder), now or datetime.now(UTC)
    try:
        return _load(path, now)
    except FileNotFoundError:
        found = _make(now)
    except (OSError, ValueError) as error:
        on_event(f"replacing the signing certificate {path}: {reason(error)}")
        found = _make(now)
        with suppress(OSError):
            path.unlink()
    try:
        return found if _store(path, found) else _load(path, now)
    except (OSError, ValueError) as error:
        on_event(f"cannot store the signing certificate in {path} ({reason(error)}); using it for this run")
        return found


def forget_identity(folder: Path | None = None) -> bool:
    """Delete the local identity; returns True if there was one. Raises OSError."""
    path = identity_path(folder)
    there = path.is_symlink() or path.exists()
    path.unlink(missing_ok=True)
    return there


def _load(path: Path, now: datetime) -> SigningIdentity:
    """Load the stored identity. Raises OSError, and ValueError if it must not be used."""
    content = _text(path)
    if not _is_private(path):
        raise ValueError("other users can read its key")
    at = content.rfind("-----BEGIN", 0, content.find(_PEM_KEY) + 1)
    if at < 0:
        raise ValueError("it contains no key")
    return _check(content[:at], content[at:], now)


def _store(path: Path, identity: SigningIdentity) -> bool:
    """Write the identity atomically, readable by its owner only; False if another process was faster. Raises
    OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # created with mode 600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write((identity.chain + identity.key).encode())
            file.flush()
            os.fsync(file.fileno())
        return _publish(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def _publish(name: str, path: Path) -> bool:
    try:
        os.link(name, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        os.replace(name, path)
    return True


def _text(path: Path) -> str:
    """Read a PEM file. Raises OSError, and ValueError if it cannot be PEM."""
    with open_regular(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} is too large")
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not PEM text") from None


def _is_private(path: Path) -> bool:
    """True if only its owner can read the file, if this is unknown (Windows), or if there is no file."""
    try:
        return os.name == "nt" or not path.stat().st_mode & 0o077
    except OSError:
        return True


def _check(chain: str, key: str, now: datetime) -> SigningIdentity:
    """Validate certificate and key. Raises ValueError with the reason, ConfigError without ``cryptography``."""
    _require_cryptography()
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
        secret = serialization.load_pem_private_key(key.encode(), None)
    except TypeError:
        raise ValueError("an encrypted key") from None
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    signer = certificates[0]
    if signer.public_key() != secret.public_key():
        raise ValueError("a key that does not belong to the first certificate")
    if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
        span = f"{signer.not_valid_before_utc:%Y-%m-%d} to {signer.not_valid_after_utc:%Y-%m-%d}"
        raise ValueError(f"a certificate that is valid from {span}")
    return SigningIdentity(chain, _pem(secret), _algorithm(secret))


def _algorithm(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
        if key.curve.name in curves:
            return curves[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise ValueError("a key type that C2PA does not support (P-256, P-384, P-521, RSA from 2048 bits, Ed25519)")


def _pem(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _make(now: datetime) -> SigningIdentity:
    """Create a certificate issued by a throw-away authority, since C2PA's certificate profile rejects self-signed
    ones. The authority's key is discarded."""
    _require_cryptography()
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issued = _issue(SUBJECT, key, authority, now.year), _issue(f"{SUBJECT} CA", authority, authority, now.year)
    chain = "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in issued)
    return SigningIdentity(chain, _pem(key), "es256")


def _issue(
    name: str, key: EllipticCurvePrivateKey, authority: EllipticCurvePrivateKey, year: int
) -> x509.Certificate:
    """Issue a certificate: the authority's own if ``key`` is its key, otherwise the signer's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    is_authority = key is authority
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(
            _name_of(f"{SUBJECT} CA"), _name_of(name), key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(datetime(year, 1, 1))
        .not_valid_after(datetime(year + YEARS, 1, 1))
        .add_extension(x509.BasicConstraints(is_authority, 0 if is_authority else None), critical=True)
        .add_extension(_key_usage(is_authority), critical=True)
        .add_extension(own_id, critical=False)
    )
    if not is_authority:
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(authority_id, critical=False).add_extension(use, critical=False)
    return builder.sign(authority, hashes.SHA256())


def _name_of(common_name: str) -> x509.Name:
    """The X.509 name, the same on every machine."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    words = {NameOID.ORGANIZATION_NAME: SUBJECT, NameOID.COMMON_NAME: common_name}
    return x509.Name([x509.NameAttribute(kind, word) for kind, word in words.items()])


def _key_usage(is_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    never = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only")
    return x509.KeyUsage(
        not is_authority, key_cert_sign=is_authority, crl_sign=is_authority, decipher_only=False,
        **dict.fromkeys(never, False),
    )  # fmt: skip


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ConfigError("signing needs the package cryptography", do=_INSTALL) from None
