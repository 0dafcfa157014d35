"""Whether AgentNet is here, and what of it can be hooked: for the doctor, who looks and leaves no trace."""

import contextlib
import importlib
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agentnet_otel.instrumentation.hooks.patching import TargetStatus
from agentnet_otel.instrumentation.hooks.table import install, status, uninstall

_FRAMEWORK: Final = "agentnet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """``found``: AgentNet was imported; ``text`` says which, or why not. ``targets`` are empty where it was not."""

    found: bool
    text: str
    targets: tuple[TargetStatus, ...] = ()


def look() -> Presence:
    """Import AgentNet, hook it for a moment, and take that back. What it prints and logs is kept off the terminal."""
    with _silence():
        found, text = _imported()
        return Presence(found=found, text=text, targets=tuple(_hooked_for_a_moment()) if found else ())


def _imported() -> tuple[bool, str]:
    try:
        module = importlib.import_module(_FRAMEWORK)
    except ModuleNotFoundError as error:
        if error.name == _FRAMEWORK:
            return False, "not found"
        return False, f"found, but a package that it needs is not: {error.name}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is the finding
        return False, f"found, but its import fails: {type(error).__name__}: {error}"
    folder = os.path.dirname(module.__file__ or "")  # noqa: PTH120 - text for people
    return True, f"version {getattr(module, '__version__', 'unknown')}, at {folder}"


def _hooked_for_a_moment() -> list[TargetStatus]:
    """Hook, look, take back."""
    install()
    try:
        for target in status():
            try:
                importlib.import_module(target.path.rsplit(".", 2)[0])
            except (Exception, SystemExit):  # noqa: BLE001, S112 - a module that this version lacks: its state says so
                continue
        return status()
    finally:
        uninstall()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what AgentNet says while it is imported off the terminal; its logger is as before afterwards."""
    logger = logging.getLogger(_FRAMEWORK)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
