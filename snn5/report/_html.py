"""The page: targets, tasks, then one section per phase. One file that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape

from snn5.report._css import CSS
from snn5.report._evidence import evidence
from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._targets import EQUAL_POINTS, Target, targets
from snn5.report._tasks import PHASES, TASKS, Task

_TITLE = "SNN5 roadmap v10.2: what is measured"


def page(results: Results, sections: Mapping[int, Sequence[Part]], images: Mapping[str, str]) -> str:
    """The whole page as HTML; `images` has the drawings by name."""
    body = [
        _header(results),
        _navigation(),
        '<h2 id="targets">The three targets <small lang="ja">三つの目標</small></h2>',
        '<div class="cards">' + "".join(map(_card, targets(results))) + "</div>",
        _tasks(results),
        *(_section(phase, results, parts, images) for phase, parts in sections.items()),
        _method(),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>{_TITLE}</title><style>{CSS}</style>"
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body>\n</html>\n"


def _header(results: Results) -> str:
    states = [task.state(results) for task in TASKS]
    names = sorted(
        {str(r.details["dataset"]) for stage, r in results.records.items() if stage.startswith("p7_data") and "dataset" in r.details}
    )
    data = f" Data: {escape(', '.join(names))}." if names else ""
    return (
        f"<header><h1>{_TITLE}</h1>"
        f'<p class="lead">Of the roadmap’s {len(TASKS)} tasks, {states.count("measured")} are measured, {states.count("partly")} in part, '
        f"{states.count('not there yet')} are not there yet.{data} Every figure comes from the outputs of this project’s DVC stages; "
        "± is one standard deviation over seeds.</p></header>"
    )


def _navigation() -> str:
    links = [
        ("targets", "Targets"),
        ("tasks", "All tasks"),
        *((f"p{n}", f"P{n} {title}") for n, (title, _) in PHASES.items()),
        ("method", "How it was measured"),
    ]
    return "<nav>" + "".join(f'<a href="#{anchor}">{escape(text)}</a>' for anchor, text in links) + "</nav>"


def _card(target: Target) -> str:
    kind = "reached" if target.verdict == "reached" else "open"
    figure = escape(target.figure) if target.figure else '<span class="none">–</span>'
    notes = "".join(f"<li>{escape(note)}</li>" for note in target.notes).replace("CIFAR-10", "CIFAR&#8209;10")  # stays on one line
    return (
        f'<section class="card {kind}"><h3>{"①②③"[target.number - 1]} {escape(target.title)}</h3>'
        f'<p class="demand">{escape(target.demand)}</p>'
        f'<p class="verdict">{target.verdict}</p><p class="figure">{figure}</p><ul>{notes}</ul></section>'
    )


def _tasks(results: Results) -> str:
    rows = []
    for phase, (title, japanese) in PHASES.items():
        name = f'<a href="#p{phase}">P{phase} {escape(title)}</a> <span class="ja" lang="ja" style="display:inline">{japanese}</span>'
        rows.append(f'<tr class="phase"><td class="l" colspan="4">{name}</td></tr>')
        rows += [_task(task, results) for task in TASKS if task.phase == phase]
    head = "".join(f'<th class="l" scope="col">{text}</th>' for text in ("ID", "task", "state", "what was measured, and what it lacks"))
    return (
        f'<h2 id="tasks">The {len(TASKS)} tasks <small lang="ja">全タスク</small></h2>'
        f'<div class="scroll"><table class="tasks"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _task(task: Task, results: Results) -> str:
    state = task.state(results)
    kind = state.split()[0]
    said = escape(evidence(task, results))
    if state == "not there yet" and task.stage is not None:
        said = f'<span class="lacks">stage {escape(task.stage)} has no figures yet</span>'
    if state == "partly":
        said += f'<span class="lacks">lacks: {escape(task.lacks)}</span>'
    return (
        f'<tr><td class="l id">{task.id}</td><td class="l">{escape(task.title)}<span class="ja" lang="ja">{task.title_ja}</span></td>'
        f'<td class="l state {kind}"><span class="dot {kind}"></span>{state}</td><td class="l">{said}</td></tr>'
    )


def _section(phase: int, results: Results, parts: Sequence[Part], images: Mapping[str, str]) -> str:
    title, japanese = PHASES[phase]
    missing = [task for task in TASKS if task.phase == phase and task.state(results) == "not there yet"]
    text = [f'<section><h2 id="p{phase}">P{phase} {escape(title)} <small lang="ja">{japanese}</small></h2>']
    if missing:
        names = "; ".join(f"{task.id} {task.title}" for task in missing)
        text.append(f'<p class="note">Not there yet: {escape(names)}.</p>')
    return "".join([*text, *(_part(part, images) for part in parts), "</section>"])


def _part(part: Part, images: Mapping[str, str]) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Missing):
        return f'<p class="missing">{escape(part.title)}: {escape(part.reason)}.</p>'
    return _figure(part, images[part.name])


def _figure(drawing: Drawing, image: str) -> str:
    link = f'<a href="{drawing.name}.png">PNG</a>'
    return f"<figure>{image}<figcaption>{escape(drawing.reading)} {link}</figcaption></figure>"


def _table(table: Table) -> str:
    def cells(tag: str, texts: Sequence[str]) -> str:
        opened = [f'<{tag} class="l"' if i < table.left else f"<{tag}" for i in range(len(texts))]
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(f"{head}{scope}>{escape(text)}</{tag}>" for head, text in zip(opened, texts, strict=True))

    marks = [' class="marked"' if i == table.marked else "" for i in range(len(table.rows))]
    rows = "".join(f"<tr{mark}>{cells('td', row)}</tr>" for mark, row in zip(marks, table.rows, strict=True))
    narrow = ' class="narrow"' if len(table.columns) <= 3 else ""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll"><table{narrow}><caption>{escape(table.title)}</caption><thead><tr>{cells("th", table.columns)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{note}"
    )


def _method() -> str:
    notes = (
        "Accuracies are on test samples that no choice has seen: epochs, strengths and thresholds are chosen on validation, never on "
        "test. n is the number of test samples; with n = 450, one sample is 0.2 points.",
        "Seeds share one split of the data: ± says how far training varies, not how far another test set would.",
        "Energy is a convention for comparing networks (FP32 at 45 nm, Horowitz 2014), not a measurement of a chip. A multiply-accumulate "
        "costs 4.6 pJ, an addition 0.9 pJ; the figure with memory adds an access for every operand, on both sides.",
        f"Equal accuracy means: at most {EQUAL_POINTS:.1f} points below the ANN. The dense ANN multiplies its zeros, as most chips do; "
        "the zero-skipping ANN does not, and is the harder rival.",
        "“Partly” means that the figure is there and the roadmap asks for more, named in the row. “Not there yet” means that no stage "
        "measures it.",
    )
    return '<section><h2 id="method">How it was measured</h2>' + "".join(f"<p>{note}</p>" for note in notes) + "</section>"
