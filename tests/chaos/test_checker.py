"""
The checker refuses histories that no sound regions could have made, each by the rule that it breaks; and takes the sound ones.

Each history is written down as it would have happened: `region.client function key ... -> what it saw`, one operation after the other
unless `at` says otherwise.
"""

import pytest

from checker import Checker
from history import Op, made

A, B = "us-east-1", "eu-west-1"
KEY, LOCAL = "t/register.s.1", f"t/register.{A}.1"


class Story:
    """Operations in the order of their telling; each takes 5 and the next begins 10 later, unless told otherwise."""

    def __init__(self):
        self.ops, self.states, self.now = [], {None: None}, 0

    def op(self, region, f, token=None, saw=None, key=KEY, outcome="ok", call=None, end=None, why="", expected=None, old=..., new=None):
        self.now += 10
        call = self.now if call is None else call
        end = float("inf") if outcome == "info" else (call + 5 if end is None else end)
        op = Op(f"{region}.c.0", region, f, key, token, call, end, outcome, why)
        op.expected, op.new = expected, new
        if token and f in ("put", "cas", "insert"):
            op.new = {"w": token, "v": [token, 50]}
        if outcome == "ok":
            op.old = self.states[saw] if old is ... else old
        if token:
            self.states[token] = made(op, self.states.get(saw))
        self.ops.append(op)
        return self

    def put(self, region, token, saw=None, **more):
        return self.op(region, "put", token, saw, **more)

    def get(self, region, saw, **more):
        return self.op(region, "get", None, saw, **more)

    def delete(self, region, token, saw, **more):
        return self.op(region, "delete", token, saw, **more)

    def rules(self, final, conflicts=(), final_b=..., conflicts_b=None, **more):
        """The rules that the checker finds broken. `final`: key -> token, conflicts: (loser, winner) or an entry."""
        entries = [self.entry(*one) for one in conflicts]
        there = entries if conflicts_b is None else [self.entry(*one) for one in conflicts_b]

        def items(tokens):
            return {key: self.states[token] if isinstance(token, str) else token for key, token in tokens.items() if token is not None}

        finals = {A: items(final), B: items(final if final_b is ... else final_b)}
        ops = sorted(self.ops, key=lambda op: op.call)
        return {rule for rule, _ in Checker(ops, finals, {A: entries, B: there}, **more).run()}

    def entry(self, loser, winner, loser_version="01-01", winner_version="02-02", key=KEY):
        return {
            "table": key.split("/")[0], "key": key.split("/")[1], "loser": self.states[loser], "winner": self.states[winner],
            "loser_version": loser_version, "winner_version": winner_version,
        }  # fmt: skip


# --- what is sound ---


def test_a_sound_history_has_no_findings():
    story = Story().put(A, "a1").put(A, "a2", "a1").get(B, "a2").put(B, "b1", "a2").put(A, "a3", "a2").get(A, "b1").get(B, "b1")
    assert story.rules({KEY: "b1"}, [("a3", "b1")]) == set()


def test_an_unanswered_write_may_happen_late_or_never():
    late = Story().put(A, "x1", key=LOCAL).put(A, "x2", outcome="info", key=LOCAL).get(A, "x1", key=LOCAL).get(A, "x2", key=LOCAL)
    assert late.rules({LOCAL: "x2"}) == set()
    never = Story().put(A, "x1", key=LOCAL).put(A, "x2", outcome="info", key=LOCAL).get(A, "x1", key=LOCAL)
    assert never.rules({LOCAL: "x1"}) == set()


def test_concurrent_operations_may_take_effect_in_either_order():
    for saw in ("x1", "x2"):
        story = Story().put(A, "x1", key=LOCAL).put(A, "x2", "x1", key=LOCAL, call=20, end=60).get(A, saw, key=LOCAL, call=30, end=40)
        assert story.rules({LOCAL: "x2"}) == set()


def test_a_delete_explains_that_an_item_is_gone():
    story = Story().put(A, "a1").delete(B, "d1", "a1").get(A, None).get(B, None)
    assert story.rules({}) == set()


def test_a_region_that_lost_its_folder_may_have_seen_more_before():
    story = Story().put(A, "a1").put(A, "a2", "a1").get(B, "a2").get(B, "a1").get(B, "a2")
    assert story.rules({KEY: "a2"}, resets=[(38, B, None)]) == set()
    assert "causal" in story.rules({KEY: "a2"})


def test_items_follow_from_their_writes():
    story = Story().op(A, "append", "l1").op(A, "append", "l2", "l1").op(B, "tag", "l3", "l2").op(B, "add", "l4", "l3").op(B, "untag", "l5", "l4")
    story.ops[-1].tag = "l3"
    assert story.states["l4"] == {"w": "l4", "l": ["l1", "l2"], "tags": ["l3"], "n": 1}
    assert story.rules({KEY: {"w": "l5", "l": ["l1", "l2"], "n": 1}}) == set()


# --- what is not: each of these must be refused ---


def test_lost_write():
    """Acknowledged, and neither final, nor replaced by one that saw it, nor in the log."""
    story = Story().put(A, "a1").put(A, "a2", "a1").put(B, "b1", "a1")
    assert story.rules({KEY: "b1"}) == {"lost"}


def test_missing_conflict_entry_in_one_region():
    story = Story().put(A, "a1").put(B, "b1")
    assert story.rules({KEY: "b1"}, [("a1", "b1")]) == set()
    assert story.rules({KEY: "b1"}, [("a1", "b1")], conflicts_b=[]) == {"conflicts"}


def test_an_unanswered_write_explains_one_loss_not_two():
    story = Story().put(A, "a1").put(A, "i1", outcome="info").put(B, "b1")
    assert story.rules({KEY: "b1"}) == set()
    assert story.put("ap-northeast-1", "c1").rules({KEY: "b1"}) == {"lost"}


def test_stale_read_of_a_key_of_one_region():
    story = Story().put(A, "x1", key=LOCAL).put(A, "x2", "x1", key=LOCAL).get(A, "x1", key=LOCAL)
    assert story.rules({LOCAL: "x2"}) == {"linearizable", "causal"}


def test_read_that_overtakes_a_read():
    story = Story().put(A, "x1", key=LOCAL).put(A, "x2", "x1", key=LOCAL, call=20, end=90)
    story.get(A, "x2", key=LOCAL, call=30, end=40).get(A, "x1", key=LOCAL, call=50, end=60)
    assert "linearizable" in story.rules({LOCAL: "x2"})


def test_compare_and_set_that_two_clients_won():
    story = Story().put(A, "x1", key=LOCAL)
    story.op(A, "cas", "x2", "x1", key=LOCAL, expected="x1", call=20, end=40).op(A, "cas", "x3", "x1", key=LOCAL, expected="x1", call=20, end=40)
    assert "linearizable" in story.rules({LOCAL: "x3"}, [])


def test_compare_and_set_that_ignored_its_condition():
    story = Story().put(A, "x1", key=LOCAL).put(A, "x2", "x1", key=LOCAL).op(A, "cas", "x3", "x2", key=LOCAL, expected="x1")
    assert story.rules({LOCAL: "x3"}) == {"linearizable"}


def test_condition_that_failed_though_it_held():
    story = Story().put(A, "x1", key=LOCAL).op(A, "cas", "x2", key=LOCAL, expected="x1", outcome="fail", why="condition")
    assert story.rules({LOCAL: "x1"}) == {"linearizable"}


def test_insert_over_an_item_that_was_there():
    story = Story().put(A, "x1", key=LOCAL).op(A, "insert", "x2", "x1", key=LOCAL)
    assert story.rules({LOCAL: "x2"}) == {"linearizable"}


def test_deleted_item_that_is_read_again():
    story = Story().put(A, "x1", key=LOCAL).delete(A, "d1", "x1", key=LOCAL).get(A, "x1", key=LOCAL)
    assert {"linearizable", "causal"} <= story.rules({})


def test_resurrected_delete():
    """The region had acknowledged the delete; at the end the item is there again."""
    story = Story().put(A, "a1").get(B, "a1").delete(B, "d1", "a1")
    assert story.rules({KEY: "a1"}) == {"final"}


def test_item_that_vanished_without_a_delete():
    story = Story().put(A, "a1").put(B, "b1", "a1")
    assert story.rules({}) == {"lost", "final"}
    assert "causal" in story.get(A, "b1").get(A, None).rules({KEY: "b1"})


def test_delete_that_was_older_than_what_it_took_away():
    """d1 is known to be before b1: its region wrote b1 afterwards."""
    story = Story().put(B, "b0").delete(B, "d1", "b0").put(B, "b1", None)
    assert story.rules({}) == {"lost", "final"}


def test_session_that_goes_backward_in_a_region():
    story = Story().put(A, "a1").put(A, "a2", "a1").get(B, "a2").get(B, "a1")
    assert story.rules({KEY: "a2"}) == {"causal"}


def test_own_write_that_is_not_read():
    story = Story().put(A, "a1").put(B, "b1", "a1").get(B, "a1")
    assert story.rules({KEY: "b1"}) == {"causal"}


def test_effect_that_is_seen_without_its_cause():
    """A writes x, then y. B sees the new y and then the old x."""
    x, y = "t/causal.s.x1", "t/causal.s.y1"
    story = Story().put(A, "x1", key=x).put(A, "x2", "x1", key=x).put(A, "y1", key=y).get(B, "y1", key=y)
    assert story.rules({x: "x2", y: "y1"}) == set()
    assert story.get(B, "x1", key=x).rules({x: "x2", y: "y1"}) == {"causal"}


def test_effect_through_a_third_party_without_its_cause():
    """A writes x; B reads it and writes y; whoever sees y in C must see x."""
    c = "ap-northeast-1"
    x, y = "t/causal.s.x1", "t/causal.s.y1"
    story = Story().put(A, "x1", key=x).put(A, "x2", "x1", key=x).get(B, "x2", key=x).put(B, "y1", key=y).get(c, "y1", key=y).get(c, "x1", key=x)
    assert story.rules({x: "x2", y: "y1"}) == {"causal"}


def test_write_that_lost_to_one_that_it_had_seen():
    story = Story().put(A, "a1").get(B, "a1").put(B, "b1", "a1")
    assert "order" in story.rules({KEY: "a1"}, [("b1", "a1")])


def test_log_that_names_no_conflict():
    story = Story().put(A, "a1").put(B, "b1", "a1")
    assert story.rules({KEY: "b1"}, [("a1", "b1")]) == {"conflicts"}
    through = Story().put(A, "a1").get(B, "a1").put(B, "b1", "a1").put(A, "a2", "b1")
    assert through.rules({KEY: "a2"}, [("a1", "a2")]) == {"conflicts"}


def test_winner_with_the_smaller_version():
    story = Story().put(A, "a1").put(B, "b1")
    assert story.rules({KEY: "b1"}, [("a1", "b1", "05-01", "04-02")]) == {"conflicts"}


def test_conflict_on_a_key_that_one_region_writes():
    story = Story().put(A, "x1", key=LOCAL).put(A, "x2", "x1", key=LOCAL)
    assert "conflicts" in story.rules({LOCAL: "x2"}, [("x1", "x2", "01-01", "02-02", LOCAL)])


def test_regions_that_do_not_agree():
    story = Story().put(A, "a1").put(B, "b1")
    assert "converged" in story.rules({KEY: "b1"}, [("a1", "b1")], final_b={KEY: "a1"})
    assert "converged" in Story().put(A, "a1").rules({KEY: "a1"}, final_b={})


def test_value_that_nobody_wrote():
    story = Story().put(A, "a1")
    assert "invented" in story.rules({KEY: {"w": "ghost", "v": ["ghost", 50]}})


def test_write_that_was_refused_and_yet_happened():
    story = Story().put(A, "a1").op(A, "cas", "a2", expected="nothing", outcome="fail", why="condition").get(A, "a2", old={"w": "a2", "v": ["a2", 50]})
    assert "invented" in story.rules({KEY: "a1"})


def test_read_from_the_future():
    story = Story().get(A, "a1", old={"w": "a1", "v": ["a1", 50]}).put(A, "a1")
    assert "invented" in story.rules({KEY: "a1"})


def test_item_mixed_from_two_writes():
    story = Story().put(A, "a1").put(A, "a2", "a1")
    assert story.rules({KEY: {"w": "a2", "v": ["a1", 50]}}) == {"whole"}


def test_torn_item():
    assert Story().put(A, "a1").rules({KEY: {"w": "a1", "v": "torn"}}) == {"whole"}


def test_append_that_lost_an_element():
    story = Story().op(A, "append", "l1").op(A, "append", "l2", "l1").op(A, "append", "l3", "l2")
    assert story.rules({KEY: {"w": "l3", "l": ["l1", "l3"]}}) == {"whole"}


def test_counter_that_counts_twice():
    story = Story().op(A, "add", "n1").op(A, "add", "n2", "n1")
    assert story.rules({KEY: {"w": "n2", "n": 3}}) == {"whole"}


def test_set_that_lost_a_tag():
    story = Story().op(A, "tag", "s1").op(A, "tag", "s2", "s1")
    assert story.rules({KEY: {"w": "s2", "tags": ["s2"]}}) == {"whole"}


def test_conflict_image_that_is_not_what_was_written():
    story = Story().put(A, "a1").put(B, "b1")
    story.states["a1"] = {"w": "a1", "v": ["zz", 50]}
    story.ops[0].new = {"w": "a1", "v": ["a1", 50]}
    assert story.rules({KEY: "b1"}, [("a1", "b1")]) == {"whole"}


def test_lost_item_of_a_batch():
    story = Story()
    story.op(A, "batch", key="t/*")
    story.ops[0].keys = {f"batch.{A}.k1": "k1", f"batch.{A}.k2": "k2"}
    k1, k2 = ({f"t/batch.{A}.{k}": {"w": k, "v": [k, 100]}} for k in ("k1", "k2"))
    assert story.rules({**k1, **k2}) == set()
    assert story.rules(k1) == {"batch"}
    story.ops[0].left = (f"batch.{A}.k2",)
    assert story.rules(k1) == set()


def test_answer_that_no_fault_explains():
    story = Story().put(A, "a1").op(A, "put", "a2", outcome="fail", why="400 ValidationException")
    assert story.rules({KEY: "a1"}) == {"answers"}


@pytest.mark.parametrize("n", [1, 60])
def test_long_histories_are_decided(n):
    """Every write saw the one before; one read in the middle is stale."""
    story = Story().put(A, "w0", key=LOCAL)
    for i in range(1, 10 * n):
        story.put(A, f"w{i}", f"w{i - 1}", key=LOCAL).put(A, f"i{i}", key=LOCAL, outcome="info")
    assert story.rules({LOCAL: f"w{10 * n - 1}"}) == set()
    story.get(A, f"w{5 * n}", key=LOCAL)
    assert "linearizable" in story.rules({LOCAL: f"w{10 * n - 1}"})
