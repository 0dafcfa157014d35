"""Make a recording anew: ``python tests/recordings/workload/make.py LIBRARY...`` (all without a name).

In an environment of its own, with exactly the packages of its ``requirements.txt`` (or ``package-lock.json``), the
library's script runs beside `model_and_receiver`; what it exported is scrubbed of this machine and cut to what facts
need, and becomes its ``spans.jsonl``. Token counts and structure are the same each time; ids and times are not.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDINGS = HERE.parent
ENVIRONMENTS = RECORDINGS.parent.parent / ".venvs" / "recordings"
LONGEST_TEXT = 160
"""Characters of an attribute that is no JSON with figures."""
KEPT_RESOURCE = ("service.name", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version")
KEPT_WHOLE = re.compile(r"usage|cost|metadata$", re.IGNORECASE)
PATHS = re.compile(r"(?<![\w:/])/(?:root|home|tmp|work|usr|opt|var)/[^\s\"'\\,)\]}]*")
LOOPBACK = re.compile(r"127\.0\.0\.1:\d+")
SECONDS = 300

Json = dict[str, Any]


def main() -> None:
    """Record what is named, else everything."""
    names = sys.argv[1:] or sorted(path.parent.name for path in RECORDINGS.glob("*/record.*"))
    for name in names:
        folder = RECORDINGS / name
        spans = record(folder)
        (folder / "spans.jsonl").write_text("".join(json.dumps(line) + "\n" for line in spans), encoding="utf-8")
        print(f"{name}: {sum(1 for line in spans for _ in spans_of(line))} spans")


def record(folder: Path) -> list[Json]:
    """Run a library's script, and return what it exported."""
    command = prepared(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch:
        sink = Path(scratch) / "received.jsonl"
        server = [sys.executable, str(HERE / "model_and_receiver.py"), str(port), str(sink)]
        with subprocess.Popen(server) as running:
            try:
                wait_for(port)
                subprocess.run(
                    command,
                    cwd=scratch if folder.joinpath("record.py").exists() else command_folder(folder),
                    env=environment(port),
                    check=True,
                    timeout=SECONDS,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                time.sleep(0.5)
            finally:
                running.terminate()
        return [scrubbed(json.loads(line)) for line in sink.read_text(encoding="utf-8").splitlines()]


def command_folder(folder: Path) -> Path:
    """Where a library's environment is."""
    return ENVIRONMENTS / folder.name


def prepared(folder: Path) -> list[str]:
    """The command that records, with its environment made."""
    home = command_folder(folder)
    if (folder / "record.py").exists():
        if not home.exists():
            uv = Path(sys.executable).parent / "uv"
            subprocess.run([uv, "venv", "--quiet", "--python", interpreter(), home], check=True)
            install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", home / "bin" / "python"]
            subprocess.run([*install, "-r", folder / "requirements.txt"], check=True)
        return [str(home / "bin" / "python"), str(folder / "record.py")]
    if not (home / "node_modules").exists():
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, home / name)
        subprocess.run(["npm", "ci", "--silent"], cwd=home, check=True)  # noqa: S607 - npm is looked for on the path
    shutil.copy(folder / "record.mjs", home / "record.mjs")
    return ["node", "record.mjs"]


def interpreter() -> Path:
    """A Python that the pinned packages support (3.12 or later): the one that runs this, else one of pyenv's."""
    if sys.version_info >= (3, 12):
        return Path(sys.executable)
    found = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python3"))
    if not found:
        raise SystemExit("the pinned packages need Python 3.12 or later: run this with one")
    return found[0]


def environment(port: int) -> dict[str, str]:
    """Where the model and the receiver are."""
    url = f"http://127.0.0.1:{port}"
    return {
        **os.environ,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{url}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "RECORDING_URL": url,
    }


def wait_for(port: int) -> None:
    """Until the server listens."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the model and receiver did not start")


def spans_of(request: Json) -> Any:
    """The spans of a request."""
    return (s for rs in request["resourceSpans"] for ss in rs["scopeSpans"] for s in ss["spans"])


def scrubbed(request: Json) -> Json:
    """A request without what is of this machine, and without long texts."""
    for resource_spans in request["resourceSpans"]:
        resource = resource_spans.get("resource", {})
        resource["attributes"] = [a for a in resource.get("attributes", []) if a["key"] in KEPT_RESOURCE]
    for span in spans_of(request):
        for holder in (span, *span.get("events", []), *span.get("links", [])):
            holder["attributes"] = [attribute(a) for a in holder.get("attributes", [])]
        if "message" in span.get("status", {}):
            span["status"]["message"] = text(span["status"]["message"], LONGEST_TEXT)
    return request


def attribute(pair: Json) -> Json:
    """An attribute, cut."""
    key = pair["key"]
    if key == "exception.stacktrace":
        return {"key": key, "value": {"stringValue": "removed"}}
    if key == "server.port":
        return {"key": key, "value": {"intValue": "8000"}}
    longest = sys.maxsize if KEPT_WHOLE.search(key) else LONGEST_TEXT
    return {"key": key, "value": value_of(pair["value"], longest)}


def value_of(value: Json, longest: int) -> Json:
    """A value, cut."""
    if "stringValue" in value:
        return {"stringValue": text(value["stringValue"], longest)}
    if "arrayValue" in value:
        return {"arrayValue": {"values": [value_of(v, longest) for v in value["arrayValue"].get("values", [])]}}
    return value


def text(written: str, longest: int) -> str:
    """A text without paths of this machine, cut."""
    clean = LOOPBACK.sub("127.0.0.1:8000", PATHS.sub("/removed", written))
    return clean if len(clean) <= longest else clean[:longest] + " (cut)"


if __name__ == "__main__":
    main()
