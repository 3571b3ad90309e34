"""
Is a history of one item linearizable? Wing and Gong's search, with Lowe's memory of what was tried.

Wing, Gong: Testing and Verifying Concurrent Objects (1993); Lowe: Testing for linearizability (2017). Every operation takes effect at one moment
between call and answer. One without an answer (`info`) takes effect at any moment after its call, or never. The state is the token of the
item's last write, None without an item; as each write answers with the token that it replaced, the search seldom turns back.
"""

import math

STEPS_MAX = 2_000_000
IMPOSSIBLE = object()


class TooHard(Exception):
    """The search was given up: nothing is known."""


def step(op, state):
    """The state after `op`, or IMPOSSIBLE."""
    if op.outcome == "fail":
        # A condition that failed tells what the state was not.
        if op.f == "cas":
            return state if state != op.expected else IMPOSSIBLE
        return state if state is not None else IMPOSSIBLE
    if op.outcome == "ok" and op.saw != state:
        return IMPOSSIBLE
    if op.f == "get":
        return state
    if op.f == "cas" and state != op.expected:
        return IMPOSSIBLE
    if op.f == "insert" and state is not None:
        return IMPOSSIBLE
    return None if op.f == "delete" else op.token


class Node:
    __slots__ = ("op", "index", "answer", "prev", "next")

    def __init__(self, op, index, answer):
        self.op, self.index, self.answer = op, index, answer
        self.prev = self.next = None


def _list_of(ops):
    """Calls and answers in time order, doubly linked behind a head. A call knows its answer; an answer has none."""
    events = []
    for index, op in enumerate(ops):
        answer = None
        if op.end != math.inf:
            answer = Node(op, index, None)
            events.append((op.end, 1, answer))
        events.append((op.call, 0, Node(op, index, answer)))
    events.sort(key=lambda event: event[:2])
    head = last = Node(None, -1, None)
    for _, kind, node in events:
        node.prev, last.next, last = last, node, node
        if kind == 0 and node.answer is None:
            node.answer = False  # a call without an answer
    return head


def _lift(node):
    for one in (node, node.answer):
        if one:
            one.prev.next = one.next
            if one.next:
                one.next.prev = one.prev


def _unlift(node):
    for one in (node.answer, node):
        if one:
            one.prev.next = one
            if one.next:
                one.next.prev = one


def search(ops):
    """None when `ops` can be put in an order; else the operations that answered last on the longest way."""
    head = _list_of(ops)
    must = sum(1 for op in ops if op.end != math.inf)
    done, state, stack, tried, steps = 0, None, [], set(), 0
    best, stuck = -1, None
    node = head.next
    while must:
        steps += 1
        if steps > STEPS_MAX:
            raise TooHard
        if node is not None and node.answer is not None:
            after = step(node.op, state)
            if after is not IMPOSSIBLE:
                mark = (done | 1 << node.index, after)
                if mark not in tried:
                    tried.add(mark)
                    stack.append((node, state, done))
                    done, state = mark
                    must -= node.answer is not False
                    _lift(node)
                    node = head.next
                    continue
            node = node.next
            continue
        # An operation has answered that could not be placed, or only ones without an answer are left: turn back.
        if len(stack) > best:
            best, stuck = len(stack), (node.op if node else None, state)
        if not stack:
            return stuck
        node, state, done = stack.pop()
        must += node.answer is not False
        _unlift(node)
        node = node.next
    return None


def check(ops):
    """
    None, or why these operations on one item are not linearizable.

    A write without an answer that nobody saw changes nothing for those who got an answer: the next of them would have seen it. It can only
    explain a condition that failed. So such writes are left out at first; with hundreds of them the search would have no end.
    """
    relevant = [op for op in ops if op.f != "batch" and not (op.outcome == "fail" and op.why != "condition")]
    relevant = [op for op in relevant if op.outcome != "info" or op.writes]
    seen = {op.saw for op in relevant if op.outcome == "ok"} | {op.expected for op in relevant}
    fewer = [op for op in relevant if op.outcome != "info" or op.f == "delete" or op.token in seen]
    try:
        stuck = search(fewer)
        if stuck is not None and len(fewer) < len(relevant) and search([op for op in fewer if op.outcome != "fail"]) is None:
            stuck = search(relevant)
    except TooHard:
        return None
    if stuck is None:
        return None
    op, state = stuck
    return f"{op} has no place: on the longest way to it the item was {state}"
