"""Write the lock files, or with ``--check`` tell whether they are current.

``requirements.lock`` holds what the demo needs, ``requirements-dev.lock`` all the rest, ``requirements-agentnet.lock``
what the real AgentNet imports, ``deploy/bridge/requirements.lock`` what is in the bridge's image. All carry hashes and
no address of an index.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON = [
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-annotate",
    "--quiet",
    "--python-version=3.11",
    "--custom-compile-command=make lock",
]
LOCKS = {
    "requirements.lock": ["pyproject.toml", "--extra=cli", "--extra=zstd", "--group=build"],
    "requirements-dev.lock": ["pyproject.toml", "--all-extras", "--group=dev", "--constraint=requirements.lock"],
    "deploy/bridge/requirements.lock": [
        "pyproject.toml",
        *("--extra=cli", "--extra=prices", "--extra=service", "--extra=zstd", "--group=build"),
        "--constraint=requirements-dev.lock",
    ],
    "tests/e2e/kubernetes/requirements.lock": ["--group=pyproject.toml:kubernetes"],
    "requirements-agentnet.lock": ["--group=pyproject.toml:agentnet", "--constraint=requirements-dev.lock"],
}


def compile_locks(folder: Path) -> None:
    """Resolve in ``folder``, keeping the versions of the locks that lie there."""
    uv = Path(sys.executable).with_name("uv")
    for name, options in LOCKS.items():
        subprocess.run([uv, "pip", "compile", *COMMON, *options, f"--output-file={name}"], cwd=folder, check=True)


def main() -> int:
    """Write or check."""
    if "--check" not in sys.argv[1:]:
        compile_locks(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("pyproject.toml", *LOCKS):
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
        compile_locks(Path(folder))
        stale = [name for name in LOCKS if (ROOT / name).read_text() != (Path(folder) / name).read_text()]
    if stale:
        print(f"not current: {', '.join(stale)}. Run `make lock` and commit the result.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
