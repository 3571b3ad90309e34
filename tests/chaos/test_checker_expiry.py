"""What the checker makes of items that nobody deletes: their time is over, or somebody is wrong."""

from checker import Checker
from test_checker import Story

A, B = "us-east-1", "eu-west-1"
KEY = "t/ttl.s.1"
SECOND = 1_000_000_000
OVER, LATER = -SECOND, 1000 * SECOND  # the story takes less than a second


class Mortal(Story):
    def put(self, region, token, saw=None, over=None, **more):
        self.op(region, "put", token, saw, key=KEY, **more)
        self.ops[-1].over = over
        return self

    def get(self, region, saw, **more):
        return self.op(region, "get", None, saw, key=KEY, **more)

    def rules(self, final, conflicts=(), ended=100 * SECOND):
        entries = [self.entry(*one, key=KEY) for one in conflicts]
        items = {KEY: self.states[final]} if final else {}
        checker = Checker(sorted(self.ops, key=lambda op: op.call), {A: items, B: items}, {A: entries, B: entries})
        checker.lives.ended = ended
        return {rule for rule, _ in checker.run()}


# --- what is sound ---


def test_an_item_goes_when_its_time_is_over():
    story = Mortal().put(A, "a1", over=OVER).get(B, "a1").get(A, None).get(B, None)
    assert story.rules(None) == set()


def test_an_item_of_long_life_that_lost_to_the_delete_of_another_is_in_the_log():
    story = Mortal().put(A, "a1", over=OVER).put(B, "b1", over=LATER).get(B, None)
    assert story.rules(None, [("b1", None)]) == set()


def test_a_rewrite_that_was_over_itself_takes_what_it_replaced_with_it():
    story = Mortal().put(A, "a1", over=LATER).get(B, "a1").put(B, "b1", "a1", over=OVER).get(A, None)
    assert story.rules(None) == set()


def test_a_rewrite_without_an_answer_may_have_been_over():
    story = Mortal().put(A, "a1", over=LATER).get(A, "a1").put(B, "i1", outcome="info", over=OVER).get(A, None)
    assert story.rules(None) == set()


def test_a_new_item_may_follow_one_that_has_gone():
    story = Mortal().put(A, "a1", over=OVER).get(A, None).put(A, "a2", None, over=LATER).get(A, "a2")
    assert story.rules("a2") == set()


# --- what is not ---


def test_an_item_that_goes_before_its_time():
    story = Mortal().put(A, "a1", over=LATER).get(A, None)
    assert story.rules(None) == {"causal", "lost", "final"}
    assert story.rules("a1") == {"causal"}


def test_an_item_without_a_time_that_goes():
    assert Mortal().put(A, "a1", over=OVER).put(A, "a2", "a1").rules(None) == {"lost", "final"}


def test_an_item_that_goes_for_the_time_that_a_rewrite_had_replaced():
    """The delete had been decided on the item before."""
    story = Mortal().put(A, "a1", over=OVER).put(A, "a2", "a1", over=LATER).get(A, "a2").get(A, None)
    assert story.rules(None) == {"causal", "final"}


def test_an_item_that_comes_back_after_its_time():
    story = Mortal().put(A, "a1", over=OVER).get(A, "a1").get(A, None).get(A, "a1")
    assert story.rules(None) == {"causal"}


def test_an_item_that_is_left_long_after_its_time():
    assert Mortal().put(A, "a1", over=OVER).rules("a1") == {"expired"}
    assert Mortal().put(A, "a1", over=OVER).rules("a1", ended=SECOND) == set()


def test_two_deletes_that_meet_are_no_conflict():
    assert Mortal().put(A, "a1", over=OVER).rules(None, [(None, None)]) == {"conflicts"}
