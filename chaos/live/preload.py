"""The other end of faults.c: the mapped file through which a running process's clock and disk are steered."""

import mmap
import struct
import time

FIELDS = (
    "offset_ns", "drift_ppm", "drift_from_ns", "frozen_ns", "fsync_us", "fsync_failures", "write_failures", "clock_reads", "fsyncs", "failures",
)  # fmt: skip
SIZE = 4096


class Faults:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(SIZE))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def __getitem__(self, field):
        return struct.unpack_from("<q", self.map, 8 * FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("<q", self.map, 8 * FIELDS.index(field), int(value))

    # --- the clock ---

    def now_ns(self):
        """What the process takes for the time."""
        if self["frozen_ns"]:
            return self["frozen_ns"]
        drift = (time.monotonic_ns() - self["drift_from_ns"]) * self["drift_ppm"] // 1_000_000 if self["drift_ppm"] else 0
        return time.time_ns() + self["offset_ns"] + drift

    def step(self, seconds):
        self["offset_ns"] = self["offset_ns"] + seconds * 1e9

    def rate(self, rate):
        self["drift_ppm"] = 0
        self["drift_from_ns"] = time.monotonic_ns()
        self["drift_ppm"] = (rate - 1) * 1_000_000

    def freeze(self):
        self["frozen_ns"] = self.now_ns()

    def true_clock(self):
        for field in ("frozen_ns", "drift_ppm", "offset_ns"):
            self[field] = 0

    # --- the disk ---

    def well(self):
        for field in ("fsync_us", "fsync_failures", "write_failures"):
            self[field] = 0
