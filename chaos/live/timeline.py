"""What was done to the regions and when, and what they said of themselves meanwhile."""

import collections
import threading
import time


class Timeline:
    """Bars (a fault from its beginning to its end) and marks (a moment). Times are seconds since the beginning."""

    def __init__(self):
        self.began_ns, self.bars, self.marks, self.lock = time.monotonic_ns(), [], [], threading.Lock()

    def now(self):
        return (time.monotonic_ns() - self.began_ns) / 1e9

    def begin(self, kind, name, text, region=None):
        """A fault begins; one of the same name that is under way ends."""
        with self.lock:
            self._end(name)
            self.bars.append({"kind": kind, "name": name, "text": text, "region": region, "from": self.now(), "to": None})

    def _end(self, name):
        for bar in self.bars:
            if bar["to"] is None and (bar["name"] == name or bar["name"].startswith(name + " ")):
                bar["to"] = self.now()

    def end(self, name):
        """The fault of that name ends, and those whose name begins with it and a space."""
        with self.lock:
            self._end(name)

    def mark(self, kind, text, region=None):
        with self.lock:
            self.marks.append({"kind": kind, "text": text, "region": region, "at": self.now()})

    def close(self):
        with self.lock:
            for bar in self.bars:
                if bar["to"] is None:
                    bar["to"] = self.now()


class Sampler(threading.Thread):
    """Asks one region for its status, again and again."""

    PAUSE = 0.7

    def __init__(self, region, timeline):
        super().__init__(daemon=True)
        self.region, self.timeline = region, timeline
        self.samples, self.stopping = [], threading.Event()

    def run(self):
        while not self.stopping.wait(self.PAUSE):
            at = self.timeline.now()
            status = self.region.status() if self.region.running("api") and "api" not in self.region.paused else None
            if status is None:
                self.samples.append({"at": at, "up": False})
                continue
            replicator = status.get("replicator") or {}
            lags = {link["region"]: link.get("behind_ms") for link in replicator.get("links") or []}
            behind = [link.get("behind_records") or 0 for link in replicator.get("links") or []]
            known = [lag for lag in lags.values() if lag is not None]
            self.samples.append({
                "at": at, "up": True, "writable": bool(status.get("may_write")), "conflicts": status.get("conflicts", 0),
                "lag_ms": max(known) if known and replicator.get("running") else None, "behind": sum(behind),
                "links_up": sum(1 for link in replicator.get("links") or [] if link.get("state") == "up"),
                "held": sum(1 for origin in replicator.get("origins") or [] if origin.get("state") == "held"),
            })  # fmt: skip

    def stop(self):
        self.stopping.set()


def per_second(ops, began_ns, seconds):
    """Per region and second: acknowledged operations, median and greatest latency (ms), answers that were failures."""
    buckets = collections.defaultdict(lambda: [{"ok": 0, "bad": 0, "ms": []} for _ in range(int(seconds) + 2)])
    for op in ops:
        if op.end == float("inf"):
            at, kind = op.call, "bad"
        else:
            at, kind = op.end, "ok" if op.outcome == "ok" or op.why == "condition" else "bad"
        slot = int((at - began_ns) / 1e9)
        row = buckets[op.region]
        if 0 <= slot < len(row):
            row[slot][kind] += 1
            if kind == "ok":
                row[slot]["ms"].append((op.end - op.call) / 1e6)
    return {
        region: [
            {"ok": one["ok"], "bad": one["bad"], "p50": sorted(one["ms"])[len(one["ms"]) // 2] if one["ms"] else None,
             "max": max(one["ms"]) if one["ms"] else None}
            for one in rows
        ]
        for region, rows in buckets.items()
    }  # fmt: skip
