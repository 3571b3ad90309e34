/* What this region holds, told to its replicator and to peers. */
#include "api/endpoint_priv.h"
#include "api/membership.h"

#define STATE_CHECK_MS 200 /* what no note announces (counted members, questions) is looked for so often */

static uint64_t
mix(uint64_t hash, uint64_t v)
{
	hash = (hash ^ v) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* Everything that somebody may wait for; not the vectors, which move all the time. */
static uint64_t
signature_of(const struct wire_state *state)
{
	uint64_t hash = mix(mix(1, state->id.v), state->nonce);

	for (uint32_t i = 0; i < state->n_tables; i++) {
		const struct wire_table *table = &state->tables[i];

		hash = mix(mix(hash, table->id), (uint64_t)table->state | (uint64_t)table->shared << 8 |
						     (uint64_t)table->boot.under_way << 9 |
						     (uint64_t)table->rejoin << 16);
	}
	for (uint32_t i = 0; i < state->n_members; i++) {
		const struct wire_member *member = &state->members[i];

		hash = mix(mix(hash, member->nonce),
		    (uint64_t)member->region | (uint64_t)member->incarnation << 8 |
			(uint64_t)member->counted << 24 | (uint64_t)member->lost << 25);
	}
	for (uint32_t i = 0; i < state->n_closed; i++)
		hash = mix(
		    hash, (uint64_t)state->closed[i].region | (uint64_t)state->closed[i].incarnation << 8);
	for (uint32_t i = 0; i < state->n_questions; i++) {
		hash = mix(mix(hash, state->questions[i].table), state->questions[i].number);
		for (size_t r = 0; r < state->questions[i].staying.n; r++)
			hash = mix(hash, state->questions[i].staying.at[r]);
	}
	return hash == 0 ? 1 : hash;
}

static tide_err
add_tables(struct arena *arena, const struct shard_view *view, bool for_peers, struct wire_state *out)
{
	out->tables = arena_calloc(arena, (view->n_tables + 1) * sizeof *out->tables);
	if (out->tables == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < view->n_tables; i++) {
		const struct table_view *from = &view->tables[i];
		struct wire_table *to = &out->tables[out->n_tables];

		if (from->state == REPLICA_ABSENT || (for_peers && !from->shared))
			continue;
		*to = (struct wire_table){.id = from->id,
		    .state = (uint8_t)from->state,
		    .shared = from->shared,
		    .vector = from->vector,
		    .rejoin = (uint8_t)from->rejoin};
		if (!for_peers) {
			to->position = from->position;
			to->boot =
			    (struct wire_boot){from->boot.under_way, from->boot.source, from->boot.snapshot,
				from->boot.cursor, from->boot.items_loaded, from->boot.items_expected};
		}
		out->n_tables++;
	}
	return TIDE_OK;
}

static tide_err
add_members(struct arena *arena, const struct shard_view *view, struct wire_state *out)
{
	out->members = arena_calloc(arena, (view->n_members + 1) * sizeof *out->members);
	if (out->members == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < view->n_members; i++)
		out->members[out->n_members++] = (struct wire_member){view->members[i].region,
		    view->members[i].incarnation, view->members[i].nonce, view->members[i].counted,
		    view->members[i].lost, view->members[i].ahead_ms};
	return TIDE_OK;
}

static tide_err
add_dead(struct arena *arena, const struct shard_view *view, struct wire_state *out)
{
	if ((out->dead = arena_calloc(arena, (view->n_dead + 1) * sizeof *out->dead)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < view->n_dead; i++)
		out->dead[out->n_dead++] =
		    (struct wire_dead){view->dead[i].region, view->dead[i].through, view->dead[i].nonce};
	return TIDE_OK;
}

static tide_err
add_closed(struct arena *arena, const struct shard_view *view, struct wire_state *out)
{
	out->closed = arena_calloc(arena, (view->n_members + 1) * sizeof *out->closed);
	if (out->closed == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < view->n_members; i++)
		if (view->members[i].closed != 0 && view->members[i].region != jid_region(view->id))
			out->closed[out->n_closed++] =
			    (struct wire_through){view->members[i].region, view->members[i].closed};
	if (view->own_closed != 0)
		out->closed[out->n_closed++] = (struct wire_through){jid_region(view->id), view->own_closed};
	return TIDE_OK;
}

/*
 * Questions are taken before the view: a question's vector is then never older than the question, and whoever says yes to it has
 * all that its asker will ever have written.
 */
tide_err
state__make(struct endpoint *endpoint, struct arena *arena, bool for_peers, struct wire_state *out)
{
	struct membership_question *questions = NULL;
	struct shard_view view = {0};
	uint32_t n = 0;
	tide_err rc;

	*out = (struct wire_state){0};
	if (!for_peers && (rc = membership_questions(endpoint->region, arena, &questions, &n)) != TIDE_OK)
		return rc;
	if ((rc = shard_view(endpoint->region->shard, arena, &view)) != TIDE_OK)
		return rc;
	out->id = view.id;
	out->nonce = view.nonce;
	out->clock = view.clock;
	out->questions = arena_calloc(arena, (n + 1) * sizeof *out->questions);
	if (out->questions == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		out->questions[out->n_questions++] = (struct wire_question){questions[i].table,
		    questions[i].number, bytes_of(questions[i].staying, questions[i].n_staying)};
	if ((rc = add_tables(arena, &view, for_peers, out)) != TIDE_OK ||
	    (rc = add_dead(arena, &view, out)) != TIDE_OK)
		return rc;
	if (!for_peers && ((rc = add_members(arena, &view, out)) != TIDE_OK ||
			      (rc = add_closed(arena, &view, out)) != TIDE_OK))
		return rc;
	out->signature = signature_of(out);
	return TIDE_OK;
}

/* --- STATE --- */

static void
answer_state(struct answer *answer, bool hold)
{
	struct endpoint *endpoint = answer->endpoint;
	struct wire_message reply = {.type = WIRE_STATE};
	struct arena arena;
	tide_err rc;

	arena_init(&arena, 0);
	rc = state__make(endpoint, &arena, false, &reply.state);
	if (rc != TIDE_OK)
		answer_error(answer, rc, 0, NULL);
	else if (hold && answer->message.state_ask.signature == reply.state.signature) {
		pthread_mutex_lock(&endpoint->lock);
		queue_put(&endpoint->states, answer);
		pthread_mutex_unlock(&endpoint->lock);
	} else
		answer_send(answer, &reply);
	arena_fini(&arena);
}

void
state__ask(struct answer *answer)
{
	answer->until = endpoint__now(answer->endpoint) + HOLD_MS;
	answer_state(answer, answer->message.state_ask.signature != 0);
}

/* Held questions are looked at again after a note, and now and then. */
void
state__tick(struct endpoint *endpoint, uint64_t now)
{
	struct answer_queue held = {0};
	struct answer *answer;

	pthread_mutex_lock(&endpoint->lock);
	if (endpoint->states.first != NULL && (endpoint->state_dirty || now >= endpoint->state_at)) {
		endpoint->state_dirty = false;
		endpoint->state_at = now + STATE_CHECK_MS;
		while ((answer = queue_take(&endpoint->states)) != NULL)
			queue_put(&held, answer);
	}
	pthread_mutex_unlock(&endpoint->lock);
	while ((answer = queue_take(&held)) != NULL)
		answer_state(answer, now < answer->until);
}

uint64_t
state__wake(struct endpoint *endpoint)
{
	if (endpoint->states.first == NULL)
		return UINT64_MAX;
	return endpoint->state_dirty ? 0 : endpoint->state_at;
}

void
state__leave(struct answer *answer)
{
	const struct wire_leave_ask *ask = &answer->message.leave_ask;
	struct wire_message reply = {
	    .type = WIRE_LEAVE_ANSWER, .leave_answer = {.table = ask->table, .number = ask->number}};

	reply.leave_answer.yes =
	    membership_may_go(answer->endpoint->region, ask->from, ask->table, &ask->vector);
	answer_send(answer, &reply);
}
