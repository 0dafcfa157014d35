"""How the HTML report looks: light and dark, on paper, on a phone; and what its script does.

Colours have a contrast of at least 3 to the page (texts 4.5) in both modes, and stay apart for the colour-blind.
"""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #565e6a; --line: #d5dae1; --page: #ffffff; --band: #f3f5f8;
  --link: #0b57c2; --bar: #2f6fc4; --good: #12652f; --warn: #7a4b00; --bad: #a8161b;
  --good-band: #e0f3e6; --warn-band: #fdeecd; --bad-band: #fce1e1; --warn-bar: #b87503; --bad-bar: #c43d3d;
  --c1: #0072b2; --c2: #d55e00; --c3: #00875f; --c4: #b0479a; --c5: #7d6b00; --c6: #332288; --c7: #7b838f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --soft: #a5aebb; --line: #39414d; --page: #14171b;
  --band: #1d2127; --link: #8ab6ff; --bar: #5b93e6; --good: #7fdc9d; --warn: #f3c566; --bad: #ff9a9a;
  --good-band: #143322; --warn-band: #3b2e0d; --bad-band: #431a1c; --warn-bar: #d39a2d; --bad-bar: #e06666;
  --c1: #56b4e9; --c2: #f08a3c; --c3: #2bc49a; --c4: #e39ac7; --c5: #d9c64b; --c6: #a99cf0; --c7: #98a1ae; } }
* { box-sizing: border-box; }
html { scroll-padding-top: .5rem; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p, ul, ol { margin: .5rem 0; max-width: 60rem; }
li { margin: .25rem 0; }
.lead { color: var(--soft); }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0 0; padding: 0;
  list-style: none; font-size: .9rem; }
nav li { margin: 0; }
.skip { position: absolute; left: -100vw; } .skip:focus { left: .5rem; top: .5rem;
  background: var(--page); padding: .5rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.wide { width: fit-content; max-width: 100%; overflow-x: auto; margin: .75rem 0; border: 1px solid var(--line);
  border-radius: 6px; }
table { border-collapse: collapse; width: max-content; min-width: 18rem; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
thead { background: var(--band); }
th { font-weight: 600; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 500; white-space: normal; max-width: 22rem; overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; }
td.text { max-width: 34rem; overflow-wrap: anywhere; }
table.stacked { width: auto; } table.stacked tbody th { min-width: 9rem; }
.stacked td.text > span { white-space: normal; }
.bar { display: block; height: .8rem; margin-top: .3rem; border-radius: 2px; background: var(--bar); }
td.bars { width: 24rem; }
.good, .warn, .bad, .muted { display: inline-block; padding: 0 .45rem; border-radius: 4px; font-weight: 600; }
.good { color: var(--good); background: var(--good-band); }
.warn { color: var(--warn); background: var(--warn-band); }
.bad { color: var(--bad); background: var(--bad-band); }
.muted { color: var(--soft); background: var(--band); }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 3px solid var(--link); }
th button::after { content: "\\2195"; color: var(--soft); opacity: .7; margin-left: .3rem; }
th[aria-sort="ascending"] button::after { content: "\\2191"; opacity: 1; }
th[aria-sort="descending"] button::after { content: "\\2193"; opacity: 1; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-top: .75rem; font-size: .9rem;
  color: var(--soft); }
.filter input { font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--soft);
  border-radius: 4px; padding: .2rem .5rem; max-width: 100%; }
figure { margin: 1.25rem 0; max-width: 52rem; }
figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .25rem; }
summary { cursor: pointer; color: var(--link); font-size: .9rem; width: fit-content; }
details { margin-top: .25rem; }
svg { display: block; overflow: visible; }
figure > svg.plot { width: calc(100% - 4.75rem); margin: 3.25rem 1rem 2.75rem 3.75rem; }
figure > svg.plot.named { width: calc(100% - 7.25rem); margin-right: 3.5rem; margin-top: 2rem; }
svg.rows { width: 100%; margin: .5rem 0; }
svg text { font-size: 12px; fill: var(--ink); font-variant-numeric: tabular-nums; unicode-bidi: isolate; }
svg text.name { font-weight: 600; } svg text.soft { fill: var(--soft); }
svg text.end { text-anchor: end; } svg text.middle { text-anchor: middle; }
svg text.warn { fill: var(--warn); } svg text.bad { fill: var(--bad); }
svg text.halo { paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round; }
svg text.inside { fill: var(--page); font-weight: 600; }
svg text.t0 { fill: var(--c2); font-weight: 600; } svg text.t1 { fill: var(--c1); font-weight: 600; }
.bin { fill: var(--bar); } .bin.warn { fill: var(--warn-bar); } .bin.bad { fill: var(--bad-bar); }
rect.bin, rect.part { stroke: var(--page); stroke-width: 1px; }
.track { fill: var(--band); } line.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.limit { stroke-dasharray: 5 4; stroke-width: 1.5px; } .limit.warn { stroke: var(--warn); }
.limit.bad { stroke: var(--bad); }
.whisker { stroke: var(--bar); stroke-width: 2px; } .dot { fill: var(--bar); stroke: var(--bar); stroke-width: 2px; }
.dot.hollow { fill: var(--page); }
.line { fill: none; stroke-width: 2px; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.line.l0 { stroke: var(--c2); stroke-dasharray: 6 3; } .line.l1 { stroke: var(--c1); }
.point.l0 { fill: var(--c2); } .point.l1 { fill: var(--c1); }
.c-inference { fill: var(--c1); background: var(--c1); } .c-tool_execution { fill: var(--c2); background: var(--c2); }
.c-memory_access { fill: var(--c3); background: var(--c3); } .c-policy_check { fill: var(--c4); background: var(--c4); }
.c-response_processing { fill: var(--c5); background: var(--c5); }
.c-orchestration { fill: var(--c6); background: var(--c6); } .c-unattributed { fill: var(--c7); background: var(--c7); }
.legend { display: flex; flex-wrap: wrap; gap: .15rem .9rem; padding: 0; list-style: none; font-size: .85rem; }
.legend li { margin: 0; display: flex; align-items: center; gap: .35rem; }
.swatch { width: .8rem; height: .8rem; border-radius: 2px; }
div.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .75rem 2rem; }
figure.broad { max-width: none; }
@media (max-width: 40rem) { main { padding: 1rem .75rem 3rem; } h1 { font-size: 1.4rem; }
  th, td { padding: .35rem .5rem; } td.bars { width: 8rem; }
  .stacked, .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block; width: auto; border: 0; }
  .stacked thead { display: none; } .stacked tr + tr { border-top: 1px solid var(--line); }
  .stacked tbody th { font-weight: 600; padding-bottom: 0; max-width: none; }
  .stacked td, .stacked td.number { display: flex; justify-content: space-between; gap: 1rem; text-align: right;
    padding: .1rem .5rem; max-width: none; white-space: normal; }
  .stacked td::before { content: attr(data-head); color: var(--soft); } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #333; --line: #999; --page: #fff; --band: #eee;
  --link: #000; --good: #12652f; --warn: #7a4b00; --bad: #a8161b; --bar: #2f6fc4;
  --warn-bar: #b87503; --bad-bar: #c43d3d;
  --good-band: #e0f3e6; --warn-band: #fdeecd; --bad-band: #fce1e1;
  --c1: #0072b2; --c2: #d55e00; --c3: #00875f; --c4: #b0479a; --c5: #7d6b00; --c6: #332288; --c7: #7b838f; }
  main { max-width: none; padding: 0; } h2, h3 { break-after: avoid; } tr, figure, svg { break-inside: avoid; }
  .wide { overflow: visible; border: 0; } table { font-size: .7rem; } thead { display: table-header-group; }
  th, td { padding: .2rem .4rem; } nav, .filter, .skip { display: none; } th button::after { content: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { color: inherit; list-style: none; }
  .bar, .good, .warn, .bad, .muted, .swatch, svg { print-color-adjust: exact; } }
"""

SCRIPT: Final = """
(() => {
  const value = (row, place) => {
    const cell = row.cells[place];
    const number = Number(cell.dataset.value);
    return cell.dataset.value && !Number.isNaN(number) ? number : cell.textContent.trim().toLowerCase();
  };
  const order = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
  for (const table of document.querySelectorAll("main table")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (rows.length < 3) continue;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (head.tagName !== "TH") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")] ?? "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        const sorted = [...rows];
        if (next) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          sorted.sort((a, b) => sign * order(value(a, place), value(b, place)));
        }
        body.append(...sorted);
      });
    });
    if (rows.length < 8) continue;
    const label = document.createElement("label");
    label.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    const told = document.createElement("span");
    told.setAttribute("role", "status");
    label.append("Filter", input, told);
    table.parentElement.before(label);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
      }
      told.textContent = wanted ? `${shown} of ${rows.length} rows` : "";
    });
  }
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
"""
