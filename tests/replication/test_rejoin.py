"""A region that was away for longer than its peers keep their journals: it is marked, and one command brings it back."""

import json

from harness import Cluster, wait_for

# Segments and checkpoints of the least size, and a journal that is kept for seconds.
SHORT = """journal = { segment_mb = 1; checkpoint_mb = 1; retention_seconds = 1; retention_max_seconds = 2; };
"""


def fill(region, table, prefix, items, padding):
    client = region.client()
    for start in range(0, items, 25):
        requests = [
            {"PutRequest": {"Item": {"id": {"S": f"{prefix} {i}"}, "padding": {"S": padding}}}}
            for i in range(start, min(start + 25, items))
        ]
        answer = client.raw("BatchWriteItem", json.dumps({"RequestItems": {table: requests}}))
        assert json.loads(answer)["UnprocessedItems"] == {}


def put(region, key, value):
    region.client().call("PutItem", TableName="orders", Item={"id": {"S": key}, "padding": {"S": value}})


def get(region, key):
    item = region.client().call("GetItem", TableName="orders", Key={"id": {"S": key}}).get("Item")
    return item and item["padding"]["S"]


def delete(region, key):
    region.client().call("DeleteItem", TableName="orders", Key={"id": {"S": key}})


def of(cluster, region):
    return next(one for one in cluster.status()["regions"] if one["region"] == region.name)["status"]


def table_of(status, name):
    return next(table for table in status["tables"] if table["name"] == name)


def trimmed(region):
    return region.log_lines("api", "JOURNAL-TRIM")


def leave_behind(cluster):
    """The third region is cut off and writes alone, until the others have let it go."""
    stay, away = cluster.regions[:2], cluster[2]
    cluster.create_table("orders")
    cluster.create_table("quiet")
    fill(stay[0], "orders", "first", 200, "1")
    fill(stay[0], "quiet", "first", 10, "1")
    cluster.wait_converged(60)
    cluster.isolate(away)
    fill(away, "orders", "alone", 300, "of the one that was away")
    put(away, "first 1", "of the one that was away")
    delete(away, "first 2")
    delete(away, "first 3")
    put(stay[1], "first 1", "of those that stayed")
    put(stay[1], "first 3", "of those that stayed")
    delete(stay[0], "first 4")
    before = [len(trimmed(region)) for region in stay]

    def let_go():
        for region in stay:
            fill(region, "orders", f"of {region.name}", 1000, "x" * 1000)
        return all(len(trimmed(region)) > n for region, n in zip(stay, before))

    wait_for("the others have let their journals go", let_go, 120)
    # They trim again and again; the last of what the absent one needs has to be gone.
    firsts = [trimmed(region)[-1] for region in stay]
    assert all("first=" in line for line in firsts), firsts
    cluster.rejoin(away)
    wait_for("it is marked", lambda: of(cluster, away)["needs_bootstrap"], 60)
    return stay, away


def check_all(cluster, away):
    cluster.wait_converged(120)
    conflicts = cluster.assert_identical("orders", "quiet")
    for region in cluster:
        items = {item["id"]["S"]: item["padding"]["S"] for item in region.client().scan("orders")}
        assert sum(1 for key in items if key.startswith("alone ")) == 300
        assert items["alone 7"] == "of the one that was away"
        assert "first 2" not in items and "first 4" not in items
        assert len({key for key in items if key.startswith("of ")}) == 2000
    lost = {entry["Key"]["M"]["id"]["S"] for entry in conflicts if entry["Table"]["S"] == "orders"}
    # Each conflict is logged once, whoever found it; the loser of "first 3" may be the delete.
    assert "first 1" in lost and lost <= {"first 1", "first 3"}, lost
    status = of(cluster, away)
    assert not status["needs_bootstrap"] and not status["rejoining"]
    cluster.stop_and_check()


def test_who_was_away_too_long_is_marked_and_comes_back_with_one_command(tmp_path):
    with Cluster(tmp_path, extra=SHORT) as cluster:
        stay, away = leave_behind(cluster)
        assert table_of(of(cluster, away), "orders")["rejoin"] == "needed"
        assert "rejoin" not in table_of(of(cluster, away), "quiet")
        assert "NEEDS BOOTSTRAP" in cluster.command("status", "--data", cluster.folder, check=False).stdout
        # It goes on: its own writes reach the others, who are not level with it, nor it with them.
        put(away, "alone 299", "of the one that was away")
        wait_for("its writes are there", lambda: get(stay[0], "alone 299") is not None, 60)
        assert get(away, "of us-east-1 3") is None
        marks = [line for line in away.log_lines("api", "REPL-NEEDS-BOOTSTRAP") if "do=" in line]
        assert len(marks) == len({line.split("table=")[1].split()[0] for line in marks}), marks
        said = cluster.command("region", "--data", cluster.folder, "rejoin", away.name).stdout
        assert "its tables stand at one cut" in said, said
        check_all(cluster, away)


def test_a_rejoin_goes_on_where_it_was_after_kill_9_of_everything(tmp_path):
    with Cluster(tmp_path, extra=SHORT) as cluster:
        stay, away = leave_behind(cluster)
        cluster.command("region", "--data", cluster.folder, "rejoin", away.name, "--no-wait")
        for _ in range(2):
            away.kill()
            away.start()
            stay[0].kill()
            stay[0].start()
        said = cluster.command("region", "--data", cluster.folder, "rejoin", away.name).stdout
        assert "its tables stand at one cut" in said or "no table needs it" in said, said
        check_all(cluster, away)
