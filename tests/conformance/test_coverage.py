"""docs/api-compatibility.md against botocore's model of the API and against a region: every operation and every parameter is in the table, once;
what is said to be looked at is looked at; what is said to be refused is refused; nothing is accepted and ignored."""

import re

import pytest
from botocore.session import Session

from conftest import ROOT
from test_tables import HASH, raw

PAGE = ROOT / "docs" / "api-compatibility.md"
MODELS = {s: Session().get_service_model(s) for s in ("dynamodb", "dynamodbstreams")}
OPERATIONS = {name: (service, model.operation_model(name)) for service, model in MODELS.items() for name in model.operation_names}


def table():
    """operation -> (parameters looked at, parameters refused, why)"""
    text = PAGE.read_text()
    part = text[text.index("## Operations and parameters") :]
    part = part[: part.index("\n## ", 5)]
    rows = {}
    for line in part.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"`\w+`", cells[0]):
            name = cells[0].strip("`")
            assert name not in rows, f"{name} is there twice"
            rows[name] = tuple(re.findall(r"`([\w.]+)`", c) for c in cells[1:3]) + (cells[3],)
    return rows


TABLE = table()
REFUSED_WHOLE = sorted(n for n, (looked_at, refused, why) in TABLE.items() if why.startswith("not yet"))
BUILT = sorted(n for n in TABLE if n not in REFUSED_WHOLE)


def test_every_operation_is_in_the_table():
    assert sorted(TABLE) == sorted(OPERATIONS)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_parameter_is_in_the_table(name):
    shape = OPERATIONS[name][1].input_shape
    known = set(shape.members) if shape is not None else set()
    looked_at, refused, _ = TABLE[name]
    assert sorted(looked_at + [r for r in refused if "." not in r]) == sorted(known)
    for path in refused:
        at = shape
        for step in path.split("."):
            while at.type_name == "list":
                at = at.member
            assert step in at.members, f"{path} is no parameter of {name}"
            at = at.members[step]


@pytest.mark.parametrize("name", REFUSED_WHOLE)
def test_what_is_not_built_says_so(region, name):
    assert raw(region, name, {})[:2] == (400, "ValidationException")
    assert raw(region, name, {})[2] == f"{name} is not supported by this version of Tidemark"


def test_a_name_that_is_no_operation(region):
    assert raw(region, "MakeCoffee", {})[1] == "UnknownOperationException"


# --- a value of the wrong JSON type is a SerializationException wherever somebody looks ---

WRONG = {"string": 1, "integer": "x", "long": "x", "double": "x", "boolean": "x", "list": "x", "map": "x", "structure": "x"}


def paths(shape, refused, prefix=""):
    """All members below a structure that are not refused, as (path, body that holds a wrong value there)."""
    for name, member in shape.members.items():
        path = prefix + name
        if path in refused or member.name == "AttributeValue" or member.type_name in ("blob", "timestamp"):
            continue
        yield path, {name: WRONG[member.type_name]}
        inner, wrap = member, lambda v: v
        if inner.type_name == "list":
            inner, wrap = inner.member, lambda v: [v]
        if inner.type_name == "structure" and inner.name != "AttributeValue":
            for below, body in paths(inner, refused, path + "."):
                yield below, {name: wrap(body)}


# Operations on items look into their own structures by other means than a shape: their parameters' types only.
ITEMS = {"PutItem", "GetItem", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem", "Query", "Scan", "TransactGetItems", "TransactWriteItems",
         "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}  # fmt: skip
# Of version 2017.11.29 nothing is looked at but what is needed to answer as AWS does.
RETIRED = {"CreateGlobalTable", "UpdateGlobalTable", "UpdateGlobalTableSettings"}


@pytest.mark.parametrize("name", BUILT)
def test_nothing_is_accepted_and_ignored(region, name):
    shape = OPERATIONS[name][1].input_shape
    if shape is None:
        return
    ignored = []
    for path, body in paths(shape, set(TABLE[name][1])):
        if "." in path and name in ITEMS | RETIRED:
            continue
        status, code, message = raw(region, name, body)
        if code != "SerializationException":
            ignored.append((path, code, message))
    assert ignored == []


# --- what is refused ---


def valid(shape, depth=0):
    """The least that a shape takes."""
    kind = shape.type_name
    if kind == "structure":
        return {n: valid(shape.members[n], depth + 1) for n in shape.required_members}
    if kind == "list":
        return [valid(shape.member, depth + 1)]
    if kind == "map":
        return {}
    if kind == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "eu-west-1"
    return True if kind == "boolean" else 1


BODIES = {"CreateTable": {"TableName": "coverage", "BillingMode": "PAY_PER_REQUEST", **HASH}}


@pytest.mark.parametrize("name,path", [(n, p) for n in BUILT for p in TABLE[n][1]])
def test_what_is_refused_says_so(region, name, path):
    shape = OPERATIONS[name][1].input_shape
    body = dict(BODIES.get(name) or valid(shape))
    at, into = shape, body
    steps = path.split(".")
    for step in steps[:-1]:
        at = at.members[step]
        inner = at.member if at.type_name == "list" else at
        value = valid(inner)
        into[step] = [value] if at.type_name == "list" else value
        into, at = value, inner
    into[steps[-1]] = valid(at.members[steps[-1]])
    status, code, message = raw(region, name, body)
    assert (status, code) == (400, "ValidationException")
    assert message == f"One or more parameter values were invalid: {steps[-1]} is not supported by this version of Tidemark"
