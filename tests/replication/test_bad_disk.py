"""One region's disk fills, or a sync of it fails: its peers go on, and it catches up by itself when its disk is sound again."""

import errno
import http.client
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))

from dynamo import DynamoError
from faults import SYNC_LOSES, WRITE_FAILS, Disk
from harness import Cluster, wait_for

CASES = [
    pytest.param(WRITE_FAILS, "/data/", errno.ENOSPC, -1, id="a full disk"),
    pytest.param(SYNC_LOSES, "/data/journal/", errno.EIO, 1, id="a sync that fails once and loses what it was for"),
]


@pytest.mark.parametrize("what, match, error, times", CASES)
def test_peers_go_on_and_the_region_catches_up(tmp_path, monkeypatch, what, match, error, times):
    disk = Disk(tmp_path)
    for name, value in disk.environment.items():
        monkeypatch.setenv(name, value)
    with Cluster(tmp_path) as cluster:
        bad, good, other = cluster.regions
        cluster.create_table("orders")
        put(good, range(50))
        cluster.wait_converged()
        rule = disk.rule(what, f"/{bad.name}{match}", error, 0, times)
        mine, n = 0, 1000
        while not disk.struck(rule):  # what it applies, and what its own clients write
            mine, n = mine + attempt(bad, n), n + 1
            assert n < 10000, "the disk is never asked"
        put(good, range(50, 400))
        put(other, range(400, 600))
        assert disk.struck(rule) > 0
        disk.mend()
        wait_for(f"{bad.name} takes writes", lambda: attempt(bad, 2000), 60)
        cluster.wait_converged()
        cluster.assert_identical("orders")
        client = good.client()
        assert len(client.scan("orders")) >= 600 + mine + 1, "what was acknowledged is everywhere"
        client.close()
        cluster.stop_and_check()


def put(region, numbers):
    client = region.client()
    for n in numbers:
        client.call("PutItem", TableName="orders", Item={"id": {"S": f"i{n}"}, "n": {"N": str(n)}})
    client.close()


def attempt(region, n):
    """Is a write acknowledged? It may be refused, and the process may be about to start over."""
    client = region.client()
    try:
        client.call("PutItem", TableName="orders", Item={"id": {"S": f"i{n}"}, "n": {"N": str(n)}})
        return True
    except (DynamoError, OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
