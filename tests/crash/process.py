"""One region's API process without peers: started, killed, and its folder damaged as a power cut would."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TIDEMARK_BIN") or ROOT / "build" / "release")
READY_SECONDS = 30
STOP_SECONDS = 60
FRAME_ALIGN = 8  # store/journal/segment_frame.h


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Api:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data, self.log = self.folder / "data", self.folder / "api.log"
        self.config = self.folder / "tidemark.conf"
        self.process, self.port = None, None
        self.environment = {}  # in addition to ours

    def start(self, wait=True):
        assert self.process is None
        self.port = free_port()
        # Small sizes: segments are sealed and checkpoints taken within a second of load.
        self.config.write_text(
            f'region = "us-east-1";\nnumber = 1;\ndata = "{self.data}";\n'
            f'http = {{ listen = "127.0.0.1:{self.port}"; threads = 2; }};\n'
            "store = { cache_mb = 8; write_buffer_mb = 1; };\njournal = { segment_mb = 1; checkpoint_mb = 1; };\n"
            f'replication = {{ endpoint = "ipc:///tmp/tidemark-crash-{os.getpid()}-{self.port}.sock"; }};\n'
        )
        begins = self.mark()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BUILD / "api" / "tidemark-api", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.environment},
            )
        if wait:
            self.wait_log("API-READY", begins)

    def mark(self):
        """Where the log ends now."""
        return self.log.stat().st_size if self.log.exists() else 0

    def logged(self, word, since=0):
        """The log's lines with this id since a mark."""
        with open(self.log, "rb") as log:
            log.seek(since)
            return re.findall(rb"^\S+ \S+ +%s(?: .*)?$" % word.encode(), log.read(), re.MULTILINE)

    def wait_log(self, word, since=0, seconds=READY_SECONDS):
        self.wait(f"{word} in the log", lambda: self.logged(word, since), seconds)

    def wait(self, what, condition, seconds=READY_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"tidemark-api ended with {self.process.returncode}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"no {what} within {seconds} s:\n{self.tail()}"
            time.sleep(0.005)

    def disk(self):
        """What the region says of its disk; None while it does not answer."""
        done = subprocess.run(
            [BUILD / "deploy" / "tidemark", "status", "--config", self.config, "--json"], capture_output=True, text=True
        )
        region = json.loads(done.stdout)["regions"][0]
        return region["status"]["disk"] if region["reached"] else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        self.process = None
        return status

    def tail(self, lines=30):
        return "".join(self.log.read_text(errors="replace").splitlines(True)[-lines:])

    def check(self):
        """`tidemark check`: what it says when it finds fault; an empty string: all is sound."""
        done = subprocess.run(
            [BUILD / "deploy" / "tidemark", "check", self.data], capture_output=True, text=True, timeout=120
        )
        return "" if done.returncode == 0 else f"{done.returncode}: {done.stdout}{done.stderr}"

    # --- what a power cut does to files that were not synced ---

    def damage_store(self, random):
        """The store's log is never synced: any part of it may be missing."""
        how = random.choice(["nothing", "cut", "empty", "zero", "holes"])
        for path in sorted((self.data / "store").glob("*.log")):
            size = path.stat().st_size
            if how == "cut":
                os.truncate(path, random.randrange(size + 1))
            elif how == "empty":
                os.truncate(path, 0)
            elif how == "zero":
                at = random.randrange(size + 1)
                os.truncate(path, at)
                os.truncate(path, size)
            elif how == "holes":
                with open(path, "r+b") as log:
                    for _ in range(3):
                        log.seek(random.randrange(size + 1) // 4096 * 4096)
                        log.write(bytes(min(4096, size)))
                os.truncate(path, size)
        return how

    def damage_journal(self, random):
        """An append that was not finished leaves anything behind the last whole frame; what lies before it was synced."""
        how = random.choice(["nothing", "cut", "torn", "torn at the end"])
        path = max((self.data / "journal").glob("*.seg"))
        if how != "nothing":
            end = len(path.read_bytes().rstrip(b"\0"))
            end = -(-end // FRAME_ALIGN) * FRAME_ALIGN
            if how != "torn":
                os.truncate(path, end)
            if how != "cut":
                with open(path, "r+b") as segment:
                    segment.seek(end)
                    segment.write(random.randbytes(random.randrange(1, 3000)))
        return how
