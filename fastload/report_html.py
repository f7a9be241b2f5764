"""Results and plans as HTML: fragments for notebooks, pages of one file."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from fastload import report
from fastload.wording import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastload.model import Plan, TablePlan
    from fastload.report import CopyResult, Progress, TableResult
    from fastload.verification.result import VerifyResult

_DIFFERENCES = 100
# Colours follow the reader's scheme; everything is scoped, since notebooks share one page.
_STYLE = """<style>
.fastload{font:14px/1.45 system-ui,sans-serif;color:CanvasText;max-width:70em}
.fastload h1{font-size:1.5em;margin:0 0 .3em}.fastload h2{font-size:1.1em;margin:1.4em 0 .3em}
.fastload table{border-collapse:collapse;margin:.6em 0}
.fastload th,.fastload td{padding:.25em .8em;text-align:left;vertical-align:top;
 border-bottom:1px solid color-mix(in srgb,CanvasText 18%,transparent)}
.fastload .n{text-align:right;font-variant-numeric:tabular-nums}
.fastload .bar{background:color-mix(in srgb,#3b82f6 22%,transparent);min-width:9em}
.fastload .fill{background:#3b82f6;height:.9em}
.fastload .warn{border-left:4px solid #d97706;padding:.2em .8em;margin:.6em 0}
.fastload .dim{opacity:.7}
</style>"""


def result_fragment(result: CopyResult) -> str:
    """Return a result for a notebook's cell."""
    parts = [
        f"<p><b>{report.copied(result)}</b>; run <code>{escape(result.run)}</code></p>",
        _paragraph(report.earlier_line(result)),
        _warning(result),
        _result_table(result.tables),
        _list("Rejected rows", report.rejected_lines(result)),
        _list("Values that became NULL", report.nulled_lines(result)),
        _list("Values may lose", result.losses),
        _list("Not carried", report.not_carried_lines(result.not_carried)),
        _list("Notes", result.notes),
        _list("Verified", str(result.verification).splitlines() if result.verification else []),
    ]
    return _wrapped(parts)


def result_page(result: CopyResult) -> str:
    """Return a result as a page of one file."""
    return page(f"fastload: run {result.run}", [result_fragment(result)])


def plan_fragment(plan: Plan) -> str:
    """Return a plan for a notebook's cell."""
    ends = f"{escape(plan.source)} → {escape(plan.target)}"
    how = f"mode {escape(plan.mode)}, {escape(report.guarantee(plan.guarantee))}"
    parts = [
        f"<p>run <code>{escape(plan.run)}</code>: {ends}, {how}</p>",
        table(
            ("table", "rows, about", "size", "partitions", "route", "why"),
            [_plan_row(t) for t in plan.tables],
            numeric=(1, 2, 3),
        ),
        _list("Values may lose", plan.losses),
        _list("Not carried", report.not_carried_lines(plan.not_carried)),
        _list("Notes", plan.notes),
        _list("Before the rows", [s.title for s in plan.before]),
        _list("After the rows", [s.title for s in plan.after]),
    ]
    return _wrapped(parts)


def check_fragment(result: VerifyResult) -> str:
    """Return a comparison for a notebook's cell."""
    from fastload.verification.result import summary, table_line

    parts = [
        f"<p><b>{escape(summary(result))}</b></p>",
        table(
            ("table", "rows of the source", "of the target", "found"),
            [(t.title, f"{t.rows:,}", f"{t.rows_target:,}", table_line(t)) for t in result.tables],
            numeric=(1, 2),
        ),
        _list("Differences", result.differences[:_DIFFERENCES]),
        _list("Not compared", result.not_compared),
        _list("Values may lose", result.losses),
        _list("Not one consistent state", [d for d in [result.inconsistent_because] if d]),
    ]
    return _wrapped(parts)


def progress_fragment(progress: Progress) -> str:
    """Return a progress snapshot for a notebook's cell."""
    width = 100 * (1.0 if progress.phase == "done" else progress.fraction or 0.0)
    bar = f'<div class="bar"><div class="fill" style="width:{width:.1f}%"></div></div>'
    return _wrapped([bar, f"<p>{escape(report.progress_line(progress))}</p>"])


def page(title: str, fragments: Iterable[str]) -> str:
    """Return a whole page around fragments; nothing in it is loaded from elsewhere."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title></head><body>\n"
        f'<div class="fastload"><h1>{escape(title)}</h1></div>\n'
        + "\n".join(fragments)
        + "\n</body></html>\n"
    )


def table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = ()
) -> str:
    """Return a table of escaped cells; columns in ``numeric`` stand to the right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        kinds = [' class="n"' if i in numeric else "" for i in range(len(cells))]
        return "".join(f"<{tag}{k}>{escape(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True))

    body = "".join(f"<tr>{line('td', row)}</tr>\n" for row in rows)
    return f"<table><tr>{line('th', titles)}</tr>\n{body}</table>"


def wrapped_table(
    title: str, titles: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = ()
) -> str:
    """Return a titled table as a fragment of its own."""
    return _wrapped([f"<h2>{escape(title)}</h2>", table(titles, rows, numeric=numeric)])


def escape(text: str) -> str:
    """Return a line of text as HTML that shows all of its characters."""
    return html.escape(visible(text))


def _paragraph(text: str | None) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _wrapped(parts: Iterable[str]) -> str:
    return f'{_STYLE}<div class="fastload">' + "\n".join(p for p in parts if p) + "</div>"


def _warning(result: CopyResult) -> str:
    if result.consistent:
        return ""
    because = escape(result.inconsistent_because or "unknown")
    return f'<div class="warn">Not one consistent state of the source: {because}</div>'


def _result_table(tables: Sequence[TableResult]) -> str:
    rows = [
        (
            f"{t.name} → {t.target}" if t.target else t.name,
            f"{t.rows:,}",
            report.size(t.bytes),
            report.duration(t.seconds),
            str(t.partitions),
            t.route,
            t.why,
        )
        for t in tables
    ]
    titles = ("table", "rows", "size", "took", "partitions", "route", "why")
    return table(titles, rows, numeric=(1, 2, 3, 4))


def _plan_row(planned: TablePlan) -> tuple[str, ...]:
    source = planned.source
    return (
        report.table_title(planned),
        f"{source.rows:,}",
        report.size(source.bytes),
        str(max(1, len(planned.partitions))),
        planned.route,
        planned.why,
    )


def _list(title: str, items: Sequence[object]) -> str:
    if not items:
        return ""
    lines = "".join(f"<li>{escape(str(item))}</li>" for item in items)
    return f"<h2>{escape(title)}</h2><ul>{lines}</ul>"
