"""What all pages have in common: where one can go, how they look, and the script that keeps a list of turns fresh."""

from collections.abc import Iterable
from html import escape
from typing import Final

from agentnet_otel.outputs.reports.html_report import page_of, policy_of
from agentnet_otel.outputs.reports.html_style import STYLE

LIST_PATH: Final = "/"
TURN_PATH: Final = "/turn"
REPORT_PATH: Final = "/report"
EVENTS_PATH: Final = "/events"
_PLACES: Final = ((LIST_PATH, "Turns"), (REPORT_PATH, "Report"))

_MORE_STYLE: Final = """
header { border-bottom: 1px solid var(--line); background: var(--band); }
header nav { max-width: 72rem; margin: 0 auto; padding: .5rem 1.25rem; display: flex; flex-wrap: wrap;
  gap: .25rem 1.25rem; align-items: baseline; }
header strong { margin-right: auto; }
[aria-current] { font-weight: 600; color: var(--ink); text-decoration: none; }
form.filters { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; margin: 1.25rem 0 .5rem;
  font-size: .9rem; }
form.filters label { display: flex; flex-direction: column; gap: .15rem; color: var(--soft); }
form.filters input, form.filters select, form.filters button { font: inherit; color: var(--ink);
  background: var(--page); border: 1px solid var(--soft); border-radius: 4px; padding: .3rem .55rem;
  min-height: 2.1rem; }
form.filters input { width: 11rem; max-width: 100%; } form.filters input[type="number"] { width: 8rem; }
form.filters button { background: var(--link); border-color: var(--link); color: var(--page); font-weight: 600;
  cursor: pointer; }
#status { color: var(--soft); font-size: .9rem; min-height: 1.4rem; }
@media (max-width: 40rem) { header nav { padding: .5rem .75rem; }
  form.filters label, form.filters input, form.filters select { width: 100%; }
  form.filters input[type="number"] { width: 100%; } }
@media print { header, form.filters, #status { display: none; } }
"""

LIVE_SCRIPT: Final = """
(() => {
  const region = document.getElementById("live");
  const status = document.getElementById("status");
  if (!region || !region.dataset.events) return;
  let source, stale = false, busy = false;
  const tell = (text) => { if (status.textContent !== text) status.textContent = text; };
  const refresh = async () => {
    if (busy || !stale) return;
    if (region.contains(document.activeElement)) {
      tell("There is news; it is shown when the focus leaves the list.");
      return;
    }
    busy = true;
    stale = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      region.replaceChildren(...page.getElementById("live").childNodes);
      tell("Live: new turns show up by themselves.");
    } catch {
      stale = true;
      tell("The server does not answer. Trying again.");
      setTimeout(refresh, 3000);
    } finally { busy = false; }
    if (stale) setTimeout(refresh, 500);
  };
  const listen = () => {
    source = new EventSource(region.dataset.events);
    source.addEventListener("open", () => tell("Live: new turns show up by themselves."));
    source.addEventListener("turns", (event) => {
      if (event.lastEventId === region.dataset.last) return;
      region.dataset.last = event.lastEventId;
      stale = true;
      refresh();
    });
    source.addEventListener("error", () => {
      tell("The server does not answer. Trying again.");
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    });
  };
  region.addEventListener("focusout", () => setTimeout(refresh, 0));
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  listen();
})();
"""

POLICY: Final = policy_of(LIVE_SCRIPT, asks=True)


def framed(title: str, body: Iterable[str], here: str) -> str:
    """A page of ours. ``here``: the path among the places that it is at."""
    return page_of(
        f"{title} - agentnet-otel",
        (f"<h1>{escape(title)}</h1>", *body),
        before=(
            "<header>",
            '<nav aria-label="Pages">',
            "<strong>agentnet-otel</strong>",
            *_places(here),
            "</nav>",
            "</header>",
        ),
        style=STYLE + _MORE_STYLE,
        script=LIVE_SCRIPT,
        policy=POLICY,
    )


def _places(here: str) -> Iterable[str]:
    for path, name in _PLACES:
        current = ' aria-current="page"' if path == here else ""
        yield f'<a href="{path}"{current}>{name}</a>'
