# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the README: how many times as long as the servers themselves each program takes."""

import subprocess

COLORS = {"imapsync": "#26a269", "interimap": "#3584e4", "mbsync": "#e5a50a"}


def rows(results, names):
    for result in results.values():
        walls = {n: row["wall"]["median"] for n, row in result["programs"].items() if "wall" in row}
        if "limit" in walls:
            yield result["title"], [walls[n] / walls["limit"] if n in walls else None for n in names]


def draw(results, path):
    names = [n for n in COLORS if any("wall" in r["programs"].get(n, {}) for r in results.values())]
    lines = [f'"{title}" ' + " ".join("NaN" if v is None else f"{v:.3f}" for v in values)
             for title, values in rows(results, names)]  # fmt: skip
    plots = ", ".join(f"$data using {i + 2}:xtic(1) title '{n}' linecolor rgb '{COLORS[n]}'" for i, n in enumerate(names))
    script = "\n".join([
        "$data << EOD", *lines, "EOD",
        "set terminal svg size 1000,560 font 'sans,13' background '#ffffff'", f"set output '{path}'",
        "set title 'Time of one run; 1 is what the two servers themselves take'", "set style data histogram",
        "set style histogram clustered gap 1", "set style fill solid", "set boxwidth 0.9", "set logscale y 2",
        "set yrange [0.5:*]", "set grid ytics", "set key top left", "set xtics rotate by -35 font ',11'",
        "set rmargin 12", f"plot 1 notitle with lines linecolor rgb '#c01c28', {plots}",
    ])  # fmt: skip
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
