"""TLS servers for tests: a certificate for any name, and a proxy that decrypts and forwards."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from web_servers import serve_folder


def certificate(folder: Path, name: str) -> Path:
    """``name.pem`` for an address or a host, signed by itself; its key is in ``name.key``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    host = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    coded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.with_suffix(".key").write_bytes(coded)
    return path


class Front:
    """Listens at 127.0.0.1 with a certificate; what clients say goes to ``backend``, another port there."""

    def __init__(self, cert: Path, backend: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, cert.with_suffix(".key"))
        self._backend = backend
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.came = 0
        """Clients that connected."""
        self.heard = b""
        """Everything that they said after they had accepted the certificate."""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.came += 1
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        try:
            with self._context.wrap_socket(client, server_side=True) as inside:
                first = inside.recv(65536)
                if not first:
                    return
                self.heard += first
                with socket.create_connection(("127.0.0.1", self._backend)) as backend:
                    backend.sendall(first)
                    threading.Thread(target=_pour, args=(backend, inside), daemon=True).start()
                    while data := inside.recv(65536):
                        backend.sendall(data)
                    backend.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


def _pour(source: socket.socket, to: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def web(folder: Path) -> Iterator[int]:
    """The port of a plain web server over ``folder``."""

    with serve_folder(folder) as address:
        yield int(address.rpartition(":")[2])
