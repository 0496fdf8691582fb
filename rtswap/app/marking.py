"""What leaves is marked, and whose face it is was asked: the parts of that, put together from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from rtswap.app.config import Config
from rtswap.app.mapping import read_swap_rules
from rtswap.core.errors import ConfigError
from rtswap.core.version import __version__
from rtswap.disclosure import Disclosure
from rtswap.disclosure.badge import Badge
from rtswap.disclosure.stamp import NO_BADGE_NOTICE
from rtswap.disclosure.watermark import Payload, Watermark
from rtswap.source.consent import ConsentRecord, ask

Event = Callable[[str], None]
Sign = Callable[[Path], None]

FIRST_YEAR = 2026


def confirm_sources(config: Config, on_event: Event) -> None:
    """Have it confirmed, once for each photo, that the person shown has agreed. Raises UsageError, SourceError."""
    source = config.source
    photos = [*source.photos, *source.also, *(rule.source for rule in read_swap_rules(config))]
    ask(list(dict.fromkeys(photos)), ConsentRecord(), assume=source.i_have_consent, on_event=on_event)


def unmarked_reason(config: Config) -> str:
    """Why nothing is drawn or embedded; empty where it is. Raises ConfigError for ``--unmarked`` without a reason."""
    if not config.marks.unmarked:
        return ""
    if not config.marks.reason:
        raise ConfigError(
            "--unmarked needs a reason",
            expected='[marks] reason = "why" in rtswap.toml',
            got="none",
            do="Write it into your own one, or one named by --config; each start prints it and the metrics hold it.",
        )
    return config.marks.reason


def make_disclosure(config: Config, on_event: Event) -> Disclosure:
    """Badge and invisible mark. Raises ConfigError."""
    badge, reason = config.badge, unmarked_reason(config)
    if reason:
        on_event(f"--unmarked, because: {reason}. Pictures leave without badge and mark; recordings are still signed")
        return Disclosure(None, None)
    if badge.hide:
        on_event(NO_BADGE_NOTICE)
    label = None if badge.hide else Badge(style=badge.style, position=badge.position, language=badge.language)
    return Disclosure(label, Watermark(payload()))


def payload(now: datetime | None = None) -> Payload:
    """What the invisible mark says: this version, this month."""
    now = now or datetime.now(UTC)
    major, minor = (int(part) for part in __version__.split(".")[:2])
    months = (now.year - FIRST_YEAR) * 12 + now.month - 1
    return Payload((major, minor), month=min(max(months, 0), 255))


def make_signer(config: Config, input_path: Path | None, on_event: Event) -> Sign:
    """What signs each finished recording: with the user's certificate, or with one of this machine. ``input_path``:
    the file that was swapped, if it was one. Raises ConfigError for a certificate that cannot sign."""
    from rtswap.disclosure.certificate import SigningIdentity, local_identity
    from rtswap.disclosure.manifest import ManifestFacts, check_identity, facts_of, sign_file

    marks, marked = config.marks, not unmarked_reason(config)
    if (marks.certificate is None) != (marks.key is None):
        raise ConfigError("a signing certificate and its key belong together", do="Give --sign-with and --sign-key.")
    own = None
    if marks.certificate is not None and marks.key is not None:
        own = SigningIdentity.from_files(Path(marks.certificate).expanduser(), Path(marks.key).expanduser())
        check_identity(own)

    @cache
    def what() -> ManifestFacts:
        return facts_of(__version__, input_path, badge=marked and not config.badge.hide, watermark=marked)

    @cache
    def who() -> SigningIdentity:
        return own or local_identity(on_event=on_event)

    def sign(path: Path) -> None:
        sign_file(path, what(), who())

    return sign
