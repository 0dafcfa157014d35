"""Take the pictures of the report and of the local page that stand in the README, docs/reports.md and docs/serve.md.

Needs Chromium on the path, and runs the demo for what is shown.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
PAGE_SHOTS = (
    ("page-turns.png", "light", 1000, 900, "/"),
    ("page-turn-dark.png", "dark", 1000, 900, "/?agent=planner"),
    ("page-phone.png", "light", 390, 800, "/"),
)
"""Name, mode, width and height of the window, and the path; of the second the first turn there is opened."""
Mode = Literal["light", "dark"]


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
        with viewing(Path(folder) / "spans.jsonl") as address:
            sizes += [take_page(browser, address, *shot) for shot in PAGE_SHOTS]
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


def take(browser: Browser, page: Path, name: str, mode: Mode, width: int, height: int, top: str) -> int:
    """One picture; its size in bytes."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=mode)
    shown = context.new_page()
    shown.goto(page.as_uri())
    shown.eval_on_selector(top, "one => one.scrollIntoView()")
    return kept(context, shown, name)


def take_page(browser: Browser, address: str, name: str, mode: Mode, width: int, height: int, path: str) -> int:
    """One picture of the local page; its size in bytes."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=mode)
    shown = context.new_page()
    shown.goto(address + path)
    if "turn-" in name:
        shown.locator("a[href^='/turn']").first.click()
        shown.wait_for_url("**/turn?**")
    return kept(context, shown, name)


def kept(context: BrowserContext, shown: Page, name: str) -> int:
    """Keep what is shown; its size in bytes."""
    data = shown.screenshot(path=FOLDER / name)
    context.close()
    print(f"{name}: {len(data):,} bytes")
    return len(data)


@contextmanager
def viewing(spans: Path) -> Iterator[str]:
    """The address of `view` on a file, without the last slash."""
    command = [sys.executable, "-m", "agentnet_otel", "view", str(spans), "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield str(process.stdout and process.stdout.readline()).strip().rstrip("/")
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
