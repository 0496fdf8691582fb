"""Set up consent, badge, watermark and signing from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from rtswap.app.config import Config
from rtswap.app.mapping import read_swap_rules
from rtswap.core.errors import ConfigError
from rtswap.core.urls import expanded
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
    """Ask for confirmation, once for each photo, that the person shown has agreed. Raises UsageError, SourceError."""
    ask(list_photos(config), ConsentRecord(), assume=config.source.i_have_consent, on_event=on_event)


def require_consent(photos: Iterable[str], pictures: Collection[str], *, consent: bool, on_event: Event) -> None:
    """As ``confirm_sources``, for a caller in Python, where nobody is asked. ``pictures``: names of those of the
    ``photos`` that are no files. Raises UsageError, SourceError."""
    photos = list(photos)
    ask(
        [photo for photo in photos if photo not in pictures],
        ConsentRecord(),
        pictures=[photo for photo in photos if photo in pictures],
        assume=consent,
        answer=lambda question: None,
        do="If the person shown is you or has agreed, pass consent=True.",
        on_event=on_event,
    )


def list_photos(config: Config) -> list[str]:
    """All photos of sources, each once. Raises ConfigError."""
    source = config.source
    return list(dict.fromkeys([*source.photos, *source.also, *(rule.source for rule in read_swap_rules(config))]))


def unmarked_reason(config: Config) -> str:
    """Return the reason for ``--unmarked``; empty if frames are marked. Raises ConfigError for ``--unmarked`` without
    a reason."""
    if not config.marks.unmarked:
        return ""
    if not config.marks.reason:
        raise ConfigError(
            "--unmarked needs a reason",
            expected='[marks] reason = "why" in rtswap.toml',
            got="none",
            do="Add it to your own rtswap.toml or to the file given with --config; it is printed at each start and "
            "recorded in the metrics.",
        )
    return config.marks.reason


def make_disclosure(config: Config, on_event: Event) -> Disclosure:
    """Return the badge and watermark that frames are marked with. Raises ConfigError."""
    reason = unmarked_reason(config)
    if reason:
        on_event(f"--unmarked: {reason}. Frames have no badge and no watermark; recordings are still signed")
        return Disclosure(None, reason=reason)
    if config.badge.hide:
        on_event(NO_BADGE_NOTICE)
    return Disclosure(make_badge(config), Watermark(payload()))


def make_badge(config: Config) -> Badge | None:
    """The badge of the configuration; None if it is hidden or frames are unmarked."""
    badge = config.badge
    hidden = badge.hide or config.marks.unmarked
    return None if hidden else Badge(style=badge.style, position=badge.position, language=badge.language)


def payload(now: datetime | None = None) -> Payload:
    """Return the watermark's payload: rtswap's version and the month."""
    now = now or datetime.now(UTC)
    major, minor = (int(part) for part in __version__.split(".")[:2])
    months = (now.year - FIRST_YEAR) * 12 + now.month - 1
    return Payload((major, minor), month=min(max(months, 0), 255))


def make_signer(config: Config, input_path: Path | None, on_event: Event) -> Sign:
    """Return the function that signs a finished recording with the user's certificate or this machine's own.
    ``input_path``: the input, if it is a file. Raises ConfigError for a certificate that cannot sign."""
    from rtswap.disclosure.certificate import SigningIdentity, local_identity
    from rtswap.disclosure.manifest import ManifestFacts, check_identity, facts_of, sign_file

    marks, marked = config.marks, not unmarked_reason(config)
    if (marks.certificate is None) != (marks.key is None):
        raise ConfigError("signing needs both a certificate and its key", do="Give both --sign-with and --sign-key.")
    own = None
    if marks.certificate is not None and marks.key is not None:
        own = SigningIdentity.from_files(expanded(marks.certificate), expanded(marks.key))
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
