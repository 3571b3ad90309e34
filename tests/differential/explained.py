"""Differences to DynamoDB Local that are Local's: what the service itself does is known from elsewhere.

docs/api-compatibility.md, "Differences to DynamoDB Local", lists the same names with reason and source; test_differential.py checks that.
A rule names one difference as narrowly as it can: anything else is ours to mend.
"""

import decimal
import json
import re

import generate_index

EVALUATION = "|".join(
    [
        "The document path provided in the update expression is invalid for update",
        "The provided expression refers to an attribute that does not exist in the item",
        "An operand in the update expression has an incorrect data type",
        "Item size to update has exceeded the maximum allowed size",
        "Number overflow.*",
        "Number underflow.*",
        "Attempting to store more than 38.*",
        "Incorrect operand type for operator or function.*",
    ]
)
STATIC = "(Invalid [A-Za-z]+Expression: |Value provided in ExpressionAttribute|ExpressionAttribute(Names|Values) |One or more parameter values were invalid: |.*numeric value|.*must not be null)"
LOCAL_KEY = (
    "(The number of conditions on the keys is invalid|Invalid attribute value type|One of the required keys was not given a value"
    "|One or more parameter values were invalid: Type mismatch for key|Hash primary key values must be under.*"
    "|One or more parameter values are not valid.*|The provided key element does not match the schema)"
)

# name, what we say, what Local says: messages of ValidationException, matched whole.
WORDINGS = [
    ("key-wording", "The provided key element does not match the schema", LOCAL_KEY + "|The list of keys in RequestItems.*|Item to put in PutItem cannot be null"),
    ("key-wording", "One or more parameter values were invalid: (Missing the key|Type mismatch for key).*", LOCAL_KEY),
    ("key-wording", "One or more parameter values were invalid: (Aggregated size of all range keys|Size of hashkey).*", "Hash primary key values must be under.*"),
    ("number-wording", "The parameter cannot be converted to a numeric value.*", "A value provided cannot be converted into a number"),
    ("number-wording", "(ExpressionAttributeValues contains invalid value: )(The parameter cannot be converted to a numeric value|Attempting to store more).*( for key .*)",
     r"\1(A value provided cannot be converted into a number|DynamoDB only supports precision up to 38 digits)\3"),
    ("number-wording", "Attempting to store more than 38 significant digits in a Number", "DynamoDB only supports precision up to 38 digits"),
    ("number-wording", "(Number (overflow|underflow).*)", "(A value provided cannot be converted into a number|Number (overflow|underflow).*|DynamoDB only supports precision up to 38 digits)"),
    ("set-wording", ".*[Dd]uplicates.*", ".*[Dd]uplicates.*"),
    ("set-wording", ".*(set .*may not be empty|sets should not be empty).*", ".*(set .*may not be empty|sets should not be empty).*"),
    ("value-wording", ".*Supplied AttributeValue is empty, must contain exactly one of the supported datatypes.*", ".*(The supplied Item contains a null AttributeValue|Invalid attribute value type|Supplied AttributeValue.*).*"),
    ("member-wording", r"\d validation errors? detected: .*", "(Value .* failed to satisfy constraint: .*|Limit must be greater than or equal to 1|Item to put in PutItem cannot be null"
     "|Cannot have null key for GetItem, DeleteItem, or UpdateItem|Batch(Get|Write)Item must have some requests set|.*RequestItems.*|Invalid table/index name.*"
     "|Return values set to invalid value|.*[sS]egment.*|Select type.*|.*not a valid.*|.*cannot be null.*|.*must not be (null|empty).*|[A-Za-z ]*too many.*|Too many items.*|TableName.*)"),
    ("member-wording", "Supplied AttributeValue has more than one datatypes set.*", "The batch write request list for a table cannot be null or empty"),
    ("segment-wording", "The (TotalSegments|Segment) parameter is required but was not present.*", "If segment is specified, total segment.*|.*[sS]egment.*"),
    ("segment-wording", "The Segment parameter is zero-based.*", ".*[sS]egment.*"),
    ("order-of-checks", "Invalid ([A-Za-z]+): The (first operand must be distinct|BETWEEN operator requires).*", r"Invalid \1: Incorrect operand type.*"),
    ("order-of-checks", "ExpressionAttribute(Names|Values) (can only be specified when using expressions|must not be empty).*", "ExpressionAttribute(Names|Values) .*"),
    ("set-order", "(Invalid [A-Za-z]+: An expression attribute name used in the document path is not defined; attribute name: ).*", r"\1.*"),
    ("operand-number-form", "(Invalid [A-Za-z]+: The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: ).*", r"\1.*"),
    ("order-of-checks", "Invalid ([A-Za-z]+): An expression attribute (name|value) used .* is not defined; .*", r"Invalid \1: Incorrect operand type.*"),
    ("order-of-checks", "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.", "Value provided in ExpressionAttribute.*"),
    ("order-of-checks", "(Must specify the AttributesToGet or ProjectionExpression when|Cannot specify the ProjectionExpression when).*",
     "Invalid KeyConditionExpression: .*|The provided starting key.*|" + LOCAL_KEY),
    ("order-of-checks", ".*Value '[^']*' at '(segment|totalSegments|limit)' failed to satisfy constraint.*", "Invalid [A-Za-z]+: .*"),
    ("size-wording", "(Invalid [A-Za-z]+: Expression size has exceeded the maximum allowed size;) expression size: .*", r"\1 ?"),
    ("key-condition-wording", "KeyConditionExpressions cannot have conditions on nested attributes", "Key attributes must be scalars.*"),
    ("set-order", "(Invalid [A-Za-z]+: Incorrect operand type for operator or function; operator or function: attribute_type, operand type: ).*", r"\1.*"),
    ("value-wording", r"\d validation errors? detected: .* must not be null", "The supplied Item contains a null AttributeValue"),
    ("member-wording", r"\d validation errors? detected: .*", "BatchWriteItem cannot have a null or no requests set"),
    ("select-wording", "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName", ".*"),
    ("select-wording", ".*(Select|SPECIFIC_ATTRIBUTES|ALL_ATTRIBUTES|ProjectionExpression).*", ".*(ALL_PROJECTED_ATTRIBUTES|SPECIFIC_ATTRIBUTES|ALL_ATTRIBUTES|Select).*"),
    ("order-of-checks", "One or more parameter values were invalid: Size of hashkey.*", "The provided starting key.*"),
    ("start-key-wording", "The (query can return at most one row and cannot be restarted|provided starting key is (outside query boundaries based on provided conditions|invalid).*)",
     "The provided starting key.*|Type mismatch for attribute to update|" + LOCAL_KEY + "|Exclusive Start Key.*|The query can return at most one row.*"),
    ("overlap-pair", "Invalid ([A-Za-z]+): Two document paths overlap.*", r"Invalid \1: Two document paths (overlap|conflict).*"),
    ("set-order", r"(Value provided in ExpressionAttribute[A-Za-z]+ unused in expressions: keys: )\{.*\}", r"\1\{.*\}"),
    ("set-order", "(Invalid [A-Za-z]+: Invalid attribute type name found; type: [^;]*, valid types: ).*", r"\1.*"),
    ("operand-number-form", "(Invalid [A-Za-z]+: The BETWEEN operator requires upper bound to be greater).*", r"\1.*"),
    ("syntax-near", "(Invalid [A-Za-z]+: Syntax error; token: ).*", r"\1.*"),
    ("syntax-near", "Invalid ([A-Za-z]+): The expression can not be empty;", r'Invalid \1: Syntax error; token: "<EOF>", near: "\s+"'),
    ("key-condition-wording", "Query condition missed key schema element: .*", "Query condition missed key schema element"),
    ("key-condition-wording", "Invalid KeyConditionExpression: (KeyConditionExpressions must .*)", r"\1"),
    ("key-condition-wording", "The number of query conditions .*", "Query key condition not supported"),
    ("reserved-size", "Invalid [A-Za-z]+: Attribute name is a reserved keyword; reserved keyword: size", ".*"),
    ("key-condition-wording", "Conditions can be of length 1 or 2 only", "Conditions must be at least length 1"),
    ("key-condition-wording", "Attempted conditional constraint is not an indexable operation",
     "Query key condition not supported|Only scalar types can be used as (Hash|Range) Key values|" + LOCAL_KEY + "|One or more parameter values were invalid: Condition parameter type.*"),
    ("duplicate-name-wording", "One or more parameter values were invalid: Duplicate value in attribute name: .*", "Cannot have two attributes with the same name"),
    ("type-name-wording", "(One or more parameter values were invalid: (ADD action|DELETE action with value) is not supported for the type )[A-Z]+",
     r"\1(STRING|NUMBER|BINARY|BOOLEAN|NULL|LIST|MAP)"),
    ("order-of-checks", "One or more parameter values were invalid: Condition parameter type does not match schema type", "One or more parameter values were invalid: Aggregated size.*|" + LOCAL_KEY),
    ("order-of-checks", "Empty attribute name", "Type mismatch for attribute to update"),
    ("order-of-checks", "Can not use both expression and non-expression parameters.*", "Invalid [A-Za-z]+: The expression can not be empty;.*"),
    ("order-of-checks", "ConditionalOperator can.*", "The provided starting key.*|Exclusive Start Key.*|" + LOCAL_KEY),
    ("order-of-checks", "One or more parameter values were invalid: (Cannot update attribute|Only DELETE action|ADD action|DELETE action with value).*", "Type mismatch for attribute to update"),
    ("member-wording", r"\d validation errors? detected: .*", "Comparison type does not exist in DynamoDB|The filter condition for an attribute cannot be null: .*"
     "|ConditionalOperator can.*|Member must satisfy enum value set: .*"),
    ("order-of-checks", EVALUATION, EVALUATION + "|The conditional request failed"),
    ("index-key-wording", "One or more parameter values were invalid: Type mismatch for Index Key .*",
     "One or more parameter values were invalid: Type mismatch for Index Key|Invalid attribute value type|Updates on index keys must be of the same data type as the key attribute"),
    ("index-key-wording", "(One or more parameter values are not valid. A value specified for a secondary index key is not supported.*) IndexName: .*, (IndexKey: .*)", r"\1 IndexName: .*, \2"),
    ("index-key-wording", "One or more parameter values were invalid: (Size of hashkey|Aggregated size of all range keys).*", "One or more parameter values were invalid: Size limit exceeded"),
    ("start-key-wording", "The provided key element does not match the schema", "Type mismatch for attribute to update"),
    ("start-key-wording", "The provided starting key is outside query boundaries based on provided conditions", "The provided starting key does not match the range key predicate"),
    ("set-order", r"(One or more parameter values were invalid: (Global s|S)econdary index \S+ does not project .*\[).*\]", r"\1.*\]"),
    ("key-condition-wording", "The number of query conditions .*", "Conditions can be of length 1 or 2 only"),
    ("order-of-checks", "Filter Expression can only contain non-primary key attributes.*", "Key attributes must be scalars.*"),
    ("order-of-checks", STATIC + ".*", LOCAL_KEY),
]  # fmt: skip
WORDINGS = [(n, re.compile(a, re.S), b) for n, a, b in WORDINGS]


def wording(ours, local):
    for name, pattern, theirs in WORDINGS:
        match = pattern.fullmatch(ours or "")
        if match:
            for n, group in enumerate(match.groups() or (), 1):
                theirs = theirs.replace("\\%d" % n, re.escape(group or ""))
            if re.fullmatch(theirs, local or "", re.S):
                return name
    return None


def canonical(value):
    """Every number as one text: Local gives back what was written."""
    if isinstance(value, dict):
        out = {}
        for k, v in value.items():
            if k == "N" and isinstance(v, str):
                out[k] = number(v)
            elif k == "NS" and isinstance(v, list) and all(isinstance(n, str) for n in v):
                out[k] = sorted(number(n) for n in v)
            else:
                out[k] = canonical(v)
        return out
    if isinstance(value, list):
        return [canonical(v) for v in value]
    return value


def as_text(value):
    return json.dumps(value, sort_keys=True)


def number(text):
    try:
        with decimal.localcontext() as context:
            context.prec = 200
            d = decimal.Decimal(text)
            return "0" if d == 0 else str(d.normalize())
    except decimal.InvalidOperation:
        return text


def pruned(of, by):
    """`of` without what `by` does not have: a nested part of a returned attribute."""
    if isinstance(of, dict) and isinstance(by, dict):
        if "L" in of and "L" in by:
            return by  # which elements stand where in a shortened list cannot be told from the outside
        return {k: pruned(v, by[k]) for k, v in of.items() if k in by}
    return of


LEGACY = ("Expected", "AttributeUpdates", "QueryFilter", "ScanFilter", "KeyConditions", "AttributesToGet")


def without_action(body):
    """The attributes that an update puts without saying so: Local leaves them as they were."""
    updates = body.get("AttributeUpdates")
    if not isinstance(updates, dict):
        return []
    return [name for name, update in updates.items() if isinstance(update, dict) and update.get("Action") is None]


def half_updated(body, before, mine, theirs):
    """Whether Local stopped at an update without an Action: each attribute is as we have it, or as it was."""
    if not without_action(body):
        return False
    before, mine, theirs = (canonical(item or {}) for item in (before, mine, theirs))
    for name in {*mine, *theirs}:
        allowed = [mine.get(name), before.get(name)] if name in body["AttributeUpdates"] else [mine.get(name)]
        if theirs.get(name) not in allowed:
            return False
    return True


def explain(operation, body, before, ours, local, a, b):
    """The rule's name, or None. `before`: the item of an update before it; a and b: the answers in one order."""
    if a["status"] == 200 and b["status"] == 200:
        return explain_bodies(operation, body, before, a["body"], b["body"])
    if local.status == 500:
        return "local-500"
    if ours.type == "SerializationException":
        return "serialization"
    if (ours.message or "").startswith("Can not use both") and any(body.get(name) in ({}, []) for name in LEGACY):
        return "empty-legacy"
    if ours.status == 400 and local.status == 400:
        if "Number overflow" in ours.message and "0e999" in repr(body):
            return "zero-with-exponent"
        if ours.type != local.type:
            if "reserved keyword: size" in ours.message:
                return "reserved-size"
            if "\u0661" in ours.message:
                return "digits-of-other-scripts"
            if "Member must satisfy enum value set" in ours.message:
                return "unknown-enumeration"
            if "AttributeUpdates" in body and local.type.startswith("Cond") and ours.message != "Type mismatch for attribute to update":
                return "order-of-checks"
            return explain_types(ours, local)
        if ours.type == "ResourceNotFoundException" and local.message == "Cannot do operations on a non-existent table":
            return "table-wording"
        if "\u0661" in ours.message:
            return "digits-of-other-scripts"
        if "Member must satisfy enum value set" in ours.message:
            return "unknown-enumeration"
        if a["message"] == b["message"]:
            return "number-form" if canonical(a["rest"]) == canonical(b["rest"]) else None
        return wording(ours.message, local.message)
    if ours.status == 400:
        return explain_local_accepts(operation, body, ours)
    if operation == "BatchGetItem" and (local.message or "").startswith("Can not use both"):
        return "mixture-per-table"
    if operation == "Query" and ours.body["Count"] == 0 and local.message == "The provided starting key does not match the range key predicate":
        return "end-of-range"
    if local.message == "The provided expression refers to an attribute that does not exist in the item" and "if_not_exists" in repr(body):
        return "if-not-exists-lazy"
    if operation == "UpdateItem" and before is None and local.message == "The document path provided in the update expression is invalid for update":
        return "remove-of-nothing"
    return None


def explain_types(ours, local):
    if "ResourceNotFoundException" in (ours.type, local.type) and "ValidationException" in (ours.type, local.type):
        return "order-of-checks"
    if "ConditionalCheckFailedException" in (ours.type, local.type) and re.fullmatch(EVALUATION, ours.message if local.type.startswith("Cond") else local.message):
        return "order-of-checks"
    return None


def explain_local_accepts(operation, body, ours):
    message = ours.message
    if re.match("ExpressionAttribute(Names|Values) (can only be specified when using expressions|must not be empty)", message):
        return "empty-placeholders"
    if "Number overflow" in message and "0e999" in repr(body):
        return "zero-with-exponent"
    if "reserved keyword: size" in message:
        return "reserved-size"
    if "\u0661" in message:
        return "digits-of-other-scripts"
    if message.startswith("One or more parameter values were invalid: Size of hashkey") and operation == "Query":
        return "long-key-in-query"
    if "at most one row" in message:
        return "start-key-refused"
    if without_action(body) and re.fullmatch("Type mismatch for attribute to update|" + EVALUATION, message):
        return "action-absent"
    if re.search("Value '\\[\\]' at '[^']*attributesToGet' failed to satisfy", message):
        return "empty-attributes-to-get"
    if "Member must satisfy enum value set" in message or "ALL_PROJECTED_ATTRIBUTES" in message:
        return "unknown-enumeration"
    return None


def explain_bodies(operation, body, before, a, b):
    a, b = dict(a), dict(b)
    names = []
    if canonical(a) != a or canonical(b) != b:
        a, b = canonical(a), canonical(b)
        for members in ("Items",):
            if (operation == "Scan" or body.get("IndexName")) and isinstance(a.get(members), list) and isinstance(b.get(members), list):
                a[members].sort(key=as_text)
                b[members].sort(key=as_text)
        for members in (a, b):
            for items in (members.get("Responses") or {}).values():
                items.sort(key=as_text)
        names.append("number-form")
    if operation == "Scan" and body.get("IndexName") and "FilterExpression" in body and a.get("ScannedCount") == b.get("ScannedCount"):
        if a.get("Count") != b.get("Count") and not set(re.findall(r"(?<!:)\b[a-z]\b|pk", body["FilterExpression"])) <= generate_index.projected(body):
            return "scan-unprojected-filter"
    if operation == "Query" and "LastEvaluatedKey" in b and "LastEvaluatedKey" not in a and a.get("Count") == b.get("Count") and body.get("Limit") == 1:
        names.append("single-item-query")
        del b["LastEvaluatedKey"]
    if operation == "Query" and "LastEvaluatedKey" in a and "LastEvaluatedKey" not in b and a["ScannedCount"] == b["ScannedCount"] == body.get("Limit"):
        names.append("end-of-range")
        del a["LastEvaluatedKey"]
    if a.get("ConsumedCapacity") != b.get("ConsumedCapacity"):
        if "ConsumedCapacity" not in a:
            names.append("capacity-unasked")
        elif operation in ("Scan", "BatchGetItem", "Query"):
            names.append("read-capacity")
        elif operation == "BatchWriteItem" and "DeleteRequest" in repr(body):
            names.append("batch-delete-capacity")
        else:
            return None
        a.pop("ConsumedCapacity", None)
        b.pop("ConsumedCapacity", None)
    if operation == "UpdateItem" and a.get("Attributes") != b.get("Attributes"):
        mine, theirs = a.pop("Attributes", None), b.pop("Attributes", None)
        if half_updated(body, before, mine, theirs):
            names.append("action-absent")
        elif before is None and mine is None:
            names.append("key-only-item")
        elif isinstance(mine, dict) and isinstance(theirs, dict) and pruned(theirs, mine) == mine:
            names.append("updated-part")
        elif mine is None and isinstance(theirs, dict):
            names.append("updated-part")
        else:
            return None
    if a != b:
        return None
    return names[-1] if names else None
