"""What an index holds is held against its table: each kind of fault is told."""

import indexes


def item(key, **attributes):
    return {"id": {"S": key}, "w": {"S": f"token of {key}"}, **attributes}


ITEMS = [item("a", n={"N": "1"}), item("b", n={"N": "2"}, tags={"SS": ["x"]}), item("c", u={"S": "token"})]


def held(name, items):
    return [kept for kept in (indexes.projection(name, one) for one in items) if kept is not None]


def test_what_is_projected_is_right():
    for name in indexes.INDEXES:
        assert indexes.wrong(name, ITEMS, held(name, ITEMS)) == ""
    assert [one["id"]["S"] for one in held("by-number", ITEMS)] == ["a", "b"]  # the other has no number
    assert held("by-number", ITEMS)[1] == {key: ITEMS[1][key] for key in ("id", "w", "n")}
    assert held("by-write", ITEMS)[0] == {key: ITEMS[0][key] for key in ("id", "w")}
    assert held("by-touch", ITEMS) == [ITEMS[2]]


def test_an_entry_that_is_missing():
    assert indexes.wrong("by-write", ITEMS, held("by-write", ITEMS)[1:]) == "lacks ['a'], has [] besides"


def test_an_entry_of_an_item_that_is_gone():
    assert indexes.wrong("by-write", ITEMS[1:], held("by-write", ITEMS)) == "lacks [], has ['a'] besides"


def test_an_old_entry_beside_the_new_one():
    old = {**held("by-write", ITEMS)[0], "w": {"S": "an earlier token"}}
    assert indexes.wrong("by-write", ITEMS, [*held("by-write", ITEMS), old]) == "1 items have more than one entry"


def test_an_entry_that_says_something_else():
    found = held("by-number", ITEMS)
    found[0] = {**found[0], "w": {"S": "another token"}}
    assert indexes.wrong("by-number", ITEMS, found) == "has other than what is projected of ['a']"
