"""PynamoDB on a region: the models of its tutorial and of its examples (forum threads, games with indexes, offices with a version, bank
statements in transactions, expiring sessions), as an application would write them."""

import uuid
from datetime import datetime, timedelta, timezone

import pytest

pytest.importorskip("pynamodb", reason="PynamoDB could not be fetched")

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection, TableConnection
from pynamodb.exceptions import DeleteError, DoesNotExist, PutError, TransactGetError, TransactWriteError, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection, LocalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite

RUN = uuid.uuid4().hex[:8]
NOW = datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=timezone.utc)


class Thread(Model):
    class Meta:
        table_name = f"Thread-{RUN}"
        read_capacity_units = 100
        write_capacity_units = 100

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    replies = NumberAttribute(default=0, attr_name="rp")
    answered = BooleanAttribute(default=False)
    tags = UnicodeSetAttribute(null=True)
    scores = NumberSetAttribute(null=True)
    notes = ListAttribute(default=list)
    last_post_datetime = UTCDateTimeAttribute(null=True)
    extra = JSONAttribute(null=True)
    picture = BinaryAttribute(legacy_encoding=False, null=True)


class ViewIndex(GlobalSecondaryIndex):
    class Meta:
        index_name = "viewIdx"
        read_capacity_units = 50
        write_capacity_units = 50
        projection = AllProjection()

    view = NumberAttribute(default=0, hash_key=True)


class Viewed(Model):
    class Meta:
        table_name = f"Viewed-{RUN}"
        read_capacity_units = 50
        write_capacity_units = 50

    forum = UnicodeAttribute(hash_key=True)
    thread = UnicodeAttribute(range_key=True)
    view_index = ViewIndex()
    view = NumberAttribute(null=True)


class OpponentIndex(LocalSecondaryIndex):
    class Meta:
        projection = AllProjection()

    player_id = UnicodeAttribute(hash_key=True)
    winner_id = UnicodeAttribute(range_key=True)


class OpponentTimeIndex(GlobalSecondaryIndex):
    class Meta:
        projection = IncludeProjection(["loser_id"])

    winner_id = UnicodeAttribute(hash_key=True)
    created_time = UTCDateTimeAttribute(range_key=True)


class LoserIndex(GlobalSecondaryIndex):
    class Meta:
        projection = KeysOnlyProjection()

    loser_id = UnicodeAttribute(hash_key=True)


class Game(Model):
    class Meta:
        table_name = f"Game-{RUN}"
        billing_mode = "PAY_PER_REQUEST"
        tags = {"team": "games"}
        stream_view_type = "NEW_AND_OLD_IMAGES"

    player_id = UnicodeAttribute(hash_key=True)
    created_time = UTCDateTimeAttribute(range_key=True)
    winner_id = UnicodeAttribute()
    loser_id = UnicodeAttribute(null=True)
    score = NumberAttribute(default=0)
    player_opponent_index = OpponentIndex()
    opponent_time_index = OpponentTimeIndex()
    loser_index = LoserIndex()


class Location(MapAttribute):
    lat = NumberAttribute(attr_name="latitude")
    lng = NumberAttribute(attr_name="longitude")
    name = UnicodeAttribute()


class Person(MapAttribute):
    fname = UnicodeAttribute(attr_name="firstName")
    age = NumberAttribute(null=True)


class Employee(MapAttribute):
    office_employee_id = NumberAttribute()
    person = Person()
    office_location = Location(null=True)


class Office(Model):
    class Meta:
        table_name = f"Office-{RUN}"
        billing_mode = "PAY_PER_REQUEST"

    office_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute(null=True)
    address = Location(null=True)
    employees = ListAttribute(of=Employee, default=list)
    notes = MapAttribute(default=dict)
    version = VersionAttribute()


class Statement(Model):
    class Meta:
        table_name = f"Statement-{RUN}"
        billing_mode = "PAY_PER_REQUEST"

    user_id = UnicodeAttribute(hash_key=True)
    balance = NumberAttribute(default=0)
    frozen = BooleanAttribute(default=False)


class Session(Model):
    class Meta:
        table_name = f"Session-{RUN}"
        billing_mode = "PAY_PER_REQUEST"

    key = UnicodeAttribute(hash_key=True)
    expires = TTLAttribute(null=True)


MODELS = [Thread, Viewed, Game, Office, Statement, Session]
ACCESS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture(scope="module", autouse=True)
def tables(region):
    for model in MODELS:
        model.Meta.host, model.Meta.region = region.url, region.name
        for name, value in ACCESS.items():
            setattr(model.Meta, name, value)
        assert not model.exists()
        # Time to live is set when the table is there: that model waits from the beginning.
        model.create_table(wait=model is Session)
    for model in MODELS:
        if model is not Session:
            model.create_table(wait=True)
        assert model.exists()
    yield
    for model in MODELS:
        model.delete_table(wait=True)
        assert not model.exists()
    with pytest.raises(PutError) as caught:
        Office("gone").save()
    assert caught.value.cause_response_code == "ResourceNotFoundException"


@pytest.fixture
def connection(region):
    connection = Connection(region=region.name, host=region.url)
    connection.session.set_credentials("test", "test")
    return connection


def fails_its_condition(caught, cancelled=False):
    """What the library makes of the answer: the code, and for transactions the reasons in the message."""
    assert caught.value.cause_response_code == ("TransactionCanceledException" if cancelled else "ConditionalCheckFailedException")
    if cancelled:
        assert "ConditionalCheckFailed" in caught.value.cause_response_message


def name():
    return uuid.uuid4().hex[:12]


# --- one model ---


def test_create_table_makes_what_the_model_says():
    got = Game.describe_table()
    assert {i["IndexName"] for i in got["LocalSecondaryIndexes"]} == {"player_opponent_index"}
    assert {i["IndexName"]: i["Projection"]["ProjectionType"] for i in got["GlobalSecondaryIndexes"]} == {
        "opponent_time_index": "INCLUDE",
        "loser_index": "KEYS_ONLY",
    }
    assert got["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert got["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    viewed = Viewed.describe_table()
    assert viewed["ProvisionedThroughput"]["WriteCapacityUnits"] == 50
    assert viewed["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 50


def test_all_attribute_types_come_back():
    forum = name()
    thread = Thread(
        forum, "s", views=3, answered=True, tags={"a", "b"}, scores={1, 2.5}, notes=["x", 1, {"k": None}], last_post_datetime=NOW,
        extra={"deep": [1, {"a": "b"}]}, picture=b"\x00\xff",
    )  # fmt: skip
    thread.save()
    got = Thread.get(forum, "s", consistent_read=True)
    assert got.serialize() == thread.serialize()
    assert (got.views, got.replies, got.answered, got.tags, got.scores) == (3, 0, True, {"a", "b"}, {1, 2.5})
    assert (got.last_post_datetime, got.extra, got.picture) == (NOW, {"deep": [1, {"a": "b"}]}, b"\x00\xff")
    part = Thread.get(forum, "s", attributes_to_get=["views"])
    assert (part.views, part.tags) == (3, None)
    with pytest.raises(Thread.DoesNotExist):
        Thread.get(forum, "no")
    got.delete()
    with pytest.raises(DoesNotExist):
        thread.refresh()


def test_conditional_writes():
    thread = Thread(name(), "s", views=1)
    thread.save(Thread.forum_name.does_not_exist())
    with pytest.raises(PutError) as caught:
        thread.save(Thread.forum_name.does_not_exist())
    fails_its_condition(caught)
    thread.save(Thread.forum_name.exists() & ((Thread.views == 1) | Thread.tags.contains("no")))
    with pytest.raises(UpdateError) as caught:
        thread.update(actions=[Thread.views.set(9)], condition=Thread.views.between(2, 8))
    fails_its_condition(caught)
    thread.update(actions=[Thread.views.set(9)], condition=Thread.views.is_in(1, 2) & Thread.subject.startswith("s"))
    with pytest.raises(DeleteError) as caught:
        thread.delete(~(Thread.views == 9))
    fails_its_condition(caught)
    assert thread.delete((Thread.views >= 9) & Thread.tags.does_not_exist()) is not None


def test_update_actions():
    thread = Thread(name(), "s", views=1, tags={"a", "b"}, notes=["m"], scores={1}, last_post_datetime=NOW)
    thread.save()
    thread.update(
        actions=[
            Thread.views.set(Thread.views + 5),
            Thread.replies.set((Thread.replies | 7) - 2),
            Thread.notes.set(Thread.notes.append(["z"])),
            Thread.tags.delete({"a"}),
            Thread.scores.add({2, 3}),
            Thread.last_post_datetime.remove(),
        ]
    )
    assert (thread.views, thread.replies, thread.notes, thread.tags, thread.scores, thread.last_post_datetime) == (6, -2, ["m", "z"], {"b"}, {1, 2, 3}, None)
    thread.update(actions=[Thread.notes.set(Thread.notes.prepend(["a"])), Thread.views.add(4), Thread.answered.set(True)])
    assert (thread.notes, thread.views, thread.answered) == (["a", "m", "z"], 10, True)
    thread.update(actions=[Thread.notes[1].set("changed"), Thread.notes[0].remove()])
    assert thread.notes == ["changed", "z"]
    assert Thread.get(*[thread.forum_name, "s"]).serialize() == thread.serialize()


# --- many items ---


@pytest.fixture(scope="module")
def forum(tables):
    """100 threads, written in batches: 4 requests of 25."""
    forum = name()
    with Thread.batch_write() as batch:
        for n in range(100):
            batch.save(Thread(forum, f"subject-{n:03}", views=n, tags={"even" if n % 2 == 0 else "odd"}, last_post_datetime=NOW + timedelta(days=n)))
    return forum


def numbers(found):
    return [int(t.views) for t in found]


def test_batches(forum):
    got = Thread.batch_get([(forum, f"subject-{n:03}") for n in range(103)])
    assert sorted(numbers(got)) == list(range(100))
    part = list(Thread.batch_get([(forum, "subject-007")], consistent_read=True, attributes_to_get=["views"]))
    assert numbers(part) == [7] and part[0].tags is None
    other = name()
    with Thread.batch_write() as batch:
        for n in range(30):
            batch.save(Thread(other, str(n)))
    with Thread.batch_write() as batch:
        for thread in Thread.query(other):
            batch.delete(thread)
    assert Thread.count(other) == 0


@pytest.mark.parametrize(
    "condition, wanted",
    [
        (Thread.subject == "subject-042", [42]),
        (Thread.subject < "subject-003", [0, 1, 2]),
        (Thread.subject >= "subject-098", [98, 99]),
        (Thread.subject.between("subject-010", "subject-012"), [10, 11, 12]),
        (Thread.subject.startswith("subject-05"), list(range(50, 60))),
    ],
    ids=["equal", "less", "greater-equal", "between", "startswith"],
)
def test_range_key_conditions(forum, condition, wanted):
    assert numbers(Thread.query(forum, condition)) == wanted
    assert numbers(Thread.query(forum, condition, scan_index_forward=False)) == wanted[::-1]
    assert Thread.count(forum, condition) == len(wanted)


def test_query_pages_limits_and_filters(forum):
    assert numbers(Thread.query(forum, page_size=7)) == list(range(100))
    limited = Thread.query(forum, limit=25, page_size=10)
    assert numbers(limited) == list(range(25))
    assert limited.last_evaluated_key == {"forum_name": {"S": forum}, "subject": {"S": "subject-024"}}
    rest = Thread.query(forum, last_evaluated_key=limited.last_evaluated_key)
    assert numbers(rest) == list(range(25, 100))
    assert rest.last_evaluated_key is None
    filtered = Thread.query(forum, filter_condition=Thread.tags.contains("odd") & (Thread.views > 90), page_size=30)
    assert numbers(filtered) == [91, 93, 95, 97, 99]
    assert filtered.total_count == 5
    assert Thread.count(forum, filter_condition=Thread.last_post_datetime < NOW + timedelta(days=10)) == 10


def test_the_rate_limit_sees_what_was_consumed(forum):
    """The library asks for ConsumedCapacity and slows down by it; a high limit so that nothing waits long."""
    found = Thread.query(forum, page_size=50, rate_limit=10000)
    assert numbers(found) == list(range(100))
    assert sorted(t.views for t in Thread.scan(Thread.forum_name == forum, page_size=50, rate_limit=10000)) == list(range(100))


def test_scans(forum):
    mine = Thread.forum_name == forum
    assert sorted(numbers(Thread.scan(mine & (Thread.views < 5)))) == [0, 1, 2, 3, 4]
    parts = [numbers(Thread.scan(mine, segment=s, total_segments=3, page_size=20)) for s in range(3)]
    assert sorted(sum(parts, [])) == list(range(100))
    assert len(list(Thread.scan(limit=12))) == 12


# --- indexes ---


def test_a_sparse_global_index():
    forum = name()
    for n in range(6):
        Viewed(forum, f"t{n}", view=n % 2 + 100).save()
    hidden = Viewed(forum, "hidden")
    hidden.save()
    assert sorted(v.thread for v in Viewed.view_index.query(100)) == ["t0", "t2", "t4"]
    assert Viewed.view_index.count(101) == 3
    assert "hidden" not in {v.thread for v in Viewed.view_index.scan()}
    hidden.update(actions=[Viewed.view.set(102)])
    assert [v.thread for v in Viewed.view_index.query(102)] == ["hidden"]
    hidden.update(actions=[Viewed.view.remove()])
    assert Viewed.view_index.count(102) == 0


def test_local_and_global_indexes_of_games():
    player, winner, loser = name(), name(), name()
    with Game.batch_write() as batch:
        for n in range(20):
            batch.save(Game(player, NOW + timedelta(minutes=n), winner_id=f"{winner}-{19 - n:02}", loser_id=loser if n % 4 == 0 else None, score=n))
    by_winner = list(Game.player_opponent_index.query(player))
    assert [g.score for g in by_winner] == list(range(19, -1, -1))
    assert [g.score for g in Game.player_opponent_index.query(player, Game.winner_id < f"{winner}-03", consistent_read=True)] == [19, 18, 17]
    assert Game.player_opponent_index.count(player, Game.winner_id.startswith(winner)) == 20
    pages = Game.player_opponent_index.query(player, page_size=6, limit=13)
    assert len(list(pages)) == 13
    assert set(pages.last_evaluated_key) == {"player_id", "created_time", "winner_id"}
    assert [g.score for g in Game.player_opponent_index.query(player, last_evaluated_key=pages.last_evaluated_key)] == list(range(6, -1, -1))
    (at_time,) = Game.opponent_time_index.query(f"{winner}-15", Game.created_time == NOW + timedelta(minutes=4))
    assert (at_time.player_id, at_time.loser_id) == (player, loser)
    assert at_time.score == 0  # not projected: the library shows its default
    assert sorted(g.created_time for g in Game.loser_index.query(loser)) == [NOW + timedelta(minutes=n) for n in range(0, 20, 4)]
    filtered = Game.player_opponent_index.query(player, filter_condition=Game.loser_id.exists() & (Game.score > 10))
    assert [g.score for g in filtered] == [16, 12]


# --- maps and versions ---


def test_nested_maps():
    here = Location(lat=37.77461, lng=-122.3957216, name="headquarters")
    office = Office(name(), address=here, employees=[Employee(office_employee_id=n, person=Person(fname=f"p{n}", age=30 + n), office_location=here) for n in range(3)])
    office.notes["printer"] = {"floor": 2}
    office.save()
    got = Office.get(office.office_id)
    assert got.employees[1].person.fname == "p1" and got.address.lat == 37.77461
    assert got.notes["printer"]["floor"] == 2
    got.update(actions=[Office.address.name.set("annex"), Office.employees[0].person.age.set(Office.employees[0].person.age + 1)])
    assert got.address.name == "annex" and got.employees[0].person.age == 31
    assert [o.office_id for o in Office.scan(Office.employees[2].person.fname.startswith("p2") & (Office.address.name == "annex"))] == [office.office_id]
    with pytest.raises(UpdateError, match="document path"):
        got.update(actions=[Office.employees[7].person.age.set(1)])


def test_a_version_guards_against_lost_updates(connection):
    office = Office(name(), name="first")
    office.save()
    stale = Office.get(office.office_id)
    office.update(actions=[Office.name.set("second")])
    assert (office.version, stale.version) == (2, 1)
    for change in (stale.save, lambda: stale.update(actions=[Office.name.set("lost")]), stale.delete):
        with pytest.raises((PutError, UpdateError, DeleteError)) as caught:
            change()
        fails_its_condition(caught)
    for change in ("save", "delete", "update"):
        with pytest.raises(TransactWriteError) as caught:
            with TransactWrite(connection=connection) as transaction:
                extra = {"actions": [Office.name.set("lost")]} if change == "update" else {}
                getattr(transaction, change)(Office(office.office_id, name="lost"), **extra)
        fails_its_condition(caught, cancelled=True)
    stale.refresh()
    assert (stale.name, stale.version) == ("second", 2)
    stale.save()
    assert stale.version == 3


# --- transactions ---


def test_a_transfer_and_its_readers(connection):
    one, two = Statement(name(), balance=100), Statement(name(), balance=0)
    one.save()
    two.save()
    with TransactWrite(connection=connection, client_request_token=name(), return_consumed_capacity="TOTAL") as transaction:
        transaction.update(one, actions=[Statement.balance.add(-30)], condition=(Statement.balance >= 30) & (Statement.frozen == False))  # noqa: E712
        transaction.update(two, actions=[Statement.balance.add(30)])
    with TransactGet(connection=connection) as transaction:
        futures = [transaction.get(Statement, s.user_id) for s in (one, two)]
        missing = transaction.get(Statement, "no such user")
    assert [f.get().balance for f in futures] == [70, 30]
    with pytest.raises(DoesNotExist):
        missing.get()


def test_a_cancelled_transaction_changes_nothing(connection):
    one, two, three = (Statement(name(), balance=10) for _ in range(3))
    one.save()
    two.save()
    with pytest.raises(TransactWriteError) as caught:
        with TransactWrite(connection=connection) as transaction:
            transaction.update(one, actions=[Statement.balance.add(-30)], condition=Statement.balance >= 30, return_values="ALL_OLD")
            transaction.update(two, actions=[Statement.balance.add(30)])
            transaction.save(three)
    fails_its_condition(caught, cancelled=True)
    reasons = caught.value.cancellation_reasons
    # The library sends condition checks, deletes, puts and updates, in this order.
    assert [r.code if r else None for r in reasons] == [None, "ConditionalCheckFailed", None]
    assert reasons[1].raw_item == one.serialize()
    one.refresh()
    two.refresh()
    assert (one.balance, two.balance) == (10, 10)
    with pytest.raises(DoesNotExist):
        three.refresh()


def test_all_four_kinds_in_one_transaction(connection):
    checked, deleted, updated, saved = (Office(name(), name=n) for n in ("checked", "deleted", "updated", "saved"))
    for office in (checked, deleted, updated):
        office.save()
    with TransactWrite(connection=connection) as transaction:
        transaction.condition_check(Office, checked.office_id, condition=Office.name.exists())
        transaction.delete(deleted)
        transaction.save(saved)
        transaction.update(updated, actions=[Office.name.set("renamed")])
    assert (saved.version, updated.version) == (1, 2)
    updated.refresh()
    assert (updated.name, updated.version) == ("renamed", 2)
    with pytest.raises(DoesNotExist):
        deleted.refresh()
    with pytest.raises(TransactGetError):
        with TransactGet(connection=connection) as transaction:
            for _ in range(2):
                transaction.get(Office, checked.office_id)


# --- time to live, and below the models ---


def test_time_to_live(client):
    ttl = client.describe_time_to_live(TableName=Session.Meta.table_name)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    session = Session(name(), expires=timedelta(hours=1))
    session.save()
    got = Session.get(session.key)
    assert got.expires == session.expires and abs(got.expires - datetime.now(timezone.utc) - timedelta(hours=1)) < timedelta(minutes=5)
    got.update(actions=[Session.expires.remove()])
    assert Session.get(session.key).expires is None


def test_the_connection_below_the_models(region, connection, forum):
    tables = connection.list_tables(limit=100)["TableNames"]
    assert Thread.Meta.table_name in tables
    table = TableConnection(Thread.Meta.table_name, region=region.name, host=region.url, **ACCESS)
    assert table.describe_table()["TableStatus"] == "ACTIVE"
    table.put_item("raw", "one", attributes={"views": {"N": "1"}})
    got = table.update_item("raw", "one", actions=[Thread.views.add(1)], return_values="UPDATED_NEW")
    assert got["Attributes"] == {"views": {"N": "2"}}
    assert table.get_item("raw", "one", consistent_read=True)["Item"]["views"] == {"N": "2"}
    assert table.query(forum, limit=3, return_consumed_capacity="TOTAL")["ConsumedCapacity"]["CapacityUnits"] > 0
    assert table.delete_item("raw", "one", return_values="ALL_OLD")["Attributes"]["views"] == {"N": "2"}
