"""
Damaged blocks in the store of a real region: what they hold is refused, named, and made again from the journal: by one command, or by
the region itself where it could not go on writing.
"""

import re
import subprocess
import time

import pytest

from dynamo import Dynamo, DynamoError
from process import BUILD, Api

ITEMS = 1500
FILLER = "y" * 700


@pytest.fixture
def region(tmp_path):
    api = Api(tmp_path)
    api.start()
    try:
        yield api
    except BaseException:
        print(api.tail())
        raise
    finally:
        if api.process is not None:
            api.kill()


def fill(api):
    """A table of string and number keys, in table files of the store."""
    client = Dynamo(api.port)
    client.call(
        "CreateTable",
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
    )
    while client.call("DescribeTable", TableName="orders")["Table"]["TableStatus"] != "ACTIVE":
        pass
    for at in range(0, ITEMS, 25):
        puts = [{"PutRequest": {"Item": item(n)}} for n in range(at, at + 25)]
        assert not client.call("BatchWriteItem", RequestItems={"orders": puts})["UnprocessedItems"]
    client.close()


def item(n):
    return {"id": {"S": f"order-{n}"}, "n": {"N": str(n)}, "filler": {"S": FILLER}}


def read(api):
    """Which items can be read; every other one must be refused with a 500."""
    client, found = Dynamo(api.port), set()
    for n in range(ITEMS):
        try:
            got = client.call("GetItem", TableName="orders", Key={"id": {"S": f"order-{n}"}, "n": {"N": str(n)}})
            assert got.get("Item") == item(n), f"{n}: {got}"
            found.add(n)
        except DynamoError as error:
            assert (error.status, error.name) == (500, "InternalServerError"), error
    client.close()
    return found


def spoil(api):
    """Some bytes in the middle of the largest table file."""
    path = max((api.data / "store").glob("*.ldb"), key=lambda file: file.stat().st_size)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\0\1\2\3damaged")


def check(api, *arguments):
    return subprocess.run([BUILD / "deploy" / "tidemark", "check", *arguments, api.data], capture_output=True, text=True)


def test_a_damaged_block_is_named_and_repaired_by_one_command(region):
    fill(region)
    assert region.stop() == 0
    spoil(region)
    region.start()
    found = read(region)
    assert ITEMS // 2 < len(found) < ITEMS
    lost = set(range(ITEMS)) - found
    assert len(region.logged("STORE-DAMAGED")) <= 3, "once per range"
    disk = region.disk()
    assert disk["state"] == "damaged" and disk["reads_failed"] >= len(lost)
    assert disk["damage"][0]["name"] == "orders" and re.fullmatch(r'"order-\d+"/\d+', disk["damage"][0]["after"])
    with pytest.raises(DynamoError):  # a walk leaves nothing out in silence
        Dynamo(region.port).scan("orders")
    status = subprocess.run([BUILD / "deploy" / "tidemark", "status", "--config", region.config], capture_output=True, text=True)
    assert status.returncode == 1 and "its disk: damaged" in status.stdout
    assert region.stop() == 0
    told = check(region)
    assert told.returncode == 1 and "--repair" in told.stdout, told
    assert re.search(r'table orders \([0-9a-f]{16}\): keys from behind "order-\d+"/\d+ to before "order-\d+"/\d+ cannot', told.stdout), told
    told = check(region, "--repair")
    assert told.returncode == 0, told
    region.start()
    assert read(region) == set(range(ITEMS))
    assert region.disk()["state"] == "ok"


def test_a_store_that_cannot_go_on_is_made_again_by_the_region_itself(region):
    fill(region)
    assert region.stop() == 0
    spoil(region)
    region.start()
    pid, client, deadline = region.process.pid, Dynamo(region.port), time.monotonic() + 60
    acknowledged, n = 0, 0
    while not region.logged("SHARD-SEALED"):  # until its compaction comes to the block
        assert time.monotonic() < deadline, region.tail()
        try:
            client.call("PutItem", TableName="orders", Item={**item(n % ITEMS), "again": {"N": str(n)}})
            acknowledged = n
        except DynamoError as error:
            assert error.status == 500
        n += 1
    assert b"CORRUPT" in region.logged("SHARD-SEALED")[0]
    client.close()
    region.wait_log("STORE-REBUILT", seconds=60)
    region.wait("second start", lambda: len(region.logged("API-READY")) == 3, 60)
    assert region.process.pid == pid
    client = Dynamo(region.port)
    items = client.scan("orders")
    assert len(items) == ITEMS
    assert max(int(i["again"]["N"]) for i in items if "again" in i) >= acknowledged
    client.call("PutItem", TableName="orders", Item=item(0))
    client.close()
    assert region.disk()["state"] == "ok"
    assert region.stop() == 0
    assert region.check() == ""
