"""Take the pictures of the report that stand in the README and in docs/reports.md.

Needs Chromium on the path, and runs the demo for what is shown.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"
MAX_BYTES = 150_000
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHOTS = (
    ("report.png", "light", 900, 760, "body"),
    ("report-charts.png", "light", 900, 980, "#latency"),
    ("report-components-dark.png", "dark", 900, 700, "#components"),
    ("report-phone.png", "dark", 390, 800, "body"),
    ("report-slowest.png", "light", 900, 760, "#slowest-turns"),
)
"""Name, mode, width and height of the window, and what stands at its top."""


def main() -> int:
    """Run the demo, and take each picture; one that is too large is an error."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("there is no Chromium on the path", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = report_in(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        sizes = [take(browser, page, *shot) for shot in SHOTS]
        browser.close()
    return int(max(sizes) > MAX_BYTES)


def report_in(folder: Path) -> Path:
    """A report on turns of the demo."""
    command = [sys.executable, "-m", "agentnet_otel"]
    demo = ["demo", "--turns", "600", "--seed", "1", "--source", "builtin", "--out", str(folder), "-q"]
    subprocess.run([*command, *demo], check=True, stdout=subprocess.DEVNULL)
    path = folder / "page.html"
    link = "https://traces.example.com/trace/{trace_id}"
    spans = str(folder / "spans.jsonl")
    subprocess.run(
        [*command, "report", spans, "--format", "html", "--trace-url", link, "-o", str(path), "-q"], check=True
    )
    return path


def take(browser: Browser, page: Path, name: str, mode: str, width: int, height: int, top: str) -> int:
    """One picture; its size in bytes."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=mode)
    shown = context.new_page()
    shown.goto(page.as_uri())
    shown.eval_on_selector(top, "one => one.scrollIntoView()")
    data = shown.screenshot(path=FOLDER / name)
    context.close()
    print(f"{name}: {len(data):,} bytes")
    return len(data)


if __name__ == "__main__":
    sys.exit(main())
