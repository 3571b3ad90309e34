"""The same load while processes die by kill -9 and a region is cut off: the same end. Each seed is a world of its own."""

import os
import random
import time

import pytest

from harness import Cluster
from load import Load, account

LONG = bool(os.environ.get("TIDEMARK_LONG"))
SEEDS = range(1, 201 if LONG else 21)


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--seed")
        metafunc.parametrize("seed", SEEDS if chosen is None else [chosen])


def one_fault(cluster, chance):
    """Kill something and start it again, or cut a region off and let it rejoin."""
    region = chance.choice(cluster.regions)
    kind = chance.random()
    if kind < 0.35:
        region.kill("replicator")
        time.sleep(chance.random() * 0.3)
        region.start("replicator")
    elif kind < 0.7:
        region.kill("api")
        time.sleep(chance.random() * 0.3)
        region.start("api")
    elif kind < 0.85:
        region.kill("api", "replicator")
        time.sleep(chance.random() * 0.3)
        region.start("api", "replicator")
    else:
        cluster.isolate(region)
        time.sleep(0.2 + chance.random())
        cluster.rejoin(region)


def test_kill_9_and_cuts_lose_nothing(tmp_path, seed):
    chance = random.Random(seed)
    with Cluster(tmp_path) as cluster:
        cluster.create_table("orders")
        load = Load(cluster, "orders", writes=6_000 if not LONG else 60_000, keys=300, seed=seed, seconds=120)
        try:
            # One region is away for a longer while; the rest of the faults meet the others, and it, as they come.
            away = chance.choice(cluster.regions)
            cluster.isolate(away)
            one_fault(cluster, chance)
            cluster.rejoin(away)
            faults = 1
            while load.running() or faults < 4:
                time.sleep(chance.random() * 0.3)
                one_fault(cluster, chance)
                faults += 1
            records = load.wait()
        finally:
            load.kill()
        cluster.wait_converged(90)
        conflicts = cluster.assert_identical("orders")
        account(records, cluster[0].client().scan("orders"), conflicts)
        cluster.stop_and_check()


def test_a_region_that_was_away_gets_everything_and_gives_everything(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.create_table("orders")
        cluster.isolate(cluster[2])
        load = Load(cluster, "orders", writes=9_000, keys=500, seed=99)
        try:
            records = load.wait()
        finally:
            load.kill()
        # What was acknowledged there is there, whatever the network does.
        assert cluster[2].client().scan("orders")
        cluster.rejoin(cluster[2])
        cluster.wait_converged(60)
        conflicts = cluster.assert_identical("orders")
        assert conflicts
        account(records, cluster[0].client().scan("orders"), conflicts)
        cluster.stop_and_check()
