"""GET /metrics of regions that replicate: what is counted is what happened; lag rises with a cut and falls after it."""

import pathlib
import sys
import time

import pytest

from harness import Cluster, wait_for

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from exposition import scrape  # noqa: E402

COUNT = "tidemark_replication_latency_seconds_count"
SUM = "tidemark_replication_latency_seconds_sum"
PENDING = "aws_dynamodb_pending_replication_count_average"


@pytest.fixture
def pair(tmp_path):
    with Cluster(tmp_path, n=2) as cluster:
        cluster.create_table("orders")
        yield cluster


def put(region, key, table="orders", **more):
    region.client().call("PutItem", TableName=table, Item={"id": {"S": key}, **more})


def has(region, key):
    return "Item" in region.client().call("GetItem", TableName="orders", Key={"id": {"S": key}})


def arrived(region, source):
    labels = {"table_name": "orders", "source_region": source.name, "receiving_region": region.name}
    return scrape(region.port).get(COUNT, **labels) or 0


def pending(region, peer):
    return scrape(region.port).get(PENDING, table_name="orders", source_region=region.name, receiving_region=peer.name)


def link(region, name, peer):
    return scrape(region.port).get("tidemark_link_" + name, source_region=peer.name)


def all_there(region, source, n):
    return lambda: arrived(region, source) == n


def test_each_applied_record_is_counted_once(pair):
    here, there = pair
    for n in range(50):
        put(here, f"a{n}", v={"S": "x" * 100})
    for n in range(20):
        put(there, f"b{n}")
    wait_for("all arrived", all_there(there, here, 50), 30)
    wait_for("all arrived", all_there(here, there, 20), 30)
    pair.wait_converged()
    metrics = scrape(there.port)
    labels = {"table_name": "orders", "source_region": here.name, "receiving_region": there.name}
    assert metrics.get(COUNT, **labels) == 50
    assert arrived(here, there) == 20
    assert metrics.get("tidemark_replicated_bytes_total", **labels) >= 50 * 100
    # AWS's metric is the same thing in milliseconds; within the last minute, so all of it or nothing.
    average = metrics.get("aws_dynamodb_replication_latency_average", **labels)
    if average is not None and metrics.get("aws_dynamodb_replication_latency_maximum", **labels) > 0:
        assert average <= metrics.get("aws_dynamodb_replication_latency_maximum", **labels)
    wait_for("nothing is pending", lambda: pending(here, there) == 0 and pending(there, here) == 0, 30)
    # What the replicator counts comes from it once a second.
    wait_for("the link is up", lambda: link(there, "up", here) == 1, 30)
    wait_for("the link counts them", lambda: link(there, "received_records_total", here) >= 50, 30)
    assert link(there, "received_bytes_total", here) > 0


def test_a_cut_shows_and_heals(pair):
    here, there = pair
    pair.create_table("other")
    put(here, "before")
    wait_for("it arrived", all_there(there, here, 1), 30)
    wait_for("nothing is pending", lambda: pending(here, there) == 0, 30)
    sum_before = scrape(there.port).get(SUM, table_name="orders", source_region=here.name)
    retries_before = link(there, "retries_total", here)
    pair.cut(here, there)
    began = time.time()
    put(here, "late")
    acknowledged = time.time()
    first = wait_for("the lag rises", lambda: link(there, "behind_seconds", here), 60)
    wait_for("it goes on rising", lambda: link(there, "behind_seconds", here) > first, 60)
    wait_for("the link is down", lambda: link(there, "up", here) == 0, 60)
    wait_for("it is tried again", lambda: link(there, "retries_total", here) > retries_before, 60)
    assert pending(here, there) == 1
    for n in range(30):
        put(here, f"more{n}")
        put(here, f"more{n}", table="other")  # takes sequence numbers too, and counts for itself
    assert pending(here, there) == 31
    assert arrived(there, here) == 1
    # One record by itself, so that its latency is all that the sum grows by.
    for n in range(30):
        here.client().call("DeleteItem", TableName="orders", Key={"id": {"S": f"more{n}"}})
    assert pending(here, there) == 61
    healed = time.time()
    pair.heal(here, there)
    wait_for("the late one is there", lambda: has(there, "late"), 60)
    seen = time.time()
    pair.wait_converged()
    wait_for("all arrived", all_there(there, here, 62), 30)
    done = time.time()
    wait_for("the lag falls", lambda: link(there, "behind_seconds", here) == 0, 60)
    wait_for("the link is up", lambda: link(there, "up", here) == 1, 60)
    wait_for("nothing is behind", lambda: link(there, "behind_records", here) == 0, 60)
    wait_for("nothing is pending", lambda: pending(here, there) == 0, 30)
    # Both regions have this machine's clock, so that the order of events bounds the latency: a tick for each rounding.
    metrics = scrape(there.port)
    grown = metrics.get(SUM, table_name="orders", source_region=here.name) - sum_before
    tick = 0.002
    assert grown >= healed - acknowledged - tick
    assert grown <= (seen - began) + 60 * (done - acknowledged) + 61 * tick
    most = metrics.get("aws_dynamodb_replication_latency_maximum", table_name="orders", source_region=here.name)
    assert most is None or most / 1000 <= done - began + tick


def test_one_late_record_has_the_latency_that_its_reader_sees(pair):
    here, there = pair
    pair.cut(here, there)
    began = time.time()
    put(here, "late")
    acknowledged = time.time()
    wait_for("the link is down", lambda: link(there, "up", here) == 0, 60)
    healed = time.time()
    pair.heal(here, there)
    wait_for("it is there", lambda: has(there, "late"), 60)
    seen = time.time()
    wait_for("it is counted", all_there(there, here, 1), 30)
    latency = scrape(there.port).get(SUM, table_name="orders", source_region=here.name)
    assert healed - acknowledged - 0.002 <= latency <= seen - began + 0.002


def test_conflicts_are_counted_per_table(pair):
    here, there = pair
    pair.cut(here, there)
    for n in range(5):
        put(here, f"both{n}", at={"S": here.name})
        put(there, f"both{n}", at={"S": there.name})
    put(here, "only-here")
    pair.heal(here, there)
    pair.wait_converged()
    for region in pair:
        metrics = scrape(region.port)
        assert metrics.get("tidemark_table_conflicts_total", table_name="orders") == 5
        assert metrics.get("tidemark_conflicts_total") == 5
    assert len(here.client().scan("tidemark.conflicts")) == 5


def test_after_a_restart_a_backlog_is_never_shown_too_small(pair):
    here, there = pair
    put(here, "first")
    wait_for("it arrived", all_there(there, here, 1), 30)
    there.kill()
    for n in range(10):
        put(here, f"x{n}")
    here.kill("api")
    here.start("api")
    for n in range(10):
        put(here, f"y{n}")
    # Nobody has told this process anything: it says nothing rather than 0.
    assert pending(here, there) is None
    there.start()
    pair.wait_converged()
    wait_for("nothing is pending", lambda: pending(here, there) == 0, 30)


def test_status_and_metrics_say_the_same(pair):
    here, there = pair
    for n in range(10):
        put(here, f"s{n}")
    pair.wait_converged()
    for one, region in zip(pair.status()["regions"], pair):
        metrics = scrape(region.port)
        assert metrics.get("tidemark_may_write") == one["status"]["may_write"]
        for table in one["status"]["tables"]:
            assert metrics.get("tidemark_table_state", table_name=table["name"], state=table["state"]) == 1
            if not table["built_in"]:
                assert metrics.get("tidemark_table_items", table_name=table["name"]) == table["items"]
    for region in pair:
        wait_for("all links are up", lambda: all(
            link(region, "up", peer) == 1 and link(region, "state", peer) == 1 for peer in pair if peer is not region
        ), 30)
    here.kill("replicator")
    wait_for("a replicator that is gone is not up", lambda: link(here, "up", there) == 0, 30)
    assert scrape(here.port).get("tidemark_replicator_running") == 0
