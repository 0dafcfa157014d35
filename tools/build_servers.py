"""Build the real servers that the end-to-end tests start, from source, and say where they are.

Each folder below tests/e2e/servers/ is a Go module that pins a server and all it needs by hash. What is built is kept
in ${XDG_CACHE_HOME:-~/.cache}/agentnet-otel/, under a name that those files make: only when one of them changes is it
built again. Prints a line for each program: its name, a space, its path.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).resolve().parent.parent / "tests" / "e2e" / "servers"
GO_AT_LEAST = (1, 26)


class BuildError(Exception):
    """A server cannot be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One module. ``programs``: package to build by name; ``generator``: a module whose program writes the sources.

    ``folders``: path in a module that is only read, by name.
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    generator: str | None = None
    generate: tuple[str, ...] = field(default=())


SERVERS = {
    "prometheus": Server(
        programs={
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
        },
        flags=("-tags", "remove_all_sd"),  # the clients of some twenty clouds: most of what there is to compile
    ),
    "alertmanager": Server(
        programs={
            "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
            "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
        }
    ),
    "builder": Server(programs={"builder": "go.opentelemetry.io/collector/cmd/builder"}),
    "collector": Server(
        programs={"otelcol": "."},
        generator="builder",
        generate=("--config", "manifest.yaml", "--skip-get-modules", "--skip-compilation"),
    ),
    "jaeger": Server(programs={"jaeger": "github.com/jaegertracing/jaeger/cmd/all-in-one"}),
    "kustomize": Server(programs={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"}),
    "compose": Server(folders={"compose-schema": ("github.com/compose-spec/compose-go/v2", "schema")}),
    "operator": Server(
        folders={"crds": ("github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd")}
    ),
}
PROGRAMS = {
    name: module
    for module, server in SERVERS.items()
    for name in (*server.programs, *server.folders)
    if module != "builder"
}


def cache() -> Path:
    """Where programs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentnet-otel" / "servers"


def folder_of(module: str) -> Path:
    """Where the programs of a module are, or will be; another one whenever what they are made from changes."""
    server, digest = SERVERS[module], hashlib.sha256()
    digest.update(
        repr((sorted(server.programs.items()), server.flags, server.generate, *sorted(server.folders.items()))).encode()
    )
    for name in (module, server.generator):
        for path in sorted((MODULES / name).iterdir()) if name else ():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return cache() / f"{module}-{digest.hexdigest()[:16]}"


def built(module: str) -> Path:
    """The folder with the programs of a module, which are built where they are missing.

    Raises:
        BuildError: there is no Go, or it failed.
    """
    folder = folder_of(module)
    if folder.is_dir():
        return folder
    go = usable_go()
    with alone(module):
        if not folder.is_dir():
            names = ", ".join((*SERVERS[module].programs, *SERVERS[module].folders))
            tell(f"building {names} (once; takes minutes)")
            with tempfile.TemporaryDirectory(dir=cache(), prefix=f".{module}-") as scratch:
                build(go, module, Path(scratch)).rename(folder)
    return folder


def usable_go() -> str:
    """The Go command.

    Raises:
        BuildError: it is missing or too old.
    """
    wanted = ".".join(map(str, GO_AT_LEAST))
    go = shutil.which("go")
    if go is None:
        message = f"go was not found: the servers are built from source. Install Go {wanted} or later (package golang)"
        raise BuildError(message)
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=MODULES).stdout
    found = re.match(r"go(\d+)\.(\d+)", told)
    if found and tuple(map(int, found.groups())) < GO_AT_LEAST:
        message = f"{go} is {told.strip()}: the servers need Go {wanted} or later"
        raise BuildError(message)
    return go


def build(go: str, module: str, scratch: Path) -> Path:
    """Build the programs of a module below ``scratch``; returns their folder."""
    server = SERVERS[module]
    source, programs = scratch / "source", scratch / "programs"
    shutil.copytree(MODULES / module, source)
    programs.mkdir()
    if server.generator is not None:
        run([built(server.generator) / server.generator, *server.generate], source)
    for program, package in server.programs.items():
        run([go, "build", *server.flags, "-ldflags=-s -w", "-o", programs / program, package], source)
    for name, (path, below) in server.folders.items():
        told = json.loads(run([go, "mod", "download", "-json", path], source))
        shutil.copytree(Path(told["Dir"], below), programs / name)
    return programs


def run(command: list[str | Path], folder: Path) -> str:
    """What a command says.

    Raises:
        BuildError: it failed; with what it said last.
    """
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-20:])
        message = f"`{' '.join(map(str, command))}` failed ({done.returncode}):\n{last}"
        raise BuildError(message)
    return done.stdout


@contextmanager
def alone(module: str) -> Iterator[None]:
    """Let no two processes build the same."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f".{module}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tell(text: str) -> None:
    """Say something to whoever waits."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Build what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="*", choices=[*PROGRAMS, []], help=f"one of {', '.join(PROGRAMS)}")
    for program in parser.parse_args().program or PROGRAMS:
        try:
            print(program, built(PROGRAMS[program]) / program, flush=True)
        except BuildError as error:
            print(f"{program} is not there: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
