"""Concurrent writes to overlapping keys in three regions: afterwards every region is the same, and no write is missing."""

from load import Load, account


def test_a_write_is_read_in_every_region(cluster):
    cluster.create_table("orders")
    for region in cluster:
        region.client().call("PutItem", TableName="orders", Item={"id": {"S": region.name}, "token": {"S": "x"}})
    cluster.wait_converged(20)
    for region in cluster:
        assert {item["id"]["S"] for item in region.client().scan("orders")} == {one.name for one in cluster}
    assert cluster.assert_identical("orders") == []
    cluster.stop_and_check()


def test_100000_writes_by_8_clients_per_region_converge(cluster):
    cluster.create_table("orders")
    load = Load(cluster, "orders", writes=100_000, keys=5_000, seed=1)
    try:
        records = load.wait()
    finally:
        load.kill()
    cluster.wait_converged(300)
    conflicts = cluster.assert_identical("orders")
    account(records, cluster[0].client().scan("orders"), conflicts)
    # Overlapping keys in three regions must meet; a test without conflicts would show little.
    assert conflicts
    assert sum(1 for record in records if record[3] == "acked") > 80_000
    cluster.stop_and_check()


def test_a_cut_link_is_relayed_around(cluster):
    cluster.create_table("orders")
    cluster.cut(cluster[0], cluster[1])
    load = Load(cluster, "orders", writes=3_000, keys=200, seed=2)
    try:
        records = load.wait()
    finally:
        load.kill()
    cluster.wait_converged(60)  # the link is still cut
    conflicts = cluster.assert_identical("orders")
    account(records, cluster[0].client().scan("orders"), conflicts)
    cluster.heal(cluster[0], cluster[1])
    cluster[0].client().call("PutItem", TableName="orders", Item={"id": {"S": "last"}, "token": {"S": "last"}})
    cluster.wait_converged(60)
    cluster.stop_and_check()
