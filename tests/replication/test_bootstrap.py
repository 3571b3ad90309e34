"""Replicas that begin with nothing: added to a table that has data, or after a disk was lost."""

import json
import time

from harness import lose_folder, wait_for
from load import Load, account


def fill(region, table, items):
    client = region.client()
    for start in range(0, items, 25):
        requests = [
            {"PutRequest": {"Item": {"id": {"S": f"item {i}"}, "token": {"S": f"fill.{i}"}, "padding": {"S": "p" * 100}}}}
            for i in range(start, min(start + 25, items))
        ]
        answer = client.raw("BatchWriteItem", json.dumps({"RequestItems": {table: requests}}))
        assert json.loads(answer)["UnprocessedItems"] == {}


def test_a_replica_added_under_load_resumes_after_kill_9_and_ends_identical(cluster, sizes):
    items = sizes(200_000, 2_000_000)
    old, new = cluster.regions[:2], cluster[2]
    cluster.create_table("orders", old)
    fill(old[0], "orders", items)
    cluster.wait_converged(120)
    load = Load(cluster, "orders", writes=20_000, keys=1_000, seed=5, regions=old)
    try:
        cluster.add_replica("orders", old[0], new)

        def half_way():
            replicas = old[0].client().call("DescribeTable", TableName="orders")["Table"].get("Replicas", [])
            mine = [one for one in replicas if one["RegionName"] == new.name]
            assert not mine or mine[0]["ReplicaStatus"] != "ACTIVE", "too fast to be killed half-way: use more items"
            return new.log_lines("replicator", "REPL-BOOT") and loaded(cluster, new) > items // 20

        wait_for("the bootstrap is under way", half_way, 60)
        before = len(new.log_lines("replicator", "REPL-BOOT"))
        new.kill("replicator")
        new.start("replicator")
        cluster.wait_active("orders", new, 300)
        records = load.wait()
    finally:
        load.kill()
    resumed = new.log_lines("replicator", "REPL-BOOT")[before:]
    assert resumed, "the replicator says nothing of the bootstrap after its restart"
    assert 'why="resumed"' in resumed[0], resumed[0]
    cluster.wait_converged(120)
    conflicts = cluster.assert_identical("orders")
    scanned = cluster[2].client().scan("orders")
    assert sum(1 for item in scanned if item["id"]["S"].startswith("item ")) == items
    account(records, [item for item in scanned if not item["id"]["S"].startswith("item ")], conflicts)
    cluster.stop_and_check()


def loaded(cluster, region):
    for one in cluster.status()["regions"]:
        if one["region"] == region.name and one.get("status"):
            return sum(table.get("bootstrap", {}).get("items_loaded", 0) for table in one["status"]["tables"])
    return 0


def test_a_lost_folder_comes_back_as_a_new_incarnation_with_everything(cluster):
    cluster.create_table("orders")
    load = Load(cluster, "orders", writes=3_000, keys=300, seed=7)
    try:
        records = load.wait()
    finally:
        load.kill()
    cluster.wait_converged(60)
    lost = cluster[1]
    lost.stop()
    lose_folder(lost)
    # Its peers go on, and the folder that comes back must get this too.
    cluster[0].client().call("PutItem", TableName="orders", Item={"id": {"S": "meanwhile"}, "token": {"S": "meanwhile"}})
    lost.start()
    cluster.wait_active("orders", lost, 120)
    cluster.wait_converged(60)
    conflicts = cluster.assert_identical("orders")
    items = lost.client().scan("orders")
    account(records, [item for item in items if item["id"]["S"] != "meanwhile"], conflicts)
    assert any(item["id"]["S"] == "meanwhile" for item in items)
    # And it is a region like any other again.
    deadline = time.monotonic() + 30
    while True:
        try:
            lost.client().call("PutItem", TableName="orders", Item={"id": {"S": "again"}, "token": {"S": "again"}})
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    cluster.wait_converged(60)
    cluster.assert_identical("orders")
    cluster.stop_and_check()


def test_a_region_declared_lost_is_not_waited_for(cluster):
    cluster.create_table("orders")
    cluster[0].client().call("PutItem", TableName="orders", Item={"id": {"S": "before"}, "token": {"S": "before"}})
    cluster.wait_converged(20)
    reborn, gone = cluster[1], cluster[2]
    gone.kill()
    reborn.stop()
    lose_folder(reborn)
    reborn.start()
    # It may not write: the region that is gone might know more of its former journal than the one that is there.
    time.sleep(2)
    assert not may_write(cluster, reborn)
    told = cluster.command("region", "--data", cluster.folder, "lost", gone.name).stdout
    assert f"{cluster[0].name} counts {gone.name} as lost" in told and f"{reborn.name} counts {gone.name} as lost" in told
    wait_for("the new incarnation may write", lambda: may_write(cluster, reborn), 20)
    cluster.wait_active("orders", reborn, 60)
    reborn.client().call("PutItem", TableName="orders", Item={"id": {"S": "after"}, "token": {"S": "after"}})
    wait_for("its write travels", lambda: len(cluster[0].client().scan("orders")) == 2, 20)
    assert cluster.command("region", "--data", cluster.folder, "lost", "mars-1", check=False).returncode == 1


def may_write(cluster, region):
    return any(one["region"] == region.name and one["reached"] and one["status"]["may_write"] for one in cluster.status()["regions"])
