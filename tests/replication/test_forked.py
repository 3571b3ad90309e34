"""A folder restored from an old copy behind everybody's back, written to since, and brought back by one command."""

import shutil

from dynamo import DynamoError
from harness import Cluster, wait_for


def put(region, table, name, token):
    region.client().call("PutItem", TableName=table, Item={"id": {"S": name}, "token": {"S": token}})


def status_of(cluster, region):
    for one in cluster.status()["regions"]:
        if one["region"] == region.name and one.get("status"):
            return one["status"]
    return {}


def refused(region, table):
    try:
        put(region, table, "refused", "x")
    except DynamoError as error:
        return error.status >= 500
    return False


def test_a_restored_folder_is_found_out_and_comes_back_with_nothing_lost(tmp_path):
    with Cluster(tmp_path) as cluster:
        first, second, third = cluster.regions
        cluster.create_table("orders")
        # A table that only this region has must stay, whatever becomes of the rest.
        cluster.create_table("local", [first])
        put(first, "local", "mine", "kept")
        put(first, "orders", "a", "1")
        cluster.wait_converged()

        first.stop()
        shutil.copytree(first.data, tmp_path / "copy")
        first.start()
        for name in ("b", "c", "d"):
            put(first, "orders", name, "shipped")
        cluster.wait_converged()
        first.stop()
        shutil.rmtree(first.data)
        shutil.move(tmp_path / "copy", first.data)

        # Nobody can tell it yet, and it takes writes under numbers that were used before.
        cluster.isolate(first)
        first.start()
        for number in range(5):
            put(first, "orders", f"fork {number}", "only here")
        put(first, "orders", "b", "only here")
        cluster.rejoin(first)

        wait_for("it knows that it is forked", lambda: (status_of(cluster, first).get("forked") or {}).get("reason")
                 == "restored-copy", 60)
        wait_for("it refuses writes", lambda: refused(first, "orders"), 30)
        text = cluster.command("status", "--data", cluster.folder, check=False).stdout
        assert "FORKED" in text and f"tidemark region reincarnate {first.name}" in text
        # Reads go on, and the others write.
        assert first.client().call("GetItem", TableName="orders", Key={"id": {"S": "a"}})["Item"]["token"]["S"] == "1"
        put(second, "orders", "e", "meanwhile")

        cluster.command("region", "--data", cluster.folder, "reincarnate", first.name)
        wait_for("it writes again", lambda: status_of(cluster, first).get("may_write"), 60)
        wait_for("what only it had is logged", lambda: status_of(cluster, first).get("former_journals_kept") == 0, 60)
        cluster.wait_active("orders", first)
        put(first, "orders", "f", "after")
        cluster.wait_converged()
        conflicts = cluster.assert_identical("orders")
        tokens = {item["id"]["S"]: item["token"]["S"] for item in first.client().scan("orders")}
        assert tokens == {"a": "1", "b": "shipped", "c": "shipped", "d": "shipped", "e": "meanwhile", "f": "after"}
        lost = {one["Loser"]["M"]["id"]["S"] for one in conflicts if "given up" in one["Reason"]["S"]}
        assert lost == {f"fork {number}" for number in range(5)} | {"b"}
        assert [item["token"]["S"] for item in first.client().scan("local")] == ["kept"]
        put(first, "local", "more", "1")
        cluster.stop_and_check()


def test_a_region_declared_lost_that_comes_back_hurts_nobody(tmp_path):
    with Cluster(tmp_path) as cluster:
        first, second, third = cluster.regions
        cluster.create_table("orders")
        put(first, "orders", "a", "1")
        cluster.wait_converged()
        cluster.isolate(first)
        put(first, "orders", "only", "here")
        put(second, "orders", "b", "2")
        # Only one region is told; the other hears of it.
        cluster.command("region", "--config", second.config, "lost", first.name)

        def closed():
            return all(
                member["closed"] == 1
                for region in (second, third)
                for member in status_of(cluster, region).get("members", [{"region": first.name, "closed": 0}])
                if member["region"] == first.name
            )

        wait_for("its journal is closed at the others", closed, 60)
        cluster.rejoin(first)
        wait_for("it knows that it was declared lost", lambda: (status_of(cluster, first).get("forked") or {}).get(
            "reason") == "declared-lost", 60)
        cluster.command("region", "--data", cluster.folder, "reincarnate", first.name)
        wait_for("it writes again", lambda: status_of(cluster, first).get("may_write"), 60)
        wait_for("what only it had is logged", lambda: status_of(cluster, first).get("former_journals_kept") == 0, 60)
        cluster.wait_active("orders", first)
        cluster.wait_converged()
        conflicts = cluster.assert_identical("orders")
        assert sorted(item["id"]["S"] for item in second.client().scan("orders")) == ["a", "b"]
        assert [one["Loser"]["M"]["id"]["S"] for one in conflicts] == ["only"]
        cluster.stop_and_check()
