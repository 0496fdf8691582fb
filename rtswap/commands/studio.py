"""``rtswap studio``: a page in the browser, and an API behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtswap.app.options import integer
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser, Reader
from rtswap.core.isolation import pip_install
from rtswap.core.urls import expanded
from rtswap.core.user_folders import videos_folder

if TYPE_CHECKING:
    from rtswap.web.server import Address

PORT = 7860
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EXAMPLES = """\
examples:
  rtswap studio --open                       then choose a camera, a face, and press Start
  rtswap studio -i clip.mp4 -s me.jpg        with a clip in place of a camera
  rtswap studio --host 0.0.0.0 --certificate cert.pem --key key.pem

The last one is for other devices; its link has a token. A browser gives its
camera only to pages of this machine and to https pages: a phone needs
--certificate. Ctrl-C ends the studio: recordings are finished, uploaded
photos are forgotten.
"""


def _parser() -> Parser:
    parser = Parser("rtswap studio", "Opens a page in the browser to swap, watch and record, and an API.", EXAMPLES)
    group = parser.add_argument_group("Studio")
    group.add_argument("--host", metavar="ADDRESS", help="address to listen on; others than loopback need the token")
    port = Reader(integer("N", 0, 65535))
    group.add_argument("--port", metavar="N", type=port, help=f"port to listen on, 0 for any [{PORT}]")
    group.add_argument("--open", action="store_true", help="open the page in the browser")
    group.add_argument("--recordings", metavar="FOLDER", help="folder for recordings [Videos, or the working folder]")
    group.add_argument("--certificate", metavar="FILE", help="certificate chain (PEM), for https")
    group.add_argument("--key", metavar="FILE", help="private key (PEM) of that certificate")
    sections = (
        "source",
        "input",
        "tracking",
        "swap",
        "mask",
        "models",
        "safety",
        "badge",
        "marks",
        "budget",
        "engine",
    )
    without = (
        "source.also",
        "source.swap",
        "input.start",
        "input.end",
        "input.duration",
        "console.json",
        "console.stats",
    )
    return parser.with_table(
        (*sections, "output", "network", "console"), without=(*without, "output.to", "output.overwrite")
    )


def _run(flags: Flags) -> int:
    from rtswap.core.errors import NotInstalled, reason

    given = {name: flags.pop(name, None) for name in ("host", "port", "open", "recordings", "certificate", "key")}
    config = effective(flags).config
    try:
        from rtswap.web import server
    except ImportError as error:
        do = f"Run: {pip_install('rtswap[studio]')}"
        raise NotInstalled("the studio needs the package aiohttp", got=reason(error), do=do) from None
    from rtswap.app.marking import confirm_sources
    from rtswap.media.inputs import check_input

    check_input(config.input.address)
    with console_of(config) as console:
        confirm_sources(config, console.event)
        address = _address(given)
        folder = _folder(given["recordings"])

        def ready(address: Address) -> None:
            console.event(f"the studio is at {address.link} (Ctrl-C ends it); recordings go to {folder}")
            if address.token and not address.certificate:
                console.event(
                    "without --certificate pictures and the token travel unencrypted, and browsers of other devices "
                    "do not give their camera"
                )
            if given["open"]:
                import webbrowser

                webbrowser.open(address.own_link)

        server.run(config, address, folder, on_event=console.event, ready=ready)
    return 0


def _address(given: Flags) -> Address:
    """Where to listen; with a new token on any host but loopback. Raises UsageError."""
    import secrets

    from rtswap.core.errors import UsageError
    from rtswap.web.server import Address

    host, certificate, key = given["host"] or LOOPBACK[0], given["certificate"], given["key"]
    if (certificate is None) != (key is None):
        raise UsageError("TLS needs both a certificate and its key", do="Give both --certificate and --key.")
    return Address(
        host,
        PORT if given["port"] is None else given["port"],
        token=None if host in LOOPBACK else secrets.token_urlsafe(24),
        own_token=None if host in LOOPBACK else secrets.token_urlsafe(24),
        certificate=expanded(certificate) if certificate else None,
        key=expanded(key) if key else None,
    )


def _folder(recordings: str | None) -> Path:
    """The folder for recordings. Raises OutputError if it cannot be written: better now than at a recording."""
    from rtswap.core.errors import OutputError, reason
    from rtswap.core.files import make_writable

    folder = expanded(recordings).absolute() if recordings is not None else videos_folder() or Path.cwd()
    try:
        make_writable(folder)
    except (OSError, ValueError) as error:
        do = "Name another folder: --recordings FOLDER"
        raise OutputError(f"cannot record into {folder}", got=reason(error), do=do) from None
    return folder


COMMAND = Command("studio", "a page in the browser, and an API behind it", _parser, _run)
