"""What may stand in our files, and where."""

import ast
import inspect
import re
import subprocess
from pathlib import Path

import pytest

import agentnet_otel
from agentnet_otel import semconv

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(agentnet_otel.__file__).parent
STANDIN = ROOT / "tests" / "agentnet" / "standin"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "semconv.py")

HOSTS = {
    "github.com",
    "keepachangelog.com",
    "semver.org",
    "opentelemetry.io",
    "json-schema.org",
    "www.apache.org",
    "127.0.0.1",
    "localhost",
}
"""Hosts that our files may name, besides single words and those under example.com and the like."""
METHODS = {"chat", "plan", "retrieval", "embeddings", "execute_tool"}
"""Operations of the conventions that are common words, or names of AgentNet's methods."""
RESERVED = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|org|net))?|test|invalid)$")
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.$~}/-])/(?:home|Users|root|work|workspace|mnt)/\w"),
    "an e-mail address": re.compile(r"\b[\w.+-]+@(?!v\d)[\w-]+\.[a-z]{2,}\b"),
    "an option with an index": re.compile(r"(?:--(?:extra-)?index-url|--find-links|--trusted-host)[ =]\S"),
}
URL = re.compile(r"\b(?:https?|grpc|jaeger\+http)://(?:[^\s/@]+@)?(\[[\da-f:]+\]|[\w.-]+)")


def tracked():
    """Every text file of the checkout that is not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:  # an unpacked archive
        paths = [path for path in ROOT.rglob("*") if not {".venv", ".venvs", "__pycache__"} & set(path.parts)]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def literals(path):
    """String literals of a module with their lines, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def is_module(text):
    """Whether it is the dotted name of one of AgentNet's modules, or of the package that ours stands in for."""
    if text.startswith("agentnet.performance"):
        return True
    path = STANDIN.joinpath(*text.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_keys_and_names_stand_in_semconv_alone(path):
    """No literal of another module is, or begins like, an attribute, event, metric or span name."""
    dotted = {value for value in vars(semconv).values() if isinstance(value, str) and "." in value}
    operations = {value for name, value in vars(semconv).items() if name.startswith("OP_")} - METHODS
    found = [
        (line, text)
        for line, text in literals(path)
        if text in dotted
        or text.partition(" ")[0] in operations
        or any(not is_module(name) for name in re.findall(r"\b(?:agentnet|gen_ai)\.[a-z][\w.]*\w", text))
    ]
    assert not found


def test_every_constant_of_semconv_is_used():
    """A name that nothing reads or writes does not stay."""
    used = " ".join(path.read_text(encoding="utf-8") for path in (*MODULES, PACKAGE / "semconv.py"))
    constants = [name for name in vars(semconv) if name.isupper()]
    assert [name for name in constants if len(re.findall(rf"\b{name}\b", used)) < 2] == []


def test_no_constant_of_semconv_stands_for_two_things():
    """Two names for one attribute, metric or unit would drift."""
    texts = {name: value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}
    ours = {name: value for name, value in texts.items() if value.startswith(("agentnet.", "gen_ai."))}
    keys = [value for name, value in ours.items() if not name.startswith("METRIC_")]
    metrics = [value for name, value in ours.items() if name.startswith("METRIC_")]
    assert len(keys) == len(set(keys))
    assert len(metrics) == len(set(metrics))


def test_the_public_names_are_sorted_few_and_all():
    """`__all__` is sorted, has at most 15 names, each is there, and nothing else public is visible."""
    names = agentnet_otel.__all__
    assert names == sorted(names, key=str)
    assert len(names) == len(set(names)) <= 15
    namespace = {}
    exec("from agentnet_otel import *", namespace)  # noqa: S102 - what a star gives is the question
    assert set(names) == set(namespace) - {"__builtins__"}
    assert set(names) <= set(dir(agentnet_otel))
    visible = {
        name
        for name, value in vars(agentnet_otel).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in {"TYPE_CHECKING", "Any"}
    }
    assert visible <= set(names)
    assert all(inspect.getdoc(getattr(agentnet_otel, name)) for name in names if not name.startswith("__"))
    with pytest.raises(AttributeError, match="nothing"):
        _ = agentnet_otel.nothing


def test_no_file_tells_of_a_machine_an_index_or_a_person():
    """Tracked files, locks included, hold no machine path, no e-mail address, no index and no unknown host."""
    found = []
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            found += [f"{where}: {what}" for what, pattern in FORBIDDEN.items() if pattern.search(line)]
            hosts = {host.strip("[]").lower() for host in URL.findall(line)}
            found += [
                f"{where}: {host}"
                for host in hosts - HOSTS
                if "." in host.replace("..", "") and not RESERVED.search(host)
            ]
    assert not found


def test_the_lock_files_name_packages_and_nothing_else():
    """Each line is a pinned package, a hash or a remark of the compiler: no address, no path, no option."""
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) == 3
    line = re.compile(r"#.*|[a-z0-9-]+(\[[\w,-]+\])?==[\w.+!-]+( ; [^/@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    for lock in locks:
        assert [text for text in lock.read_text().splitlines() if not line.fullmatch(text)] == []


def test_what_runs_leave_behind_is_ignored(tmp_path):
    """No file of ours is ignored, and what tests, demo, benchmarks and tools write is."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # noqa: S607 - git, wherever it is
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())

    def ignored(names):
        command = ["git", "-C", str(tmp_path), "check-ignore", "--stdin"]
        text = "\n".join(names)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout.splitlines()

    assert ignored([str(path.relative_to(ROOT)) for path in tracked()]) == []
    left = [".venv/x", ".venvs/x", "demo-out/x", "benchmark_results/x", "performance_reports/x", "cost_logs/x"]
    left += ["sessions/x", ".coverage.host.1", "dist/x.whl", ".hypothesis/x", "agentnet_otel/__pycache__/x.pyc"]
    left += ["agentnet_otel.egg-info/x", ".mypy_cache/x", ".ruff_cache/x", ".pytest_cache/x", ".import_linter_cache/x"]
    assert ignored(left) == left


ROOMS_OF_AGENTNET = ("instrumentation/hooks/", "performance/installation.py", "performance/sessions.py", "demo/")
IMPORTERS = {"import_module", "__import__", "find_spec"}


def imported_by_name(path):
    """The names that a module imports by a call, as far as they are written in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        node.target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in IMPORTERS:
            for argument in node.args:
                for part in ast.walk(argument):
                    yield constants.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None)


def test_only_the_rooms_of_agentnet_import_it_by_name():
    """What import-linter cannot see: an import by a call, with the name in a text or a constant."""
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if any(isinstance(name, str) and name.split(".")[0] == "agentnet" for name in imported_by_name(path))
    }
    assert [user for user in users if not user.startswith(ROOMS_OF_AGENTNET)] == []
    assert {"instrumentation/hooks/presence.py", "demo/framework.py", "performance/sessions.py"} <= users
