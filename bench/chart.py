"""Bars of ratios as SVG: how many times better than the base, on a logarithmic axis with a line at 1x.

Always: readable on light and on dark ground (a page may be dark where the reader's system is light, so the colours are in
between and the ground is transparent), and the same bytes for the same figures.  Not here: which figures are drawn (`page.py`)."""
import math
from xml.sax.saxutils import escape

WIDTH, VALUES, TOP, BOTTOM, LETTER = 820, 64, 48, 28, 7
THICK, GAP = 14, 8
STYLE = """text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#6e7781}.title{font-size:14px;font-weight:600}.value{font-size:11px}
.grid{stroke:#8b949e;stroke-opacity:.35}.one{stroke:#6e7781;stroke-width:1.5}.goal{stroke:#bf8700;stroke-width:2}
.b0{fill:#2f9e7a}.b1{fill:#5b8def}.b2{fill:#8b949e}.worse{fill:#d1553f}"""


def bars(title, rows, series):
    """rows: [(label, {series: ratio}, goal or None)]; series: their names, in the order of the bars"""
    ratios = [r for _, by, _ in rows for r in by.values()] + [goal for _, _, goal in rows if goal]
    low, high = min([1] + ratios) / 1.15, max([2] + ratios) * 1.15
    span = math.log(high / low)
    left = LETTER * max(len(label) for label, _, _ in rows) + 20
    x = lambda ratio: left + (WIDTH - left - VALUES) * math.log(ratio / low) / span
    heights = [max(1, sum(s in by for s in series)) * THICK for _, by, _ in rows]
    bottom = TOP + sum(heights) + GAP * len(rows)
    out = [text("title", 0, 16, title), legend(series, any(goal for _, _, goal in rows))]
    for tick in ticks(low, high):
        out.append(line("grid", x(tick), TOP - 6, bottom))
        out.append(text("value", x(tick), bottom + 16, ratio_text(tick), "middle"))
    y = TOP
    for (label, by, goal), height in zip(rows, heights):
        out.append(text("", left - 10, y + height / 2 + 4, label, "end"))
        for number, name in enumerate(s for s in series if s in by):
            out.append(bar(x(1), x(by[name]), y + number * THICK, "worse" if by[name] < 1 else "b%d" % min(series.index(name), 2), by[name]))
        if goal:
            out.append(line("goal", x(goal), y - 2, y + height + 2))
        y += height + GAP
    out.append(line("one", x(1), TOP - 6, bottom))
    return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">\n<title>%s</title>\n<style>%s</style>\n%s\n</svg>\n' % (
        WIDTH, bottom + BOTTOM, WIDTH, bottom + BOTTOM, escape(title), STYLE, "\n".join(out))


def bar(one, end, y, kind, ratio):
    shape = '<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2"/>' % (kind, min(one, end), y + 1, max(1, abs(end - one)), THICK - 2)
    return shape + text("value", max(one, end) + 5, y + THICK - 3, ratio_text(ratio))


def legend(series, goals):
    words, x = [], 0
    for number, name in enumerate(series):
        words.append('<rect class="b%d" x="%d" y="25" width="10" height="10" rx="2"/>' % (min(number, 2), x) + text("value", x + 14, 34, name))
        x += 30 + LETTER * len(name)
    if goals:
        words.append(line("goal", x + 4, 24, 36) + text("value", x + 12, 34, "wanted"))
    return "".join(words)


def ticks(low, high):
    """1, 10, 100 ..., and 2 and 5 between them where there is room"""
    between = (1, 2, 5) if high / low < 300 else (1,)
    found = [m * 10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in between]
    return [t for t in found if low <= t <= high]


def ratio_text(ratio):
    return ("%.0fx" if ratio >= 10 else "%.1fx" if ratio >= 1 else "%.2gx") % ratio if ratio != int(ratio) else "%dx" % ratio


def text(kind, x, y, words, anchor="start"):
    return '<text%s x="%.1f" y="%.1f" text-anchor="%s">%s</text>' % (' class="%s"' % kind if kind else "", x, y, anchor, escape(words))


def line(kind, x, top, bottom):
    return '<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>' % (kind, x, x, top, bottom)
