"""Regions as real processes: started, killed, cut off and compared."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

from dynamo import Dynamo, DynamoError
from link import Link

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TIDEMARK_BIN") or ROOT / "build" / "release")
NAMES = ["us-east-1", "eu-west-1", "ap-southeast-1", "sa-east-1", "af-south-1"]
PROGRAMS = {"api": BUILD / "api" / "tidemark-api", "replicator": BUILD / "replicator" / "tidemark-replicator"}
COMMAND = BUILD / "deploy" / "tidemark"

_handed_out = set()


def free_port():
    """A port below the range that outgoing connections take theirs from: it stays ours while a process is being restarted."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port


def wait_for(what, condition, seconds):
    """Until condition() is true; its last exception or value is in the failure."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, DynamoError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s (last: {last!r})")
        time.sleep(0.02)


class Region:
    def __init__(self, cluster, name, number):
        self.name, self.number = name, number
        self.folder = cluster.folder / name
        self.config = self.folder / "tidemark.conf"
        self.data = self.folder / "data"
        self.port, self.replication_port = free_port(), free_port()
        self.processes = {"api": None, "replicator": None}

    def log(self, kind):
        return self.folder / f"{kind}.log"

    def log_lines(self, kind, word):
        """Lines of a process's log that hold the id `word`."""
        with open(self.log(kind), errors="replace") as log:
            return [line for line in log if f" {word} " in line]

    def start(self, *kinds):
        for kind in kinds or ("api", "replicator"):
            assert not self.running(kind)
            with open(self.log(kind), "ab") as log:
                self.processes[kind] = subprocess.Popen(
                    [PROGRAMS[kind], "--config", self.config, "--pid-file", self.folder / f"{kind}.pid"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            if kind == "api":
                self.wait_ready()

    def wait_ready(self):
        def answers():
            assert self.running("api"), f"{self.name}: tidemark-api ended:\n{self.tail('api')}"
            return self.client(5).call("ListTables") is not None

        wait_for(f"{self.name} is ready", answers, 60)

    def running(self, kind):
        process = self.processes[kind]
        return process is not None and process.poll() is None

    def signal(self, kind, number):
        self.processes[kind].send_signal(number)

    def kill(self, *kinds):
        """kill -9."""
        for kind in kinds or ("replicator", "api"):
            if self.running(kind):
                self.signal(kind, signal.SIGKILL)
                self.processes[kind].wait()
            self.processes[kind] = None

    def stop(self, *kinds):
        """SIGTERM: a clean end, with exit status 0."""
        for kind in kinds or ("replicator", "api"):
            if self.running(kind):
                self.signal(kind, signal.SIGTERM)
                status = self.processes[kind].wait(60)
                assert status == 0, f"{self.name}: {kind} ended with {status}:\n{self.tail(kind)}"
            self.processes[kind] = None

    def client(self, timeout=30):
        return Dynamo(self.port, timeout, self.name)

    def tail(self, kind, lines=30):
        with contextlib.suppress(OSError):
            return "".join(self.log(kind).read_text(errors="replace").splitlines(True)[-lines:])
        return ""


class Cluster:
    """`n` regions, each linked to each through links of their own. Use as a context manager."""

    def __init__(self, folder, n=3, extra="", tls=None, peer_extra=""):
        """`tls`: a folder of deploy/test-ca. `extra` goes into every region's file, `peer_extra` to every peer in it."""
        self.folder = pathlib.Path(folder)
        self.regions = [Region(self, NAMES[i], i + 1) for i in range(n)]
        self.links = {}
        for near in self.regions:
            for far in self.regions:
                if near is not far:
                    self.links[near.name, far.name] = Link(("127.0.0.1", far.replication_port))
        for region in self.regions:
            region.folder.mkdir(parents=True)
            self.configure(region, extra, tls, peer_extra)

    def configure(self, region, extra="", tls=None, peer_extra=""):
        scheme = "tls+tcp" if tls else "tcp"
        peers = ",\n".join(
            f'    {{ region = "{far.name}"; number = {far.number};'
            f' address = "{scheme}://127.0.0.1:{self.links[region.name, far.name].port}"; {peer_extra} }}'
            for far in self.regions
            if far is not region
        )
        # A socket's path is short; a test's folder may not be.
        endpoint = f"ipc:///tmp/tidemark-test-{os.getpid()}-{region.port}.sock"
        files = ""
        if tls:
            files = (
                f'  tls = {{ ca = "{tls}/ca.pem"; certificate = "{tls}/{region.name}.pem";'
                f' key = "{tls}/{region.name}.key"; }};\n'
            )
        region.config.write_text(
            f'region = "{region.name}";\nnumber = {region.number};\ndata = "{region.data}";\n'
            f'http = {{ listen = "127.0.0.1:{region.port}"; }};\n'
            f'replication = {{\n  listen = "{scheme}://127.0.0.1:{region.replication_port}";\n{files}'
            f'  endpoint = "{endpoint}";\n  peers = (\n{peers}\n  );\n}};\n{extra}'
        )

    def __enter__(self):
        try:
            for region in self.regions:
                region.start()
            # A new journal writes once every member has counted it.
            wait_for("every region may write", lambda: all(
                one["reached"] and one["status"]["may_write"] for one in self.status()["regions"]
            ), 30)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for region in self.regions:
            region.kill()
        for link in self.links.values():
            link.close()
        if kind is None and value is None and trace is None:
            return
        for region in self.regions:
            for process in region.processes:
                print(f"--- {region.name} {process}.log\n{region.tail(process)}")

    def __getitem__(self, index):
        return self.regions[index]

    def __iter__(self):
        return iter(self.regions)

    def __len__(self):
        return len(self.regions)

    # --- faults ---

    def isolate(self, region):
        for ends, link in self.links.items():
            if region.name in ends:
                link.cut()

    def rejoin(self, region):
        for ends, link in self.links.items():
            if region.name in ends:
                link.heal()

    def cut(self, one, other):
        for ends in ((one.name, other.name), (other.name, one.name)):
            self.links[ends].cut()

    def heal(self, one, other):
        for ends in ((one.name, other.name), (other.name, one.name)):
            self.links[ends].heal()

    # --- tables ---

    def create_table(self, name, regions=None):
        """A table with key id (S), made in the first region, with replicas in the others; ACTIVE everywhere."""
        regions = list(regions or self.regions)
        first = regions[0].client()
        first.call(
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        self.wait_active(name, regions[0])
        for region in regions[1:]:
            self.add_replica(name, regions[0], region)
            self.wait_active(name, region)
            self.wait_active(name, regions[0])

    def add_replica(self, name, at, region):
        at.client().call(
            "UpdateTable", TableName=name, ReplicaUpdates=[{"Create": {"RegionName": region.name}}]
        )

    def wait_active(self, name, region, seconds=60):
        client = region.client()

        def active():
            return client.call("DescribeTable", TableName=name)["Table"]["TableStatus"] == "ACTIVE"

        wait_for(f"{region.name}: table {name} is ACTIVE", active, seconds)

    # --- what must hold ---

    def command(self, *arguments, check=True):
        result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=600)
        if check:
            assert result.returncode == 0, f"tidemark {arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def status(self):
        return json.loads(self.command("status", "--data", self.folder, "--json", check=False).stdout)

    def wait_converged(self, seconds=120):
        """All vectors equal, and with them all fingerprints."""
        self.command("status", "--data", self.folder, "--wait", seconds)

    def assert_identical(self, *tables, regions=None):
        """Full scans, page for page and byte for byte; the conflict log too. Returns the conflict log's items."""
        regions = list(regions or self.regions)
        for table in (*tables, "tidemark.conflicts"):
            want = regions[0].client().scan_raw(table)
            for region in regions[1:]:
                have = region.client().scan_raw(table)
                if have != want:
                    raise AssertionError(difference(table, regions[0], region))
        return regions[0].client().scan("tidemark.conflicts")

    def stop_and_check(self):
        """End cleanly; every folder must verify."""
        for region in self.regions:
            region.stop()
        for region in self.regions:
            self.command("check", region.folder)


def difference(table, one, other):
    def items(region):
        return {json.dumps(item, sort_keys=True) for item in region.client().scan(table)}

    here, there = items(one), items(other)
    return (
        f"{table}: {one.name} and {other.name} differ; only in {one.name}: {len(here - there)}"
        f" {sorted(here - there)[:3]}; only in {other.name}: {len(there - here)} {sorted(there - here)[:3]}"
    )


def lose_folder(region):
    """A lost disk."""
    assert not region.running("api") and not region.running("replicator")
    shutil.rmtree(region.data)
