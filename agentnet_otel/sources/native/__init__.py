"""What costs most in reading, in C: from bytes to spans, and from those to turns; and what Python tells it.

`_native` is there where the package was built with a compiler at hand (`tools/build_native.py`). Without it, or where
it is not wanted, everything is read in Python: what comes out is the same, only later.
"""

import importlib
import os
from types import ModuleType
from typing import Final

from agentnet_otel import semconv

INTERFACE: Final = 6
"""The number goes up with each change to what is called in `_native`: one that was built before is left alone."""


def _loaded() -> ModuleType | None:
    if os.environ.get(semconv.ENV_PURE_PYTHON, "").lower() in {"1", "true"}:
        return None
    try:
        found = importlib.import_module("agentnet_otel.sources.native._native")
    except ImportError:
        return None
    return found if getattr(found, "INTERFACE", 0) == INTERFACE else None


extension: Final = _loaded()
"""What is written in C; None where it was not built, or is not wanted."""
