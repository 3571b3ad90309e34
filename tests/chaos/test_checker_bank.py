"""Histories of transfers that no sound regions could have made are refused, and the sound ones taken."""

import pytest

from checker import Checker
from history import Op

A, B = "us-east-1", "eu-west-1"
X, Y = f"bank.{A}.0", f"bank.{A}.1"


def transfer(at, amount, outcome="ok", token="t"):
    op = Op(f"{A}.bank.0", A, "transfer", "t/*", f"{token}{at}", at, at + 5 if outcome != "info" else float("inf"), outcome)
    op.keys = {X: -amount, Y: amount}
    return op


def look(at, x, y, region=A):
    op = Op(f"{region}.bank.0", region, "look", "t/*", None, at, at + 5, "ok")
    op.keys, op.accounts = {"owner": A}, {X: list(x), Y: list(y)}
    return op


def rules(ops, x, y, x_b=None, y_b=None, entries=()):
    def items(*accounts):
        return {f"t/{key}": {"w": "t", "n": n, "m": m} for key, (n, m) in zip((X, Y), accounts)}

    finals = {A: items(x, y), B: items(x_b or x, y_b or y)}
    return {rule for rule, _ in Checker(ops, finals, {A: list(entries), B: list(entries)}).run()}


SOUND = [transfer(10, 7), look(20, (-7, 1), (7, 1)), look(21, (0, 0), (0, 0), B), transfer(30, 2, "info"), look(31, (-7, 1), (7, 1)), look(40, (-9, 2), (9, 2), B)]


def test_a_sound_history_is_taken():
    assert rules(SOUND, (-9, 2), (9, 2)) == set()
    assert rules(SOUND[:4], (-7, 1), (7, 1)) == set(), "one without an answer may not have happened"


@pytest.mark.parametrize(
    "ops,x,y",
    [
        pytest.param([*SOUND, look(50, (-9, 2), (7, 1), B)], (-9, 2), (9, 2), id="half a transfer is seen elsewhere"),
        pytest.param([*SOUND, look(50, (-7, 1), (9, 2))], (-9, 2), (9, 2), id="half a transfer is seen where it is made"),
        pytest.param([transfer(10, 7), look(20, (0, 0), (0, 0))], (-7, 1), (7, 1), id="an acknowledged one is not seen"),
        pytest.param([transfer(10, 7), look(20, (-14, 2), (14, 2))], (-7, 1), (7, 1), id="one is seen twice"),
        pytest.param([transfer(10, 7)], (0, 0), (0, 0), id="an acknowledged one is lost"),
        pytest.param([transfer(10, 7)], (-14, 2), (14, 2), id="an acknowledged one is made twice"),
        pytest.param([transfer(10, 7, "info")], (-14, 2), (14, 2), id="one without an answer is made twice"),
        pytest.param([transfer(10, 7, "fail")], (-7, 1), (7, 1), id="a refused one is made"),
        pytest.param([transfer(10, 7), transfer(20, 3)], (-7, 2), (10, 2), id="a part is lost"),
    ],
)
def test_what_cannot_be_is_refused(ops, x, y):
    refused = [op for op in ops if op.outcome == "fail"]
    for op in refused:
        op.why = "condition"
    assert rules(ops, x, y) == {"bank"}


def test_no_conflict_takes_a_part():
    entry = {"table": "t", "key": X, "loser": {"w": "t10"}, "winner": {"w": "t20"}, "loser_version": "01-01", "winner_version": "02-02"}
    assert rules([transfer(10, 7)], (-7, 1), (7, 1), entries=[entry]) == {"bank"}
