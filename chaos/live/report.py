"""The report of one run: one HTML file without anything from outside. Faults above, what the regions did below, on one axis of time."""

import html
import json

from checker import Checker

WIDTH, LEFT, RIGHT = 1000, 150, 20
KINDS = {
    "partition": ("#c0392b", "cut"), "network": ("#d68910", "network"), "process": ("#6c3483", "process"), "clock": ("#1f618d", "clock"),
    "disk": ("#7b5b3a", "disk"), "membership": ("#117864", "membership"), "clients": ("#5d6d7e", "clients"), "verdict": ("#1e8449", "verdict"),
}  # fmt: skip
REGION_COLORS = ["#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e", "#a6761d"]
BAR, ROW = 12, 15

STYLE = """
:root { --ink: #1c2833; --soft: #5d6d7e; --line: #d5d8dc; --ground: #fdfefe; --card: #f4f6f7; --good: #1e8449; --bad: #b03a2e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e8e8; --soft: #99a3a4; --line: #3b444c; --ground: #17202a; --card: #1f2a35; --good: #58d68d; --bad: #ec7063; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1040px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 26px 0 6px; } p { margin: 4px 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.counts { display: flex; flex-wrap: wrap; gap: 8px; margin: 12px 0; } .counts div { background: var(--card); border-radius: 6px; padding: 6px 12px; }
.counts b { display: block; font-size: 17px; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; display: block; } text { fill: var(--soft); font: 11px system-ui, sans-serif; } text.on { fill: #fff; font-size: 10px; }
text.name { fill: var(--ink); } .grid { stroke: var(--line); stroke-width: 1; } .cursor { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; visibility: hidden; }
pre { background: var(--card); padding: 10px; border-radius: 6px; overflow-x: auto; white-space: pre-wrap; } table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; } .key span { display: inline-block; margin-right: 14px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 5px; vertical-align: -1px; }
#at { position: sticky; top: 0; background: var(--card); border-radius: 6px; padding: 4px 10px; min-height: 20px; font-variant-numeric: tabular-nums; z-index: 1; }
"""

SCRIPT = """
const charts = [...document.querySelectorAll('svg[data-chart]')], out = document.getElementById('at'), rest = out.textContent;
function show(event) {
  const box = event.currentTarget.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * geometry.width;
  const t = (x - geometry.left) / (geometry.width - geometry.left - geometry.right) * seconds;
  if (t < 0 || t > seconds) return hide();
  for (const chart of charts) { const c = chart.querySelector('.cursor'); c.setAttribute('x1', x); c.setAttribute('x2', x); c.style.visibility = 'visible'; }
  const parts = series.map(s => { let v = null; for (const [at, value] of s.points) { if (at > t) break; v = value; }
    return v === null ? null : s.region + ' ' + s.name + ' ' + (Math.round(v * 10) / 10) + s.unit; }).filter(Boolean);
  out.textContent = t.toFixed(1) + ' s   ' + parts.join('   ');
}
function hide() { for (const chart of charts) chart.querySelector('.cursor').style.visibility = 'hidden'; out.textContent = rest; }
for (const chart of charts) { chart.addEventListener('mousemove', show); chart.addEventListener('mouseleave', hide); }
"""


def esc(text):
    return html.escape(str(text), quote=True)


class Axis:
    def __init__(self, seconds):
        self.seconds = max(seconds, 1.0)

    def x(self, at):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(at, 0), self.seconds) / self.seconds

    def ticks(self):
        step = next(step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200) if self.seconds / step <= 14 or step == 7200)
        at = 0
        while at <= self.seconds:
            yield at
            at += step

    def grid(self, height, labels):
        parts = []
        for at in self.ticks():
            x = self.x(at)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"/>')
            if labels:
                parts.append(f'<text x="{x + 3:.1f}" y="{height - 3}">{at} s</text>')
        parts.append(f'<line class="cursor" x1="0" x2="0" y1="0" y2="{height}"/>')
        return "".join(parts)


def svg(height, content):
    return f'<svg data-chart viewBox="0 0 {WIDTH} {height}" role="img">{content}</svg>'


def lanes(bars):
    """Bars that overlap lie below each other."""
    ends, placed = [], []
    for bar in sorted(bars, key=lambda bar: bar["from"]):
        for lane, end in enumerate(ends):
            if end <= bar["from"]:
                break
        else:
            lane = len(ends)
            ends.append(0)
        ends[lane] = bar["to"]
        placed.append((lane, bar))
    return placed, max(len(ends), 1)


def faults_chart(result, axis):
    regions = [*result.samples] or sorted({bar["region"] for bar in result.timeline.bars if bar["region"]})
    parts, y = [], 4
    for region in [*regions, None]:
        bars = [bar for bar in result.timeline.bars if bar["region"] == region]
        marks = [mark for mark in result.timeline.marks if mark["region"] == region]
        if region is None and not bars and not marks:
            continue
        placed, n = lanes(bars)
        parts.append(f'<text class="name" x="0" y="{y + 10}">{esc(region or "all")}</text>')
        for lane, bar in placed:
            x, width = axis.x(bar["from"]), max(axis.x(bar["to"]) - axis.x(bar["from"]), 2)
            top, color = y + lane * ROW, KINDS[bar["kind"]][0]
            tip = f"{bar['text']}, {bar['from']:.1f} s to {bar['to']:.1f} s"
            parts.append(f'<g><title>{esc(tip)}</title><rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2" fill="{color}"/>')
            room = int((width - 6) / 5.4)
            if room >= 6:
                text = bar["text"] if len(bar["text"]) <= room else bar["text"][: room - 1] + "…"
                parts.append(f'<text class="on" x="{x + 4:.1f}" y="{top + 9}">{esc(text)}</text>')
            parts.append("</g>")
        for mark in marks:
            x, top = axis.x(mark["at"]), y + n * ROW
            parts.append(
                f'<g><title>{esc(mark["text"])}, {mark["at"]:.1f} s</title><path d="M{x:.1f} {top - 1} l5 9 h-10 z" fill="{KINDS[mark["kind"]][0]}"/></g>'
            )
        y += n * ROW + (12 if marks else 2) + 6
        parts.append(f'<line class="grid" x1="0" x2="{WIDTH}" y1="{y - 3}" y2="{y - 3}"/>')
    return svg(y + 16, axis.grid(y + 16, True) + "".join(parts))


def line_chart(axis, series, height=86, floor=1.0):
    """`series`: [(region, color, [(t, value or None)])]. One scale for all; a gap where there is no value."""
    top = max([floor, *(value for _, _, points in series for _, value in points if value is not None)])
    parts = [axis.grid(height, False)]
    for share in (0, 0.5, 1):
        y = height - 6 - (height - 18) * share
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(top * share)}</text>')
    for _, color, points in series:
        path, pen = [], "M"
        for at, value in points:
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{axis.x(at):.1f} {height - 6 - (height - 18) * value / top:.1f}")
            pen = "L"
        parts.append(f'<path d="{" ".join(path)}" fill="none" stroke="{color}" stroke-width="1.6"/>')
    return svg(height, "".join(parts))


def _number(value):
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def page(result):
    axis = Axis(result.seconds)
    scenario = result.scenario
    regions = [*result.samples] or [*result.rates]
    colors = dict(zip(regions, REGION_COLORS))
    all_series, sections = [], []

    def chart(title, note, name, unit, of):
        series = []
        for region in regions:
            points = of(region)
            if points:
                series.append((region, colors[region], points))
                all_series.append({"region": region, "name": name, "unit": unit, "points": [[round(t, 1), round(v, 2)] for t, v in points if v is not None]})
        if series:
            sections.append(f'<h2>{esc(title)} <span class="soft">{esc(note)}</span></h2>{line_chart(axis, series)}')

    def rate(key):
        return lambda region: [(second + 0.5, row[key]) for second, row in enumerate(result.rates.get(region, [])) if second < result.seconds]

    def sample(key):
        return lambda region: [(one["at"], one.get(key)) for one in result.samples.get(region, [])]

    chart("Throughput", "operations answered per second, as clients saw it", "rate", "/s", rate("ok"))
    chart("Without a good answer", "operations per second that failed or got no answer", "failed", "/s", rate("bad"))
    chart("Latency", "median of each second, ms", "median", " ms", rate("p50"))
    chart("Lag", "how long a region has not had all that its peers have, ms (an upper bound; the worst link)", "lag", " ms", sample("lag_ms"))
    chart("Backlog", "records that its peers still have for it", "backlog", "", sample("behind"))
    chart("Conflicts", "logged by each region since the start", "conflicts", "", sample("conflicts"))

    verdict = '<span class="good">passed</span>' if result.passed else '<span class="bad">FAILED</span>'
    counts = "".join(f"<div><b>{value:,}</b>{esc(name)}</div>" for name, value in result.counts.items())
    broken = {rule for rule, _ in result.findings}
    checked = not result.failure or result.findings
    rules = "".join(
        f"<tr><td>{esc(rule)}</td><td>{esc(text)}</td><td>"
        + ('<b class="bad">broken</b>' if rule in broken else '<span class="good">holds</span>' if checked else '<span class="soft">not reached</span>')
        + "</td></tr>"
        for rule, text in Checker.RULES.items()
    )
    findings = "".join(f"<tr><td>{esc(rule)}</td><td>{esc(text)}</td></tr>" for rule, text in result.findings)
    events = sorted(
        [(bar["from"], bar["region"], f"{bar['text']} (until {bar['to']:.1f} s)") for bar in result.timeline.bars]
        + [(mark["at"], mark["region"], mark["text"]) for mark in result.timeline.marks],
        key=lambda event: event[0],
    )
    rows = "".join(f"<tr><td>{at:.1f} s</td><td>{esc(region or '')}</td><td>{esc(text)}</td></tr>" for at, region, text in events[:400])
    key = "".join(f'<span><i style="background:{color}"></i>{esc(text)}</span>' for color, text in KINDS.values())
    lines = "".join(f'<span><i style="background:{colors[region]}"></i>{esc(region)}</span>' for region in regions)
    left_out = f'<p class="bad">Left out, as the proxy cannot do it: {esc("; ".join(result.left_out))}</p>' if result.left_out else ""
    data = json.dumps({"series": all_series, "seconds": axis.seconds}, separators=(",", ":")).replace("</", "<\\/")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tidemark chaos: {esc(scenario.name)}</title><style>{STYLE}</style></head><body>
<h1>{esc(scenario.name)}: {verdict}</h1>
<p>{esc(scenario.about)}</p>
<p class="soft">seed {result.seed} · {scenario.regions} regions · {result.seconds:.0f} s · network: {esc(result.network)}</p>{left_out}
{f'<pre class="bad">{esc(result.failure)}</pre>' if result.failure else ""}
<div class="counts">{counts}</div>
<h2>Faults <span class="soft">bars: from beginning to end; triangles: moments. Point at one to read it</span></h2>
<p class="key">{key}</p><div id="at" class="soft">Point into a chart to read its values.</div>
{faults_chart(result, axis)}
<p class="key">{lines}</p>
{"".join(sections)}
<h2>What was checked</h2><table><tbody>{rules}</tbody></table>
{f'<h2 class="bad">Findings</h2><table><tbody>{findings}</tbody></table>' if findings else ""}
<details><summary>All events</summary><table><tbody>{rows}</tbody></table></details>
<details><summary>The scenario</summary><pre>{esc(scenario.text)}</pre></details>
<script>const {{series, seconds}} = {data}, geometry = {{width: {WIDTH}, left: {LEFT}, right: {RIGHT}}};{SCRIPT}</script>
</body></html>
"""
