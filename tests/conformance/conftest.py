"""Fixtures: real tidemark processes on free ports of 127.0.0.1, in temporary folders, and boto3 clients for them.

TIDEMARK_BIN is the build folder (default: build/ of this repository); the programs are found below it.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TIDEMARK_BIN", ROOT / "build"))
START_SECONDS = 30
STOP_SECONDS = 30
ACCOUNT = "000000000000"


def program(name):
    for folder in (BIN, BIN / "api", BIN / "replicator", BIN / "deploy"):
        if (folder / name).is_file():
            return str(folder / name)
    raise FileNotFoundError(f"{name} is not below {BIN}: build it, or set TIDEMARK_BIN")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, what, seconds=START_SECONDS):
    """The first true value of condition(); fails after that many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Process:
    """One program with its log; stopped by its own id only."""

    def __init__(self, name, config, log):
        self.name, self.log = name, log
        self.start_offset = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self.process = subprocess.Popen([program(name), "--config", str(config)], stdout=out, stderr=out)

    def lines(self, pattern):
        with self.log.open("rb") as f:
            f.seek(self.start_offset)
            return re.findall(pattern, f.read().decode(errors="replace"))

    def wait_for_line(self, pattern):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log.read_text()[-3000:]}")
            return self.lines(pattern)

        return wait_for(look, f"{pattern} in {self.log}")[-1]

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=STOP_SECONDS)
        return self.process.returncode


class Region:
    """A region: its folder, its configuration, its processes."""

    def __init__(self, folder, name, number):
        self.folder, self.name, self.number = pathlib.Path(folder), name, number
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http_port, self.replication_port = free_port(), free_port()
        self.peers = []
        self.lines = ""  # more of the configuration
        self.api = self.replicator = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    def configure(self):
        peers = ",\n".join(
            f'        {{ region = "{p.name}"; number = {p.number}; address = "tcp://127.0.0.1:{p.replication_port}"; }}'
            for p in self.peers
        )
        text = (
            f'region = "{self.name}";\nnumber = {self.number};\ndata = "{self.folder}/data";\naccount = "{ACCOUNT}";\n'
            f'http = {{ listen = "127.0.0.1:{self.http_port}"; threads = 2; }};\n'
            "store = { cache_mb = 8; write_buffer_mb = 4; };\n"
            "replication = {\n"
            f'    listen = "tcp://127.0.0.1:{self.replication_port}";\n'
            f'    endpoint = "ipc://{self.folder}/e.sock";\n'
            + (f"    peers = (\n{peers}\n    );\n" if peers else "")
            + "};\n"
            + self.lines
        )
        path = self.folder / "region.conf"
        path.write_text(text)
        return path

    def start(self, replicator=None):
        config = self.configure()
        if self.api is None or self.api.process.poll() is not None:
            self.api = Process("tidemark-api", config, self.folder / "api.log")
            self.api.wait_for_line(r"API-READY .*")
        if self.peers if replicator is None else replicator:
            self.start_replicator()
        return self

    def start_replicator(self):
        self.replicator = Process("tidemark-replicator", self.folder / "region.conf", self.folder / "replicator.log")

    def stop(self, number=signal.SIGTERM):
        """End both; the API's exit status."""
        if self.replicator is not None:
            self.replicator.end(number)
        return self.api.end(number) if self.api is not None else None

    def client(self, service="dynamodb", **options):
        # What is invalid shall reach the server: it is the server that is tested.
        settings = {"parameter_validation": False, "retries": {"max_attempts": 8, "mode": "standard"}, "connect_timeout": 5, "read_timeout": 60}
        settings.update(options)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.name,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**settings),
        )


class Cluster(list):
    def __init__(self, folder, names):
        super().__init__(Region(pathlib.Path(folder) / n, n, i + 1) for i, n in enumerate(names))
        for region in self:
            region.peers = [p for p in self if p is not region]

    def start(self):
        for region in self:
            region.start()
        return self

    def stop(self):
        for region in self:
            region.stop()


@pytest.fixture(scope="session")
def region(tmp_path_factory):
    """One region without peers."""
    region = Region(tmp_path_factory.mktemp("region"), "us-east-1", 1).start()
    yield region
    assert region.stop() == 0


@pytest.fixture(scope="session")
def client(region):
    return region.client()


@pytest.fixture
def fresh_region(tmp_path):
    """A region of one test's own, which it may stop and start."""
    region = Region(tmp_path / "r", "us-east-1", 1).start()
    yield region
    region.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three regions that replicate to each other."""
    try:
        program("tidemark-replicator")
    except FileNotFoundError as e:
        pytest.skip(str(e))
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), ["us-east-1", "eu-west-1", "ap-southeast-1"])
    try:
        yield cluster.start()
    finally:
        cluster.stop()
