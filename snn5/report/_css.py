"""The page's style sheet: light, one accent colour, dark where the reader's system is, and fit to print."""

CSS = """
:root { --ink: #22262b; --soft: #5d656d; --line: #dfe3e6; --accent: #0f5f8a; --tint: #eef4f8; --paper: #ffffff; --card: #ffffff; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0 auto; padding: 3rem 1.5rem 5rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Hiragino Sans", "Noto Sans CJK JP", "Yu Gothic",
  sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 3.5rem 0 .2rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h2 small, h3 small { font-weight: 400; color: var(--soft); font-size: .8em; margin-left: .5em; }
h3 { font-size: 1rem; margin: 2rem 0 .4rem; }
p { max-width: 46rem; margin: .5rem 0; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.lead { color: var(--soft); font-size: 1.05rem; }
nav { margin: 2rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; font-size: .92rem; }
.cards { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; margin: 1.6rem 0 0; }
.card { border: 1px solid var(--line); border-top: 3px solid var(--soft); border-radius: 6px; padding: 1rem 1.1rem 1.1rem;
  background: var(--card); }
.card.reached { border-top-color: var(--accent); }
.card h3 { margin: 0; font-size: .95rem; }
.card .demand { color: var(--soft); font-size: .86rem; margin: .15rem 0 .8rem; min-height: 2.6em; }
.card .verdict { font-weight: 650; margin: 0; } .card.reached .verdict { color: var(--accent); }
.card .figure { font-size: 1.75rem; line-height: 1.2; margin: .1rem 0 .6rem; font-variant-numeric: tabular-nums; min-height: 1.2em; }
.card .none { color: var(--soft); }
.card ul { margin: 0; padding: 0; list-style: none; font-size: .84rem; color: var(--soft); } .card li { margin-top: .35rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; margin: .4rem 0 .3rem; }
table.narrow { width: auto; min-width: 22rem; }
caption { text-align: left; font-weight: 650; font-size: 1rem; padding: 1.6rem 0 .4rem; }
th { font-weight: 500; color: var(--soft); text-align: right; vertical-align: bottom; padding: .35rem .6rem;
  border-bottom: 1px solid var(--soft); line-height: 1.3; }
td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
th.l, td.l { text-align: left; } th:first-child, td:first-child { padding-left: .3rem; }
tr.marked td { background: var(--tint); font-weight: 600; }
.note { font-size: .84rem; color: var(--soft); margin: .2rem 0 0; }
.tasks { min-width: 44rem; } .tasks td { white-space: normal; } .tasks td.id, .tasks td.state { white-space: nowrap; }
.tasks tr.phase td { padding-top: 1.1rem; font-weight: 650; }
.tasks .ja { color: var(--soft); font-size: .9em; display: block; } .tasks .lacks { color: var(--soft); display: block; }
.dot { display: inline-block; width: .72em; height: .72em; border-radius: 50%; border: 1.5px solid var(--accent); margin-right: .5em; }
.dot.measured { background: var(--accent); } .dot.partly { background: linear-gradient(90deg, var(--accent) 50%, transparent 50%); }
.dot.not { border-color: var(--soft); } .state.not { color: var(--soft); }
figure { margin: 1.8rem 0 0; } figure svg { display: block; width: 100%; max-width: 52rem; height: auto; background: #fff; }
figcaption { max-width: 46rem; font-size: .92rem; margin-top: .5rem; } figcaption a { font-size: .85em; color: var(--soft); }
.missing { border-left: 3px solid var(--line); padding: .2rem 0 .2rem .9rem; color: var(--soft); margin: 1.2rem 0; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .86rem; }
@media (max-width: 46rem) {
  .cards { grid-template-columns: 1fr; } .card .demand, .card .figure { min-height: 0; } body { padding-top: 1.5rem; }
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --soft: #9aa3ac; --line: #343a40; --accent: #6fb6dd; --tint: #1d2a33; --paper: #15181b; --card: #1a1e22; }
  figure svg { border-radius: 6px; }
}
@media print {
  @page { margin: 16mm 14mm; }
  :root { --ink: #000; --soft: #444; --line: #ccc; --accent: #0f5f8a; --tint: #eef4f8; --paper: #fff; --card: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav, figcaption a { display: none; }
  h2, h3, caption { break-after: avoid; } figure, tr, .card, table:not(.tasks) { break-inside: avoid; } h2 { margin-top: 2rem; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; } .tasks { min-width: 0; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()
