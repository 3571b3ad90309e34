"""One region: its two processes, its folder, its configuration, and the faults that are done to them alone."""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "replication"))
sys.path.insert(0, str(ROOT / "tests" / "crash"))

from dynamo import Dynamo, DynamoError  # noqa: E402
from preload import Faults  # noqa: E402
from process import Api  # noqa: E402

BUILD = pathlib.Path(os.environ.get("TIDEMARK_BIN") or ROOT / "build" / "release")
PROGRAMS = {"api": BUILD / "api" / "tidemark-api", "replicator": BUILD / "replicator" / "tidemark-replicator"}
COMMAND = BUILD / "deploy" / "tidemark"
WIRE = BUILD / "chaos" / "wire" / "tidemark-wire"
PRELOAD = BUILD / "chaos" / "live" / "libtidemark-faults.so"
KINDS = ("api", "replicator")
READY_SECONDS = STOP_SECONDS = 90
UNREACHED = (OSError, http.client.HTTPException, DynamoError)
FILES_NORMAL = 4096


class Failed(Exception):
    """The scenario did not hold; the text says what."""


def wait_for(what, condition, seconds, watch=None):
    """Until condition() is true; its last exception or value is in the failure. `watch` may end the waiting by raising."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            last = condition()
            if last:
                return last
        except UNREACHED as error:
            last = error
        if watch is not None:
            watch()
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:g} s (last: {last!r})")
        time.sleep(0.05)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Client(Dynamo):
    """A connection made in the region's network."""

    def __init__(self, address, create, timeout):
        super().__init__(address[1], timeout)
        self.create = create

    def raw(self, operation, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.connection._create_connection = self.create
        return super().raw(operation, body)


class Region:
    def __init__(self, folder, name, number, network):
        self.name, self.number, self.network = name, number, network
        self.folder = folder / name
        self.data, self.config = self.folder / "data", self.folder / "tidemark.conf"
        self.processes = dict.fromkeys(KINDS)
        self.wanted = dict.fromkeys(KINDS, False)  # should it run? one that does not, though it should, has failed
        self.paused = set()
        self.mounted = False
        self.endpoint = f"/tmp/tidemark-chaos-{os.getpid()}-{number}.sock"
        self.data.mkdir(parents=True)
        self.faults = {kind: Faults(self.folder / f"{kind}.faults") for kind in KINDS}

    def configure(self, regions, settings, certificates=None):
        scheme = "tls+tcp" if certificates else "tcp"
        peers = ",\n".join(
            '    {{ region = "{}"; number = {}; address = "{}://{}:{}"; }}'.format(
                far.name, far.number, scheme, *self.network.peer(self.name, far.name)
            )
            for far in regions
            if far is not self
        )
        groups = {
            "http": {"listen": '"{}:{}"'.format(*self.network.api(self.name)), "threads": "2"},
            "store": {"cache_mb": "16", "write_buffer_mb": "4"},
            "journal": {"segment_mb": "4", "checkpoint_mb": "16"},
            "replication": {
                "listen": '"{}://{}:{}"'.format(scheme, *self.network.replication(self.name)),
                "endpoint": f'"ipc://{self.endpoint}"',
                "peers": f"(\n{peers}\n  )",
            },
        }
        if certificates:
            groups["replication"]["tls"] = (
                f'{{ ca = "{certificates}/ca.pem"; certificate = "{certificates}/{self.name}.pem"; key = "{certificates}/{self.name}.key"; }}'
            )
        top = {"region": f'"{self.name}"', "number": self.number, "data": f'"{self.data}"'}
        for group, key, value in settings:
            (top if group is None else groups.setdefault(group, {}))[key] = value
        lines = [f"{key} = {value};" for key, value in top.items()]
        for group, members in groups.items():
            lines.append(f"{group} = {{ " + " ".join(f"{key} = {value};" for key, value in members.items()) + " };")
        self.config.write_text("\n".join(lines) + "\n")

    # --- processes ---

    def start(self, kind, ready=True):
        if self.running(kind):
            raise Failed(f"{self.name}: {kind} runs already")
        environment = {**os.environ, "TIDEMARK_FAULTS": str(self.faults[kind].path)}
        if PRELOAD.exists():
            environment["LD_PRELOAD"] = str(PRELOAD)
        with open(self.log(kind), "ab") as log:
            self.processes[kind] = subprocess.Popen(
                [*self.network.prefix_of(self.name), PROGRAMS[kind], "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=die_with_parent,
            )  # fmt: skip
        self.wanted[kind] = True
        if ready and kind == "api":
            self.wait_ready(READY_SECONDS)

    def wait_ready(self, seconds):
        def watch():
            if not self.running("api"):
                raise Failed(f"{self.name}: tidemark-api ended:\n{self.tail('api')}")

        wait_for(f"{self.name} is ready", lambda: self.call("ListTables", timeout=5) is not None, seconds, watch)

    def running(self, kind):
        process = self.processes[kind]
        return process is not None and process.poll() is None

    def signal(self, kind, number):
        if not self.running(kind):
            raise Failed(f"{self.name}: {kind} does not run:\n{self.tail(kind)}")
        self.processes[kind].send_signal(number)
        if number == signal.SIGSTOP:
            self.paused.add(kind)
        elif number == signal.SIGCONT:
            self.paused.discard(kind)

    def kill(self, kind):
        self.wanted[kind] = False
        self.paused.discard(kind)
        if self.running(kind):
            self.processes[kind].send_signal(signal.SIGKILL)
        if self.processes[kind] is not None:
            self.processes[kind].wait()
        self.processes[kind] = None

    def stop(self, kind):
        """SIGTERM: a clean end, with exit status 0."""
        self.wanted[kind] = False
        if self.processes[kind] is None:
            return
        if kind in self.paused:
            self.signal(kind, signal.SIGCONT)
        if self.running(kind):
            self.processes[kind].send_signal(signal.SIGTERM)
        try:
            status = self.processes[kind].wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: {kind} does not end on SIGTERM within {STOP_SECONDS} s:\n{self.tail(kind)}") from None
        self.processes[kind] = None
        if status != 0:
            raise Failed(f"{self.name}: {kind} ended with {status}:\n{self.tail(kind)}")

    def fallen(self):
        """Processes that ended by themselves."""
        return [kind for kind in KINDS if self.wanted[kind] and not self.running(kind)]

    # --- the log ---

    def log(self, kind):
        return self.folder / f"{kind}.log"

    def log_size(self, kind):
        with contextlib.suppress(OSError):
            return self.log(kind).stat().st_size
        return 0

    def logged(self, kind, word, since=0):
        with contextlib.suppress(OSError), open(self.log(kind), "rb") as log:
            log.seek(since)
            return f" {word} ".encode() in log.read()
        return False

    def tail(self, kind, lines=25):
        with contextlib.suppress(OSError):
            return "".join(self.log(kind).read_text(errors="replace").splitlines(True)[-lines:])
        return ""

    # --- asking ---

    def client(self, timeout=15):
        return Client(self.network.api(self.name), self.network.connect(self.name), timeout)

    def call(self, operation, timeout=15, **parameters):
        client = self.client(timeout)
        try:
            return client.call(operation, **parameters)
        finally:
            client.close()

    def status(self, seconds=3):
        """Its own status document, or None."""
        try:
            done = subprocess.run(
                [COMMAND, "status", "--config", self.config, "--json"], capture_output=True, text=True, timeout=seconds
            )
            region = json.loads(done.stdout)["regions"][0]
            return region.get("status") if region.get("reached") else None
        except (subprocess.TimeoutExpired, ValueError, KeyError, IndexError):
            return None

    # --- faults ---

    def limit_files(self, kind, limit):
        """As the administrator of a running process does it. Files that are open stay open."""
        pid = self.processes[kind].pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(limit or FILES_NORMAL, hard), hard))

    def open_files(self, kind):
        return len(os.listdir(f"/proc/{self.processes[kind].pid}/fd"))

    def mount(self, size):
        """A disk of its own, in memory."""
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tidemark-chaos", self.data], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"no disk of its own for {self.name}: {done.stderr.strip()}")
        self.mounted = True

    def fill(self):
        with open(self.data / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                for piece in (1 << 20, 1 << 12):
                    with contextlib.suppress(OSError):
                        filler.write(bytes(piece))
                        break
                else:
                    return

    def free(self):
        (self.data / "filler").unlink(missing_ok=True)

    def damage_unsynced(self, seed):
        """What a power cut leaves of files that were not synced."""
        api, chance = Api(self.folder), random.Random(seed)
        how = [f"store: {api.damage_store(chance)}"]
        if any((self.data / "journal").glob("*.seg")):
            how.append(f"journal: {api.damage_journal(chance)}")
        return ", ".join(how)

    def wipe(self):
        for path in self.data.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def close(self):
        """Whatever state it is in: nothing of it runs or is mounted afterwards."""
        for kind in ("replicator", "api"):
            with contextlib.suppress(OSError):
                self.kill(kind)
        if self.mounted:
            subprocess.run(["umount", "-l", self.data], capture_output=True)
            self.mounted = False
        with contextlib.suppress(OSError):
            os.unlink(self.endpoint)
