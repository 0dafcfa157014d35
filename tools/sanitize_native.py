"""Runs the tests of what is written in C under the sanitizers for addresses and undefined behaviour (GCC, Linux).

What is built so goes into a copy of the package: the environment keeps what it has. The first finding ends it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools import build_native

ROOT: Final = Path(__file__).resolve().parent.parent
FLAGS: Final = (
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
)
LIBRARIES: Final = ("libasan.so", "libubsan.so")
TESTS: Final = ("tests/sources/native", "tests/sources/test_plain_json.py", "tests/sources/test_plain_protobuf.py")
LEFT_OUT: Final = "not memory and not long_texts"
"""The sanitizer keeps what is freed, so that memory grows by its doing."""


def build(folder: Path) -> None:
    """Compile the sources in a copy of the package for the sanitizers."""
    native = folder / build_native.FOLDER
    for built in native.glob(f"{build_native.NAME}*.so"):
        built.unlink()
    target = native / f"{build_native.NAME}{build_native.suffix()}"
    command = build_native.command(sorted(native.glob("*.c")), target)
    subprocess.run([*command, *FLAGS], check=True)


def library(name: str) -> str:
    """Where the compiler has a library."""
    compiler = shutil.which("gcc") or sys.exit("the sanitizers are those of gcc, which is not there")
    done = subprocess.run([compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main() -> int:
    """Build, and run the tests; gives their exit code."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("agentnet_otel", "tests"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "pyproject.toml", folder)
        build(folder)
        environment = {
            **os.environ,
            "LD_PRELOAD": " ".join(map(library, LIBRARIES)),
            "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself leaves much behind at its end
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": str(folder),
        }
        tests = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, "-k", LEFT_OUT)
        return subprocess.run(tests, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
