"""Secondary indexes of global tables: every region makes its own, and all show the same."""

import threading

from harness import wait_for
from load import Load

INDEXES = [
    {"IndexName": "by-token", "KeySchema": [{"AttributeName": "token", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}},
    {
        "IndexName": "by-padding",
        "KeySchema": [{"AttributeName": "padding", "KeyType": "HASH"}, {"AttributeName": "token", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
    },
]


def add_index(region, table, index):
    names = sorted({k["AttributeName"] for k in index["KeySchema"]})
    region.client().call(
        "UpdateTable",
        TableName=table,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )


def states(region, table):
    found = region.client().call("DescribeTable", TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
    return {i["IndexName"]: i["IndexStatus"] for i in found}


def wait_indexes(cluster, table, names, seconds=120):
    for region in cluster:
        wait_for(
            f"{region.name}: {names} are ACTIVE", lambda r=region: states(r, table) == dict.fromkeys(names, "ACTIVE"), seconds
        )


def scan(region, table, **arguments):
    client, items, start = region.client(), [], {}
    while True:
        page = client.call("Scan", TableName=table, **arguments, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return sorted(items, key=lambda i: i["id"]["S"])
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def assert_indexes_are_their_tables(cluster, table, indexes):
    for region in cluster:
        items = scan(region, table)
        for index in indexes:
            keys = [k["AttributeName"] for k in index["KeySchema"]]
            wanted = [i for i in items if all(i.get(k, {}).get("S") for k in keys)]
            if index["Projection"]["ProjectionType"] != "ALL":
                kept = {"id", *keys, *index["Projection"].get("NonKeyAttributes", [])}
                wanted = [{k: v for k, v in i.items() if k in kept} for i in wanted]
            assert scan(region, table, IndexName=index["IndexName"]) == wanted, (region.name, index["IndexName"])
            shown = region.client().call("DescribeTable", TableName=table)["Table"]["GlobalSecondaryIndexes"]
            assert {i["IndexName"]: i["ItemCount"] for i in shown}[index["IndexName"]] == len(wanted)


def test_an_index_made_in_one_region_while_all_are_written_and_one_is_killed(cluster):
    cluster.create_table("orders")
    first = Load(cluster, "orders", writes=6_000, keys=3_000, seed=11)
    try:
        first.wait()
    finally:
        first.kill()
    load = Load(cluster, "orders", writes=9_000, keys=3_000, seed=12)
    try:
        add_index(cluster[1], "orders", INDEXES[0])
        killed = cluster[2]
        # as soon as it knows of the index: in the middle of filling it, or just before or after
        wait_for("the index is known there", lambda: states(killed, "orders"), 60)
        killed.kill("api")
        killed.start("api")
        load.wait()
    finally:
        load.kill()
    wait_indexes(cluster, "orders", ["by-token"])
    cluster.wait_converged(120)
    add_index(cluster[2], "orders", INDEXES[1])
    wait_indexes(cluster, "orders", ["by-token", "by-padding"])
    cluster.assert_identical("orders")
    assert_indexes_are_their_tables(cluster, "orders", INDEXES)
    cluster.stop_and_check()


def test_a_new_replica_has_the_indexes_with_its_first_item(cluster):
    cluster.create_table("orders", list(cluster)[:2])
    add_index(cluster[0], "orders", INDEXES[0])
    for n in range(300):
        cluster[n % 2].client().call(
            "PutItem", TableName="orders", Item={"id": {"S": f"k{n}"}, "token": {"S": f"t{n % 7}"}, "padding": {"S": "p"}}
        )
    wait_indexes(list(cluster)[:2], "orders", ["by-token"])
    cluster.add_replica("orders", cluster[0], cluster[2])
    cluster.wait_active("orders", cluster[2])
    wait_indexes(cluster, "orders", ["by-token"])
    cluster.wait_converged(60)
    assert_indexes_are_their_tables(cluster, "orders", INDEXES[:1])
    for replica in cluster[0].client().call("DescribeTable", TableName="orders")["Table"]["Replicas"]:
        assert [i["IndexName"] for i in replica["GlobalSecondaryIndexes"]] == ["by-token"]
    # gone everywhere when one region deletes it
    cluster[2].client().call("UpdateTable", TableName="orders", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-token"}}])
    for region in cluster:
        wait_for(f"{region.name}: the index is gone", lambda r=region: not states(r, "orders"), 60)
    cluster.stop_and_check()


def test_indexes_of_one_name_made_in_two_regions_at_once_become_one(cluster):
    cluster.create_table("orders")
    for n in range(50):
        cluster[0].client().call("PutItem", TableName="orders", Item={"id": {"S": f"k{n}"}, "token": {"S": "t"}, "padding": {"S": f"p{n % 3}"}})
    cluster.wait_converged(30)
    cluster.cut(cluster[0], cluster[1])
    cluster.cut(cluster[0], cluster[2])
    same = dict(INDEXES[0], IndexName="both")
    threads = [
        threading.Thread(target=add_index, args=(cluster[0], "orders", same)),
        threading.Thread(target=add_index, args=(cluster[1], "orders", dict(INDEXES[1], IndexName="both"))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for("both were made", lambda: all(states(r, "orders") == {"both": "ACTIVE"} for r in (cluster[0], cluster[1])), 60)
    cluster.heal(cluster[0], cluster[1])
    cluster.heal(cluster[0], cluster[2])
    cluster.wait_converged(60)

    def shown(region):
        (index,) = region.client().call("DescribeTable", TableName="orders")["Table"]["GlobalSecondaryIndexes"]
        return index["IndexStatus"], index["KeySchema"], index["ItemCount"]

    wait_for("all show the same index", lambda: len({str(shown(r)) for r in cluster}) == 1 and shown(cluster[0])[0] == "ACTIVE", 60)
    chosen = INDEXES[0] if len(shown(cluster[0])[1]) == 1 else INDEXES[1]
    assert_indexes_are_their_tables(cluster, "orders", [dict(chosen, IndexName="both")])
    cluster.stop_and_check()
