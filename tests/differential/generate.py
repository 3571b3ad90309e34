"""Requests to the data plane: seeded, mostly sensible, often at or over a limit, sometimes nonsense.

One seed always gives the same requests. Keys are few, so that requests meet each other's items.
"""

import base64
import copy
import random

TABLES = {
    "h": (("pk", "S"), None),
    "sn": (("pk", "S"), ("sk", "N")),
    "ss": (("pk", "S"), ("sk", "S")),
    "nb": (("pk", "N"), ("sk", "B")),
}


def create_table(name):
    keys = [k for k in TABLES[name] if k]
    return {
        "TableName": table_name(name),
        "KeySchema": [{"AttributeName": k[0], "KeyType": kind} for k, kind in zip(keys, ("HASH", "RANGE"))],
        "AttributeDefinitions": [{"AttributeName": k[0], "AttributeType": k[1]} for k in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }


def table_name(name):
    return "differential." + name


def b64(raw):
    return base64.b64encode(raw).decode()


KEY_VALUES = {
    "S": [{"S": s} for s in ("a", "b", "ab", "\u00e9", "\U0001f600", "x" * 40)],
    "N": [{"N": n} for n in ("0", "1", "-1", "1.5", "1e10", "-99999999999999999999999999999999999999")],
    "B": [{"B": b64(b)} for b in (b"a", b"\x00", b"\xff\xff", b"ab", b"\x80")],
}
BAD_KEY_VALUES = [
    {"S": ""}, {"B": ""}, {"N": "x"}, {"NULL": True}, {"M": {}}, {"L": []}, {"SS": ["a"]}, {"BOOL": True},
    {"S": "x" * 1025}, {"S": "x" * 2049}, {"S": "x" * 2048}, {"S": "x" * 1024}, {"N": ""}, {},
]  # fmt: skip

NUMBERS = [
    "0", "-0", "1", "-1", "10", "1.50", "0.1", "007", "+5", "1e2", "1E+2", "12345678901234567890123456789012345678",
    "1e125", "9.9999999999999999999999999999999999999e125", "1e-130", "-1e-130", "1e-128", "0.000001", "1e20", "123456789e30",
    ".5", "5.", "0e999", "1000000000000000000000000000000000000000", "1e37", "1e38", "1e39", "-1e40", "1e-6", "1e-7", "1e-8",
]  # fmt: skip
BAD_NUMBERS = [
    "", "abc", "1e126", "1e-131", "123456789012345678901234567890123456789", "NaN", "Infinity", "0x10", " 1", "1 ", "1e", "--1",
    "1_0", "1,5", "1e1.5", "-", "+", ".", "e5", "\u0661", "-1e126", "1.123456789012345678901234567890123456789",
]  # fmt: skip
STRINGS = ["", "a", "b", "ab", "abc", "z", "\u00e9", "\U0001f600", "\u0000", "0", "x" * 300]
BINARIES = [b"", b"a", b"ab", b"\x00\x01", b"\xff"]


def nest(levels, kind):
    value = {"S": "leaf"}
    for _ in range(levels):
        value = {"L": [value]} if kind == "L" else {"M": {"n": value}}
    return value


BAD_VALUES = [
    {}, {"X": "y"}, {"S": "a", "N": "1"}, {"NULL": False}, {"BOOL": "true"}, {"SS": []}, {"NS": []}, {"BS": []},
    {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}, {"BS": ["YQ==", "YQ=="]}, {"NS": ["1", "x"]}, {"N": 1}, {"S": 1}, {"S": None},
    {"B": "!!"}, {"B": "YQ"}, {"L": {}}, {"M": []}, {"SS": "a"}, {"SS": [1]}, {"L": ["a"]}, {"M": {"a": "b"}}, {"NULL": "true"},
    None, "a", 5, [], True, nest(33, "L"), nest(33, "M"), {"SS": [""]}, {"M": {"": {"S": "a"}}}, {"BS": [""]}, {"BOOL": 1},
    {"SS": ["a", None]}, {"L": [None]}, {"L": [{}]}, {"M": {"a": {}}}, {"S": "a", "NULL": True}, {"N": True}, {"M": {"a": None}},
]  # fmt: skip
for bad in BAD_NUMBERS:
    BAD_VALUES.append({"N": bad})

ATTRIBUTES = ["a", "b", "c", "n", "s", "l", "m", "ss", "ns", "bs"]
PATHS = ["a", "b", "c", "n", "s", "l", "m", "ss", "ns", "bs", "m.k", "m.l[0]", "l[0]", "l[1]", "l[9]", "m.k.x", "l[0].a", "zz"]
RESERVED = ["name", "size", "status", "Date", "COUNT", "value", "key"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, values):
        return self.random.choice(values)

    def fault(self, percent):
        """Whether to put a fault in: at most one in a request, so that which of two is named first plays no part."""
        if self.faults or not self.chance(percent):
            return False
        self.faults += 1
        return True

    def chance(self, percent):
        return self.random.randrange(100) < percent

    # --- values ---

    def number(self):
        return {"N": self.one(NUMBERS) if self.chance(50) else str(self.random.randrange(-20, 20))}

    def value(self, depth=0):
        kinds = ["S", "N", "B", "NULL", "BOOL", "SS", "NS", "BS", "M", "L"]
        kind = self.one(kinds[: 8 if depth > 2 else 10])
        if kind == "S":
            return {"S": self.one(STRINGS)}
        if kind == "N":
            return self.number()
        if kind == "B":
            return {"B": b64(self.one(BINARIES))}
        if kind == "NULL":
            return {"NULL": True}
        if kind == "BOOL":
            return {"BOOL": self.chance(50)}
        if kind == "SS":
            return {"SS": self.random.sample(STRINGS[1:9], self.random.randrange(1, 4))}
        if kind == "NS":
            return {"NS": self.random.sample(["1", "2", "3.5", "-7", "1e20"], self.random.randrange(1, 4))}
        if kind == "BS":
            return {"BS": [b64(b) for b in self.random.sample(BINARIES[1:], self.random.randrange(1, 3))]}
        if kind == "M":
            names = self.random.sample(["k", "l", "x", "a"], self.random.randrange(0, 4))
            return {"M": {n: self.value(depth + 1) for n in names}}
        return {"L": [self.value(depth + 1) for _ in range(self.random.randrange(0, 4))]}

    def typed(self, name):
        """A value as most items have it under this attribute name."""
        if self.chance(25):
            return self.value()
        if name == "n":
            return self.number()
        if name == "s":
            return {"S": self.one(STRINGS)}
        if name == "l":
            return {"L": [self.value(2) for _ in range(self.random.randrange(0, 4))]}
        if name == "m":
            return {"M": {"k": self.value(1), "l": {"L": [self.value(2)]}}}
        if name == "ss":
            return {"SS": self.random.sample(["a", "b", "ab", "z"], self.random.randrange(1, 4))}
        if name == "ns":
            return {"NS": self.random.sample(["1", "2", "3.5", "-7"], self.random.randrange(1, 4))}
        if name == "bs":
            return {"BS": [b64(b) for b in self.random.sample(BINARIES[1:], self.random.randrange(1, 3))]}
        return self.value()

    def key(self, table):
        key = {k[0]: self.one(KEY_VALUES[k[1]]) for k in TABLES[table] if k}
        if self.fault(4):
            key[self.one(list(key))] = copy.deepcopy(self.one(BAD_KEY_VALUES))
        if self.fault(2):
            del key[self.one(list(key))]
        if self.fault(2):
            key["extra"] = {"S": "a"}
        return key

    def item(self, table):
        item = self.key(table)
        for name in self.random.sample(ATTRIBUTES, self.random.randrange(0, 8)):
            item[name] = self.typed(name)
        if self.fault(15):
            item[self.one(ATTRIBUTES)] = copy.deepcopy(self.one(BAD_VALUES))
        if self.fault(2):
            item["deep"] = nest(self.one([29, 30, 31, 32]), self.one("LM"))
        if self.fault(2):
            size = self.one([400 * 1024 - 40, 400 * 1024 - 20, 400 * 1024, 400 * 1024 + 1])
            item["big"] = {"S": "x" * size}
        return item

    # --- expressions ---

    def start(self):
        """Placeholders of a new request."""
        self.names, self.values = {}, {}

    def path(self):
        return self.named(self.one(PATHS))

    def named(self, path):
        """The path, or the same through a placeholder; sometimes nonsense instead."""
        if self.chance(30):
            first, rest = path, ""
            for at, c in enumerate(path):
                if c in ".[":
                    first, rest = path[:at], path[at:]
                    break
            self.names["#" + first] = first
            path = "#" + first + rest
        if self.fault(2):
            path = self.one(RESERVED)
        if self.fault(2):
            path = self.one(["#undefined", "a..b", "l[-1]", "l[x]", "l[99999999999]", "_a", "1a", "a-b", ".a", "a.", "l[]", "#", "m.#undefined"])
        return path

    def placeholder(self, value):
        name = ":v%d" % len(self.values)
        self.values[name] = value
        if self.fault(2):
            return self.one([name + "_", ":", "v0", "'text'", "12"])
        return name

    def operand(self, like=None):
        if self.chance(35):
            return self.path()
        if self.chance(8):
            return "size(%s)" % self.path()
        return self.placeholder(self.typed(like) if like else self.value(2))

    def condition(self, depth=0):
        roll = self.random.randrange(100)
        if depth < 3 and roll < 15:
            return "%s %s %s" % (self.condition(depth + 1), self.one(["AND", "OR", "and", "or"]), self.condition(depth + 1))
        if depth < 3 and roll < 20:
            return "NOT %s" % self.condition(depth + 1)
        if depth < 3 and roll < 25:
            return "(%s)" % self.condition(depth + 1)
        path = self.path()
        like = path.lstrip("#").split(".")[0].split("[")[0]
        if roll < 50:
            return "%s %s %s" % (path, self.one(["=", "<>", "<", "<=", ">", ">="]), self.operand(like))
        if roll < 57:
            low, high = self.operand(like), self.operand(like)
            return "%s BETWEEN %s AND %s" % (path, low, high)
        if roll < 64:
            return "%s IN (%s)" % (path, ", ".join(self.operand(like) for _ in range(self.random.randrange(1, 4))))
        if roll < 72:
            return "attribute_exists(%s)" % path
        if roll < 80:
            return "attribute_not_exists(%s)" % path
        if roll < 85:
            kind = {"S": "X" if self.fault(5) else self.one(["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"])}
            return "attribute_type(%s, %s)" % (path, self.placeholder(self.value(2) if self.fault(10) else kind))
        if roll < 90:
            return "begins_with(%s, %s)" % (path, self.operand("s"))
        if roll < 96:
            return "contains(%s, %s)" % (path, self.operand())
        if roll < 98 or self.faults:
            return "size(%s) %s %s" % (path, self.one(["=", "<", ">"]), self.placeholder({"N": str(self.random.randrange(0, 4))}))
        self.faults += 1
        return self.one(
            [
                "", " ", "a", "a =", "= a", "a = b c", "a = b)", "(a = b", "a == b", "a != :v", "NOT", "a AND b", "unknown(a)", "size(a)",
                "attribute_exists(:v0)", "attribute_exists(a, b)", "attribute_exists()", "begins_with(a)", "a IN ()", "a BETWEEN b", "((a = b))",
                "a = b = c", "a < b AND", "contains(a, a)", "a > a", "size(size(a)) > b", "attribute_type(a, b)", "((((a = b))))", "a IN b", "\u00e9 = a",
                "a between b and c", "not a = b", "Attribute_Exists(a)", "a = b;", "a = :v0 -- x", "begins_with(a, a)", "a = \"x\"", "contains(:v0, a)",
            ]
        )  # fmt: skip

    def update(self):
        clauses, used = [], set()
        for clause in self.random.sample(["SET", "REMOVE", "ADD", "DELETE"], self.random.randrange(1, 3)):
            parts = []
            for _ in range(self.random.randrange(1, 4)):
                path = self.one(["n"] if clause == "ADD" else ["ss", "ns", "bs"]) if clause in ("ADD", "DELETE") and self.chance(70) else self.one(PATHS)
                like = path.split(".")[0].split("[")[0]
                if like in used and not self.fault(5):
                    continue
                path = self.named(path)
                used.add(like)
                if clause == "REMOVE":
                    parts.append(path)
                elif clause in ("ADD", "DELETE"):
                    parts.append("%s %s" % (path, path if self.fault(3) else self.placeholder(self.typed(like))))
                else:
                    parts.append("%s = %s" % (path, self.set_value(like)))
            if parts:
                clauses.append("%s %s" % (clause if self.chance(90) else clause.lower(), ", ".join(parts)))
        if self.fault(4):
            clauses.append(
                self.one(["SET", "SET a", "SET a = ", "ADD n", "REMOVE", "DELETE ss", "SET a = a + b + c", "set", "SET a = (b)", "SET a = b - ",
                          "SET a = -b", "REMOVE a,", "SET a = foo(b)", "SET size(a) = b", "SET if_not_exists(a, b) = c", "SET a = size(b)", "SET a = b,"])
            )  # fmt: skip
        return " ".join(clauses)

    def set_value(self, like):
        roll = self.random.randrange(100)
        if roll < 50:
            return "size(a)" if self.fault(3) else self.operand(like)
        if roll < 70:
            left = self.path() if self.chance(70) else self.placeholder(self.number())
            if self.chance(60):
                left = "n"
            return "%s %s %s" % (left, self.one("+-"), self.placeholder(self.value(2) if self.fault(10) else self.number()))
        if roll < 85:
            return "if_not_exists(%s, %s)" % (self.path(), self.operand(like))
        if roll < 97:
            first = self.one(["l", self.placeholder({"L": [self.value(2)]}), self.path()])
            second = self.operand() if self.fault(15) else self.one(["l", self.placeholder({"L": [self.value(2)]})])
            return "list_append(%s, %s)" % (first, second)
        return "if_not_exists(%s, %s) + %s" % (self.path(), self.placeholder({"N": "0"}), self.placeholder({"N": "1"}))

    def projection(self):
        paths, used = [], set()
        for path in self.random.sample(PATHS, self.random.randrange(1, 5)):
            top = path.split(".")[0].split("[")[0]
            if top not in used or self.fault(5):
                used.add(top)
                paths.append(self.named(path))
        return ", ".join(paths)

    def placed(self, body):
        """Put the placeholders in, sometimes one too many."""
        if self.fault(2):
            self.names["#unused"] = "unused"
        if self.fault(2):
            self.values[":unused"] = {"S": "unused"}
        if self.fault(2):
            body[self.one(["ExpressionAttributeNames", "ExpressionAttributeValues"])] = {}
        if self.fault(2):
            self.names[self.one(["x", "#", "#a-b", "# a"])] = "a"
        if self.fault(2) and self.values:
            self.values[self.one(list(self.values))] = copy.deepcopy(self.one(BAD_VALUES))
        if self.names:
            body["ExpressionAttributeNames"] = self.names
        if self.values:
            body["ExpressionAttributeValues"] = self.values
        return body

    # --- operations ---

    def request(self):
        """The next (operation, body)."""
        self.start()
        self.faults = 0
        operation = self.one(
            ["PutItem"] * 5 + ["GetItem"] * 2 + ["UpdateItem"] * 6 + ["DeleteItem"] * 2 + ["Query"] * 4 + ["Scan"] * 2 + ["BatchWriteItem", "BatchGetItem"]
        )
        self.table = self.one(list(TABLES))
        body = getattr(self, operation)()
        if operation not in ("BatchWriteItem", "BatchGetItem"):
            body["TableName"] = table_name(self.table)
        if self.fault(8):
            self.spoil(body)
        return operation, body

    def capacity(self, body):
        if self.chance(20):
            body["ReturnConsumedCapacity"] = self.one(["TOTAL", "INDEXES", "NONE"])

    def conditional(self, body, returned):
        if self.chance(35):
            body["ConditionExpression"] = self.condition()
            if self.chance(40):
                body["ReturnValuesOnConditionCheckFailure"] = self.one(["ALL_OLD", "NONE"])
        if self.chance(40):
            body["ReturnValues"] = self.one(["ALL_NEW", "UPDATED_OLD"] if self.fault(4) else returned)
        self.capacity(body)
        return self.placed(body)

    def PutItem(self):
        return self.conditional({"Item": self.item(self.table)}, ["ALL_OLD", "NONE"])

    def DeleteItem(self):
        return self.conditional({"Key": self.key(self.table)}, ["ALL_OLD", "NONE"])

    def UpdateItem(self):
        body = {"Key": self.key(self.table)}
        if not self.fault(2):
            body["UpdateExpression"] = self.update()
        return self.conditional(body, ["ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "NONE"])

    def reading(self, body):
        if self.chance(30):
            body["ProjectionExpression"] = self.projection()
        if self.chance(30):
            body["ConsistentRead"] = self.chance(50)
        self.capacity(body)
        return self.placed(body)

    def GetItem(self):
        return self.reading({"Key": self.key(self.table)})

    def Scan(self):
        body = {}
        if self.chance(50):
            body["FilterExpression"] = self.condition()
        if self.chance(30):
            total = self.one([1, 2, 3, 7, 1000000])
            body["TotalSegments"] = total
            body["Segment"] = self.random.randrange(0, min(total, 8))
            if self.fault(15):
                body["Segment"] = self.one([-1, total, 1000000])
            if self.fault(10):
                del body[self.one(["TotalSegments", "Segment"])]
        self.paging(body)
        return self.reading(body)

    def paging(self, body):
        if self.chance(30):
            body["Limit"] = self.one([1, 2, 3, 5, 100, 1000])
            if self.fault(10):
                body["Limit"] = self.one([0, -1])
        if self.fault(10):
            body["Select"] = self.one(["ALL_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"])

    def Query(self):
        body = {}
        hash_key, sort = TABLES[self.table]
        text = "%s = %s" % (hash_key[0], self.placeholder(self.one(KEY_VALUES[hash_key[1]])))
        if self.chance(15):
            self.names["#pk"] = "pk"
            text = text.replace("pk", "#pk", 1)
        if sort and self.chance(60):
            of = KEY_VALUES[sort[1]]
            text2 = self.one(
                [
                    lambda: "sk %s %s" % (self.one(["=", "<", "<=", ">", ">="]), self.placeholder(self.one(of))),
                    lambda: "sk BETWEEN %s AND %s" % (self.placeholder(self.one(of)), self.placeholder(self.one(of))),
                    lambda: "begins_with(sk, %s)" % self.placeholder(self.one(of)),
                ]
            )()
            text = "%s AND %s" % ((text, text2) if self.chance(80) else (text2, text))
        if self.fault(6):
            text = self.one(
                ["pk > :v0", "sk = :v0", "pk = :v0 OR pk = :v0", "pk = :v0 AND pk = :v0", "a = :v0", "pk = :v0 AND a = :v0", "pk <> :v0", "", "pk",
                 "NOT pk = :v0", "pk IN (:v0)", "begins_with(pk, :v0)", "pk = :v0 AND sk <> :v0", "(pk = :v0)", "((pk = :v0))", ":v0 = pk",
                 "pk = :v0 AND sk = :v0 AND sk = :v0", "attribute_exists(pk)", "pk = pk", "pk.a = :v0", "pk = :v0 AND contains(sk, :v0)", "size(pk) = :v0",
                 "pk BETWEEN :v0 AND :v0", "pk = :v0 AND sk IN (:v0)", "pk = :v0 AND size(sk) = :v0"]
            )  # fmt: skip
        if not self.fault(2):
            body["KeyConditionExpression"] = text
        if self.fault(3):
            self.values[":v0"] = copy.deepcopy(self.one(BAD_KEY_VALUES))
        if self.chance(30):
            body["FilterExpression"] = self.condition()
        if self.chance(30):
            body["ScanIndexForward"] = self.chance(50)
        self.paging(body)
        if self.chance(15):
            body["ExclusiveStartKey"] = self.key(self.table)
            if self.chance(70) and ":v0" in self.values:
                body["ExclusiveStartKey"]["pk"] = self.values[":v0"]
        return self.reading(body)

    def distinct(self, table, entries):
        """Mostly without a second entry for a key: that is a fault."""
        if self.fault(5):
            return entries
        seen, out = set(), []
        for entry in entries:
            inner = entry if isinstance(entry, dict) else {}
            inner = (inner.get("PutRequest") or {}).get("Item") or (inner.get("DeleteRequest") or {}).get("Key") or inner
            key = repr([inner.get(k[0]) for k in TABLES[table] if k])
            if key not in seen or not inner:
                seen.add(key)
                out.append(entry)
        return out

    def BatchGetItem(self):
        asked = {}
        for table in self.random.sample(list(TABLES), self.random.randrange(1, 4)):
            self.start()
            part = {"Keys": self.distinct(table, [self.key(table) for _ in range(self.random.randrange(1, 6))])}
            if self.chance(20):
                part["ConsistentRead"] = self.chance(50)
            if self.chance(20):
                part["ProjectionExpression"] = self.projection()
                if self.names:
                    part["ExpressionAttributeNames"] = self.names
            asked[table_name(table)] = part
        if self.fault(3):
            asked[table_name("h")] = {"Keys": [{"pk": {"S": "k%d" % n}} for n in range(self.one([99, 100, 101]))]}
        if self.fault(3):
            asked[table_name("h")] = {"Keys": []}
        body = {"RequestItems": {} if self.fault(2) else asked}
        self.capacity(body)
        return body

    def BatchWriteItem(self):
        asked = {}
        for table in self.random.sample(list(TABLES), self.random.randrange(1, 4)):
            writes = []
            for _ in range(self.random.randrange(1, 6)):
                if self.chance(60):
                    writes.append({"PutRequest": {"Item": self.item(table)}})
                else:
                    writes.append({"DeleteRequest": {"Key": self.key(table)}})
            if self.fault(3):
                writes.append(self.one([{}, {"PutRequest": {}}, {"DeleteRequest": {}}, {"Other": {}}, None, {"PutRequest": None}]))
            if self.fault(2):
                writes.append({"PutRequest": {"Item": self.item(table)}, "DeleteRequest": {"Key": self.key(table)}})
            asked[table_name(table)] = self.distinct(table, writes)
        if self.fault(3):
            asked[table_name("h")] = [{"DeleteRequest": {"Key": {"pk": {"S": "k%d" % n}}}} for n in range(self.one([24, 25, 26]))]
        if self.fault(3):
            asked[table_name("h")] = []
        body = {"RequestItems": {} if self.fault(2) else asked}
        self.capacity(body)
        return body

    def spoil(self, body):
        """One member of the request missing, of the wrong type, out of its range or unknown."""
        member = self.one(list(body))
        roll = self.random.randrange(100)
        if roll < 30:
            del body[member]
        elif roll < 60:
            body[member] = copy.deepcopy(self.one([None, 5, "text", [], {}, True, 1.5, [1], {"a": 1}, ""]))
        elif roll < 70:
            body["TableName"] = copy.deepcopy(self.one(["ab", "x" * 256, "no table!", "missing", "", "a" * 255, None, 7]))
        elif roll < 80:
            body[self.one(["ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "Select"])] = self.one(["BOGUS", "all_old", ""])
        elif roll < 85:
            body["Unknown"] = 1
        elif roll < 90:
            body["ReturnItemCollectionMetrics"] = self.one(["SIZE", "NONE"])
        elif roll < 95:
            body[self.one(["ConditionExpression", "FilterExpression", "ProjectionExpression", "UpdateExpression"])] = self.one(["", "a = b", "x" * 4097])
        else:
            body["Limit"] = self.one([0, -5, 10**12, 1.5, "1"])
