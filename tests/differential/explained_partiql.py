"""Differences to DynamoDB Local in PartiQL that are Local's. As explained.py, whose names stand in the same table of docs/api-compatibility.md."""

import re

import compare
import explained

POSITION = r"( at \d+:\d+:\d+)?"
# name, what we say, what Local says: messages, matched whole.
WORDINGS = [
    ("statement-syntax", "Statement wasn't well formed, can't be processed: .*", "Statement wasn't well formed, can't be processed: .*"),
    ("statement-syntax", "Statement wasn't well formed, can't be processed: .*", "Unsupported (token in expression|FROM|operation).*|Only select from a single table or index is supported."),
    ("statement-position", r"(Unrecognized function: \S+|The (first|second) argument to SET_\S+ must .*?)( at \d+:\d+:\d+)", r"\1"),
    ("statement-position", r"(Number (overflow|underflow)\. .*) under root.*", r"\1"),
    ("statement-position", r"Attempting to store more than 38 significant digits in a Number under root.*", "(DynamoDB only supports precision up to 38 digits|Attempting to store more than 38 significant digits in a Number).*"),
    ("number-wording", "Number overflow.*", "DynamoDB only supports precision up to 38 digits"),
    ("statement-position", "(Nesting Levels have exceeded supported limits) under root.*", r"\1"),
    ("statement-position", "Empty bags are not supported", r"Empty bags are not supported at \d+:\d+:\d+"),
    ("statement-position", r"(.* under (key )?root)\[.*", r"\1.*"),
    ("set-wording", ".*[Dd]uplicates.*", ".*[Dd]uplicates.*"),
    ("statement-overlap", "Overlapping conditions with range keys are not supported in where clause|Too many decomposed read operations.*", None),
    ("statement-order", "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.", None),
    ("table-wording", "Requested resource not found", "Cannot do operations on a non-existent table"),
    ("overlap-pair", "Two document paths overlap.*", "Two document paths (overlap|conflict).*"),
    ("set-order", "(Invalid attribute type name found; type: [^;]*, valid types: ).*", r"\1.*"),
    ("operand-number-form", "(The BETWEEN operator requires .*; lower bound operand: ).*", r"\1.*"),
    ("order-of-checks", explained.EVALUATION, explained.EVALUATION),
    ("member-wording", r"\d validation errors? detected: .*", ".*"),
]
NOT_FOUND = "Requested resource not found"


def canonical(value):
    return explained.canonical(value)


def ordered(statement):
    """Is the order of a statement's rows said?"""
    return "ORDER BY" in statement


def rows(body, answer):
    """Without what Local has not; rows in one order where the statement says none."""
    answer = compare.in_order({k: v for k, v in answer.items() if k != "LastEvaluatedKey"})
    answer = canonical(answer)
    if isinstance(answer.get("Items"), list) and not ordered(body.get("Statement", "")):
        answer["Items"].sort(key=compare.as_text)
    return answer


def normal(operation, body, answer):
    if answer.status == 200:
        return {"status": 200, "body": rows(body, answer.body)}
    rest = {k: v for k, v in answer.body.items() if k not in ("__type", "message", "Message")}
    # Local has the name of the code in a batch here.
    kind = "DuplicateItemException" if answer.type == "DuplicateItem" else answer.type
    return {"status": answer.status, "type": kind, "message": answer.message, "rest": canonical(compare.in_order(rest))}


def wording(ours, theirs):
    for name, mine, other in WORDINGS:
        match = re.fullmatch(mine, ours or "", re.S)
        if match is None:
            continue
        if other is None:
            return name
        pattern = re.sub(r"\\(\d)", lambda m: re.escape(match.group(int(m.group(1))) or ""), other)
        if re.fullmatch(pattern, theirs or "", re.S):
            return name
    return None


def plain(message):
    """Local ends a failed EXISTS with a full stop."""
    return (message or "").removesuffix(".")


def explain_member(mine, theirs):
    """One response of a batch, or one reason of a transaction. None: alike; "": not explained."""
    if mine == theirs:
        return None
    a, b = mine.get("Error", mine), theirs.get("Error", theirs)
    if (a.get("Code"), b.get("Code")) == ("DuplicateItem", "ValidationError") and a.get("Message") == b.get("Message"):
        return "statement-cancel"
    if a.get("Code") == b.get("Code") == "ConditionalCheckFailed" and plain(a.get("Message")) == plain(b.get("Message")):
        return "statement-cancel"
    if a.get("Code") == b.get("Code") and a.get("Message") != b.get("Message"):
        return wording(a.get("Message"), b.get("Message")) or ""
    return ""


def explain_members(mine, theirs):
    names = [explain_member(a, b) for a, b in zip(mine, theirs)]
    if len(mine) != len(theirs) or "" in names:
        return None
    return next((name for name in names if name), "set-order")


def explain(operation, body, x, y, a, b):
    text = str(body)
    if y.status == 500:
        return "local-500"
    if x.type == y.type == "TransactionCanceledException" and "CancellationReasons" in y.body:
        return explain_members(canonical(compare.in_order(x.body["CancellationReasons"])), canonical(compare.in_order(y.body["CancellationReasons"])))
    if x.type == "TransactionCanceledException" and y.status == 400:
        reasons = [r for r in x.body["CancellationReasons"] if r["Code"] == "ValidationError"]
        return "statement-cancel" if any(r["Message"] == y.message or wording(r["Message"], y.message) for r in reasons) else None
    if x.status == 200 and y.status == 200:
        if "MODIFIED" in text:
            return "updated-part"
        if flipped(body):
            return "statement-flipped"
        if operation == "BatchExecuteStatement":
            return explain_members(canonical(compare.in_order(x.body["Responses"])), canonical(compare.in_order(y.body["Responses"])))
        if operation == "ExecuteStatement" and forgets_filter(body["Statement"], a["body"]["Items"], b["body"]["Items"]):
            return "statement-filter"
        return None
    return wording(x.message, y.message) if x.status != 200 else None


def forgets_filter(statement, mine, theirs):
    """Of a scan with a condition on the sort key and others Local forgets one: it has our rows and more."""
    return " sk " in statement and len(mine) < len(theirs) and all(row in theirs for row in mine)


def flipped(body):
    """Local reads `1 < sk` as `sk < 1`."""
    return re.search(r"['0-9] (<|<=|>|>=) (pk|sk)\b", str(body)) is not None
