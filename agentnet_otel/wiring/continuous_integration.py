"""Tells a CI server what a gate found: on GitHub Actions by itself, as JUnit XML where a file is named."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agentnet_otel.errors import BackendError, reason_of
from agentnet_otel.outputs.gate import Gate, annotations, junit, summary

_ON_GITHUB: Final = "GITHUB_ACTIONS"
_SUMMARY_FILE: Final = "GITHUB_STEP_SUMMARY"


def tell_ci(gate: Gate, junit_file: Path | None) -> Iterator[str]:
    """Write what is to be written, and give the lines that the server reads from the output.

    Raises:
        BackendError: a file cannot be written.
    """
    if junit_file is not None:
        _written(junit_file, junit(gate), append=False)
    summary_file = os.environ.get(_SUMMARY_FILE)
    if summary_file:
        _written(Path(summary_file), summary(gate), append=True)
    if os.environ.get(_ON_GITHUB) == "true":
        yield from annotations(gate)


def _written(path: Path, text: str, *, append: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"{path} cannot be written: {reason_of(error)}"
        raise BackendError(message) from None
