"""
Secondary indexes of a history's tables: what a scenario may make, and what each must hold at the end.

Keys are what every workload writes: `w`, the token of the write (so that each write moves its entry), `u`, of those that touch, `n`, of counters.
"""

INDEXES = {
    # name: (key schema, types, projection)
    "by-write": ([("w", "HASH")], {"w": "S"}, {"ProjectionType": "KEYS_ONLY"}),
    "by-touch": ([("u", "HASH"), ("w", "RANGE")], {"u": "S", "w": "S"}, {"ProjectionType": "ALL"}),
    "by-number": ([("n", "HASH"), ("id", "RANGE")], {"n": "N", "id": "S"}, {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["w"]}),
}


def request(how, table, name):
    """UpdateTable's parameters."""
    if how == "drop":
        return {"TableName": table, "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
    schema, types, kind = INDEXES[name]
    return {
        "TableName": table,
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in types.items()],
        "GlobalSecondaryIndexUpdates": [
            {"Create": {"IndexName": name, "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in schema], "Projection": kind}}
        ],
    }  # fmt: skip


def states(region, table):
    """The indexes that the region shows: name -> status."""
    shown = region.call("DescribeTable", TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
    return {index["IndexName"]: index["IndexStatus"] for index in shown}


def projection(name, item):
    """What the index holds of an item; None: nothing, it lacks a key."""
    schema, _, kind = INDEXES[name]
    keys = [key for key, _ in schema]
    if any(key not in item for key in keys):
        return None
    if kind["ProjectionType"] == "ALL":
        return item
    return {key: value for key, value in item.items() if key in {"id", *keys, *kind.get("NonKeyAttributes", [])}}


def scan(region, table, name):
    items, start = [], {}
    while True:
        page = region.call("Scan", timeout=60, TableName=table, IndexName=name, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def wrong(name, items, found):
    """What an index holds that it should not, or lacks, of these items; an empty string: nothing."""
    wanted = {item["id"]["S"]: projection(name, item) for item in items if projection(name, item) is not None}
    keys = [item["id"]["S"] for item in found]
    if len(set(keys)) != len(keys):
        return f"{len(keys) - len(set(keys))} items have more than one entry"
    if set(keys) != set(wanted):
        return f"lacks {sorted(set(wanted) - set(keys))[:5]}, has {sorted(set(keys) - set(wanted))[:5]} besides"
    other = [item["id"]["S"] for item in found if item != wanted[item["id"]["S"]]]
    return f"has other than what is projected of {other[:5]}" if other else ""
