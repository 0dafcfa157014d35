"""Builds what is written in C, beside its source, when the package is built or installed for development.

It is no requirement: without a compiler the package is built without it, and what is there in Python is used. Set
AGENTNET_OTEL_PURE_PYTHON=1 to build the wheel that every machine can take.
"""

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER: Final = Path("agentnet_otel", "sources", "native")
NAME: Final = "_native"
ENV_PURE_PYTHON: Final = "AGENTNET_OTEL_PURE_PYTHON"


def command(sources: list[Path], target: Path) -> list[str]:
    """How this interpreter's own extensions are compiled and linked, in one step; [] where it does not tell."""
    told = {name: sysconfig.get_config_var(name) for name in ("LDSHARED", "CFLAGS", "CCSHARED")}
    if not told["LDSHARED"]:
        return []
    flags = [flag for name in ("LDSHARED", "CFLAGS", "CCSHARED") for flag in shlex.split(told[name] or "")]
    return [
        *flags,
        "-O3",
        "-Werror=implicit-function-declaration",
        f"-I{sysconfig.get_path('include')}",
        *map(str, sources),
        "-o",
        str(target),
    ]


def suffix() -> str:
    """How the file name of an extension of this interpreter ends."""
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def build(root: Path) -> Path | None:
    """The extension, built for this interpreter; None where that cannot be done.

    Built is a file of another name first: a process that has loaded the old one goes on with it.
    """
    folder = root / FOLDER
    target = folder / f"{NAME}{suffix()}"
    fresh = target.with_suffix(f".{os.getpid()}")
    arguments = command(sorted(folder.glob("*.c")), fresh)
    if not arguments:
        return None
    try:
        subprocess.run(arguments, check=True, capture_output=True)
        fresh.replace(target)
    except (OSError, subprocess.CalledProcessError):
        fresh.unlink(missing_ok=True)
        return None
    return target


class NativeBuildHook(BuildHookInterface[Any]):
    """Puts the extension into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build it, unless it is not wanted; without it the wheel is one for every machine."""
        del version
        if os.environ.get(ENV_PURE_PYTHON, "").lower() in {"1", "true"}:
            return
        built = build(Path(self.root))
        if built is None:
            self.app.display_warning("agentnet-otel: no C compiler that works; reading spans will be slower")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(f"/{built.relative_to(self.root)}")
