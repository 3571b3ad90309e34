#include "tests/unit/replicator/link_fixture.h"

const struct state_of_region plain = {.incarnation = 1,
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
	struct wire_through closed = {EU, from->eu_closed};
	struct wire_dead dead = {EU, from->eu_dead, EU};
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

bool
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

void
pass(struct fixture *f, uint64_t ms)
{
	f->now += ms;
}

void
answer_state(struct fixture *f, const struct state_of_region *state)
{
	assert_true(wants(f, LINK_ASK_STATE));
	link_state_came(f->link, f->now, f->last.ticket, make_state(state, US, false, 0));
	link_check(f->link);
}

void
answer_hello(struct fixture *f, const struct state_of_region *state)
{
	struct state_of_region theirs = *state;
	uint8_t region = f->last.source;

	theirs.nonce = theirs.nonce == US ? region : theirs.nonce;
	theirs.eu_incarnation = theirs.ap_incarnation = 0;
	link_hello_came(f->link, f->now, f->last.ticket, make_state(&theirs, region, true, 1));
	link_check(f->link);
}

void
greet(struct fixture *f, uint8_t region, const struct state_of_region *state)
{
	link_peer_up(f->link, f->now, region);
	assert_true(wants(f, LINK_HELLO));
	assert_int_equal(f->last.source, region);
	answer_hello(f, state);
}

void
fail_last(struct fixture *f, tide_err code, uint64_t table)
{
	struct wire_error error = {.code = code, .table = table, .message = BYTES_LITERAL("because")};

	link_failed(f->link, f->now, f->last.ticket, &error);
	link_check(f->link);
}

void
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

void
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

int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct link_options options = {.region = US, .peers = {EU, AP}, .n_peers = 2, .window = 4, .seed = 1};

	f->link = link_new(&options);
	f->now = 1000;
	*state = f;
	return f->link == NULL;
}

int
teardown(void **state)
{
	struct fixture *f = *state;

	link_free(f->link, drop);
	free(f);
	return 0;
}
