"""Prometheus' text format 0.0.4, read strictly: what no scraper should have to forgive is an error."""

import http.client
import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\Z)')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z")
TYPE_OF_CONTENT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """types: family -> type; samples: (name, frozenset of label pairs) -> value."""

    def __init__(self):
        self.types, self.samples = {}, {}

    def get(self, name, **labels):
        """The one sample of that name with at least these labels; None: there is none."""
        wanted = set(labels.items())
        found = [value for (n, have), value in self.samples.items() if n == name and wanted <= have]
        assert len(found) <= 1, f"{name}{labels} is not one sample: {found}"
        return found[0] if found else None

    def all(self, name, **labels):
        wanted = set(labels.items())
        return {have: value for (n, have), value in self.samples.items() if n == name and wanted <= have}


def labels_of(text):
    pairs, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels: {text[at:]!r} in {text!r}"
        value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        pairs.append((match[1], value))
        at = match.end()
        assert match[3] != "," or at < len(text), f"a comma at the end: {text!r}"
    assert len({name for name, _ in pairs}) == len(pairs), f"a label twice: {text!r}"
    return frozenset(pairs)


def family_of(name, types, current):
    for suffix in ("_bucket", "_sum", "_count"):
        if current and types[current] == "histogram" and name == current + suffix:
            return current
    return name


def check_histograms(metrics):
    for family, kind in metrics.types.items():
        if kind != "histogram":
            continue
        series = {}
        for labels, value in metrics.all(family + "_bucket").items():
            rest = frozenset(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
        assert set(series) == set(metrics.all(family + "_count")) == set(metrics.all(family + "_sum")), family
        for labels, buckets in series.items():
            buckets.sort()
            assert buckets[-1][0] == math.inf, (family, labels)
            counts = [count for _, count in buckets]
            assert counts == sorted(counts), f"{family}{set(labels)}: buckets fall: {counts}"
            assert counts[-1] == metrics.all(family + "_count")[labels], (family, labels)


def parse(text):
    assert text.endswith("\n")
    metrics, current, helped = Metrics(), None, set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert NAME.match(name) and words and name not in helped, line
            helped.add(name)
            current = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in metrics.types, line
            assert kind in ("counter", "gauge", "histogram"), line
            assert kind != "counter" or name.endswith("_total"), line
            metrics.types[name] = kind
            current = name
        else:
            match = SAMPLE.match(line)
            assert match, line
            assert family_of(match[1], metrics.types, current) == current, f"not within its family: {line}"
            key = (match[1], labels_of(match[2] or ""))
            assert key not in metrics.samples, f"twice: {line}"
            value = float(match[3])
            assert metrics.types[current] == "gauge" or value >= 0, line
            metrics.samples[key] = value
    check_histograms(metrics)
    return metrics


def scrape(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        assert answer.headers["Content-Type"] == TYPE_OF_CONTENT
        return parse(body.decode())
    finally:
        connection.close()
