"""ConsumedCapacity of writes and reads on a table with indexes: the same seeded requests to a region and to DynamoDB Local.

A module of its own beside test_differential.py: what is compared is exact, and the items stay small in number so that most
writes find one. TIDEMARK_SEED and TIDEMARK_REQUESTS choose another stream or a longer one.
"""

import collections
import os
import random

import compare

SEED = int(os.environ.get("TIDEMARK_SEED", 1))
REQUESTS = int(os.environ.get("TIDEMARK_REQUESTS", 20_000 if os.environ.get("TIDEMARK_LONG") else 400))
TABLE = "CapacityTold"
SHOWN_MAX = 10
KEYS = {"pk": "HASH", "sk": "RANGE"}


def key_schema(*names):
    return [{"AttributeName": n, "KeyType": "HASH" if i == 0 else "RANGE"} for i, n in enumerate(names)]


def prepare(server):
    server.call("DeleteTable", {"TableName": TABLE})
    answer = server.call(
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": key_schema("pk", "sk"),
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "a", "b", "l")],
            "GlobalSecondaryIndexes": [
                {"IndexName": "g_all", "KeySchema": key_schema("a", "sk"), "Projection": {"ProjectionType": "ALL"}},
                {"IndexName": "g_keys", "KeySchema": key_schema("b"), "Projection": {"ProjectionType": "KEYS_ONLY"}},
                {"IndexName": "g_some", "KeySchema": key_schema("a", "b"), "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["c"]}},
            ],
            "LocalSecondaryIndexes": [{"IndexName": "l_keys", "KeySchema": key_schema("pk", "l"), "Projection": {"ProjectionType": "KEYS_ONLY"}}],
        },
    )
    assert answer.status == 200, answer


class Requests:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, *choices):
        return {"S": self.random.choice(choices)}

    def key(self):
        return {"pk": self.text("p", "q"), "sk": self.text("1", "2", "3")}

    def attributes(self):
        item = {}
        for name in ("a", "b", "l"):
            if self.random.random() < 0.7:
                item[name] = self.text("x", "y")
        for name in ("c", "d"):
            if self.random.random() < 0.6:
                item[name] = {"S": self.random.choice("mn") * self.random.choice((1, 500, 1100, 2500, 9000))}
        return item

    def put(self):
        return {"TableName": TABLE, "Item": {**self.key(), **self.attributes()}}

    def update(self):
        change = self.attributes()
        sets = [n for n in change if self.random.random() < 0.7]
        removes = [n for n in ("a", "b", "l", "c", "d") if n not in sets and self.random.random() < 0.3]
        body = {"TableName": TABLE, "Key": self.key()}
        text = ("SET " + ", ".join(f"{n} = :{n}" for n in sets) if sets else "") + (" REMOVE " + ", ".join(removes) if removes else "")
        if text:
            body["UpdateExpression"] = text.strip()
        if sets:
            body["ExpressionAttributeValues"] = {f":{n}": change[n] for n in sets}
        return body

    def request(self):
        kind = self.random.choice(("PutItem", "PutItem", "UpdateItem", "UpdateItem", "DeleteItem", "Query", "GetItem"))
        level = {"ReturnConsumedCapacity": self.random.choice(("INDEXES", "INDEXES", "TOTAL"))}
        if kind == "PutItem":
            return kind, {**self.put(), **level}
        if kind == "UpdateItem":
            return kind, {**self.update(), **level}
        if kind == "DeleteItem":
            return kind, {"TableName": TABLE, "Key": self.key(), **level}
        if kind == "GetItem":
            return kind, {"TableName": TABLE, "Key": self.key(), "ConsistentRead": self.random.random() < 0.5, **level}
        name, part, consistent = self.random.choice((("g_all", "a", False), ("g_keys", "b", False), ("l_keys", "pk", True), (None, "pk", True)))
        body = {
            "TableName": TABLE,
            "KeyConditionExpression": f"{part} = :v",
            "ExpressionAttributeValues": {":v": self.text(*("pq" if part == "pk" else "xy"))},
            "ConsistentRead": consistent and self.random.random() < 0.5,
            **level,
        }
        return kind, {**body, "IndexName": name} if name else body


def stored(server, body):
    """The item that a write is about, as it is now."""
    item = body.get("Item", body.get("Key"))
    return server.call("GetItem", {"TableName": TABLE, "Key": {n: item[n] for n in ("pk", "sk")}, "ConsistentRead": True}).body.get("Item", {})


def half_keyed(before, after):
    """Neither is in the index by a and b, and what there is of the two changes: Local counts a write to it, the service none."""
    return not ({"a", "b"} <= set(before) or {"a", "b"} <= set(after)) and any(before.get(n) != after.get(n) for n in ("a", "b"))


def total(told):
    return told["CapacityUnits"]


def difference(operation, ours, local, before, after):
    """None: alike; a name of one that is known; or what is wrong."""
    if ours.status != local.status:
        return "WRONG status"
    a, b = ours.body.get("ConsumedCapacity"), local.body.get("ConsumedCapacity")
    if a == b:
        return None
    if operation == "Query" and ours.body.get("Count") == 0 and total(b) == 0:
        return "an empty Query costs" if total(a) in (0.5, 1.0) else "WRONG"
    if operation in ("PutItem", "UpdateItem", "DeleteItem") and half_keyed(before, after):
        extra = b.get("GlobalSecondaryIndexes", {}).pop("g_some", None)
        b["CapacityUnits"] -= extra["CapacityUnits"] if extra else total(b) - total(a)
        if a == b:
            return "half of an index's key"
    return "WRONG"


def test_capacity_is_told_alike(region, local_port):
    ours, local = compare.Server("tidemark", region.http_port), compare.Server("DynamoDB Local", local_port)
    for server in (ours, local):
        prepare(server)
    requests, wrong, count = Requests(SEED), [], collections.Counter()
    for n in range(REQUESTS):
        operation, body = requests.request()
        writes = operation in ("PutItem", "UpdateItem", "DeleteItem")
        before = stored(local, body) if writes else None
        mine, theirs = ours.call(operation, body), local.call(operation, body)
        what = difference(operation, mine, theirs, before, stored(local, body) if writes else None)
        count[what] += 1
        if what is not None and what.startswith("WRONG"):
            wrong.append(f"request {n} of seed {SEED}: {operation} {repr(body)[:600]}\n  ours  {mine.body.get('ConsumedCapacity', mine)}\n  local {theirs.body.get('ConsumedCapacity', theirs)}")
    print(dict(count))
    assert count[None] > REQUESTS * 0.9
    assert not wrong, f"{len(wrong)} of {REQUESTS} differ:\n" + "\n".join(wrong[:SHOWN_MAX])
