"""Who does not belong to the cluster: refused, logged with a reason, no harm to the links that work."""

import contextlib
import os
import pathlib
import random
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
import xxhash

from harness import NAMES, PROGRAMS, Cluster, wait_for
from load import Load, account

ROOT = pathlib.Path(__file__).resolve().parents[2]
GREETING = b"\0SP\0\0\x30\0\0"


def test_ca(folder, *regions, days=365):
    subprocess.run([ROOT / "deploy" / "test-ca", "--days", str(days), folder, *regions], check=True)
    return folder


test_ca.__test__ = False  # the name of a program, not a test


@pytest.fixture
def ca(tmp_path):
    return test_ca(tmp_path / "ca", *NAMES[:3])


# --- what strangers do ---


def number(value):
    return bytes([value]) if value < 128 else b"\xcf" + struct.pack(">Q", value)


def text(value):
    return b"\xc4" + bytes([len(value)]) + value.encode()


def hello(sender, name, receiver, cluster="tidemark"):
    """A HELLO as the frame that carries it (docs/replication.md, "Messages")."""
    false = b"\xc2"
    fields = [number(1), number(2), number(sender), number(receiver), text(name), number(sender << 24 | 1 << 8)]
    fields += [number(7), number(0), number(0), number(0), false, false]
    fields += [number(0)] * 5 + [text(cluster)]
    body = b"\xdc" + struct.pack(">H", len(fields)) + b"".join(fields)
    return message(body)


def message(body):
    return frame(body + struct.pack(">Q", xxhash.xxh3_64_intdigest(body)))


def frame(body):
    return struct.pack(">QI", len(body) + 4, 0x80000001) + body


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


@contextlib.contextmanager
def secure(port, folder=None, region=None):
    """A TLS connection, with the certificate of a region of that folder or none; the server's is not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if folder is not None:
        context.load_cert_chain(folder / f"{region}.pem", folder / f"{region}.key")
    with connect(port) as plain, context.wrap_socket(plain) as stream:
        yield stream


def listen_to_the_end(stream):
    """What comes until the other end has had enough of us, or nothing does for a while."""
    heard = b""
    with contextlib.suppress(OSError):
        while piece := stream.recv(65536):
            heard += piece
    return heard


def without_a_certificate(port):
    with contextlib.suppress(OSError), secure(port) as stream:
        assert GREETING not in listen_to_the_end(stream)


def with_another_ca(port, folder):
    with contextlib.suppress(OSError), secure(port, folder, "eu-west-1") as stream:
        assert listen_to_the_end(stream) == b""


def garbage(port, chance):
    with contextlib.suppress(OSError), connect(port) as stream:
        stream.sendall(chance.randbytes(chance.randrange(1, 4000)))
        listen_to_the_end(stream)


def garbage_inside(port, folder):
    with secure(port, folder, "eu-west-1") as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        listen_to_the_end(stream)


def a_giant(port, folder):
    with secure(port, folder, "eu-west-1") as stream:
        stream.sendall(GREETING + struct.pack(">QI", 1 << 60, 0x80000001))
        listen_to_the_end(stream)


def says(port, folder, region, what):
    """The answer to one frame."""
    with secure(port, folder, region) as stream:
        stream.sendall(GREETING + what)
        heard = b""
        while len(heard) < 60:
            piece = stream.recv(4096)
            assert piece, heard
            heard += piece
        return heard


def talks_on(port, folder, until):
    """Refused, and sends as fast as it can; again when it is cut off."""
    while not until.is_set():
        with contextlib.suppress(OSError), secure(port, folder, "eu-west-1") as stream:
            stream.sendall(GREETING + frame(b"nonsense"))
            while not until.is_set():
                stream.sendall(bytes(1 << 16))


def gone_at_once(port, chance):
    """Closed with a reset, in the middle of the greeting or before it."""
    with contextlib.suppress(OSError), connect(port) as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.sendall(GREETING[: chance.randrange(9)])
        if chance.random() < 0.5:
            stream.shutdown(socket.SHUT_WR)


# --- what must hold ---


def reasons(region):
    return "".join(region.log_lines("replicator", "REPL-STRANGER"))


def disconnects(cluster):
    return sum(len(region.log_lines("replicator", "REPL-DISCONNECTED")) for region in cluster)


def test_strangers_are_refused_and_the_links_go_on(tmp_path, ca, sizes):
    other = test_ca(tmp_path / "other", "eu-west-1")
    chance = random.Random(7)
    with Cluster(tmp_path, tls=ca) as cluster:
        cluster.create_table("orders")
        target = cluster[0]
        port = target.replication_port
        before = disconnects(cluster)
        load = Load(cluster, "orders", writes=sizes(3_000, 30_000), keys=300, seed=5, seconds=120)
        flood, over = [], threading.Event()
        talkers = [threading.Thread(target=talks_on, args=(port, ca, over)) for _ in range(2)]
        for talker in talkers:
            talker.start()
        try:
            def seen(reason, attack, *arguments):
                """Attacks until the log names the reason: it is bounded, so one of many may go unnamed."""
                def named():
                    attack(*arguments)
                    return reason in reasons(target)
                wait_for(f"the log names: {reason}", named, 60)

            seen("did not return a certificate", without_a_certificate, port)
            seen("certificate", with_another_ca, port, other)
            seen("TLS handshake", garbage, port, chance)
            seen("garbage instead of a greeting", garbage_inside, port, ca)
            seen("too large", a_giant, port, ca)
            for _ in range(200):
                gone_at_once(port, chance)
            # 500 connections that stand and say nothing, or half a greeting.
            for i in range(500):
                with contextlib.suppress(OSError):
                    flood.append(connect(port))
                    flood[-1].sendall(GREETING[: i % 8])
            # A region can be reached through all of it.
            assert disconnects(cluster) == before, "a link was broken by strangers"
            cluster[1].kill("replicator")
            cluster[1].start("replicator")
            records = load.wait()
            cluster.wait_converged(60)
        finally:
            over.set()
            load.kill()
            for talker in talkers:
                talker.join()
            for one in flood:
                one.close()
        conflicts = cluster.assert_identical("orders")
        account(records, cluster[0].client().scan("orders"), conflicts)
        cluster.stop_and_check()


def test_a_hello_must_fit(tmp_path, ca):
    """Certificates of the cluster's CA are not enough: name, number and cluster must be right as well."""
    with Cluster(tmp_path, n=2, tls=ca) as cluster:
        port = cluster[0].replication_port
        for what, region, reason in [
            (hello(2, "eu-west-1", 1, "another"), "eu-west-1", "a region of another cluster"),
            (hello(3, "ap-southeast-1", 1), "ap-southeast-1", "not one of our peers"),
            (hello(2, "us-west-9", 1), "eu-west-1", "not one of our peers"),
            (hello(2, "eu-west-1", 4), "eu-west-1", "takes us for another region"),
            (hello(2, "eu-west-1", 1), "ap-southeast-1", "does not bear its region's name"),
            (message(b"\xdc\x00\x03\x01\x07\x05"), "eu-west-1", "before it has said hello"),
            (message(b"\xdc\x00\x02\x01\x15"), "eu-west-1", "no request for another region"),
            (message(b"nonsense"), "eu-west-1", "unreadable"),
            (frame(b"nonsense without a sum"), "eu-west-1", "changed on its way"),
        ]:
            assert reason.encode() in says(port, ca, region, what), reason
            wait_for(f"the log names: {reason}", lambda: reason in reasons(cluster[0]), 30)
        assert b"FENCED" not in says(port, ca, "eu-west-1", hello(2, "eu-west-1", 1))


def test_a_region_of_another_cluster_stays_outside_until_it_is_put_right(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.create_table("orders")
        stray = cluster[2]
        right = stray.config.read_text()
        stray.config.write_text(right + 'cluster = "another";\n')
        stray.stop("replicator")
        stray.start("replicator")
        for region in cluster[0], cluster[1]:
            wait_for("refused", lambda: "a region of another cluster" in reasons(region), 30)
        wait_for("it hears so", lambda: stray.log_lines("replicator", "REPL-REFUSED"), 30)
        client = cluster[0].client()
        client.call("PutItem", TableName="orders", Item={"id": {"S": "one"}})
        wait_for("the others go on", lambda: cluster[1].client().scan("orders"), 30)
        assert not stray.client().scan("orders")
        stray.config.write_text(right)
        stray.stop("replicator")
        stray.start("replicator")
        cluster.wait_converged(60)
        cluster.assert_identical("orders")


def test_an_expired_certificate_is_refused_until_it_is_renewed(tmp_path, ca):
    with Cluster(tmp_path, tls=ca) as cluster:
        cluster.create_table("orders")
        late = cluster[2]
        test_ca(ca, late.name, days=0)
        late.stop("replicator")
        late.start("replicator")
        wait_for("its own log says so", lambda: "has expired" in "".join(
            late.log_lines("replicator", "REPL-CERTIFICATE")), 30)
        for region in cluster[0], cluster[1]:
            wait_for("refused", lambda: "certificate has expired" in reasons(region), 30)
            wait_for("nor called", lambda: "certificate has expired" in "".join(
                region.log_lines("replicator", "REPL-UNREACHABLE")), 30)
        cluster[0].client().call("PutItem", TableName="orders", Item={"id": {"S": "one"}})
        wait_for("the others go on", lambda: cluster[1].client().scan("orders"), 30)
        test_ca(ca, late.name)
        late.stop("replicator")
        late.start("replicator")
        cluster.wait_converged(60)
        cluster.assert_identical("orders")


def test_a_key_that_others_may_read_is_refused(tmp_path, ca):
    cluster = Cluster(tmp_path, n=2, tls=ca)
    try:
        os.chmod(ca / "us-east-1.key", 0o640)
        result = subprocess.run(
            [PROGRAMS["replicator"], "--config", cluster[0].config], capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        assert "chmod 600" in result.stderr
    finally:
        cluster.__exit__(None, None, None)


def test_a_link_keeps_to_its_bandwidth(tmp_path):
    """What was missed comes no faster than the limit: never in less time than its bytes need."""
    kb_per_second, items, size = 256, 64, 32 * 1024
    with Cluster(tmp_path, n=2, peer_extra=f"bandwidth_kb_per_second = {kb_per_second};") as cluster:
        cluster.create_table("orders")
        here, there = cluster
        cluster.isolate(there)
        client = here.client()
        for i in range(items):
            # Hex of random bytes: zstd halves it.
            client.call("PutItem", TableName="orders", Item={"id": {"S": str(i)}, "v": {"S": os.urandom(size // 2).hex()}})
        began = time.monotonic()
        cluster.rejoin(there)
        wait_for("the status names the limit", lambda: all(
            link["limit_bytes_per_second"] == kb_per_second << 10
            for link in there_status(cluster)["replicator"]["links"]), 30)
        cluster.wait_converged(120)
        took = time.monotonic() - began
        # A second's worth may come in the first burst.
        assert took > items * size / 2 / (kb_per_second << 10) - 1
        cluster.assert_identical("orders")


def there_status(cluster):
    return cluster.status()["regions"][1]["status"]
