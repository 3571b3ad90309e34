#include <assert.h>
#include <stdlib.h>

#include "replicator/link_priv.h"

/* Tables whose records come from peers. */
static bool
follows(const struct wire_table *table)
{
	return table->shared && (table->state == REPLICA_CATCHUP || table->state == REPLICA_ACTIVE ||
				    table->state == REPLICA_LEAVING);
}

static void
hash_tables(struct link_state *state)
{
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a over the ids, which come in ascending order */

	for (uint32_t i = 0; i < state->state->n_tables; i++) {
		const struct wire_table *table = &state->state->tables[i];

		if (!follows(table))
			continue;
		state->n_following++;
		for (unsigned shift = 0; shift < 64; shift += 8)
			hash = (hash ^ (table->id >> shift & 0xff)) * 0x100000001b3ULL;
	}
	state->tables_hash = hash;
}

tide_err
link_state_decode(struct bytes in, struct link_state **out, struct tide_error *error)
{
	struct link_state *state = calloc(1, sizeof *state);
	struct bytes copy;
	tide_err rc;

	if (state == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	state->references = 1;
	arena_init(&state->arena, WIRE_ARENA_MAX);
	copy = arena_copy(&state->arena, in); /* what is decoded borrows from it */
	rc = copy.at == NULL ? tide_fail(error, TIDE_NOMEM, NULL)
			     : wire_decode(&state->arena, copy, &state->message, error);
	if (rc == TIDE_OK && state->message.type == WIRE_STATE)
		state->state = &state->message.state;
	else if (rc == TIDE_OK && state->message.type == WIRE_HELLO && state->message.hello.has_state)
		state->state = &state->message.hello.state;
	else if (rc == TIDE_OK && state->message.type == WIRE_ERROR)
		rc = tide_fail(error, state->message.error.code, "%.*s", (int)state->message.error.message.n,
		    state->message.error.message.n == 0 ? "" : (const char *)state->message.error.message.at);
	else if (rc == TIDE_OK)
		rc = tide_fail(
		    error, TIDE_CORRUPT, "%s came instead of a state", wire_type_name(state->message.type));
	if (rc != TIDE_OK) {
		link_state_release(state);
		return rc == TIDE_OK ? TIDE_INTERNAL : rc;
	}
	hash_tables(state);
	*out = state;
	return TIDE_OK;
}

void
link_state_release(struct link_state *state)
{
	if (state == NULL)
		return;
	assert(state->references > 0);
	if (--state->references > 0)
		return;
	arena_fini(&state->arena);
	free(state);
}

uint64_t
link_state_wanted(const struct link_state *state, struct jid origin, struct wire_wanted *out)
{
	uint64_t least = UINT64_MAX;
	uint32_t n = 0;

	for (uint32_t i = 0; i < state->state->n_tables; i++) {
		const struct wire_table *table = &state->state->tables[i];
		uint64_t at;

		if (!follows(table))
			continue;
		at = vector_get(&table->position, origin).seq;
		if (at < least)
			least = at;
		out[n++] = (struct wire_wanted){table->id, vector_get(&table->vector, origin).seq};
	}
	assert(n == state->n_following);
	return n == 0 ? 0 : least;
}
