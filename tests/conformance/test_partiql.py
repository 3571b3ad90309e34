"""PartiQL: ExecuteStatement, BatchExecuteStatement, ExecuteTransaction. Most sentences here were captured against AWS (paritysuite/dynamodb-conformance)."""

import json
import os
import pathlib
import subprocess
import sys
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

MALFORMED = "Statement wasn't well formed, can't be processed: "
LEFTOVER = MALFORMED + "Unexpected token after expression"
NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"
OVERLAP = "Overlapping conditions with range keys are not supported in where clause"
TOO_MANY = "Too many decomposed read operations for a given query."
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
KEY_TYPE = "Key attribute's data type should match its data type in table's schema: Key "


def create(client, *keys, **more):
    name = "partiql-" + uuid.uuid4().hex[:12]
    names = {key for key, _ in keys} | {a["AttributeName"] for a in more.pop("attributes", [])}
    types = dict(keys)
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for (key, _), kind in zip(keys, ("HASH", "RANGE"))],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": types.get(n, "S")} for n in sorted(names)],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return name


class World:
    """A hash-only table, one with a sort key, one with numbers for keys; statements name them as H, C and N."""

    def __init__(self, client):
        self.client = client
        self.names = {
            "H": create(client, ("pk", "S")),
            "C": create(client, ("pk", "S"), ("sk", "S")),
            "N": create(client, ("pk", "N")),
        }

    def text(self, statement):
        for short, name in self.names.items():
            statement = statement.replace(f'"{short}"', f'"{name}"')
        return statement

    def run(self, statement, *parameters, **more):
        if parameters:
            more["Parameters"] = list(parameters)
        return self.client.execute_statement(Statement=self.text(statement), **more)

    def items(self, statement, *parameters, **more):
        return self.run(statement, *parameters, **more)["Items"]

    def error(self, statement, *parameters, **more):
        with pytest.raises(ClientError) as caught:
            self.run(statement, *parameters, **more)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    def invalid(self, statement, *parameters, **more):
        code, message = self.error(statement, *parameters, **more)
        assert code == "ValidationException", message
        return message

    def put(self, table, pk, sk=None, **attributes):
        key = {"pk": pk} | ({"sk": sk} if sk is not None else {})
        self.client.put_item(TableName=self.names[table], Item={k: {"S": v} for k, v in key.items()} | attributes)

    def get(self, table, pk, sk=None):
        key = {"pk": {"S": pk}} | ({"sk": {"S": sk}} if sk is not None else {})
        return self.client.get_item(TableName=self.names[table], Key=key, ConsistentRead=True).get("Item")

    def transact(self, *statements, **more):
        return self.client.execute_transaction(TransactStatements=[{"Statement": self.text(s)} if isinstance(s, str) else s for s in statements], **more)

    def transact_error(self, *statements, **more):
        with pytest.raises(ClientError) as caught:
            self.transact(*statements, **more)
        return caught.value.response

    def batch(self, *statements, **more):
        return self.client.batch_execute_statement(Statements=[{"Statement": self.text(s)} if isinstance(s, str) else s for s in statements], **more)


@pytest.fixture(scope="module")
def world(client):
    world = World(client)
    yield world
    for name in world.names.values():
        client.delete_table(TableName=name)


def position(statement, token, start=0):
    return f"1:{statement.index(token, start) + 1}:{len(token)}"


# --- what a statement may not say ---

SENTENCES = [
    ('SELECT * FROM "N" WHERE pk = 1 foo', LEFTOVER),
    ('SELECT * FROM "N" WHERE pk = 1 e5', LEFTOVER),
    ("INSERT INTO \"N\" VALUE {'pk': 970001} foo", LEFTOVER),
    ('UPDATE "N" SET a = 9 WHERE pk = 970002 foo', LEFTOVER),
    ('DELETE FROM "N" WHERE pk = 970003 foo', LEFTOVER),
    ('SELECT * FROM "N" WHERE pk = 1)', LEFTOVER),
    ('DELETE FROM "N" WHERE pk = 970004 ORDER BY pk', LEFTOVER),
    ('SELECT * FROM "N" ORDER BY pk WHERE pk = 1', LEFTOVER),
    ("INSERT INTO \"H\" t VALUE {'pk': 'x'}", LEFTOVER),
    ('FROM "H" SET c = 1 WHERE pk = \'x\'', LEFTOVER),
    ('FROM "H" SET c = 1 WHERE pk = \'x\' SET d = 2', LEFTOVER),
    ('SELECT * FROM "N" WHERE pk = 1e2147483648', MALFORMED),
    ('SELECT * FROM "N" WHERE pk = 1e99999999999', MALFORMED),
    ('SELECT * FROM "N" WHERE pk = 1.5e-2147483647', MALFORMED),
    ('SELECT * FROM "N" WHERE pk = 1 # note', MALFORMED),
    ('SELECT * FROM "N" WHERE pk = 1 /* note', MALFORMED),
    ('SELECT * FROM "H', MALFORMED),
    ('SELECT * FROM "H" t WHERE pk = \'x\'', "Aliasing is not supported"),
    ('SELECT * FROM "H" AS t WHERE pk = \'x\'', "Aliasing is not supported"),
    ('UPDATE "H" t SET a = 3 WHERE pk = \'x\'', "Aliasing is not supported"),
    ('DELETE FROM "H" t WHERE pk = \'x\'', "Aliasing is not supported"),
    ('SELECT * FROM "N" WHERE pk = 1e126', OVERFLOW + " under root"),
    ('SELECT * FROM "N" WHERE pk = 1e-131', UNDERFLOW + " under root"),
    ('SELECT * FROM "N" WHERE pk = 123456789012345678901234567890123456789', "Attempting to store more than 38 significant digits in a Number under root"),
    ("INSERT INTO \"N\" VALUE {'pk': 970006, 'm': {'x': 1e126}}", OVERFLOW + " under root.x"),
    ("INSERT INTO \"N\" VALUE {'pk': 970007, 'l': [1, 1e126]}", OVERFLOW + " under root[1]"),
    ('SELECT * FROM "H" WHERE', MALFORMED + "Unexpected term"),
    ('SELECT * FROM "H" WHERE;', MALFORMED + "Unexpected term"),
    ('UPDATE "H" SET a = 1 WHERE', MALFORMED + "Unexpected term"),
    ('DELETE FROM "H" WHERE', MALFORMED + "Unexpected term"),
    ('SELECT * FROM "H" WHERE NOT', MALFORMED + "Unexpected term"),
    ('SELECT * FROM "H" WHERE (', MALFORMED + "Unexpected term"),
    ('SELECT * FROM "never-created" WHERE', MALFORMED + "Unexpected term"),
    ("SELECT * FROM", MALFORMED + "Unexpected term"),
    ("SELECT * FROM \"H\" WHERE pk = 'p1' AND", MALFORMED + "Missing right-hand side expression of infix operator"),
    ("SELECT * FROM \"H\" WHERE pk = 'p1' OR", MALFORMED + "Missing right-hand side expression of infix operator"),
    ('SELECT * FROM "H" WHERE ORDER BY pk', MALFORMED + "Unexpected keyword"),
    ("INSERT INTO urls (key, secret_key) VALUES (?, ?)", MALFORMED + "Unexpected keyword"),
    ("SLECT * FROM \"H\" WHERE pk = 'x'", MALFORMED + "Expected data manipulation"),
    ("UPDATE Payment-x SET active=1 WHERE subscriptionId='x'", MALFORMED + "Expected data manipulation"),
    ("SELECT * FROM \"H\" WHERE pk = 'a' AND x IS FOO", MALFORMED + "Expected type name"),
    ('SELECT * FROM "H" WHERE IS NULL', MALFORMED + "Unexpected operator"),
    ('SELECT * FROM "H" WHERE pk = LIKE', MALFORMED + "Unexpected operator"),
    ("DELETE FROM", MALFORMED + "Expected identifier for simple path"),
    ("DELETE FROM;", MALFORMED + "Expected identifier for simple path"),
    ("DELETE FROM WHERE pk = 'a'", MALFORMED + "Expected identifier for simple path"),
    ("SELECT * FROM \"H\" WHERE pk = 'a' AND attribute_exists(m.inner)", MALFORMED + "Invalid path dot component"),
    ("x IS INT4", "Unsupported operation: IsType"),
    ("x IS DOUBLE PRECISION", "Unsupported operation: IsType"),
    ("x IS CHARACTER VARYING", "Unsupported operation: IsType"),
    ('FROM "H" SET c = 1', NO_KEY),
    ('FROM "H" REMOVE a', NO_KEY),
    ('FROM "H" WHERE a = 1 SET c = 1', NO_KEY),
    ('DELETE FROM "H" WHERE "name" = \'alpha\'', NO_KEY),
    ("UPDATE \"C\" SET a = 1 WHERE pk = 'a'", NO_KEY),
    ("UPDATE \"C\" SET a = 1 WHERE pk = 'a' AND sk > '1'", NO_KEY),
    ("UPDATE \"C\" SET a=1 WHERE pk='x' AND sk='1' AND pk='y'", "Multiple conditions on same key pk. Only single item Update/Insert/Delete are supported"),
    ("SELECT * FROM \"H\".\"no-such\" WHERE pk = 'p'", "The table does not have the specified index"),
    ("SELECT * FROM \"H\".\"gsi-all\".\"extra\" WHERE pk = 'p'", "A path may contain at most 2 components in the FROM clause"),
    ("SELECT * FROM \"H\".\"\" WHERE pk = 'p'", "Path component cannot be an empty string"),
    ("SELECT * FROM \"\" WHERE pk = 'p'", "Path component cannot be an empty string"),
    ("INSERT INTO \"H\".\"gsi-all\" VALUE {'pk': 'w1'}", "FROM clause may only contain a single table name in data manipulation statements"),
    ("UPDATE \"H\".\"gsi-all\" SET a = 'z' WHERE pk = 'p'", "This operation is not supported on an index"),
    ("DELETE FROM \"H\".\"gsi-all\" WHERE pk = 'p'", "This operation is not supported on an index"),
    ("DELETE FROM \"H\" WHERE pk = 'x' RETURNING MODIFIED OLD *", "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements."),
    ("DELETE FROM \"H\" WHERE pk = 'x' RETURNING ALL NEW *", "Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements."),
    ("SELECT l[-1] FROM \"C\" WHERE pk='a' AND sk='1'", "List index is not within the allowable range; index: [-1] at 1:11:1"),
    ("SELECT l[2147483648] FROM \"C\" WHERE pk='a' AND sk='1'", "List index is not within the allowable range; index: [2147483648] at 1:10:10"),
    ("SELECT * FROM \"H\" WHERE pk='a' AND attribute_type(l, 1)", "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"),
    ("SELECT * FROM \"H\" WHERE pk='a' AND attribute_exists('ss')", "Operator or function requires a document path; operator or function: attribute_exists"),
    ("SELECT * FROM \"H\" WHERE pk='a' AND attribute_exists()", "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 0"),
    ("SELECT * FROM \"H\" WHERE pk='a' AND attribute_exists(ss, ns)", "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"),
    ("SELECT * FROM \"H\" WHERE pk='a' AND attribute_exists(n) > false", "Incorrect operand type for operator or function; operator or function: >, operand type: BOOL"),
    ("SELECT * FROM \"H\" WHERE pk='a' AND n > -n", "Unsupported operator in Condition Expression. Operator: -"),
    ("UPDATE \"H\" SET ss = set_add(ss, <<>>) WHERE pk='a'", "Empty bags are not supported"),
    ("UPDATE \"H\" SET ss = set_add(ss, <<'x', 'x'>>) WHERE pk='a'", "One or more parameter values were invalid: Input collection [x, x] contains duplicates."),
    ("UPDATE \"H\" SET ns = set_add(ns, <<2, 2.0>>) WHERE pk='a'", "One or more parameter values were invalid: Input collection [2, 2.0] contains duplicates! under root"),
    ("UPDATE \"H\" SET n = 'a' + 1 WHERE pk='a' AND nope='x'", "Incorrect operand type for operator or function; operator or function: +, operand type: S"),
    ("UPDATE \"H\" SET n = n - null WHERE pk='a'", "Incorrect operand type for operator or function; operator or function: -, operand type: NULL"),
    ("UPDATE \"H\" SET d = " + "{'a':" * 32 + "1" + "}" * 32 + " WHERE pk='a'", "Nesting Levels have exceeded supported limits under root" + ".a" * 32),
    ("UPDATE \"H\" SET d = " + "{'a':" + "[" * 31 + "1" + "]" * 31 + "} WHERE pk='a'", "Nesting Levels have exceeded supported limits under root.a" + "[0]" * 31),
    ("SELECT * FROM \"C\" WHERE pk IN ['a','a']", OVERLAP),
    ("SELECT * FROM \"C\" WHERE pk='a' OR pk='a'", OVERLAP),
    ("SELECT * FROM \"C\" WHERE pk='a' AND (sk > '0' OR sk < '5')", OVERLAP),
    ("SELECT * FROM \"C\" WHERE pk='a' AND (sk='1' OR flag='two')", OVERLAP),
    ("SELECT * FROM \"C\" WHERE (pk='a' AND flag='one') OR (pk='a' AND flag='two')", OVERLAP),
    ("SELECT * FROM \"C\" WHERE pk='a' AND x <> '1' OR pk='a' AND sk='2'", OVERLAP),
    ("SELECT * FROM \"C\" WHERE pk = 1 OR pk = 'a'", KEY_TYPE + "pk"),
    ("SELECT * FROM \"C\" WHERE pk = 'a' AND sk IN ['1', 2]", KEY_TYPE + "sk"),
    ("SELECT * FROM \"C\" WHERE pk IN [" + ",".join(f"'v{i}'" for i in range(51)) + "]", TOO_MANY),
    ("SELECT * FROM \"C\" WHERE pk='a' AND sk IN [" + ",".join(f"'v{i}'" for i in range(51)) + "]", TOO_MANY),
    ("SELECT * FROM \"C\" WHERE pk IN [" + ",".join(f"'v{i}'" for i in range(26)) + "] AND sk IN ['1','2']", TOO_MANY),
    ("SELECT * FROM \"C\" WHERE pk='a' AND flag IN [" + ",".join(f"'v{i}'" for i in range(101)) + "]", "The IN operator is provided with too many operands; number of operands: 101"),
    ("EXISTS(SELECT * FROM \"H\" WHERE pk='a' AND n=1)", "EXISTS can only be used in ExecuteTransaction write requests."),
]


@pytest.mark.parametrize("statement,message", SENTENCES, ids=[s[:70] for s, _ in SENTENCES])
def test_a_statement_that_is_refused(world, statement, message):
    assert world.invalid(statement) == message


def test_a_refusal_says_where(world):
    for function in ("set_add", "set_delete"):
        upper = function.upper()
        for values, sentence, token in [
            (f"t = {function}(ss, <<'x'>>)", f"The first argument to {upper} must equal the assignment value", function),
            (f"ss = {function}(<<'a'>>, <<'b'>>)", f"The first argument to {upper} must equal the assignment value", function),
            (f"ss = {function}(ss)", f"{upper} must have exactly two arguments", function),
            (f"ss = {function}(ss, <<'x'>>, <<'y'>>)", f"{upper} must have exactly two arguments", function),
        ]:
            statement = world.text(f"UPDATE \"H\" SET {values} WHERE pk = 'a'")
            assert world.invalid(statement) == f"{sentence} at {position(statement, token)}"
        statement = world.text(f"UPDATE \"H\"\nSET ss = {function}(ss, 'x') WHERE pk = 'a'")
        assert world.invalid(statement) == f"The second argument to {upper} must be a value with type SET at 2:{len(f'SET ss = {function}(') + 1}:2"
    for statement, sentence, token in [
        ("SELECT attribute_exists(ss) FROM \"H\" WHERE pk = 'a'", "Unexpected path component", "attribute_exists"),
        ("SELECT * FROM \"H\" WHERE pk = 'a' AND EXISTS(ss)", "Unrecognized function: exists", "EXISTS"),
        ("SELECT * FROM \"H\" WHERE pk = 'a' AND set_add(ss, <<'x'>>) = ss", "Unrecognized function: set_add", "set_add"),
        ("INSERT INTO \"H\" VALUE {'pk': 'a', 'ss': set_add(<<'a'>>, <<'b'>>)}", "Unsupported data type: set_add under key root", "set_add"),
        ("INSERT INTO \"H\" VALUE {'pk': 'a', 'm': {'k': ?}}", "Unsupported data type: Parameter under key root.k", "?"),
        ("UPDATE \"H\" SET x = [?] WHERE pk = 'a'", "Unsupported data type: Parameter under key root[0]", "?"),
    ]:
        text = world.text(statement)
        assert world.invalid(text, {"S": "v"}) == f"{sentence} at {position(text, token)}"


def test_parameters_come_before_the_statement(world):
    assert world.invalid('UPDATE "H" SET WHERE', {"SS": ["a", "a"]}) == "One or more parameter values were invalid: Input collection [a, a] contains duplicates."
    assert world.invalid("INSERT INTO \"H\" VALUE {'pk':'p','x':?}", {"NULL": False}) == "One or more parameter values were invalid: Null attribute value types must have the value of true"
    assert world.invalid('SELECT * FROM "H" WHERE pk = ?') == "Number of parameters in request and statement don't match."
    assert world.error('SELECT * FROM "never-created" WHERE pk = \'x\'') == ("ResourceNotFoundException", "Requested resource not found")
    for op in ("<", "<=", ">", ">="):
        assert world.invalid(f"SELECT pk FROM \"H\" WHERE pk = 'x' AND val {op} ?", {"BOOL": True}) == f"Incorrect operand type for operator or function; operator or function: {op}, operand type: BOOL"


@pytest.mark.parametrize("statement", ["SELECT * FROM \"H\" WHERE pk = 'x' AND n = ?", "INSERT INTO \"H\" VALUE {'pk': 'pn', 'n': ?}", "UPDATE \"H\" SET n = ? WHERE pk = 'pn'", 'SELECT * FROM "H" WHERE pk = ?'])
def test_numbers_in_parameters(world, statement):
    unconvertible = "The parameter cannot be converted to a numeric value"
    for number in ("1e99999999999", "-1e99999999999", "1e-99999999999", "1e2147483648", "1e-2147483648"):
        assert world.invalid(statement, {"N": number}) == f"{unconvertible}: {number}"
    assert world.invalid(statement, {"N": "1e2147483647"}) == UNDERFLOW
    assert world.invalid(statement, {"N": ""}) == unconvertible
    assert world.invalid(statement, {"L": [{"N": "1"}, {"M": {"x": {"NS": ["2", "1e99999999999"]}}}]}) == f"{unconvertible}: 1e99999999999"
    assert world.invalid(statement, {"N": "1e126"}) == OVERFLOW


# --- INSERT, UPDATE, DELETE ---


def test_insert_is_no_put(world):
    assert world.items("INSERT INTO \"H\" VALUE {'pk': 'i', 'l': [1, 'x', true, null, {'b': <<1, 2>>}], 's': <<'a'>>, 'n': -1.50, 'e': 7.32e6}") == []
    assert world.get("H", "i") == {
        "pk": {"S": "i"},
        "l": {"L": [{"N": "1"}, {"S": "x"}, {"BOOL": True}, {"NULL": True}, {"M": {"b": {"NS": ["1", "2"]}}}]},
        "s": {"SS": ["a"]},
        "n": {"N": "-1.5"},
        "e": {"N": "7320000"},
    }
    with pytest.raises(world.client.exceptions.DuplicateItemException, match="Duplicate primary key exists in table"):
        world.run("INSERT INTO \"H\" VALUE {'pk': 'i'}")
    assert world.items("DELETE FROM \"H\" WHERE pk = 'i'") == []
    assert world.items("DELETE FROM \"H\" WHERE pk = 'i'") == []
    assert world.items("INSERT INTO \"H\" VALUE {'pk': ?, 'data': ?}", {"S": "i"}, {"B": b"x"}) == []
    assert world.get("H", "i") == {"pk": {"S": "i"}, "data": {"B": b"x"}}


def test_update_needs_an_item_and_delete_does_not(world):
    assert world.error("UPDATE \"H\" SET a = 1 WHERE pk = 'ghost'") == ("ConditionalCheckFailedException", "The conditional request failed")
    assert world.error("UPDATE \"H\" SET a = 1 WHERE pk = 'ghost' AND attribute_not_exists(pk)")[0] == "ConditionalCheckFailedException"
    assert world.error("UPDATE \"H\" SET a = set_add(a, <<'x'>>) WHERE pk = 'ghost'")[0] == "ConditionalCheckFailedException"
    assert world.get("H", "ghost") is None
    assert world.items("DELETE FROM \"H\" WHERE pk = 'ghost' AND a = 1") == []
    assert world.items("DELETE FROM \"H\" WHERE pk = 'ghost' RETURNING ALL OLD *") == []
    world.put("H", "real", a={"N": "5"}, name={"S": "alpha"})
    assert world.error("DELETE FROM \"H\" WHERE pk = 'real' AND NOT begins_with(\"name\", 'al')")[0] == "ConditionalCheckFailedException"
    assert world.error("UPDATE \"H\" SET a = 9 WHERE pk = 'real' AND \"name\" = 'beta'")[0] == "ConditionalCheckFailedException"
    assert world.get("H", "real")["a"] == {"N": "5"}
    with pytest.raises(ClientError) as caught:
        world.run("UPDATE \"H\" SET a = 9 WHERE pk = 'real' AND a = 6", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Item"]["a"] == {"N": "5"}
    assert world.items("DELETE FROM \"H\" WHERE pk = 'real' AND NOT begins_with(\"name\", 'zz') RETURNING ALL OLD *") == [{"pk": {"S": "real"}, "a": {"N": "5"}, "name": {"S": "alpha"}}]
    assert world.get("H", "real") is None


RETURNED = [
    ("SET data = 'new'", "ALL OLD", [{"data": {"S": "old"}, "keep": {"S": "same"}}]),
    ("SET data = 'new'", "ALL NEW", [{"data": {"S": "new"}, "keep": {"S": "same"}}]),
    ("SET data = 'new'", "MODIFIED OLD", [{"data": {"S": "old"}}]),
    ("SET data = 'new'", "MODIFIED NEW", [{"data": {"S": "new"}}]),
    ("SET other = 'new'", "MODIFIED OLD", []),
    ("REMOVE data", "MODIFIED OLD", [{"data": {"S": "old"}}]),
    ("REMOVE data", "MODIFIED NEW", []),
    ("SET m.sub = 'new'", "MODIFIED NEW", [{"m": {"M": {"sub": {"S": "new"}}}}]),
    ("SET m.sub = 'new'", "MODIFIED OLD", [{"m": {"M": {"sub": {"S": "old"}}}}]),
    ("SET l[2] = 'y', l[0] = 'x'", "MODIFIED NEW", [{"l": {"L": [{"S": "x"}, {"S": "y"}]}}]),
    ("SET l[2] = 'y', l[0] = 'x'", "MODIFIED OLD", [{"l": {"L": [{"S": "a"}, {"S": "c"}]}}]),
    ("SET l[5] = 'd'", "MODIFIED NEW", []),
    ("SET l[3] = 'd'", "MODIFIED NEW", [{"l": {"L": [{"S": "d"}]}}]),
    ("REMOVE l[1]", "MODIFIED NEW", [{"l": {"L": [{"S": "c"}]}}]),
    ("REMOVE l[2]", "MODIFIED NEW", []),
    ("REMOVE l[2]", "MODIFIED OLD", [{"l": {"L": [{"S": "c"}]}}]),
    ("SET data = 'new' REMOVE keep", "MODIFIED OLD", [{"data": {"S": "old"}, "keep": {"S": "same"}}]),
]


@pytest.mark.parametrize("change,what,expected", RETURNED, ids=[f"{c} {w}" for c, w, _ in RETURNED])
def test_returning(world, change, what, expected):
    everything = {"m": {"M": {"sub": {"S": "old"}, "sib": {"S": "keep"}}}, "l": {"L": [{"S": s} for s in "abc"]}}
    world.put("H", "returning", data={"S": "old"}, keep={"S": "same"}, **everything)
    if what.startswith("ALL"):
        expected = [item | everything | {"pk": {"S": "returning"}} for item in expected]
    assert world.items(f"UPDATE \"H\" {change} WHERE pk = 'returning' RETURNING {what} *") == expected
    assert world.items(f"FROM \"H\" WHERE pk = 'returning' SET data = 'z' RETURNING MODIFIED NEW *") == [{"data": {"S": "z"}}]


def test_what_set_can_compute(world):
    world.put("H", "set", n={"N": "5"}, ss={"SS": ["a", "b", "c"]}, ns={"NS": ["1", "2"]}, bs={"BS": [b"\x01"]}, l={"L": [{"N": "1"}]}, s={"S": "str"})
    for change, attribute, expected in [
        ("n=n-1", "n", {"N": "4"}),
        ("n = n - - 2", "n", {"N": "6"}),
        ("n = n + 1 + 1", "n", {"N": "8"}),
        ("x = if_not_exists(x, 0) + 1", "x", {"N": "1"}),
        ("l = list_append(l, ['z', - 1])", "l", {"L": [{"N": "1"}, {"S": "z"}, {"N": "-1"}]}),
        ("ss = SET_ADD(ss, <<'z', 'a'>>)", "ss", {"SS": ["a", "b", "c", "z"]}),
        ("ss = set_delete(ss, <<'a', 'q'>>)", "ss", {"SS": ["b", "c", "z"]}),
        ("ns = set_add(ns, <<9>>) SET ss = set_delete(ss, <<'b','c','z'>>)", "ns", {"NS": ["1", "2", "9"]}),
        ("fresh = set_add(fresh, <<'x'>>)", "fresh", {"SS": ["x"]}),
        ("fresh = set_delete(fresh, <<'x'>>)", "fresh", None),
        ("never = set_delete(never, <<'x'>>)", "never", None),
        ("copy = s", "copy", {"S": "str"}),
        ("n = <<1, 10>>", "n", {"NS": ["1", "10"]}),
    ]:
        world.run(f"UPDATE \"H\" SET {change} WHERE pk = 'set'")
        assert world.get("H", "set").get(attribute) == expected, change
    assert "ss" not in world.get("H", "set")
    world.run("UPDATE \"H\" SET bs = set_add(bs, ?) WHERE pk = 'set'", {"BS": [b"\x01", b"\x03"]})
    assert world.get("H", "set")["bs"] == {"BS": [b"\x01", b"\x03"]}
    for change in ("ns = set_add(ns, <<'x'>>)", "s = set_add(s, <<'x'>>)", "l = l + 1"):
        assert world.invalid(f"UPDATE \"H\" SET {change} WHERE pk = 'set'") == "An operand in the update expression has an incorrect data type"
    assert world.invalid("UPDATE \"H\" SET newlist[0] = 'x' WHERE pk = 'set'") == "The document path provided in the update expression is invalid for update"
    assert world.invalid("UPDATE \"H\" SET pk = 'x' WHERE pk = 'set'") == "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"


# --- SELECT ---

CONDITIONS = {
    True: [
        "attribute_exists(ss)", "ATTRIBUTE_NOT_EXISTS (nope)", "NOT attribute_exists(nope)", "attribute_exists(m.sub)", 'attribute_exists("ss")',
        "attribute_exists(l[0])", "(attribute_exists(nope) OR attribute_exists(ss))", "size(s) = 3", "attribute_type(ss, 'SS')", "contains(l, 'a')",
        "contains(s, 'tr')", "begins_with(s, 'st')", "nul IS NULL", "s IS NOT NULL", "flag IS BOOL", "s IS STRING", "n IS NUMERIC", "m IS STRUCT", "m IS TUPLE",
        "l IS LIST", "nope IS MISSING", "s IS NOT MISSING", "n BETWEEN 1 AND 9", "n NOT BETWEEN 6 AND 9", "n IN [1, 5]", "n IN (5)", "n NOT IN [1]", "s NOT IN ([])",
        "n = 5.0", "n = 5e0", "5 = n", "n <> 4", "n != 4", "n > - - 4", "n BETWEEN - 2 AND +5", "m.sub = 'x'", "m['sub'] = 'x'", "l[0] = 'a'", "ss = <<'c','b','a'>>",
        "l = ['a', 2]", "m = {'sub': 'x'}", "flag = true", "nul = null", "s = 'it''s' OR s = 'str'", "attribute_exists(nope) = false", "true = attribute_exists(n)",
        "attribute_exists(n) <> 1", "contains(nope, 'z') = false", "(n BETWEEN 0 AND 5) = true", "(n = 7 OR s = 'x') = false",
        "attribute_exists(nope) IN [true, false]", "attribute_exists(n) = attribute_exists(s)", "attribute_exists(n) = flag", "NOT n < 5 AND NOT (n > 5)",
        "s = ? AND n = ?",
    ],
    False: [
        "attribute_exists(nope)", "attribute_not_exists(ss)", "attribute_exists(m.nope)", "size(s) = 4", "attribute_type(ss, 'S')", "s IS NULL", "nul IS NOT NULL",
        "s IS BOOL", "nope IS NULL", "attribute_exists(n) = 1", "NOT attribute_exists(n) = true", "(attribute_exists(n) = true) = false", "attribute_exists(n) = s",
        "n > -/* c */-5", "n = '5'", "l = [2, 'a']", "n < 'a'", "s = ? AND n = 5.5 AND n = ?",
    ],
}


@pytest.mark.parametrize("condition,holds", [(c, h) for h, all in CONDITIONS.items() for c in all])
def test_conditions(world, condition, holds):
    world.put("H", "where", ss={"SS": ["a", "b", "c"]}, s={"S": "str"}, n={"N": "5"}, m={"M": {"sub": {"S": "x"}}}, l={"L": [{"S": "a"}, {"N": "2"}]}, nul={"NULL": True}, flag={"BOOL": True})
    parameters = [{"S": "str"}, {"N": "5"}][: condition.count("?")]
    keyed = world.items(f"SELECT pk FROM \"H\" WHERE pk = 'where' AND ({condition})", *parameters)
    assert [i["pk"]["S"] for i in keyed] == (["where"] if holds else [])
    everything = world.items(f'SELECT pk FROM "H" WHERE ({condition}) AND attribute_exists(nul)', *parameters)
    assert [i["pk"]["S"] for i in everything] == (["where"] if holds else [])
    if not holds:
        assert world.error(f"UPDATE \"H\" SET z = 1 WHERE pk = 'where' AND ({condition})", *parameters)[0] == "ConditionalCheckFailedException"


def test_columns(world):
    world.put("C", "columns", "1", m={"M": {"k": {"L": [{"S": "c"}]}, "z": {"N": "1"}}}, l={"L": [{"S": "a"}]})
    where = "FROM \"C\" WHERE pk='columns' AND sk='1'"
    assert world.items(f"SELECT m.k[0] {where}") == [{"k[0]": {"S": "c"}}]
    assert world.items(f'SELECT m.z, l[-0], "sk", nope {where}') == [{"z": {"N": "1"}, "l[0]": {"S": "a"}, "sk": {"S": "1"}}]
    assert world.items(f"SELECT nope {where}") == [{}]
    assert world.items(f"SELECT l[2147483647] {where}") == [{}]
    assert world.invalid(f"SELECT m.z, z {where}") == "Duplicate identifiers in select clause: z"


def sort_keys(world, where, **more):
    return [i["sk"]["S"] for i in world.items(f'SELECT sk FROM "C" WHERE {where}', **more)]


def test_what_is_read(world):
    for sk in "123":
        world.put("C", "ranges", sk, flag={"S": sk})
        world.put("C", "other", sk, flag={"S": sk})
    for where, expected in [
        ("pk='ranges'", "123"),
        ("pk='ranges' ORDER BY sk DESC", "321"),
        ("pk='ranges' ORDER BY pk DESC, sk ASC", "123"),
        ("pk='ranges' AND sk > '1'", "23"),
        ("pk='ranges' AND sk >= '1' AND sk < '3'", "12"),
        ("pk='ranges' AND sk BETWEEN '2' AND '9'", "23"),
        ("pk='ranges' AND '2' >= sk", "12"),
        ("pk='ranges' AND begins_with(sk, '2')", "2"),
        ("pk='ranges' AND sk='1' AND sk > '0'", "1"),
        ("pk='ranges' AND (sk='3' OR sk='1')", "13"),
        ("pk='ranges' AND sk IN ['3','1'] ORDER BY sk DESC", "31"),
        ("pk='ranges' AND (sk < '1' OR sk > '1' OR sk='1')", "123"),
        ("pk='ranges' AND attribute_exists(pk)", "123"),
        ("pk='ranges' AND NOT sk='1'", "23"),
        ("pk='ranges' AND sk <> '1'", "23"),
        ("pk='ranges' AND sk > '0' AND sk <> '1'", "23"),
        ("pk='ranges' AND flag='2'", "2"),
        ("(pk='ranges') AND pk='ranges' AND (flag='2' OR flag='3')", "23"),
        ("pk='ranges' AND pk='other'", ""),
        ("pk='ranges' AND flag IN [" + ",".join(f"'{i}'" for i in range(100)) + "]", "123"),
        ("pk IN ['ranges','other'] AND sk = '2'", "22"),
        ("pk IN ['ranges','nowhere'] ORDER BY pk, sk DESC", "321"),
        ("pk = 'ranges' AND NOT sk = '1' OR pk = 'ranges' AND sk = '2'", "23"),
        ("pk = 'ranges' AND sk <> '1' OR pk = 'ranges' AND sk = '2'", "23"),
        ("pk = 'ranges' AND NOT sk IN ['1', '3'] OR pk = 'ranges' AND sk = '2'", "2"),
        ("pk = 'ranges' OR pk = 'ranges' AND NOT sk = '1'", "123"),
    ]:
        assert "".join(sort_keys(world, where)) == expected, where
    for where, expected in [
        ("pk='ranges' OR sk='1' AND pk <> 'columns' AND begins_with(pk, 'oth')", "1123"),
        ("pk > 1", ""),
        ("pk IN [" + ",".join(f"'v{i}'" for i in range(51)) + "] OR flag='2' AND begins_with(pk, 'ran')", "2"),
    ]:
        assert "".join(sorted(sort_keys(world, where))) == expected, where
    assert sorted(sort_keys(world, "begins_with(pk, 'range') OR pk='ranges' AND sk='1'")) == ["1", "2", "3"]
    assert world.invalid("SELECT * FROM \"C\" WHERE flag='1' ORDER BY pk") == "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
    assert world.invalid("SELECT * FROM \"C\" WHERE pk='ranges' ORDER BY flag") == "Variable reference flag in ORDER BY clause must be part of the primary key"
    assert world.invalid('SELECT * FROM "C" ORDER BY pk') == "Must have WHERE clause in the statement when using ORDER BY clause."


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("where", ["", "WHERE pk = 'p1'", "WHERE pk IN ['p3','p1','p2']", "WHERE pk IN ['p1','p2'] AND sk IN ['2','4'] ORDER BY pk DESC, sk DESC", "WHERE pk = 'p2' AND even = true ORDER BY sk DESC"])
def test_pages(client, limit, where):
    table = create(client, ("pk", "S"), ("sk", "S"))
    for pk in ("p1", "p2", "p3"):
        for sk in range(5):
            client.put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"S": str(sk)}, "even": {"BOOL": sk % 2 == 0}})
    statement = f'SELECT pk, sk FROM "{table}" {where}'
    whole = client.execute_statement(Statement=statement)
    assert "NextToken" not in whole
    found, token, pages = [], None, 0
    while True:
        page = client.execute_statement(Statement=statement, Limit=limit, **({"NextToken": token} if token else {}))
        found += page["Items"]
        pages += 1
        assert len(page["Items"]) <= limit
        if "NextToken" not in page:
            break
        token = page["NextToken"]
        assert pages < 50
    assert found == whole["Items"]
    client.delete_table(TableName=table)


def test_a_token_belongs_to_its_statement(world):
    for i in range(3):
        world.put("C", "token", str(i))
    token = world.run("SELECT * FROM \"C\" WHERE pk = ?", {"S": "token"}, Limit=1)["NextToken"]
    assert len(world.items("SELECT * FROM \"C\" WHERE pk = ?", {"S": "token"}, NextToken=token, ConsistentRead=True)) == 2
    for statement, parameter in [("SELECT * FROM \"C\" WHERE pk = ?", "x"), ("SELECT sk FROM \"C\" WHERE pk = ?", "token"), ("SELECT * FROM \"H\" WHERE pk = ?", "token")]:
        assert world.invalid(statement, {"S": parameter}, NextToken=token) == "NextToken does not match request"
    for broken in ("garbage", "Z2FyYmFnZQ==", token[:-4], token[:8] + ("A" if token[8] != "A" else "B") + token[9:]):
        assert world.invalid("SELECT * FROM \"C\" WHERE pk = ?", {"S": "token"}, NextToken=broken) == "Invalid NextToken"


def test_comments(world):
    world.put("C", "comments", "1", note={"S": "a--b /*c*/"})
    assert len(world.items("SELECT/**/* FROM \"C\" -- the table\nWHERE pk/* key */='comments' AND sk='1' --")) == 1
    assert len(world.items("-- first\nSELECT note FROM \"C\" WHERE pk='comments' AND note = 'a--b /*c*/'; -- done")) == 1


def test_capacity(world):
    world.put("C", "cap", "1")
    for statement, units in [
        ("SELECT * FROM \"C\" WHERE pk='cap'", 0.5),
        ("SELECT * FROM \"C\" WHERE pk IN ['cap','other'] AND sk='1'", 1.0),
        ('SELECT * FROM "C"', 2.0),
        ("UPDATE \"C\" SET a = 1 WHERE pk='cap' AND sk='1'", 1.0),
    ]:
        assert world.run(statement, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"] == {"TableName": world.names["C"], "CapacityUnits": units}, statement
    assert world.run("SELECT * FROM \"C\" WHERE pk='cap'", ConsistentRead=True, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]["Table"] == {"CapacityUnits": 1.0}


# --- BatchExecuteStatement ---


def test_batch_of_reads(world):
    world.put("C", "b", "1", flag={"S": "one"})
    world.put("H", "b", x={"N": "1"})
    refused = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
    answer = world.batch(
        "SELECT sk FROM \"C\" WHERE pk IN ['b'] AND sk='1'",
        "SELECT * FROM \"C\" WHERE pk='b' AND sk='1' AND flag='one'",
        "SELECT * FROM \"C\" WHERE pk='b' AND sk='1' AND pk='other'",
        "SLECT * FROM \"C\" WHERE pk='b'",
        "SELECT * FROM \"never-created\" WHERE pk = 'x'",
        "SELECT * FROM \"H\" WHERE pk = 'nobody'",
        {"Statement": world.text('SELECT x FROM "H" WHERE pk = ?'), "Parameters": [{"S": "b"}], "ConsistentRead": True},
        {"Statement": world.text('SELECT x FROM "H" WHERE pk = ?'), "Parameters": [{"N": "abc"}]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["Responses"] == [
        {"Item": {"sk": {"S": "1"}}, "TableName": world.names["C"]},
        {"Error": {"Code": "ValidationError", "Message": refused}},
        {"Error": {"Code": "ValidationError", "Message": refused}},
        {"Error": {"Code": "ValidationError", "Message": MALFORMED + "Expected data manipulation"}},
        {"Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"}},
        {"TableName": world.names["H"]},
        {"Item": {"x": {"N": "1"}}, "TableName": world.names["H"]},
        {"Error": {"Code": "ValidationError", "Message": "The parameter cannot be converted to a numeric value: abc"}},
    ]
    assert sum(c["CapacityUnits"] for c in answer["ConsumedCapacity"]) == 2.0


def test_batch_of_writes(world):
    world.put("H", "w1", a={"N": "1"})
    world.put("H", "w2", a={"N": "1"})
    world.put("H", "w3", a={"N": "1"})
    answer = world.batch(
        "UPDATE \"H\" SET a = 2 WHERE pk = 'w1' RETURNING MODIFIED NEW *",
        "INSERT INTO \"H\" VALUE {'pk': 'w2'}",
        {"Statement": world.text("UPDATE \"H\" SET a = 2 WHERE pk = 'w3' AND a = 7"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        "UPDATE \"H\" REMOVE a WHERE pk = 'b' RETURNING MODIFIED NEW *",
        "UPDATE \"H\" SET a = 2 WHERE a = 1",
        "DELETE FROM \"H\" WHERE pk = 'x' RETURNING MODIFIED OLD *",
    )
    name = world.names["H"]
    assert [r.get("Error", {}).get("Code") for r in answer["Responses"]] == [None, "DuplicateItem", "ConditionalCheckFailed", None, "ValidationError", "ValidationError"]
    assert answer["Responses"][0] == {"Item": {"a": {"N": "2"}}, "TableName": name}
    assert answer["Responses"][1]["TableName"] == answer["Responses"][2]["TableName"] == name
    assert answer["Responses"][2]["Error"]["Item"]["a"] == {"N": "1"}
    assert answer["Responses"][3] == {"TableName": name}
    assert "TableName" not in answer["Responses"][4]
    assert world.get("H", "w1")["a"] == {"N": "2"}


def test_batch_rules(world):
    select = "SELECT * FROM \"H\" WHERE pk = 'a'"

    def refused(*statements):
        with pytest.raises(ClientError) as caught:
            world.batch(*statements)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return caught.value.response["Error"]["Message"]

    assert refused(select, "UPDATE \"H\" SET a = 1 WHERE pk = 'a'") == "Read and write requests together in the same batch is not supported."
    assert refused(select, select) == "Provided list of item keys contains duplicates"
    assert refused(*[select] * 26).endswith("at 'statements' failed to satisfy constraint: Member must have length less than or equal to 25")


# --- ExecuteTransaction ---


def codes(response):
    assert response["Error"]["Code"] == "TransactionCanceledException", response["Error"]
    return [reason["Code"] for reason in response["CancellationReasons"]]


def test_transaction_of_writes(world):
    for pk in ("t1", "t2", "t3", "t4"):
        world.put("H", pk, n={"N": "1"})
    answer = world.transact(
        "UPDATE \"H\" SET n = n + 1 WHERE pk = 't1'", "DELETE FROM \"H\" WHERE pk = 't2'", "INSERT INTO \"H\" VALUE {'pk': 't5'}", "EXISTS(SELECT * FROM \"H\" WHERE pk = 't3' AND nope IS MISSING)",
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["Responses"] == []
    assert answer["ConsumedCapacity"][0]["TableName"] == world.names["H"]
    assert (world.get("H", "t1")["n"], world.get("H", "t2"), world.get("H", "t5")) == ({"N": "2"}, None, {"pk": {"S": "t5"}})
    response = world.transact_error(
        "UPDATE \"H\" SET n = 9 WHERE pk = 't1'", "INSERT INTO \"H\" VALUE {'pk': 't5'}", "UPDATE \"H\" SET n = 9 WHERE pk = 'ghost'", "EXISTS(SELECT * FROM \"H\" WHERE pk = 't3' AND n = 7)"
    )
    assert codes(response) == ["None", "DuplicateItem", "ConditionalCheckFailed", "ConditionalCheckFailed"]
    assert world.get("H", "t1")["n"] == {"N": "2"}


def test_transaction_is_repeated_once(world):
    world.put("H", "idem", n={"N": "0"})
    token = uuid.uuid4().hex
    update = "UPDATE \"H\" SET n = n + 1 WHERE pk = 'idem'"
    first = world.transact(update, ClientRequestToken=token, ReturnConsumedCapacity="INDEXES")
    again = world.transact(update, ClientRequestToken=token, ReturnConsumedCapacity="INDEXES")
    assert world.get("H", "idem")["n"] == {"N": "1"}
    assert first["ConsumedCapacity"][0]["WriteCapacityUnits"] == 2.0 and "ReadCapacityUnits" not in first["ConsumedCapacity"][0]
    assert again["ConsumedCapacity"][0]["ReadCapacityUnits"] == 2.0 and "WriteCapacityUnits" not in again["ConsumedCapacity"][0]
    assert world.transact_error(update + " AND n = 1", ClientRequestToken=token)["Error"]["Code"] == "IdempotentParameterMismatchException"


def test_transaction_of_reads(world):
    world.put("C", "r", "1", a={"S": "x"})
    world.put("C", "r", "2")
    select = "SELECT * FROM \"C\" WHERE pk='r' AND sk='1'"
    assert world.transact(select, "SELECT a FROM \"C\" WHERE sk IN ['2'] AND (pk='r') AND pk='r'", "SELECT * FROM \"C\" WHERE pk='nobody' AND sk='1'")["Responses"] == [
        {"Item": {"pk": {"S": "r"}, "sk": {"S": "1"}, "a": {"S": "x"}}},
        {"Item": {}},
        {},
    ]
    refused = "Select statements within ExecuteTransaction must specify the primary key in the where clause."
    for statement, message in [
        ("SELECT * FROM \"C\" WHERE pk='r' AND sk='1' AND a='x'", refused),
        ("SELECT * FROM \"C\" WHERE pk='r' AND sk='1' AND pk='other'", refused),
        ("SELECT * FROM \"C\" WHERE pk='r'", refused),
        ("SELECT * FROM \"C\" WHERE pk IN ['other'] AND pk='r' AND sk='1'", refused),
        ("SELECT * FROM \"C\" WHERE pk IN ['r','r'] AND sk='1'", OVERLAP),
        ("SELECT * FROM \"C\".\"idx\" WHERE pk='r' AND sk='1'", "Reads on indices are not supported within transactions."),
        ("SELECT * FROM \"C\" WHERE", MALFORMED + "Unexpected term"),
        ("SELECT * FROM \"C\" WHERE pk IN [" + ",".join(f"'v{i}'" for i in range(101)) + "] AND sk='1'", "The IN operator is provided with too many operands; number of operands: 101"),
    ]:
        error = world.transact_error(statement)["Error"]
        assert (error["Code"], error["Message"]) == ("ValidationException", "Validation failed in TransactStatements[0]: " + message)
    assert world.transact_error(select, select)["Error"]["Message"] == "Transaction request cannot include multiple operations on one item"
    response = world.transact_error(select, select, "SELECT * FROM \"C\" WHERE pk=1 AND sk='1'")
    assert codes(response) == ["None", "None", "ValidationError"]
    assert response["CancellationReasons"][2]["Message"] == "The provided key element does not match the schema"
    assert codes(world.transact_error(select, 'SELECT * FROM "never-created"."idx" WHERE pk=\'x\'')) == ["None", "ResourceNotFound"]


def test_transaction_rules(world):
    update = "UPDATE \"C\" SET a=1 WHERE "
    for statement, message in [
        ("EXISTS(SELECT * FROM \"H\" WHERE pk = 't3')", "EXISTS() must contain a single item read with additional condition"),
        ("EXISTS(SELECT * FROM \"C\" WHERE pk IN ['r'] AND sk='1' AND a='x')", "EXISTS() must contain a single item read with additional condition"),
        (update + "pk='r' AND sk='1' RETURNING ALL NEW *", "RETURNING clause is not supported in ExecuteTransaction."),
        (update + "pk=? AND sk='1'", "Number of parameters in request and statement don't match."),
        ("INSERT INTO \"C\" VALUE {'pk':'q','sk':'1','x':[<<'a','a'>>]}", "One or more parameter values were invalid: Input collection [a, a] contains duplicates."),
    ]:
        error = world.transact_error(statement)["Error"]
        assert (error["Code"], error["Message"]) == ("ValidationException", "Validation failed in TransactStatements[0]: " + message)
    error = world.transact_error("SELECT * FROM \"H\" WHERE pk = 'a'", "UPDATE \"H\" SET a = 1 WHERE pk = 'b'")["Error"]
    assert error["Message"] == "ExecuteTransaction API does not support both read and write operations in the same request."
    world.put("C", "keys", "1")
    response = world.transact_error(update + "pk='keys'", update + "pk IN ['keys'] AND sk='1'", update + "pk='keys' AND sk='1' AND pk='other'", update + "pk='keys' AND sk=1", update + "pk='keys' AND sk='1'")
    assert codes(response) == ["ValidationError"] * 4 + ["None"]
    assert response["CancellationReasons"][0]["Message"] == response["CancellationReasons"][3]["Message"] == "The provided key element does not match the schema"
    response = world.transact_error("INSERT INTO \"C\" VALUE {'pk':'keys-insert'}", "DELETE FROM \"C\" WHERE sk='1'")
    assert response["CancellationReasons"][0]["Message"] == "One or more parameter values were invalid: Missing the key sk in the item"
    missing = "UPDATE \"never-created\" SET a=1 WHERE pk='x' AND sk='1'"
    assert codes(world.transact_error(missing + " RETURNING ALL NEW *", "DELETE FROM \"never-created\" WHERE pk='x' AND sk='1'")) == ["ResourceNotFound"] * 2
    error = world.transact_error(missing, update + "pk='keys' AND sk='1' RETURNING ALL NEW *")["Error"]
    assert error["Message"] == "Validation failed in TransactStatements[1]: RETURNING clause is not supported in ExecuteTransaction."
    world.put("C", "twice", "1", flag={"S": "right"})
    response = world.transact_error("EXISTS(SELECT * FROM \"C\" WHERE pk='twice' AND sk='1' AND pk='other' AND flag='right')", update + "pk='keys' AND sk='1'")
    assert codes(response) == ["ConditionalCheckFailed", "None"]


# --- indexes ---


@pytest.fixture(scope="module")
def indexed(client):
    names = ("pk", "sk", "g", "l", "k")
    table = create(
        client, ("pk", "S"), ("sk", "S"),
        attributes=[{"AttributeName": n} for n in names],
        GlobalSecondaryIndexes=[
            {"IndexName": "gsi-inc", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["proj"]}},
            {"IndexName": "gsi-keys", "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}], "Projection": {"ProjectionType": "KEYS_ONLY"}},
        ],
        LocalSecondaryIndexes=[{"IndexName": "lsi-keys", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}], "Projection": {"ProjectionType": "KEYS_ONLY"}}],
    )
    for sk, g in (("s1", "y"), ("s2", "y"), ("s4", "y2")):
        item = {"pk": "p", "sk": sk, "g": g, "k": "z", "l": "l" + sk, "proj": "proj" + sk, "nonproj": "np" + sk}
        client.put_item(TableName=table, Item={n: {"S": v} for n, v in item.items()})
    client.put_item(TableName=table, Item={"pk": {"S": "p"}, "sk": {"S": "s3"}, "nonproj": {"S": "np"}})
    yield table
    client.delete_table(TableName=table)


def test_select_from_an_index(client, indexed):
    def run(what, where, **more):
        return client.execute_statement(Statement=f'SELECT {what} FROM "{indexed}"{where}', **more)

    def keys(where, **more):
        return [i["sk"]["S"] for i in run("sk", where, **more)["Items"]]

    assert sorted(keys(".\"gsi-inc\" WHERE g = 'y'")) == ["s1", "s2"]
    assert sorted(keys('."gsi-inc"')) == ["s1", "s2", "s4"]
    assert sorted(keys(".\"gsi-inc\" WHERE pk = 'p'")) == ["s1", "s2", "s4"]
    assert sorted(run("*", ".\"gsi-inc\" WHERE g = 'y2'")["Items"][0]) == ["g", "pk", "proj", "sk"]
    assert sorted(run("*", ".\"lsi-keys\" WHERE pk = 'p'")["Items"][0]) == ["l", "pk", "sk"]
    assert keys(".\"lsi-keys\" WHERE pk = 'p' ORDER BY l DESC") == ["s4", "s2", "s1"]
    assert keys(".\"lsi-keys\" WHERE pk = 'p' AND l BETWEEN 'ls2' AND 'ls9'", ConsistentRead=True) == ["s2", "s4"]
    assert [i["nonproj"]["S"] for i in run("nonproj", ".\"lsi-keys\" WHERE pk = 'p'")["Items"]] == ["nps1", "nps2", "nps4"]
    for where, expected in [
        ("NOT nonproj = 'nps1'", ["s1", "s2", "s4"]),
        ("nonproj = 'nps1'", []),
        ("(g = 'y' AND nonproj = 'np1') OR (g = 'y2')", ["s4"]),
        ("g = 'y' AND (proj = 'projs1' OR proj = 'projs2')", ["s1", "s2"]),
    ]:
        assert sorted(keys(f'."gsi-inc" WHERE {where}')) == expected, where
    page = run("sk", ".\"gsi-inc\" WHERE g = 'y'", Limit=1)
    rest = run("sk", ".\"gsi-inc\" WHERE g = 'y'", NextToken=page["NextToken"])
    assert sorted(i["sk"]["S"] for i in page["Items"] + rest["Items"]) == ["s1", "s2"]
    assert sorted(page["LastEvaluatedKey"]) == ["g", "pk", "sk"]
    used = run("pk", ".\"gsi-inc\" WHERE g = 'y'", ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert (used["CapacityUnits"], used["GlobalSecondaryIndexes"]["gsi-inc"]["CapacityUnits"]) == (0.5, 0.5)


def test_what_an_index_has_not(client, indexed):
    def refused(what, where, **more):
        with pytest.raises(ClientError) as caught:
            client.execute_statement(Statement=f'SELECT {what} FROM "{indexed}"{where}', **more)
        return caught.value.response["Error"]["Message"]

    invalid = "One or more parameter values were invalid: "
    filters = invalid + "Secondary index gsi-inc does not project one or more filter attributes: "
    assert refused("zz, aa", ".\"gsi-inc\" WHERE g = 'y'") == invalid + "Global secondary index gsi-inc does not project [zz, aa]"
    assert refused("aa", '."gsi-inc"') == invalid + "Global secondary index gsi-inc does not project [aa]"
    for where, names in [
        ("g='y' AND NOT (nonproj='np1' OR proj='x')", "[nonproj]"),
        ("g='y' AND b='1' AND (a='2' OR proj='3')", "[a, b]"),
        ("g='y' AND (zz='1' OR aa='2' OR mm='3')", "[zz, aa, mm]"),
        ("g IN ['y', 'z'] AND nonproj = 'np1'", "[nonproj]"),
        ("(g='y' OR g='z') AND zz='1'", "[zz]"),
        ("(g='b' AND u1='1') OR (g='q' AND u2='1')", "[u2]"),
        ("(g='q' AND u1='1') OR (g='b' AND u2='1')", "[u1]"),
        ("g='y' AND nonproj IS NOT MISSING", "[nonproj]"),
    ]:
        assert refused("pk", f'."gsi-inc" WHERE {where}') == filters + names, where
    for where in ("(g='y' AND proj='1') OR (g='z' AND aa='1')", "g > 'a' AND zz='1'", "g='y' AND (g='z' OR zz='1')", "(g='y' AND zz='1') OR aa='1'"):
        client.execute_statement(Statement=f'SELECT pk FROM "{indexed}"."gsi-inc" WHERE {where}')
    assert refused("pk", ".\"lsi-keys\" WHERE pk = 'p' AND l BETWEEN 'k1' AND 'k4' AND nonproj = 'np1'") == filters.replace("gsi-inc", "lsi-keys") + "[nonproj]"
    assert refused("pk", ".\"gsi-inc\" WHERE g = 'x'", ConsistentRead=True) == "Strongly consistent read is not supported on Global Secondary Indexes"
    token = client.execute_statement(Statement=f"SELECT pk FROM \"{indexed}\".\"gsi-inc\" WHERE g = 'y'", Limit=1)["NextToken"]
    assert refused("pk", ".\"gsi-keys\" WHERE k = 'z'", NextToken=token) == "NextToken does not match request"


def test_keys_of_several_attributes_are_not_read(client):
    refused = "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
    names = ("h1", "h2", "r1")
    table = create(client, ("pk", "S"), attributes=[{"AttributeName": n} for n in names], GlobalSecondaryIndexes=[
        {"IndexName": "gsi", "KeySchema": [{"AttributeName": n, "KeyType": "HASH" if n[0] == "h" else "RANGE"} for n in names], "Projection": {"ProjectionType": "ALL"}}
    ])
    client.put_item(TableName=table, Item={n: {"S": "x"} for n in ("pk", *names)})
    for where in (" WHERE h1 = 'x'", " WHERE h1 = 'x' AND h2 = 'x' ORDER BY r1 DESC", " WHERE h1 = 5", " WHERE pk = 'x'", ""):
        with pytest.raises(ClientError) as caught:
            client.execute_statement(Statement=f'SELECT * FROM "{table}"."gsi"{where}')
        assert caught.value.response["Error"]["Message"] == refused
    answer = client.batch_execute_statement(Statements=[{"Statement": f'SELECT * FROM "{table}"{rest}'} for rest in (".\"gsi\" WHERE h1 = 'x'", " WHERE pk = 'x'")])
    assert answer["Responses"][0]["Error"] == {"Code": "ValidationError", "Message": refused}
    assert answer["Responses"][1]["Item"]["pk"] == {"S": "x"}
    client.delete_table(TableName=table)


# --- other clients ---


def test_resource_layer(region, world):
    resource = boto3.resource("dynamodb", endpoint_url=region.url, region_name=region.name, aws_access_key_id="x", aws_secret_access_key="x")
    client = resource.meta.client
    client.execute_statement(Statement=world.text("INSERT INTO \"H\" VALUE {'pk': ?, 'n': ?, 's': ?}"), Parameters=["resource", 5, {"a", "b"}])
    answer = client.execute_statement(Statement=world.text('SELECT * FROM "H" WHERE pk = ?'), Parameters=["resource"])
    assert answer["Items"] == [{"pk": "resource", "n": 5, "s": {"a", "b"}}]


def test_cli(region, world, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= {"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": region.name, "AWS_PAGER": ""}

    def aws(operation, *arguments):
        command = [str(pathlib.Path(sys.executable).parent / "aws"), "--endpoint-url", region.url, "dynamodb", operation, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        return done, json.loads(done.stdout) if done.stdout.strip() else None

    insert = world.text("INSERT INTO \"H\" VALUE {'pk': 'cli', 'n': 1}")
    done, answer = aws("execute-statement", "--statement", insert)
    assert answer == {"Items": []}, done.stderr
    done, answer = aws("execute-statement", "--statement", insert)
    assert done.stderr.strip().endswith("An error occurred (DuplicateItemException) when calling the ExecuteStatement operation: Duplicate primary key exists in table")
    done, answer = aws("execute-statement", "--statement", world.text('SELECT * FROM "H" WHERE pk = ?'), "--parameters", '[{"S":"cli"}]')
    assert answer == {"Items": [{"pk": {"S": "cli"}, "n": {"N": "1"}}]}
    done, answer = aws("execute-transaction", "--transact-statements", json.dumps([{"Statement": world.text("SELECT n FROM \"H\" WHERE pk = 'cli'")}]))
    assert answer == {"Responses": [{"Item": {"n": {"N": "1"}}}]}
    done, answer = aws("batch-execute-statement", "--statements", json.dumps([{"Statement": world.text("DELETE FROM \"H\" WHERE pk = 'cli'")}]))
    assert answer == {"Responses": [{"TableName": world.names["H"]}]}
