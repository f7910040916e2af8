#!/usr/bin/env python3
"""Draws side-by-side.svg from side-by-side.csv: one row a measure, two bars a row, less is better.

Run it again whenever the figures change: python3 docs/pictures/draw.py
"""
import csv
import html
import sys
from pathlib import Path

HERE = Path(__file__).parent
WIDTH, LABEL, FIGURE, ROW, TOP = 880, 330, 90, 62, 46
BARS = (("#9aa5b1", "#5c6773"), ("#d9480f", "#a33307"))
FONT = "font-family='-apple-system,Segoe UI,Helvetica,Arial,sans-serif'"


def read(path):
    """The note under the picture, the two names, and the rows that have both figures."""
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [line[len("# note:"):].strip() for line in lines if line.startswith("# note:")]
    table = list(csv.reader(line for line in lines if line and not line.startswith("#")))
    rows = [row for row in table[1:] if row[2].strip() and row[3].strip()]
    return " ".join(notes), table[0][2:4], [(r[0], r[1], float(r[2]), float(r[3])) for r in rows]


def text(x, y, content, extra=""):
    return f"<text x='{x}' y='{y}' {FONT} font-size='14' fill='#5c6773' {extra}>{html.escape(content)}</text>"


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(y, row):
    measure, unit, *values = row
    room = WIDTH - LABEL - FIGURE - 20
    parts = [text(LABEL - 14, y + 27, measure, "text-anchor='end'")]
    for index, (value, (fill, ink)) in enumerate(zip(values, BARS)):
        width = max(2, room * value / max(values))
        top = y + 4 + index * 23
        parts.append(f"<rect x='{LABEL}' y='{top}' width='{width:.1f}' height='19' rx='2' fill='{fill}'/>")
        label = f"{shown(value)} {unit}"
        parts.append(text(LABEL + width + 8, top + 14.5, label, f"style='fill:{ink};font-weight:600'"))
    return parts


def draw(note, names, rows):
    height = TOP + ROW * len(rows) + 30
    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}'>",
             "<title>Side by side, less is better</title>",
             f"<rect width='{WIDTH}' height='{height}' rx='6' fill='#fbfbfa'/>"]
    x = LABEL
    for name, (fill, _) in zip(names, BARS):
        parts += [f"<rect x='{x}' y='16' width='14' height='14' rx='2' fill='{fill}'/>", text(x + 20, 28, name)]
        x += 150
    parts.append(text(WIDTH - 16, 28, "less is better", "text-anchor='end' font-style='italic'"))
    for index, row in enumerate(rows):
        parts += bars(TOP + ROW * index, row)
    parts.append(text(16, height - 12, note, "style='font-size:12px'"))
    return "\n".join(parts + ["</svg>", ""])


def main():
    note, names, rows = read(HERE / "side-by-side.csv")
    if not rows:
        sys.exit("side-by-side.csv has no row with both figures yet: nothing to draw")
    (HERE / "side-by-side.svg").write_text(draw(note, names, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
