"""Pages in the Chromium of the system, driven by Playwright; what they say and ask for is written down."""

import os
import shutil
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Watched:
    """A page, and what it did: messages of the console, errors, dialogs, requests beyond the page itself."""

    page: object
    said: list = field(default_factory=list)
    asked_for: list = field(default_factory=list)

    def violations(self):
        """What axe finds against the rules of accessibility."""
        found = Axe().run(self.page).response["violations"]
        return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]

    def sideways(self):
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture(scope="session")
def browser():
    """Chromium, once for all tests of pages."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        why = "there is no Chromium on the path (on Debian: apt-get install chromium)"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser):
    """Opens an address in a window of a width, light or dark, with or without script."""
    contexts = []

    def opened(address, *, width=1280, mode="light", script=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=mode, java_script_enabled=script, bypass_csp=False
        )
        contexts.append(context)
        watched = Watched(context.new_page())
        page = watched.page
        page.on("console", lambda message: watched.said.append(message.text))
        page.on("pageerror", lambda error: watched.said.append(str(error)))
        page.on("dialog", lambda dialog: (watched.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url != address and watched.asked_for.append(request.url))
        page.goto(address)
        return watched

    yield opened
    for context in contexts:
        context.close()
