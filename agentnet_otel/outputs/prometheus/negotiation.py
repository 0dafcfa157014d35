"""What a scraper takes: OpenMetrics only where its ``Accept`` prefers that, else the classic text."""

from typing import Final

OPENMETRICS: Final = ("application", "openmetrics-text")
CLASSIC: Final = ("text", "plain")
_VERSIONS: Final = {OPENMETRICS: {"", "0.0.1", "1.0.0"}, CLASSIC: {"", "0.0.4", "1.0.0"}}
"""Versions of each that what is written here is one of."""

_ANY: Final = "*"


def prefers_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics is named, and is not worth less than the classic text."""
    quality, named = _quality(accept, OPENMETRICS)
    return named and quality > 0 and quality >= _quality(accept, CLASSIC)[0]


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the answer may be compressed."""
    for entry in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in entry.split(";"))
        if coding == "gzip":
            return _q(parameters) > 0
    return False


def _quality(accept: str, wanted: tuple[str, str]) -> tuple[float, bool]:
    """How much a type is worth by its most exact mention, and whether that names it."""
    best, exactness = 0.0, -1
    for entry in accept.lower().split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        kind, _, subtype = media.partition("/")
        found = 2 * (kind == wanted[0]) + (subtype == wanted[1])
        matches = kind in {wanted[0], _ANY} and subtype in {wanted[1], _ANY}
        if not matches or _version(parameters) not in _VERSIONS[wanted]:
            continue
        quality = _q(parameters)
        if found > exactness or (found == exactness and quality > best):
            best, exactness = quality, found
    return best, exactness == 3  # noqa: PLR2004 - kind and subtype


def _version(parameters: list[str]) -> str:
    return next((p.partition("=")[2].strip(' "') for p in parameters if p.startswith("version=")), "")


def _q(parameters: list[str]) -> float:
    text = next((p.partition("=")[2] for p in parameters if p.startswith("q=")), "1")
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
