"""Everything that a program sends off this machine, recorded: ``python tests/helpers/wire.py LOG COMMAND ...``.

The command runs in a network namespace of its own, in which every address lies behind the loopback device. A raw
socket there sees each look-up and each connection that is tried, also those of native code; nothing leaves. For each
packet a line is appended to LOG: protocol, address, port, and the name that is asked for.

Exits as the command does; with ``REFUSED`` where the kernel lends no namespace.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

REFUSED = 77
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000
_SET_ADDRESS, _SET_MASK, _SET_FLAGS, _ADD_ROUTE = 0x8916, 0x891C, 0x8914, 0x890B
_UP, _ROUTE_UP = 0x1, 0x1
_ALL_PACKETS = 0x0003
_IPV4, _IPV6 = 0x0800, 0x86DD
_OWN = "198.51.100.1"
"""The address of this machine in the namespace; a documentation address, so nobody's."""


def enter(*, routed: bool = True) -> None:
    """Leave the network of this machine for one with a loopback device alone; ``routed``: every address lies behind
    it. The user stays the same. Raises OSError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    kinds = _NEW_NETWORK if user == 0 else _NEW_NETWORK | _NEW_USER
    if libc.unshare(kinds) != 0 and libc.unshare(_NEW_NETWORK | _NEW_USER) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace")
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        if not routed:
            return
        fcntl.ioctl(any_socket, _SET_ADDRESS, b"lo:1".ljust(16, b"\0") + _address(_OWN))
        fcntl.ioctl(any_socket, _SET_MASK, b"lo:1".ljust(16, b"\0") + _address("255.255.255.0"))
        fcntl.ioctl(any_socket, _ADD_ROUTE, _default_route())


def _address(text: str) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))


def _default_route() -> ctypes.Array[ctypes.c_char]:
    """``struct rtentry``: everything goes to the loopback device."""
    device = ctypes.create_string_buffer(b"lo")
    anywhere = _address("0.0.0.0")
    entry = struct.pack(
        "@L16s16s16sHhLPhPLLH",
        0, anywhere, anywhere, anywhere, _ROUTE_UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0,
    )  # fmt: skip
    kept = ctypes.create_string_buffer(entry)
    kept.device = device  # type: ignore[attr-defined]  # lives as long as what points to it
    return kept


def record(log: Path, ready: threading.Event, ended: threading.Event) -> None:
    """Write a line for each packet that is no talk of this machine with itself, until all are read that were sent
    before ``ended``."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PACKETS)) as wire,
        log.open("a", buffering=1) as lines,
    ):
        wire.bind(("lo", 0))
        wire.settimeout(0.1)
        ready.set()
        while True:
            last = ended.is_set()
            try:
                packet, (_, kind, direction, *_rest) = wire.recvfrom(65535)
            except TimeoutError:
                if last:
                    return
                continue
            line = read_packet(packet, kind) if direction == socket.PACKET_OUTGOING else ""
            if line:
                lines.write(line + "\n")


def read_packet(packet: bytes, kind: int) -> str:
    """``udp 192.0.2.1 53 example.org``; empty for what stays on this machine."""
    if kind == _IPV4 and len(packet) >= 20:
        start, protocol, to = (packet[0] & 15) * 4, packet[9], socket.inet_ntoa(packet[16:20])
    elif kind == _IPV6 and len(packet) >= 40:
        start, protocol, to = 40, packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return ""
    name = {6: "tcp", 17: "udp"}.get(protocol)
    if name is None or len(packet) < start + 4:
        return ""
    port = int.from_bytes(packet[start + 2 : start + 4], "big")
    if port != 53 and (to.startswith("127.") or to in ("::1", _OWN)):
        return ""
    return f"{name} {to} {port} {_read_name(packet[start + 20 :]) if (name, port) == ('udp', 53) else ''}".rstrip()


def _read_name(query: bytes) -> str:
    """The name in a DNS question, of which the headers are cut off."""
    labels, at = [], 0
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
        at += 1 + query[at]
    return ".".join(labels)


def main() -> int:
    log, command = Path(sys.argv[1]), sys.argv[2:]
    try:
        enter()
        ready, ended = threading.Event(), threading.Event()
        recorder = threading.Thread(target=record, args=(log, ready, ended), daemon=True)
        recorder.start()
        if not ready.wait(5):
            raise OSError("no raw socket")
    except OSError as error:
        print(f"the kernel lends no network namespace: {error}", file=sys.stderr)
        return REFUSED
    code = subprocess.run(command, check=False).returncode
    ended.set()
    recorder.join()
    return code


if __name__ == "__main__":
    sys.exit(main())
