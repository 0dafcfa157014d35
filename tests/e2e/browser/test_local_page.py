"""The local page as people use it: in Chromium, light and dark, on a phone, a tablet and a desk, while turns arrive."""

import sys
from pathlib import Path

import pytest

from agentnet_otel.model import Turn

sys.path.insert(0, str(Path(__file__).parents[2] / "service"))

from serve_process import starting
from turn_requests import batch

HOSTILE = "<img src=x onerror=\"document.title='taken'\">\u202e'\"&"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A process of `serve` that has some turns."""
    with starting(tmp_path_factory.mktemp("page")) as start:
        process = start()
        for begin, agent in ((1, "planner"), (1000, HOSTILE)):
            process.post(batch(*range(begin, begin + 130), agent=agent).SerializeToString())
        process.turns(at_least=260)
        yield process


def outside(seen, address):
    """Requests to anywhere else."""
    return [url for url in seen.asked_for if not url.startswith(address)]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 834, 1280])
def test_the_pages_are_accessible_and_quiet(served, visit, width, mode):
    """No message, no request to others, nothing against the rules of axe, nothing to scroll sideways."""
    address = f"http://{served.web}"
    for path in ("/", "/?agent=planner&min_ms=1", "/?outcome=error"):
        seen = visit(address + path, width=width, mode=mode)
        assert seen.violations() == []
        assert seen.said == []
        assert outside(seen, address) == []
        assert seen.sideways() == 0
    seen.page.goto(address)
    seen.page.locator("a[href^='/turn']").first.click()
    seen.page.wait_for_url("**/turn?**")
    assert seen.violations() == []
    assert seen.said == []
    assert seen.sideways() == 0
    assert seen.page.title() != "taken"


def test_new_turns_show_up_by_themselves(served, visit):
    """A turn that arrives is on the page soon, without a reload; what is typed in the filter stays."""
    seen = visit(f"http://{served.web}/")
    seen.page.get_by_role("combobox", name="Agent").fill("half a na")
    served.post(batch(50_001, agent="newcomer").SerializeToString())
    seen.page.locator("#live th", has_text="newcomer").wait_for(timeout=60_000)
    assert seen.page.get_by_role("combobox", name="Agent").input_value() == "half a na"
    assert "Live" in seen.page.locator("#status").inner_text()
    assert seen.said == []


def test_it_works_without_script(served, visit):
    """Filters, pages and turns are forms and links."""
    page = visit(f"http://{served.web}/", script=False).page
    page.get_by_role("combobox", name="Agent").fill("planner")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("#live table").last.locator("tbody tr")
    assert rows.count() == 100
    assert set(rows.locator("th").all_inner_texts()) == {"planner"}
    page.get_by_role("link", name="Older turns").click()
    assert page.locator("#live table").last.locator("tbody tr").count() == 30
    page.locator("a[href^='/turn']").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "Turn of planner"
    page.get_by_role("link", name="Report").click()
    assert "AgentNet Performance Report" in page.get_by_role("heading", level=1).inner_text()


def test_it_is_used_by_keyboard(served, visit):
    """Tab leads from the filter to the turns; while the focus is in the list it is not changed."""
    page = visit(f"http://{served.web}/").page
    page.get_by_role("combobox", name="Agent").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Show"
    page.locator("a[href^='/turn']").first.focus()
    served.post(batch(60_001, agent="later").SerializeToString())
    page.get_by_text("There is news").wait_for(timeout=60_000)
    assert page.evaluate("document.activeElement.getAttribute('href')").startswith("/turn")
    page.evaluate("document.activeElement.blur()")
    page.locator("#live th", has_text="later").wait_for(timeout=60_000)


def test_it_survives_a_restart(visit, tmp_path):
    """While the server is away the page says so; when it is back the page goes on by itself."""
    with starting(tmp_path) as start:
        process = start()
        address = process.web
        process.post(batch(1, agent="before").SerializeToString())
        process.turns(at_least=1)
        seen = visit(f"http://{address}/")
        seen.page.get_by_text("Live").wait_for(timeout=60_000)
        assert process.stop() == 0
        seen.page.get_by_text("does not answer").wait_for(timeout=60_000)
        process = start("--web", address, store=process.store)
        process.post(batch(2, agent="after").SerializeToString())
        seen.page.locator("#live th", has_text="after").wait_for(timeout=60_000)


def test_ten_thousand_turns_stay_fluent(browser, tmp_path):
    """A page has a hundred turns however many there are."""
    from agentnet_otel.core.thresholds import ThresholdTable  # noqa: PLC0415 - of this test alone
    from agentnet_otel.model import Outcome  # noqa: PLC0415 - of this test alone
    from agentnet_otel.service.answers import Query  # noqa: PLC0415 - of this test alone
    from agentnet_otel.service.local_page import LocalPage  # noqa: PLC0415 - of this test alone
    from agentnet_otel.service.view import HeldTurns  # noqa: PLC0415 - of this test alone

    turns = [
        Turn(turn_id=f"t{n}", trace_id=f"{n:032x}", span_id=f"{n:016x}", agent=f"a{n % 7}", start_ns=10**18,
             end_ns=10**18 + n, outcome=Outcome.SUCCESS)
        for n in range(10_000)
    ]  # fmt: skip
    held = HeldTurns(turns)
    path = tmp_path / "page.html"
    path.write_bytes(LocalPage(lambda: held, ThresholdTable(), live=False).turns(Query()).body)
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator("#live table").last.locator("tbody tr").count() == 100
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    page.close()
