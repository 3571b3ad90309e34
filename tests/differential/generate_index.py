"""Requests to tables with indexes: writes whose attributes may be keys of an index, and reads of the indexes. Seeded like generate.py's."""

import copy

from generate import BAD_KEY_VALUES, KEY_VALUES, Generator

ALL, KEYS = {"ProjectionType": "ALL"}, {"ProjectionType": "KEYS_ONLY"}
INCLUDE = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "n"]}

TABLES = {"ix": (("pk", "S"), ("sk", "N")), "ih": (("pk", "S"), None)}
TYPES = {"pk": "S", "sk": "N", "g": "S", "h": "N", "i": "B"}
LOCAL = {"lall": ("pk", "g", ALL), "linc": ("pk", "h", INCLUDE), "lkey": ("pk", "i", KEYS)}
GLOBAL = {
    "gall": (["g"], [], ALL),
    "ginc": (["g"], ["h"], INCLUDE),
    "gkey": (["h"], ["i"], KEYS),
    "gback": (["g"], ["pk"], KEYS),
    "gmany": (["g", "h"], ["i", "pk"], INCLUDE),
}


def keys(hashes, ranges):
    return [{"AttributeName": n, "KeyType": "HASH"} for n in hashes] + [{"AttributeName": n, "KeyType": "RANGE"} for n in ranges]


def create_table(name):
    own = [k[0] for k in TABLES[name] if k]
    used = {*own, *(n for hashes, ranges, _ in GLOBAL.values() for n in (*hashes, *ranges))}
    body = {
        "TableName": table_name(name),
        "KeySchema": keys(own[:1], own[1:]),
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [{"IndexName": n, "KeySchema": keys(h, r), "Projection": p} for n, (h, r, p) in GLOBAL.items()],
    }
    if len(own) == 2:
        body["LocalSecondaryIndexes"] = [{"IndexName": n, "KeySchema": keys([h], [r]), "Projection": p} for n, (h, r, p) in LOCAL.items()]
    body["AttributeDefinitions"] = [{"AttributeName": n, "AttributeType": TYPES[n]} for n in sorted(used)]
    return body


def table_name(name):
    return "differential." + name


def projected(body):
    """The attributes that the index of a request has, as far as requests name them."""
    name, table = body["IndexName"], body["TableName"].split(".")[-1]
    hashes, ranges, projection = GLOBAL[name] if name in GLOBAL else ([LOCAL[name][0]], [LOCAL[name][1]], LOCAL[name][2])
    if projection is ALL:
        return {*TYPES, "a", "b", "n", "s"}
    return {*(k[0] for k in TABLES[table] if k), *hashes, *ranges, *projection.get("NonKeyAttributes", [])}


class IndexGenerator(Generator):
    def item(self, table):
        item = self.key(table)
        for name in ("g", "h", "i"):
            if self.chance(80):
                item[name] = self.one(KEY_VALUES[TYPES[name]])
        for name in self.random.sample(["a", "b", "n", "s"], self.random.randrange(0, 4)):
            item[name] = self.typed(name)
        if self.fault(12):
            item[self.one("ghi")] = copy.deepcopy(self.one(BAD_KEY_VALUES))
        return item

    def key(self, table):
        key = {k[0]: self.one(KEY_VALUES[k[1]]) for k in TABLES[table] if k}
        if self.fault(2):
            key["extra"] = {"S": "a"}
        return key

    def request(self):
        self.start()
        self.faults = 0
        self.table = self.one(list(TABLES))
        operation = self.one(["PutItem"] * 5 + ["UpdateItem"] * 4 + ["DeleteItem"] + ["Query"] * 8 + ["Scan"] * 4 + ["BatchWriteItem"])
        body = getattr(self, operation)()
        if operation != "BatchWriteItem":
            body["TableName"] = table_name(self.table)
        return operation, body

    def PutItem(self):
        return {"Item": self.item(self.table)}

    def DeleteItem(self):
        return {"Key": self.key(self.table)}

    def UpdateItem(self):
        parts, removed = [], []
        for name in self.random.sample(["g", "h", "i", "a", "n"], self.random.randrange(1, 4)):
            if self.chance(25):
                removed.append(name)
                continue
            value = self.one(KEY_VALUES[TYPES[name]]) if name in TYPES else self.typed(name)
            if name in TYPES and self.fault(15):
                value = copy.deepcopy(self.one(BAD_KEY_VALUES[:6]))
            self.values[":" + name] = value
            parts.append(f"{name} = :{name}")
        body = {"Key": self.key(self.table)}
        body["UpdateExpression"] = " ".join((["SET " + ", ".join(parts)] if parts else []) + (["REMOVE " + ", ".join(removed)] if removed else []))
        if self.fault(3):
            body["UpdateExpression"] = self.one(["SET g.x = :x", "SET h[0] = :x", "REMOVE g.a"])
            self.values = {} if "REMOVE" in body["UpdateExpression"] else {":x": {"S": "x"}}
        if self.values:
            body["ExpressionAttributeValues"] = self.values
        return body

    def BatchWriteItem(self):
        writes = [{"PutRequest": {"Item": self.item(self.table)}} for _ in range(self.random.randrange(1, 5))]
        seen, kept = set(), []
        for write in writes:
            key = repr([write["PutRequest"]["Item"].get(k[0]) for k in TABLES[self.table] if k])
            if key not in seen:
                seen.add(key)
                kept.append(write)
        return {"RequestItems": {table_name(self.table): kept}}

    # --- reads ---

    def choose(self, body):
        """An index of the table: its partition and sort attributes."""
        names = [*GLOBAL, *(LOCAL if self.table == "ix" else ())]
        body["IndexName"] = self.one(names)
        if self.fault(2):
            body["IndexName"] = "nosuch"
            return ["g"], []
        if body["IndexName"] in LOCAL:
            h, r, _ = LOCAL[body["IndexName"]]
            return [h], [r]
        return GLOBAL[body["IndexName"]][:2]

    def shape(self, body):
        if self.chance(15):
            body["Limit"] = self.one([1, 2, 5])
        if self.fault(6):
            body["ConsistentRead"] = True
        if self.fault(10):
            body["Select"] = self.one(["ALL_ATTRIBUTES", "COUNT", "ALL_PROJECTED_ATTRIBUTES"])
        elif self.chance(20):
            body["ProjectionExpression"] = ", ".join(self.random.sample(["pk", "g", "h", "a", "b", "n", "i"], self.random.randrange(1, 4)))
        if self.chance(20):
            name = self.one(["a", "n", "b", "h", "i", "pk"])
            if self.chance(50):
                body["FilterExpression"] = f"attribute_exists({name})"
            else:
                body["FilterExpression"] = f"{name} <> :f"
                self.values[":f"] = self.typed(name)
        if self.fault(2):
            body["ProjectionExpression"] = self.one(["g.x", "h[0]", "i.a.b"])
            body.pop("Select", None)
        return body

    def condition(self, name, operators):
        values = KEY_VALUES[TYPES[name]]

        def value():
            given = copy.deepcopy(self.one(BAD_KEY_VALUES[:6])) if self.fault(3) else self.one(values)
            self.values[f":v{len(self.values)}"] = given
            return f":v{len(self.values) - 1}"

        operator = self.one(operators)
        if operator == "BETWEEN":
            low, high = value(), value()
            return f"{name} BETWEEN {low} AND {high}"
        if operator == "begins_with":
            return f"begins_with({name}, {value()})"
        return f"{name} {operator} {value()}"

    def Query(self):
        body = {}
        hashes, ranges = self.choose(body)
        parts = [self.condition(n, ["="]) for n in hashes]
        depth = self.random.randrange(0, len(ranges) + 1)
        for at, name in enumerate(ranges[:depth]):
            last = at == depth - 1
            parts.append(self.condition(name, ["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"] if last else ["="]))
        if self.fault(4):
            parts.append(self.condition(self.one(["pk", "g", "h", "i"]), ["=", ">"]))
        if self.fault(4):
            parts.pop(self.random.randrange(len(parts)))
        if self.fault(3) and parts:
            parts[0] = parts[0].replace("=", ">", 1)
        self.random.shuffle(parts)
        body["KeyConditionExpression"] = " AND ".join(parts)
        if not parts:
            body["KeyConditionExpression"] = self.condition("g", ["="])
        used = {n: v for n, v in self.values.items() if n in body["KeyConditionExpression"]}
        self.values = used
        self.shape(body)
        if self.chance(40):
            body["ScanIndexForward"] = self.chance(50)
        body["ExpressionAttributeValues"] = self.values
        if self.fault(5):
            body["ExclusiveStartKey"] = self.start_key(hashes, ranges)
        return body

    def start_key(self, hashes, ranges):
        names = {*(k[0] for k in TABLES[self.table] if k), *hashes, *ranges}
        key = {n: self.one(KEY_VALUES[TYPES[n]]) for n in names}
        name = self.one(sorted(key))
        kind = self.random.randrange(3)
        if kind == 0:
            del key[name]
        elif kind == 1:
            key["extra"] = {"S": "a"}
        else:
            key[name] = copy.deepcopy(self.one([{"NULL": True}, {"SS": ["a"]}, {"S": "a"} if TYPES[name] != "S" else {"N": "1"}]))
        return key

    def Scan(self):
        body = {}
        hashes, ranges = self.choose(body)
        self.shape(body)
        if self.chance(25):
            body["TotalSegments"] = self.one([1, 2, 3])
            body["Segment"] = 0
        if self.values:
            body["ExpressionAttributeValues"] = self.values
        if self.fault(4):
            body["ExclusiveStartKey"] = self.start_key(hashes, ranges)
        return body
