"""The bare wheel, without any extra, in an environment of its own; and each extra that is missing says so."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from agentnet_otel.sources import native

UV = Path(sys.executable).with_name("uv")

APP = """
import sys
import agentnet_otel
from agentnet_otel.sources.rebuild import rebuild

handle = agentnet_otel.instrument(exporter="file:" + sys.argv[1])
with agentnet_otel.turn("planner") as turn, turn.component("inference") as call:
    call.record_tokens(input=1, output=2)
assert handle.report().startswith("# AgentNet Performance Report")
handle.shutdown()
(turn,) = rebuild([sys.argv[1]]).turns
assert turn.tokens.total == 3
"""


def run(*command, code=0):
    """Run a command; returns what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, request):
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    root = request.config.rootpath
    run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, root)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """An environment with the wheel and its core packages alone."""
    folder = tmp_path_factory.mktemp("bare")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, wheel)
    return folder / "bin"


@pytest.mark.slow
@pytest.mark.skipif(
    native.extension is None, reason="there is no compiler on this machine, or Python alone is asked for"
)
def test_the_wheel_has_what_is_written_in_c(wheel):
    """For this interpreter alone, and says so by its name."""
    with zipfile.ZipFile(wheel) as archive:
        built = [name for name in archive.namelist() if "_native" in name]
    assert built == ["agentnet_otel/sources/native/_native" + sysconfig.get_config_var("EXT_SUFFIX")]
    assert f"-cp{sys.version_info.major}{sys.version_info.minor}-" in wheel.name


@pytest.mark.slow
@pytest.mark.parametrize("without", [{"AGENTNET_OTEL_PURE_PYTHON": "1"}, {"PATH": "/nowhere"}])
def test_without_a_compiler_it_is_a_wheel_for_every_machine(without, tmp_path, request):
    """Be it that there is none, or that none is to be used."""
    command = [UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", tmp_path]
    done = subprocess.run(
        [*command, request.config.rootpath], env={**os.environ, **without}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("no C compiler that works" in done.stderr) == ("PATH" in without)
    (built,) = tmp_path.glob("*-py3-none-any.whl")
    with zipfile.ZipFile(built) as archive:
        assert not [name for name in archive.namelist() if "_native" in name]


@pytest.mark.slow
def test_the_wheel_holds_what_it_should(wheel):
    """Types, licence, entry points; no tests and no tools."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(n for n in names if n.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()
    assert "agentnet_otel/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "agentnet-otel = agentnet_otel.__main__:main" in text
    assert "agentnet = agentnet_otel.wiring:AgentNetInstrumentor" in text
    assert {name.split("/")[0].split("-")[0] for name in names} == {"agentnet_otel"}


@pytest.mark.slow
def test_the_library_works_without_extras(bare, tmp_path):
    """Turns, live reports, the file exporter and the reader need no extra."""
    script = tmp_path / "app.py"
    script.write_text(APP)
    run(bare / "python", "-W", "error", script, str(tmp_path / "spans.jsonl"))


@pytest.mark.slow
def test_a_missing_extra_is_one_sentence(bare, tmp_path):
    """The command line, YAML and zstd each name the line that brings them."""
    told = run(bare / "agentnet-otel", "doctor", code=1)
    assert told.count("\n") == 1
    assert "pip install 'agentnet-otel[cli]'" in told
    asks = {
        "cli": "from agentnet_otel.sources.threshold_file import read_thresholds as f; f('x')",
        "zstd": "from agentnet_otel.sources.compression import decompressed as f; import io;"
        "from agentnet_otel.sources.read_report import ReadReport;"
        "f(io.BytesIO(bytes.fromhex('28b52ffd') * 4), 'x', ReadReport())",
    }
    for extra, code in asks.items():
        program = f"try:\n    exec({json.dumps(code)})\nexcept Exception as e:\n    print(type(e).__name__, e)"
        told = run(bare / "python", "-c", program)
        assert told.startswith("MissingExtraError")
        assert f"pip install 'agentnet-otel[{extra}]'" in told
