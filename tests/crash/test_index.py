"""
Indexes of a region that dies under load, while they are backfilled, made and deleted: afterwards `tidemark check` finds each of them to be what the
table's items make it, the backfill goes on by itself, and a Scan of an index is the projection of the table.

One seed again: tests/run's venv, TIDEMARK_BIN=build/release python -m pytest tests/crash/test_index.py --seed 7
"""

import random
import time

import pytest
from dynamo import Dynamo, DynamoError
from process import Api
from workload import TABLE, Load, make_table

ITEMS = 5000  # beside those of the clients: a backfill takes several steps
SEEDS = 6
WAIT_SECONDS = 60
INDEXES = {
    "by-v": ([("v", "HASH")], {"ProjectionType": "KEYS_ONLY"}),
    "by-v-all": ([("v", "HASH"), ("id", "RANGE")], {"ProjectionType": "ALL"}),
    "by-color": ([("color", "HASH"), ("v", "RANGE")], {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["filler"]}),
}
TYPES = {"id": "S", "v": "N", "color": "S"}


def index_keys(name):
    return [attribute for attribute, _ in INDEXES[name][0]]


def projection(name, item):
    """What an index holds of an item; None: nothing, as it lacks one of the keys."""
    keys, kind = index_keys(name), INDEXES[name][1]
    if any(key not in item for key in keys):
        return None
    if kind["ProjectionType"] == "ALL":
        return item
    wanted = {"id", *keys, *kind.get("NonKeyAttributes", [])}
    return {key: value for key, value in item.items() if key in wanted}


def fill(port):
    dynamo = Dynamo(port)
    for first in range(0, ITEMS, 25):
        requests = []
        for number in range(first, first + 25):
            item = {"id": {"S": f"old-{number}"}, "v": {"N": str(number % 100)}, "filler": {"S": "x" * 200}}
            if number % 3 != 0:  # the others have no entry by color
                item["color"] = {"S": f"color-{number % 7}"}
            requests.append({"PutRequest": {"Item": item}})
        answer = dynamo.call("BatchWriteItem", RequestItems={TABLE: requests})
        assert not answer.get("UnprocessedItems"), answer
    dynamo.close()


def statuses(dynamo):
    table = dynamo.call("DescribeTable", TableName=TABLE)["Table"]
    return {index["IndexName"]: index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes", [])}


def change(dynamo, name):
    """Make the index, or delete it; what the service does not take just now is left."""
    key_schema, kind = INDEXES[name]
    if name in statuses(dynamo):
        update = {"Delete": {"IndexName": name}}
    else:
        schema = [{"AttributeName": a, "KeyType": k} for a, k in key_schema]
        update = {"Create": {"IndexName": name, "KeySchema": schema, "Projection": kind}}
    wanted = {"id", *index_keys(name), *(key for other in statuses(dynamo) for key in index_keys(other))}
    try:
        dynamo.call(
            "UpdateTable",
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": a, "AttributeType": TYPES[a]} for a in sorted(wanted)],
            GlobalSecondaryIndexUpdates=[update],
        )
    except DynamoError as error:
        if error.name not in ("ResourceInUseException", "LimitExceededException"):
            raise
        return f"{name} refused"
    return f"{'-' if 'Delete' in update else '+'}{name}"


def wait_active(api, dynamo):
    deadline = time.monotonic() + WAIT_SECONDS
    while any(status != "ACTIVE" for status in statuses(dynamo).values()):
        assert time.monotonic() < deadline, f"not complete: {statuses(dynamo)}\n{api.tail()}"
        time.sleep(0.01)


def scan_index(dynamo, name):
    items, start = [], None
    while True:
        request = {"TableName": TABLE, "IndexName": name}
        if start is not None:
            request["ExclusiveStartKey"] = start
        page = dynamo.call("Scan", **request)
        items += page["Items"]
        start = page.get("LastEvaluatedKey")
        if start is None:
            return items


def verify_indexes(api):
    dynamo = Dynamo(api.port)
    wait_active(api, dynamo)
    table = dynamo.scan(TABLE)
    for name in statuses(dynamo):
        wanted = {item["id"]["S"]: projection(name, item) for item in table if projection(name, item) is not None}
        found = scan_index(dynamo, name)
        assert len(found) == len(wanted), f"{name}: {len(found)} entries of {len(wanted)} items"
        for item in found:
            assert item == wanted[item["id"]["S"]], name
    dynamo.close()


def one_life(api, load, choice, story):
    """Clients write, an index comes or goes, and the end comes anywhere in its backfill."""
    load.run(api.port)
    dynamo = Dynamo(api.port)
    for _ in range(choice.randrange(1, 3)):
        story.append(change(dynamo, choice.choice(list(INDEXES))))
        time.sleep(choice.random() * 0.15)
    dynamo.close()
    api.kill()
    load.join()


@pytest.mark.parametrize("number", range(SEEDS))
def test_indexes_survive_a_region_that_dies_while_they_are_made(tmp_path, number, pytestconfig):
    seed = pytestconfig.getoption("--seed") or number + 1
    choice, api, load = random.Random(seed), Api(tmp_path), Load(seed)
    story = []
    try:
        api.start()
        make_table(api.port)
        fill(api.port)
        for _ in range(4):
            one_life(api, load, choice, story)
            if choice.random() < 0.5:
                story.append(f"store: {api.damage_store(choice)}, journal: {api.damage_journal(choice)}")
            if choice.random() < 0.5:
                assert api.check() == ""
            api.start()
            load.verify(api.port, besides="old-")
            if choice.random() < 0.5:
                verify_indexes(api)
        verify_indexes(api)
        assert api.stop() == 0, api.tail()
        assert api.check() == ""
    except BaseException:
        print(f"seed {seed}: {'; '.join(story)}; folder {tmp_path}\n{api.tail()}")
        raise
    finally:
        if api.process is not None:
            api.kill()


def test_a_backfill_goes_on_where_it_was_killed(tmp_path):
    """It is killed in the middle for sure, and what it had done is not done again."""
    api = Api(tmp_path)
    try:
        api.start()
        make_table(api.port)
        fill(api.port)
        for _ in range(20):
            dynamo = Dynamo(api.port)
            change(dynamo, "by-v")
            api.kill()
            assert api.check() == ""
            api.start()
            dynamo = Dynamo(api.port)
            seen = statuses(dynamo)
            wait_active(api, dynamo)
            if seen.get("by-v") == "CREATING":
                break
            change(dynamo, "by-v")  # away again, for another try
            api.wait("no index", lambda: "by-v" not in statuses(dynamo))
        else:
            pytest.fail("each backfill was over before the kill")
        verify_indexes(api)
        assert api.stop() == 0, api.tail()
        assert api.check() == ""
    finally:
        if api.process is not None:
            api.kill()
