"""The workflow and the pre-commit hooks: the versions, the targets and the checks are those of the project."""

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workflow():
    """The workflow file."""
    return yaml.YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")


@pytest.fixture(scope="module")
def project():
    """The table `project` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def steps(workflow):
    """All steps with the job that they are in."""
    return [(name, step) for name, job in workflow["jobs"].items() for step in job["steps"]]


def commands(workflow):
    """All lines that are run."""
    return [line.strip() for _, step in steps(workflow) for line in step.get("run", "").splitlines()]


def versions_of(classifiers):
    """The Python versions that classifiers name."""
    prefix = "Programming Language :: Python :: 3."
    return [name.removeprefix("Programming Language :: Python :: ") for name in classifiers if name.startswith(prefix)]


def test_the_matrix_is_the_classifiers(workflow, project):
    """Classifiers, workflow and `make test` have the same versions; the first is the lowest allowed one."""
    classified = versions_of(project["classifiers"])
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == classified
    assert list(runpy.run_path(str(ROOT / "tools" / "run_tests.py"))["SUPPORTED"]) == classified
    assert project["requires-python"] == f">={classified[0]}"
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["mypy"]["python_version"] == classified[0]
    assert tools["ruff"]["target-version"] == "py" + classified[0].replace(".", "")


def test_each_target_that_is_called_exists(workflow):
    """`make` is called with targets of the Makefile; check, test, lowest, e2e and fuzz all are."""
    called = {word for line in commands(workflow) if line.startswith("make ") for word in line.split()[1:]}
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert called <= targets
    assert {"check", "test", "lowest", "e2e", "fuzz"} <= called
    local = set(re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert local <= called


def test_the_wheel_is_tested_and_not_the_checkout(workflow):
    """The job of the matrix takes the wheel, removes the folder of the package, and only then runs the tests."""
    lines = [line.strip() for step in workflow["jobs"]["tests"]["steps"] for line in step.get("run", "").splitlines()]
    order = ["rm -r agentnet_otel", "pip install --quiet --no-deps dist/*.whl", "pytest"]
    places = [next(place for place, line in enumerate(lines) if word in line) for word in order]
    assert places == sorted(places)
    assert workflow["jobs"]["tests"]["needs"] == workflow["jobs"]["smoke"]["needs"] == "wheel"
    assert not any("checkout" in step.get("uses", "") for step in workflow["jobs"]["smoke"]["steps"])


def test_the_workflow_can_do_no_harm(workflow):
    """It may only read, every action has a version, every job an end."""
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())
    assert all(0 < job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for _, step in steps(workflow) if "uses" in step)
    assert "secrets." not in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_the_hooks_are_the_checks():
    """What `make check` runs, the hooks run, with the same tools; each entry exists."""
    hooks = yaml.YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    entries = {shlex.split(hook["entry"])[0].rpartition("/")[2] for hook in hooks}
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert entries == set(re.findall(r"\$\(BIN\)/([\w-]+)", recipe))
    scripts = set(re.findall(r"tools/\w+\.py", recipe))
    assert scripts == {word for hook in hooks for word in shlex.split(hook["entry"]) if word.startswith("tools/")}
    assert all((ROOT / script).exists() for script in scripts)


def test_the_hooks_are_a_valid_configuration():
    """pre-commit takes the file."""
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
