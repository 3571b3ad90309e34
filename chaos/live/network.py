"""
What lies between the regions: network namespaces joined by tidemark-wire, or, where those are not permitted, the proxy.

Both take the same words: shape(near, far, ...), cut(near, far), heal(near, far), each for one direction between two regions.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess

from proxy import Proxy

CLONE_NEWNET = 0x40000000
SUBNET = "10.213.78"
API_PORT, REPLICATION_PORT = 8001, 7001


def sh(*command, check=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")
    return done


def spaces_missing(wire):
    """Why namespaces cannot be used here; None when they can."""
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        return "the commands ip and nsenter are not installed"
    if not wire.exists():
        return f"{wire} is not built"
    name = f"tdtry{os.getpid()}"
    made = sh("ip", "netns", "add", name, check=False)
    if made.returncode != 0:
        return f"network namespaces are not permitted: {made.stderr.strip()}"
    try:
        pair = sh("ip", "-n", name, "link", "add", "td0", "type", "veth", "peer", "name", "td1", check=False)
        if pair.returncode == 0:
            pair = sh("ip", "netns", "exec", name, wire, "--plain", "td0", check=False)
        return None if pair.returncode == 0 else f"no veth pairs in namespaces: {pair.stderr.strip()}"
    finally:
        sh("ip", "netns", "del", name, check=False)


@contextlib.contextmanager
def inside(path):
    """This thread in another network namespace; a socket made there stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(other, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        if libc.setns(own, CLONE_NEWNET) != 0:
            os._exit(1)  # nothing after this could be believed
        os.close(own)
        os.close(other)


class Spaces:
    """A namespace per region; tidemark-wire, in one of its own, carries every packet between them."""

    kind = "namespaces"

    def __init__(self, names, wire, seed):
        self.names = list(names)
        self.prefix = f"td{os.getpid()}"
        self.hub = f"{self.prefix}hub"
        self.spaces = {name: f"{self.prefix}r{i + 1}" for i, name in enumerate(self.names)}
        self.ports = {name: f"p{i + 1}" for i, name in enumerate(self.names)}
        self.made, self.wire = [], None
        try:
            self._make(wire, seed)
        except BaseException:
            self.close()
            raise

    def _make(self, wire, seed):
        self._add(self.hub)
        for i, name in enumerate(self.names):
            space, port = self.spaces[name], self.ports[name]
            self._add(space)
            sh("ip", "-n", space, "link", "add", "wan", "type", "veth", "peer", "name", port, "netns", self.hub)
            sh("ip", "-n", self.hub, "link", "set", port, "up")
            sh("ip", "-n", space, "addr", "add", f"{SUBNET}.{i + 1}/24", "dev", "wan")
            sh("ip", "-n", space, "link", "set", "lo", "up")
            sh("ip", "-n", space, "link", "set", "wan", "up")
            sh("nsenter", f"--net={self.path(name)}", wire, "--plain", "wan")
            sh("nsenter", f"--net=/run/netns/{self.hub}", wire, "--plain", port)
        self.wire = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.hub}", str(wire), *self.ports.values()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.wire.stdout.readline() != "ready\n":
            raise RuntimeError("tidemark-wire did not start")
        self._tell(f"seed={seed % 2**32 + 1}")

    def _add(self, space):
        sh("ip", "netns", "add", space)
        self.made.append(space)

    def _tell(self, line):
        self.wire.stdin.write(line + "\n")
        self.wire.stdin.flush()
        answer = self.wire.stdout.readline()
        if answer != "ok\n":
            raise RuntimeError(f"tidemark-wire: {line}: {answer.strip() or 'ended'}")

    def path(self, name):
        return pathlib.Path("/run/netns") / self.spaces[name]

    def prefix_of(self, name):
        """What starts a process in that region's network; it stays the same process."""
        return ["nsenter", f"--net={self.path(name)}"]

    def api(self, name):
        return "127.0.0.1", API_PORT

    def replication(self, name):
        return f"{SUBNET}.{self.names.index(name) + 1}", REPLICATION_PORT

    def peer(self, near, far):
        """Where `near` finds `far`'s replicator."""
        return self.replication(far)

    def connect(self, name):
        def create(address, timeout=None, source_address=None):
            with inside(self.path(name)):
                return socket.create_connection(address, timeout)

        return create

    def shape(self, near, far, shape):
        """What packets from near to far meet; what is not named is off. Returns what it cannot do: nothing."""
        units = {"delay": 1000, "jitter": 1000}
        words = " ".join(f"{key}={value * units.get(key, 1):g}" for key, value in shape.items())
        self._tell(f"set {self.ports[near]} {self.ports[far]} {words}".rstrip())
        return []

    def cut(self, near, far):
        self._tell(f"cut {self.ports[near]} {self.ports[far]}")

    def heal(self, near, far):
        self._tell(f"heal {self.ports[near]} {self.ports[far]}")

    def forget(self, near, far):
        """Connections between the two pass no more, and neither end is told: half-open. New ones pass."""
        self._tell(f"forget {self.ports[near]} {self.ports[far]}")
        return True

    def clients(self, name, up):
        """The way from clients to their region's API."""
        sh("ip", "-n", self.spaces[name], "link", "set", "lo", "up" if up else "down")
        return True

    def close(self):
        if self.wire is not None:
            with contextlib.suppress(OSError):
                self.wire.stdin.close()
            try:
                self.wire.wait(5)
            except subprocess.TimeoutExpired:
                self.wire.kill()
                self.wire.wait()
            self.wire.stdout.close()
            self.wire = None
        for space in reversed(self.made):
            sh("ip", "netns", "del", space, check=False)
        self.made = []


class Ports:
    """Everything on this machine's loopback; what goes between regions goes through the proxy, a connection at a time."""

    kind = "proxy"

    def __init__(self, names, free_port):
        self.names = list(names)
        self.api_ports = {name: free_port() for name in names}
        self.replication_ports = {name: free_port() for name in names}
        self.proxy = Proxy()
        self.links = {
            (near, far): self.proxy.listen(near, far, self.replication_ports[far]) for near in names for far in names if near != far
        }

    def prefix_of(self, name):
        return []

    def api(self, name):
        return "127.0.0.1", self.api_ports[name]

    def replication(self, name):
        return "127.0.0.1", self.replication_ports[name]

    def peer(self, near, far):
        return "127.0.0.1", self.links[near, far]

    def connect(self, name):
        return socket.create_connection

    def shape(self, near, far, shape):
        """A proxy sees streams, not packets: it delays, and leaves the rest out."""
        self.proxy.tell(("delay", near, far, shape.get("delay", 0.0)))
        return [key for key in shape if key != "delay"]

    def cut(self, near, far):
        self.proxy.tell(("cut", near, far))

    def heal(self, near, far):
        self.proxy.tell(("heal", near, far))

    def forget(self, near, far):
        return False

    def clients(self, name, up):
        return False

    def close(self):
        self.proxy.close()
