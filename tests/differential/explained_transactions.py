"""Differences to DynamoDB Local in transactions that are Local's. As explained.py, whose names stand in the same table of docs/api-compatibility.md."""

import re

import compare
import explained

INVALID_PATH = "The document path provided in the update expression is invalid for update"
FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}


def canonical(value):
    return explained.canonical(value)


def reasons(answer):
    """Codes, sentences and items; Local's sentence for a failed check alone ends in a full stop."""
    found = []
    for reason in answer.body.get("CancellationReasons", []):
        reason = compare.in_order(dict(reason))
        if reason["Code"] == "ConditionalCheckFailed":
            reason["Message"] = FAILED["Message"]
        if "Item" in reason:
            reason["Item"] = canonical(reason["Item"])
        found.append(reason)
    return found


def without_capacity(answer):
    body = canonical(compare.in_order(answer.body))
    return {name: value for name, value in body.items() if name != "ConsumedCapacity"}


def one_message(operation, body, x, y, ours, theirs):
    """Two sentences about one action, by the rules of single items."""
    if ours == theirs:
        return ""
    a, b = ({"status": 400, "type": "ValidationException", "message": message, "rest": {}} for message in (ours, theirs))
    for item in body["TransactItems"]:
        for what in item.values():
            rule = explained.explain("UpdateItem", what, None, stand_in(x, ours), stand_in(y, theirs), a, b)
            if rule is not None:
                return rule
    return None


def stand_in(answer, message):
    return compare.Answer(400, {"__type": "#ValidationException", "message": message})


def of_nothing(body, y):
    """Local refuses to remove a path of an item that is not there."""
    texts = [what.get("UpdateExpression", "") for item in body["TransactItems"] for what in item.values()]
    return y.message == INVALID_PATH and any(re.search("remove|delete", str(text), re.I) for text in texts)


def explain_reasons(operation, body, x, y):
    """Ours cancels. The service tells the first change that cannot be made, and conditions; Local evaluates everything, or answers at once."""
    mine = reasons(x)
    invalid = [reason["Message"] for reason in mine if reason["Code"] == "ValidationError"]
    if y.type != "TransactionCanceledException":
        if not invalid or y.status == 200:
            return None
        if one_message(operation, body, x, y, invalid[0], y.message) is not None:
            return "transaction-cancelled"
        # Local compares tokens first, and makes each change before it looks at the next one's key.
        return "order-of-checks"
    theirs = reasons(y)
    if operation == "TransactGetItems" and not theirs and invalid:
        return "transaction-reasons"
    if len(mine) != len(theirs) or not invalid:
        return None
    at = [reason["Code"] for reason in mine].index("ValidationError")
    if theirs[at]["Code"] != "ValidationError" or one_message(operation, body, x, y, invalid[0], theirs[at]["Message"]) is None:
        # Local looks for what is wrong with keys after it has evaluated what comes before.
        return None
    return "transaction-reasons"


def explain(operation, body, x, y, unexplained):
    """None: the same. Else a rule's name, or `unexplained`."""
    if x.status == 200 and y.status == 200:
        if without_capacity(x) != without_capacity(y):
            return unexplained
        if x.body.get("ConsumedCapacity") == y.body.get("ConsumedCapacity"):
            return None
        return "transaction-capacity"
    if x.type == "TransactionCanceledException":
        if of_nothing(body, y) and not reasons(x) == reasons(y):
            return "remove-of-nothing"
        if y.type == x.type and reasons(x) == reasons(y):
            return None
        return explain_reasons(operation, body, x, y) or unexplained
    if (x.status, x.type, x.message or "") == (y.status, y.type, y.message or ""):
        return None
    if of_nothing(body, y):
        return "remove-of-nothing"
    if x.status != 200 and y.status == 500:
        return "local-500"
    if x.status == 200:
        return unexplained
    if x.type == "SerializationException":
        return "serialization"
    a, b = compare.normal(operation, x), compare.normal(operation, y)
    for item in body["TransactItems"]:
        for what in item.values():
            rule = explained.explain("UpdateItem", what, None, x, y, a, b)
            if rule is not None:
                return rule
    if y.status == 200:
        absent = "update.updateExpression' failed to satisfy constraint: Member must not be null" in (x.message or "")
        return "update-absent" if absent else unexplained
    return "order-of-checks"
