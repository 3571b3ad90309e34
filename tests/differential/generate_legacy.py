"""Requests with the parameters from before expressions, in every operation that takes them: seeded like generate.py's.

Most are sensible, one fault at most is in each, some mix the old kind of parameters with the new one.
"""

import base64
import copy
import decimal

from generate import ATTRIBUTES, BAD_KEY_VALUES, BAD_VALUES, KEY_VALUES, TABLES, Generator, table_name

COUNTED = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
ANY = ["EQ", "NE", "NOT_NULL", "NULL"]
ORDERED = ["LE", "LT", "GE", "GT", "IN", "BETWEEN"]
OPERATORS = [*ANY, *ORDERED, "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH"]
NAMES = [*ATTRIBUTES, "m.k", "l[0]", "zz", "#a", "size"]
NOT_ORDERED = [{"SS": ["a"]}, {"NS": ["1"]}, {"BS": ["YQ=="]}, {"L": []}, {"M": {}}, {"BOOL": True}, {"NULL": True}]
NOT_CONTAINED = [{"SS": ["a"]}, {"NS": ["1"]}, {"BS": ["YQ=="]}, {"L": []}, {"M": {}}]


def rank(value):
    """The order of two scalars of one type, as the service has it."""
    if "N" in value:
        return decimal.Decimal(value["N"])
    return value["S"].encode() if "S" in value else base64.b64decode(value["B"])


class LegacyGenerator(Generator):
    # --- values ---

    def scalar(self, kind=None):
        kind = kind or self.one("SNB")
        if kind == "N":
            return self.number()
        return self.one([{"S": s} for s in ("", "a", "ab", "\u00e9", "\U0001f600", "0")] if kind == "S" else KEY_VALUES["B"])

    def scalars(self, n, like):
        """`n` scalars of one type, usually the one that items have under that name."""
        kind = {"n": "N", "s": "S"}.get(like) if self.chance(80) else None
        kind = kind or self.one("SNB")
        return [self.scalar(kind) for _ in range(n)]

    def bad_value(self):
        return copy.deepcopy(self.one(BAD_VALUES))

    # --- conditions ---

    def arguments(self, operator, like):
        if operator in ("NULL", "NOT_NULL"):
            return []
        if operator in ("EQ", "NE"):
            return [self.typed(like)]
        if operator in ("CONTAINS", "NOT_CONTAINS"):
            # Local looks for bytes as for text: any byte that is no UTF-8 contains any other such one.
            found = [{"BOOL": True}, {"NULL": True}] if self.chance(5) else self.scalars(1, like)
            return [{"B": "YQ=="} if "B" in found[0] else self.one(found)]
        if operator == "BEGINS_WITH":
            return [self.scalar(self.one("SSB"))]
        values = self.scalars({"IN": self.random.randrange(1, 5), "BETWEEN": 2}.get(operator, 1), like)
        return sorted(values, key=rank) if operator == "BETWEEN" else values

    def spoil_arguments(self, operator, values):
        """One fault: in the number, in a type, in a value, in their order."""
        roll = self.random.randrange(5)
        if roll == 0 and operator != "IN":
            return (values * 3 or [{"S": "a"}])[: len(values) + 1] if self.chance(50) or not values else values[:-1]
        if roll == 1 and operator in ORDERED + ["BEGINS_WITH"]:
            return [self.one(NOT_ORDERED)] * len(values)
        if roll == 1 and operator in ("CONTAINS", "NOT_CONTAINS"):
            return [self.one(NOT_CONTAINED)]
        if roll == 2 and operator in ("IN", "BETWEEN"):
            return self.one([[{"S": "a"}, {"N": "1"}], [{"N": "1"}, {"B": "YQ=="}]])
        if roll == 3 and operator == "BETWEEN":
            return self.one([[{"S": "b"}, {"S": "a"}], [{"N": "10"}, {"N": "9"}], [{"B": "/w=="}, {"B": "YQ=="}]])
        return [] if operator == "IN" and self.chance(50) else [self.bad_value() for _ in range(COUNTED.get(operator, 1))]

    def legacy_condition(self, name, operators=OPERATORS):
        operator = self.one(operators)
        values = self.arguments(operator, name)
        if self.fault(6):
            values = self.spoil_arguments(operator, values)
        condition = {"ComparisonOperator": operator, "AttributeValueList": values}
        if not values and self.chance(50):
            del condition["AttributeValueList"]
        if self.fault(1):
            condition["ComparisonOperator"] = self.one(["XX", "", "eq", "<"])
        if self.fault(1):
            del condition["ComparisonOperator"]
        return condition

    def expected_condition(self, name):
        roll = self.random.randrange(100)
        if self.fault(4):
            value = {"N": "1"}
            return copy.deepcopy(
                self.one(
                    [
                        {}, {"Exists": True}, {"Exists": False, "Value": value}, {"AttributeValueList": [value]}, {"AttributeValueList": []},
                        {"Value": value, "AttributeValueList": [value]}, {"Value": value, "AttributeValueList": [value], "ComparisonOperator": "EQ"},
                        {"Exists": True, "ComparisonOperator": "EQ", "AttributeValueList": [value]}, {"Exists": False, "ComparisonOperator": "NULL"},
                        {"ComparisonOperator": "EQ"}, {"ComparisonOperator": "BETWEEN", "Value": value}, {"ComparisonOperator": "NULL", "Value": value},
                        None, {"Exists": "true"}, {"Exists": 1, "Value": value}, {"Value": 5}, {"Value": None}, 5, [], "a",
                    ]
                )
            )  # fmt: skip
        if roll < 30:
            return {"Value": self.bad_value() if self.fault(3) else self.typed(name), **({"Exists": True} if self.chance(30) else {})}
        if roll < 55:
            return {"Exists": False}
        condition = self.legacy_condition(name)
        values = condition.get("AttributeValueList")
        if values and len(values) == 1 and self.chance(20):
            condition["Value"] = condition.pop("AttributeValueList")[0]
        return condition

    def conditions(self, of, names=NAMES):
        out = {name: of(name) for name in self.random.sample(names, min(len(names), self.one([1, 1, 1, 2, 2, 3])))}
        if self.fault(1):
            out = {"": out.popitem()[1]}
        if self.fault(1):
            out["a"] = None
        return out

    def joined(self, body, conditions):
        if (len(body.get(conditions) or {}) > 1 and self.chance(60)) or self.fault(3):
            body["ConditionalOperator"] = self.one(["AND", "OR"])
        if self.fault(1):
            body["ConditionalOperator"] = self.one(["XX", "", "and", 5])

    def mixed(self, body, expressions, empty=()):
        """The new kind beside the old one."""
        if self.fault(5):
            name = self.one(expressions)
            body[name] = "a" if name == "ProjectionExpression" else "a = b"
        if self.fault(1):
            body["ExpressionAttributeNames"] = {"#a": "a"}
        if self.fault(1):
            body["ExpressionAttributeValues"] = {":a": {"S": "a"}}
        if empty and self.fault(1):
            body[self.one(empty)] = {}
        return body

    # --- operations ---

    def request(self):
        self.start()
        self.faults = 0
        operation = self.one(["PutItem"] * 5 + ["GetItem"] + ["UpdateItem"] * 7 + ["DeleteItem"] * 2 + ["Query"] * 4 + ["Scan"] * 2 + ["BatchGetItem"])
        self.table = self.one(list(TABLES))
        body = getattr(self, operation)()
        if operation != "BatchGetItem":
            body["TableName"] = table_name(self.table)
        if self.fault(4):
            self.spoil(body)
        return operation, body

    def conditional(self, body, returned):
        if self.chance(55):
            body["Expected"] = self.conditions(self.expected_condition)
            if self.chance(30):
                body["ReturnValuesOnConditionCheckFailure"] = self.one(["ALL_OLD", "NONE"])
        self.joined(body, "Expected")
        if self.chance(50):
            body["ReturnValues"] = self.one(returned)
        self.capacity(body)
        return self.mixed(body, ["ConditionExpression"], ["Expected"])

    def update_of(self, name):
        roll = self.random.randrange(100)
        if self.fault(4):
            return copy.deepcopy(
                self.one(
                    [
                        {"Action": "PUT"}, {"Action": "ADD"}, {}, {"Action": "ADD", "Value": {"S": "a"}}, {"Action": "ADD", "Value": {"B": "YQ=="}},
                        {"Action": "ADD", "Value": {"M": {}}}, {"Action": "ADD", "Value": {"BOOL": True}}, {"Action": "ADD", "Value": {"NULL": True}},
                        {"Action": "DELETE", "Value": {"N": "1"}}, {"Action": "DELETE", "Value": {"S": "a"}}, {"Action": "DELETE", "Value": {"L": []}},
                        {"Action": "DELETE", "Value": {"M": {}}}, {"Action": "DELETE", "Value": {"BOOL": False}}, {"Action": "XX", "Value": {"N": "1"}},
                        {"Action": "put", "Value": {"N": "1"}}, {"Action": "", "Value": {"N": "1"}}, None, 5, {"Action": 1}, {"Action": "PUT", "Value": 5},
                        {"Action": "PUT", "Value": self.bad_value()}, {"Action": "DELETE", "Value": {"SS": []}}, {"Action": "PUT", "Value": None},
                    ]
                )
            )  # fmt: skip
        if roll < 35:
            return {"Action": "PUT", "Value": self.typed(name)}
        if roll < 39:
            return {"Value": self.typed(name)}
        if roll < 55:
            return {"Action": "DELETE"}
        if roll < 80:
            value = {"n": self.number(), "l": {"L": [self.value(2)]}}.get(name) if self.chance(85) else None
            value = value or self.one([self.number(), {"SS": ["a", "q"]}, {"NS": ["1", "8"]}, {"BS": ["YQ=="]}, {"L": [{"S": "x"}]}])
            if name in ("ss", "ns", "bs") and self.chance(85):
                value = {"ss": {"SS": ["a", "q"]}, "ns": {"NS": ["1", "8"]}, "bs": {"BS": ["YQ==", "eg=="]}}[name]
            return {"Action": "ADD", "Value": value}
        value = {"ss": {"SS": ["a", "b", "z"]}, "ns": {"NS": ["1", "2"]}, "bs": {"BS": ["YQ==", "YWI="]}}.get(name) if self.chance(90) else None
        return {"Action": "DELETE", "Value": value or self.one([{"SS": ["a"]}, {"NS": ["1"]}, {"BS": ["YQ=="]}])}

    def UpdateItem(self):
        body = {"Key": self.key(self.table)}
        names = [*ATTRIBUTES, "ss", "ns", "bs", "n", "m.k", "zz"]
        if self.chance(95):
            body["AttributeUpdates"] = {name: self.update_of(name) for name in self.random.sample(names, self.random.randrange(0, 4))}
            if self.fault(2):
                body["AttributeUpdates"][self.one(["pk", ""])] = {"Action": "PUT", "Value": {"S": "a"}}
        if self.fault(2):
            body["UpdateExpression"] = "SET a = b"
        return self.conditional(body, ["ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "NONE"])

    def reading(self, body, projected=True):
        if projected and self.chance(45):
            body["AttributesToGet"] = self.random.sample([*NAMES, "pk", "sk"], self.random.randrange(1, 6))
            if self.fault(6):
                body["AttributesToGet"] = copy.deepcopy(self.one([[], ["a", "a"], ["a", "b", "b", "a"], [""], "a", [5], [None], {}, ["a", ""]]))
        if self.chance(30):
            body["ConsistentRead"] = self.chance(50)
        self.capacity(body)
        return body

    def GetItem(self):
        return self.mixed(self.reading({"Key": self.key(self.table)}), ["ProjectionExpression"])

    def Scan(self):
        body = {}
        if self.chance(80):
            body["ScanFilter"] = self.conditions(self.legacy_condition, [*NAMES, *(k[0] for k in TABLES[self.table] if k)])
        self.joined(body, "ScanFilter")
        if self.chance(15):
            total = self.one([1, 2, 3])
            body["TotalSegments"], body["Segment"] = total, self.random.randrange(0, total)
        self.paging(body)
        return self.mixed(self.reading(body), ["FilterExpression", "ProjectionExpression"], ["ScanFilter"])

    def key_condition(self, key, sort):
        of = KEY_VALUES[key[1]]
        operator = self.one(["EQ", "LE", "LT", "GE", "GT", "BETWEEN"] + (["BEGINS_WITH"] if key[1] != "N" else [])) if sort else "EQ"
        if self.fault(5):
            operator = self.one(OPERATORS)
        values = sorted((self.one(of) for _ in range(COUNTED.get(operator, 1))), key=rank)
        if operator == "BEGINS_WITH" and key[1] == "N":
            values = [{"S": "a"}]
        if self.fault(4):
            values = self.one([values + values[:1], [], [{"S": "a"}] * len(values), [{"N": "1"}] * len(values), [copy.deepcopy(self.one(BAD_KEY_VALUES)) for _ in values]])
        return {"ComparisonOperator": operator, "AttributeValueList": values}

    def Query(self):
        hash_key, sort = TABLES[self.table]
        body = {"KeyConditions": {hash_key[0]: self.key_condition(hash_key, False)}}
        if sort and self.chance(60):
            body["KeyConditions"][sort[0]] = self.key_condition(sort, True)
        if self.fault(5):
            one = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}
            body["KeyConditions"] = self.one([{}, {"a": one}, {**body["KeyConditions"], "a": one}, {"sk": one}, {"pk": None}, {"": one}, {"a": one, "b": one, "c": one}])
        elif self.fault(2):
            del body["KeyConditions"]
        expressions = self.chance(25)
        if expressions:
            body["FilterExpression"] = self.condition()
        elif self.chance(50):
            keys = [k[0] for k in TABLES[self.table] if k] if self.fault(4) else []
            body["QueryFilter"] = self.conditions(self.legacy_condition, keys or NAMES)
        self.joined(body, "QueryFilter")
        if self.chance(30):
            body["ScanIndexForward"] = self.chance(50)
        self.paging(body)
        if self.fault(10):  # most are outside of what the query selects
            body["ExclusiveStartKey"] = self.key(self.table)
        if expressions:
            if self.chance(30):
                body["ProjectionExpression"] = self.projection()
            return self.placed(self.reading(body, projected=False))
        return self.mixed(self.reading(body), ["FilterExpression", "ProjectionExpression", "KeyConditionExpression"], ["QueryFilter"])

    def BatchGetItem(self):
        asked = {}
        for table in self.random.sample(list(TABLES), self.random.randrange(1, 3)):
            part = {"Keys": self.distinct(table, [self.key(table) for _ in range(self.random.randrange(1, 5))])}
            self.reading(part)
            part.pop("ReturnConsumedCapacity", None)
            asked[table_name(table)] = self.mixed(part, ["ProjectionExpression"])
        return {"RequestItems": asked}
