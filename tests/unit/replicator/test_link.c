/* The link machine, step by step: what happens, and what it then wants done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "replicator/link.h"
#include "store/shard/shard.h"

#define US 1
#define EU 2
#define AP 3
#define USER_TABLE 100

/* --- a region's link machine with two peers, and the verbs of a story --- */

struct fixture {
	struct link *link;
	uint64_t now;
	struct link_action last;
};

struct table_line {
	uint64_t id;
	enum replica_state state;
	uint64_t eu, ap; /* what of those journals it has */
	enum table_rejoin rejoin;
};

struct state_of_region {
	uint16_t incarnation;
	uint64_t nonce;
	struct table_line tables[4];
	uint32_t n_tables;
	uint16_t eu_incarnation, ap_incarnation; /* known; 0: nothing */
	uint16_t eu_dead, eu_closed; /* through that incarnation */
	bool eu_lost;
	bool counted;
	struct wire_boot boot; /* of tables in CREATING */
	struct wire_question question; /* table 0: none */
};

static const struct state_of_region plain = {.incarnation = 1,
    .nonce = US,
    .n_tables = 3,
    .tables = {{1, REPLICA_ACTIVE, 0, 0}, {2, REPLICA_ACTIVE, 0, 0}, {USER_TABLE, REPLICA_ACTIVE, 5, 5}},
    .eu_incarnation = 1,
    .ap_incarnation = 1,
    .counted = true};

static struct link_state *
make_state(const struct state_of_region *from, uint8_t region, bool hello, uint16_t knows_us)
{
	struct vector_entry entries[4][2];
	struct wire_table tables[4] = {0};
	struct wire_member members[2];
	struct wire_state state = {.id = jid_make(region, from->incarnation, 0),
	    .nonce = from->nonce,
	    .signature = 1,
	    .tables = tables,
	    .n_tables = from->n_tables,
	    .members = members};
	struct wire_through dead = {EU, from->eu_dead}, closed = {EU, from->eu_closed};
	struct wire_question question = from->question;
	struct wire_message message = {0};
	struct link_state *out;
	struct buf bytes = {0};

	for (uint32_t i = 0; i < from->n_tables; i++) {
		entries[i][0] = (struct vector_entry){jid_make(EU, 1, 0), {from->tables[i].eu, {0}}};
		entries[i][1] = (struct vector_entry){jid_make(AP, 1, 0), {from->tables[i].ap, {0}}};
		tables[i] = (struct wire_table){.id = from->tables[i].id,
		    .state = (uint8_t)from->tables[i].state,
		    .shared = true,
		    .vector = {entries[i], 2, 2},
		    .position = {entries[i], 2, 2},
		    .boot = from->boot,
		    .rejoin = (uint8_t)from->tables[i].rejoin};
	}
	if (from->eu_incarnation != 0)
		members[state.n_members++] =
		    (struct wire_member){EU, from->eu_incarnation, EU, from->counted, from->eu_lost};
	if (from->ap_incarnation != 0)
		members[state.n_members++] =
		    (struct wire_member){AP, from->ap_incarnation, AP, from->counted, false};
	state.dead = &dead;
	state.n_dead = from->eu_dead != 0;
	state.closed = &closed;
	state.n_closed = from->eu_closed != 0;
	if (question.table != 0) {
		state.questions = &question;
		state.n_questions = 1;
	}
	message.type = hello ? WIRE_HELLO : WIRE_STATE;
	if (hello)
		message.hello = (struct wire_hello){.from = region,
		    .to = US,
		    .id = state.id,
		    .nonce = from->nonce,
		    .known_incarnation = knows_us,
		    .known_nonce = US,
		    .has_state = true,
		    .state = state};
	else
		message.state = state;
	assert_int_equal(wire_encode(&message, &bytes), TIDE_OK);
	assert_int_equal(link_state_decode(buf_bytes(&bytes), &out, NULL), TIDE_OK);
	buf_fini(&bytes);
	return out;
}

/* The next action of that kind; notes and drops on the way are passed over, anything else may wait. */
static bool
wants(struct fixture *f, enum link_action_kind kind)
{
	while (link_next(f->link, f->now, &f->last)) {
		link_check(f->link);
		if (f->last.kind == LINK_DROP)
			free(f->last.payload);
		if (f->last.kind == kind)
			return true;
	}
	return false;
}

static void
pass(struct fixture *f, uint64_t ms)
{
	f->now += ms;
}

static void
answer_state(struct fixture *f, const struct state_of_region *state)
{
	assert_true(wants(f, LINK_ASK_STATE));
	link_state_came(f->link, f->now, f->last.ticket, make_state(state, US, false, 0));
	link_check(f->link);
}

static void
greet(struct fixture *f, uint8_t region, const struct state_of_region *state)
{
	struct state_of_region theirs = *state;

	theirs.nonce = theirs.nonce == US ? region : theirs.nonce;
	theirs.eu_incarnation = theirs.ap_incarnation = 0;
	link_peer_up(f->link, f->now, region);
	assert_true(wants(f, LINK_HELLO));
	assert_int_equal(f->last.source, region);
	link_hello_came(f->link, f->now, f->last.ticket, make_state(&theirs, region, true, 1));
	link_check(f->link);
}

static void
fail_last(struct fixture *f, tide_err code, uint64_t table)
{
	struct wire_error error = {.code = code, .table = table, .message = BYTES_LITERAL("because")};

	link_failed(f->link, f->now, f->last.ticket, &error);
	link_check(f->link);
}

/* A session with `region` for its own journal, with one batch taken and handed to the API process. */
static void
run_session(struct fixture *f, uint8_t region)
{
	struct link_batch batch = {
	    .index = 0, .n_records = 1, .bytes = 10, .upto_seq = 6, .payload = malloc(1)};

	assert_true(wants(f, LINK_OPEN));
	assert_int_equal(f->last.source, region);
	link_opened(f->link, f->now, f->last.ticket, 77);
	assert_true(wants(f, LINK_NEXT));
	assert_int_equal(f->last.session, 77);
	assert_true(link_records(f->link, f->now, f->last.ticket, &batch));
	assert_true(wants(f, LINK_APPLY));
	assert_int_equal(f->last.index, 0);
}

static void
apply_answers(struct fixture *f, tide_err result, struct jid held_for)
{
	struct wire_applied applied = {.index = f->last.index, .result = result, .held_for = held_for};

	link_applied(f->link, f->now, f->last.ticket, &applied);
	link_check(f->link);
}

static void
drop(void *payload)
{
	free(payload);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct link_options options = {.region = US, .peers = {EU, AP}, .n_peers = 2, .window = 4, .seed = 1};

	f->link = link_new(&options);
	f->now = 1000;
	*state = f;
	return f->link == NULL;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	link_free(f->link, drop);
	free(f);
	return 0;
}

/* --- greeting --- */

static void
nothing_is_asked_of_peers_before_the_api_process_answers(void **state)
{
	struct fixture *f = *state;

	link_peer_up(f->link, f->now, EU);
	pass(f, 5000);
	assert_false(wants(f, LINK_HELLO));
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	assert_true(wants(f, LINK_HELLO));
}

static void
a_peer_that_is_new_is_written_down(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.eu_incarnation = 0;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_MEMBER));
	assert_int_equal(f->last.source, EU);
	link_done(f->link, f->now, f->last.ticket);
	pass(f, 10);
	answer_state(f, &plain);
	assert_false(wants(f, LINK_MEMBER));
}

static void
being_counted_is_written_down(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.counted = false;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_MEMBER));
}

static void
another_protocol_is_refused_and_asked_again_later(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	link_peer_up(f->link, f->now, EU);
	assert_true(wants(f, LINK_HELLO));
	fail_last(f, TIDE_FORMAT, 0);
	assert_false(wants(f, LINK_OPEN));
	pass(f, 2000);
	assert_true(wants(f, LINK_HELLO));
}

static void
another_journal_under_a_known_incarnation_is_refused(void **state)
{
	struct fixture *f = *state;
	struct state_of_region theirs = plain;

	theirs.nonce = 999;
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &theirs);
	assert_false(wants(f, LINK_OPEN));
}

static void
a_former_incarnation_is_refused(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.eu_incarnation = 2;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_false(wants(f, LINK_OPEN));
}

/* --- pulling --- */

static void
records_come_from_their_own_region(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	assert_int_equal(f->last.origin.v, jid_make(EU, 1, 0).v);
	apply_answers(f, TIDE_OK, JID_NONE);
	assert_true(wants(f, LINK_NEXT));
}

static void
requests_in_flight_never_pass_the_window(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	link_opened(f->link, f->now, f->last.ticket, 77);
	while (wants(f, LINK_NEXT))
		n++;
	assert_int_equal(n, 4);
}

static void
a_relay_is_asked_while_the_region_is_away(void **state)
{
	struct fixture *f = *state;
	struct state_of_region theirs = plain;

	theirs.tables[2].ap = 9; /* EU has more of AP's journal than we */
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &theirs);
	for (int i = 0; i < 2; i++) {
		assert_true(wants(f, LINK_OPEN));
		assert_int_equal(f->last.source, EU);
		if (jid_region(f->last.origin) == AP)
			return;
	}
	fail_msg("nobody was asked for AP's journal");
}

static void
no_relay_is_asked_for_what_we_have(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	while (wants(f, LINK_OPEN)) {
		assert_int_equal(jid_region(f->last.origin), EU);
		n++;
	}
	assert_int_equal(n, 1);
}

static void
a_dead_journal_is_taken_from_others_only(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, dead = plain, other = plain;

	ours.eu_incarnation = 2;
	dead.tables[2].eu = 9;
	other.tables[2].eu = 9;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &dead);
	while (wants(f, LINK_OPEN))
		assert_int_not_equal(f->last.origin.v, jid_make(EU, 1, 0).v);
	greet(f, AP, &other);
	while (wants(f, LINK_OPEN))
		if (f->last.origin.v == jid_make(EU, 1, 0).v) {
			assert_int_equal(f->last.source, AP);
			return;
		}
	fail_msg("nobody was asked for the dead journal");
}

static void
a_later_incarnation_relays_its_former_journal(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, reborn = plain;

	ours.eu_incarnation = 2;
	reborn.incarnation = 2;
	reborn.tables[2].eu = 9; /* it fetched its own former life again, from others */
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &reborn);
	while (wants(f, LINK_OPEN))
		if (f->last.origin.v == jid_make(EU, 1, 0).v) {
			assert_int_equal(f->last.source, EU);
			return;
		}
	fail_msg("nobody was asked for the dead journal");
}

static void
nobody_is_asked_for_a_closed_journal(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, other = plain;

	ours.eu_incarnation = 2;
	ours.eu_dead = ours.eu_closed = 1;
	other.tables[2].eu = 9;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, AP, &other);
	while (wants(f, LINK_OPEN))
		assert_int_not_equal(f->last.origin.v, jid_make(EU, 1, 0).v);
}

/* Until a dead journal is closed, what each hello says of its sender goes to our region; or when it knows of a death that we do not. */
static void
states_go_to_our_region_while_a_dead_journal_is_not_closed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		struct state_of_region ours = plain, other = plain;

		ours.eu_incarnation = 2;
		ours.eu_dead = i == 3 ? 0 : 1;
		ours.eu_closed = i == 1 || i == 2 ? 1 : 0;
		other.eu_dead = i == 2 ? 2 : 1;
		if (i == 3)
			ours.eu_incarnation = 1;
		link_local_up(f->link, f->now);
		answer_state(f, &ours);
		greet(f, AP, &other);
		assert_int_equal(wants(f, LINK_MEMBER), i != 1);
		if (i != 1)
			assert_true(f->last.whole);
		link_peer_down(f->link, f->now, AP);
		link_local_down(f->link, f->now);
		f->now += 5000;
	}
}

static void
a_region_that_was_declared_lost_is_refused_until_it_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, reborn = plain;

	ours.eu_lost = true;
	ours.eu_dead = ours.eu_closed = 1;
	reborn.incarnation = 2;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_false(wants(f, LINK_OPEN));
	link_peer_down(f->link, f->now, EU);
	f->now += 5000;
	greet(f, EU, &reborn);
	assert_true(wants(f, LINK_OPEN));
	assert_int_equal(f->last.origin.v, jid_make(EU, 2, 0).v);
}

static void
a_gap_asks_again_from_fresh_vectors(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	apply_answers(f, TIDE_GAP, JID_NONE);
	pass(f, 1000);
	assert_false(wants(f, LINK_OPEN) && f->last.source == EU); /* not before the state has come */
	f->now += 10;
	/* The question that was passed over just now is still under way. */
	link_local_down(f->link, f->now);
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	assert_true(wants(f, LINK_OPEN));
}

static void
a_forked_origin_stops(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	apply_answers(f, TIDE_FORKED, JID_NONE);
	for (int i = 0; i < 20; i++) {
		pass(f, 1000);
		assert_false(wants(f, LINK_OPEN));
	}
}

static void
a_held_batch_is_kept_and_tried_again_in_a_new_stream(void **state)
{
	struct fixture *f = *state;
	uint64_t stream;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	stream = f->last.stream;
	apply_answers(f, TIDE_HELD, jid_make(AP, 1, 0));
	assert_false(wants(f, LINK_APPLY));
	pass(f, 100);
	assert_true(wants(f, LINK_APPLY));
	assert_true(f->last.stream > stream);
	assert_int_equal(f->last.index, 0);
	apply_answers(f, TIDE_OK, JID_NONE);
}

static void
what_an_origin_is_held_for_is_asked_for_urgently(void **state)
{
	struct fixture *f = *state;
	uint64_t apply;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	apply = f->last.ticket;
	greet(f, AP, &plain);
	while (wants(f, LINK_OPEN))
		link_opened(f->link, f->now, f->last.ticket, 88);
	while (wants(f, LINK_NEXT))
		;
	/* AP's window is full of requests: an answer makes room. */
	struct wire_applied applied = {.index = 0, .result = TIDE_HELD, .held_for = jid_make(AP, 1, 0)};

	link_applied(f->link, f->now, apply, &applied);
	pass(f, 1);
	while (wants(f, LINK_NEXT))
		assert_true(f->last.urgent || f->last.session == 77);
}

static void
below_the_floor_of_its_own_region_a_table_is_loaded_again(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	fail_last(f, TIDE_NOTFOUND, USER_TABLE);
	assert_true(wants(f, LINK_BOOT));
	assert_int_equal(f->last.table, USER_TABLE);
	assert_false(f->last.restart);
}

static void
a_late_answer_is_not_taken(void **state)
{
	struct fixture *f = *state;
	struct link_batch batch = {.index = 0, .payload = &batch};
	uint64_t late;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	link_opened(f->link, f->now, f->last.ticket, 77);
	assert_true(wants(f, LINK_NEXT));
	late = f->last.ticket;
	link_peer_down(f->link, f->now, EU);
	link_check(f->link);
	assert_false(link_records(f->link, f->now, late, &batch));
	link_opened(f->link, f->now, late, 5);
	link_check(f->link);
}

static void
a_session_that_says_nothing_is_given_up(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	link_opened(f->link, f->now, f->last.ticket, 77);
	assert_true(wants(f, LINK_NEXT));
	generation = f->last.ticket;
	pass(f, 7000);
	assert_false(wants(f, LINK_NEXT));
	pass(f, 20000);
	while (wants(f, LINK_OPEN) && f->last.source != EU)
		;
	assert_int_equal(f->last.kind, LINK_OPEN);
	assert_int_not_equal(f->last.ticket & ((1ULL << 48) - 1), generation & ((1ULL << 48) - 1));
}

/* --- loading --- */

static struct state_of_region
creating(uint64_t first_state)
{
	struct state_of_region ours = plain;

	ours.tables[0].state = (enum replica_state)first_state;
	ours.tables[2].state = REPLICA_CREATING;
	return ours;
}

static void
a_table_is_loaded_piece_by_piece(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_ACTIVE);
	struct link_piece piece = {.snapshot = 5, .cursor = BYTES_LITERAL("k1"), .payload = malloc(1)};
	uint64_t load;

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.snapshot, 0);
	assert_int_equal(f->last.cursor.n, 0);
	assert_true(link_piece_came(f->link, f->now, f->last.ticket, &piece));
	assert_true(wants(f, LINK_LOAD));
	load = f->last.ticket;
	assert_true(wants(f, LINK_READ)); /* one ahead */
	assert_int_equal(f->last.snapshot, 5);
	assert_true(bytes_is(f->last.cursor, "k1"));
	piece = (struct link_piece){
	    .snapshot = 5, .cursor = BYTES_LITERAL("k2"), .done = true, .payload = malloc(1)};
	assert_true(link_piece_came(f->link, f->now, f->last.ticket, &piece));
	assert_false(wants(f, LINK_LOAD)); /* in order */
	link_done(f->link, f->now, load);
	assert_true(wants(f, LINK_LOAD));
	link_done(f->link, f->now, f->last.ticket);
	assert_false(wants(f, LINK_READ));
}

static void
user_tables_wait_for_the_catalog(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_CREATING);

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.table, TABLE_CATALOG);
	assert_false(wants(f, LINK_READ));
}

static void
a_bootstrap_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_ACTIVE);

	ours.boot = (struct wire_boot){true, AP, 42, BYTES_LITERAL("half"), 10, 20};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_false(wants(f, LINK_READ)); /* another source has another snapshot */
	greet(f, AP, &plain);
	pass(f, 100);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.source, AP);
	assert_int_equal(f->last.snapshot, 42);
	assert_true(bytes_is(f->last.cursor, "half"));
}

static void
a_snapshot_that_is_gone_starts_over(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_ACTIVE);

	ours.boot = (struct wire_boot){true, EU, 42, BYTES_LITERAL("half"), 10, 20};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_READ));
	fail_last(f, TIDE_NOTFOUND, USER_TABLE);
	assert_true(wants(f, LINK_BOOT));
	assert_true(f->last.restart);
	link_done(f->link, f->now, f->last.ticket);
	pass(f, 20);
	ours.boot = (struct wire_boot){0};
	answer_state(f, &ours);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.snapshot, 0);
}

/* --- replicas that fell behind --- */

static void
all_tables_that_miss_records_of_that_journal_are_named(void **state)
{
	struct state_of_region ours = plain, theirs;
	struct fixture *f = *state;

	ours.n_tables = 4;
	for (uint32_t i = 0; i < 4; i++)
		ours.tables[i] = (struct table_line){USER_TABLE + i, REPLICA_ACTIVE, 5, 5};
	ours.tables[2].rejoin = REJOIN_NEEDED; /* it is known of that one */
	theirs = ours;
	theirs.tables[0].ap = 9;
	theirs.tables[2].eu = 9;
	theirs.tables[3].eu = 9;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &theirs);
	assert_true(wants(f, LINK_OPEN));
	fail_last(f, TIDE_NOTFOUND, USER_TABLE);
	assert_true(wants(f, LINK_BOOT));
	assert_int_equal(f->last.table, USER_TABLE);
	link_done(f->link, f->now, f->last.ticket);
	assert_true(wants(f, LINK_BOOT));
	assert_int_equal(f->last.table, USER_TABLE + 3);
	link_done(f->link, f->now, f->last.ticket);
	assert_false(wants(f, LINK_BOOT));
}

static struct state_of_region
with_user_table(uint64_t eu, uint64_t ap, enum table_rejoin rejoin)
{
	struct state_of_region out = plain;

	out.tables[2] = (struct table_line){USER_TABLE, REPLICA_ACTIVE, eu, ap, rejoin};
	return out;
}

static void
a_replica_that_fell_behind_loads_from_who_has_what_it_misses(void **state)
{
	struct state_of_region ours = with_user_table(5, 5, REJOIN_LOADING);
	struct state_of_region behind_too = with_user_table(5, 5, REJOIN_NEEDED);
	struct state_of_region whole = with_user_table(9, 9, REJOIN_NONE);
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &behind_too);
	assert_false(wants(f, LINK_READ));
	greet(f, AP, &whole);
	pass(f, 100);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.source, AP);
	assert_int_equal(f->last.table, USER_TABLE);
	assert_int_equal(f->last.snapshot, 0);
}

static void
a_source_that_failed_comes_after_the_others(void **state)
{
	struct state_of_region ours = with_user_table(5, 5, REJOIN_LOADING);
	struct state_of_region some = with_user_table(9, 5, REJOIN_NONE);
	struct state_of_region whole = with_user_table(9, 9, REJOIN_NONE);
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &some);
	assert_true(wants(f, LINK_READ));
	fail_last(f, TIDE_CORRUPT, USER_TABLE);
	greet(f, AP, &whole);
	for (int i = 0; i < 2; i++) {
		pass(f, 5000);
		answer_state(f, &ours);
		assert_true(wants(f, LINK_READ));
		assert_int_equal(f->last.source, i == 0 ? AP : EU);
		fail_last(f, TIDE_CORRUPT, USER_TABLE);
	}
}

/* --- leaving --- */

static void
each_staying_region_is_asked_and_its_yes_passed_on(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.tables[2].state = REPLICA_LEAVING;
	ours.question = (struct wire_question){USER_TABLE, 7, BYTES_LITERAL("\2\3")};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_LEAVE_ASK));
	assert_int_equal(f->last.source, EU);
	assert_int_equal(f->last.number, 7);
	link_leave_answer(f->link, f->now, f->last.ticket, false);
	assert_false(wants(f, LINK_LEAVE_GRANTED));
	pass(f, 300);
	assert_true(wants(f, LINK_LEAVE_ASK));
	link_leave_answer(f->link, f->now, f->last.ticket, true);
	assert_true(wants(f, LINK_LEAVE_GRANTED));
	assert_int_equal(f->last.source, EU);
	assert_int_equal(f->last.number, 7);
}

/* --- the API process goes --- */

static void
without_the_api_process_nothing_is_asked(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	link_local_down(f->link, f->now);
	link_check(f->link);
	for (int i = 0; i < 10; i++) {
		pass(f, 1000);
		while (link_next(f->link, f->now, &f->last)) {
			assert_true(f->last.kind == LINK_DROP || f->last.kind == LINK_NOTE);
			if (f->last.kind == LINK_DROP)
				free(f->last.payload);
		}
	}
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	assert_true(wants(f, LINK_OPEN));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(nothing_is_asked_of_peers_before_the_api_process_answers),
	    T(a_peer_that_is_new_is_written_down),
	    T(being_counted_is_written_down),
	    T(another_protocol_is_refused_and_asked_again_later),
	    T(another_journal_under_a_known_incarnation_is_refused),
	    T(a_former_incarnation_is_refused),
	    T(records_come_from_their_own_region),
	    T(requests_in_flight_never_pass_the_window),
	    T(a_relay_is_asked_while_the_region_is_away),
	    T(no_relay_is_asked_for_what_we_have),
	    T(a_dead_journal_is_taken_from_others_only),
	    T(a_later_incarnation_relays_its_former_journal),
	    T(nobody_is_asked_for_a_closed_journal),
	    T(states_go_to_our_region_while_a_dead_journal_is_not_closed),
	    T(a_region_that_was_declared_lost_is_refused_until_it_begins_anew),
	    T(a_gap_asks_again_from_fresh_vectors),
	    T(a_forked_origin_stops),
	    T(a_held_batch_is_kept_and_tried_again_in_a_new_stream),
	    T(what_an_origin_is_held_for_is_asked_for_urgently),
	    T(below_the_floor_of_its_own_region_a_table_is_loaded_again),
	    T(a_late_answer_is_not_taken),
	    T(a_session_that_says_nothing_is_given_up),
	    T(a_table_is_loaded_piece_by_piece),
	    T(user_tables_wait_for_the_catalog),
	    T(a_bootstrap_goes_on_where_it_was),
	    T(all_tables_that_miss_records_of_that_journal_are_named),
	    T(a_replica_that_fell_behind_loads_from_who_has_what_it_misses),
	    T(a_source_that_failed_comes_after_the_others),
	    T(a_snapshot_that_is_gone_starts_over),
	    T(each_staying_region_is_asked_and_its_yes_passed_on),
	    T(without_the_api_process_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
