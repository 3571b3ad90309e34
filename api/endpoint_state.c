/*
 * What this region holds, told to its replicator and to peers; and what a hello says about a peer and about us.
 */
#include "api/endpoint_priv.h"
#include "api/membership.h"
#include "base/log.h"

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
						     (uint64_t)table->boot.under_way << 9);
	}
	for (uint32_t i = 0; i < state->n_members; i++) {
		const struct wire_member *member = &state->members[i];

		hash = mix(mix(hash, member->nonce),
		    (uint64_t)member->region | (uint64_t)member->incarnation << 8 |
			(uint64_t)member->counted << 24 | (uint64_t)member->lost << 25);
	}
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
		    .vector = from->vector};
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
		out->members[out->n_members++] =
		    (struct wire_member){view->members[i].region, view->members[i].incarnation,
			view->members[i].nonce, view->members[i].counted, view->members[i].lost};
	return TIDE_OK;
}

/*
 * Questions are taken before the view: a question's vector is then never older than the question, and whoever says yes to it has
 * all that its asker will ever have written.
 */
static tide_err
make_state(struct endpoint *endpoint, struct arena *arena, bool for_peers, struct wire_state *out)
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
	if ((rc = add_tables(arena, &view, for_peers, out)) != TIDE_OK)
		return rc;
	if (!for_peers && (rc = add_members(arena, &view, out)) != TIDE_OK)
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
	rc = make_state(endpoint, &arena, false, &reply.state);
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

/* --- who a peer is, and what it knows of us --- */

/* What a hello makes us write down. */
struct heard {
	const struct wire_hello *hello;
	bool note, count, reborn;
	bool lost; /* as it was */
};

static void
weigh(const struct shard_view *view, uint8_t self, const struct wire_hello *hello, struct heard *out)
{
	const struct member_view *known = NULL;
	uint16_t theirs = jid_incarnation(hello->id), ours = jid_incarnation(view->id);

	*out = (struct heard){.hello = hello};
	if (hello->from == self || hello->from == 0 || jid_region(hello->id) != hello->from)
		return;
	for (size_t i = 0; i < view->n_members; i++)
		if (view->members[i].region == hello->from)
			known = &view->members[i];
	out->lost = known != NULL && known->lost;
	out->note = known == NULL || theirs > known->incarnation;
	if (hello->known_incarnation == 0)
		return;
	/* It knows a journal of ours that we are not: this folder began after that one was lost. */
	out->reborn = hello->known_incarnation > ours ||
		      (hello->known_incarnation == ours && hello->known_nonce != view->nonce);
	out->count = hello->known_incarnation == ours && hello->known_nonce == view->nonce &&
		     (known == NULL || !known->counted) && (known == NULL || theirs >= known->incarnation);
}

static tide_err
heard_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct heard *heard = ((struct commit_call *)op)->arg;
	const struct wire_hello *hello = heard->hello;
	tide_err rc;

	if (heard->note && (rc = group_note_member(group, hello->from, jid_incarnation(hello->id),
				hello->nonce, heard->lost)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (heard->count && (rc = group_counted(group, hello->from, hello->clock)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return TIDE_OK;
}

static tide_err
reborn_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct heard *heard = ((struct commit_call *)op)->arg;
	struct shard *shard = group_shard(group);

	/* Another hello may have said the same a moment ago. */
	if (heard->hello->known_incarnation < jid_incarnation(shard_id(shard)))
		return TIDE_OK;
	return shard_take_incarnation(shard, (uint16_t)(heard->hello->known_incarnation + 1), error);
}

static tide_err
be_reborn(struct endpoint *endpoint, struct heard *heard)
{
	struct tide_error error;
	tide_err rc;

	/* The group may have to be empty: the next one may be. */
	for (int i = 0; i < 20; i++) {
		rc = committer_call(endpoint->region->committer, reborn_run, heard, &error);
		if (rc == TIDE_OK) {
			struct tide_error why;

			if (catalog_reload(endpoint->region->catalog, &why) != TIDE_OK)
				log_err("CATALOG-RELOAD", "why=\"%s\"", why.message);
			membership_poke(endpoint->region);
			return TIDE_OK;
		}
		if (rc != TIDE_USAGE)
			break;
	}
	log_err("REPL-FORKED-SELF", "peer=%u known_incarnation=%u why=\"%s\"", heard->hello->from,
	    heard->hello->known_incarnation, error.message);
	return rc;
}

/* Is the sender a region of this cluster, under the name that it has here? */
static tide_err
check_sender(const struct region *region, const struct wire_hello *hello, struct tide_error *error)
{
	const struct config *config = &region->config;

	if (hello->to != 0 && hello->to != config->number)
		return tide_fail(error, TIDE_FENCED, "this is region number %u (%s), not %u", config->number,
		    config->region, hello->to);
	for (uint32_t i = 0; i < config->replication.n_peers; i++) {
		if (config->replication.peers[i].number != hello->from)
			continue;
		if (!bytes_is(hello->name, config->replication.peers[i].region))
			return tide_fail(error, TIDE_FENCED, "region number %u is %s here", hello->from,
			    config->replication.peers[i].region);
		return TIDE_OK;
	}
	return tide_fail(
	    error, TIDE_FENCED, "region number %u is not among the peers of %s", hello->from, config->region);
}

static tide_err
take_heard(
    struct endpoint *endpoint, struct arena *arena, const struct wire_hello *hello, struct tide_error *error)
{
	struct shard_view view = {0};
	struct heard heard;
	tide_err rc;

	if ((rc = check_sender(endpoint->region, hello, error)) != TIDE_OK)
		return rc;
	if ((rc = shard_view(endpoint->region->shard, arena, &view)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	weigh(&view, endpoint->region->config.number, hello, &heard);
	if (heard.reborn && (rc = be_reborn(endpoint, &heard)) != TIDE_OK)
		return tide_fail(
		    error, TIDE_FORKED, "a peer knows another journal of ours, but this one has written");
	if (heard.reborn)
		heard.note = true; /* what was known of members went with the former name */
	if (!heard.note && !heard.count)
		return TIDE_OK;
	rc = committer_call(endpoint->region->committer, heard_run, &heard, error);
	pthread_mutex_lock(&endpoint->lock);
	endpoint->state_dirty = true;
	pthread_mutex_unlock(&endpoint->lock);
	if (rc == TIDE_OK && heard.count)
		membership_poke(endpoint->region);
	return rc;
}

void
state__member(struct answer *answer)
{
	struct tide_error error;

	if (take_heard(answer->endpoint, &answer->arena, &answer->message.member.hello, &error) != TIDE_OK)
		answer_error(answer, error.code, 0, error.message);
	else
		answer_done(answer);
}

/* --- a region that the operator declares lost --- */

static tide_err
lost_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct member_view *member = ((struct commit_call *)op)->arg;
	tide_err rc = group_note_member(group, member->region, member->incarnation, member->nonce, true);

	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
declare_lost(struct endpoint *endpoint, struct arena *arena, struct bytes name, struct tide_error *error)
{
	const struct config *config = &endpoint->region->config;
	struct shard_view view = {0};
	struct member_view member = {0};
	tide_err rc;

	for (uint32_t i = 0; i < config->replication.n_peers; i++)
		if (bytes_is(name, config->replication.peers[i].region))
			member.region = config->replication.peers[i].number;
	if (member.region == 0)
		return tide_fail(error, TIDE_USAGE, "%.*s is not among the peers of %s",
		    (int)(name.n > 255 ? 255 : name.n), (const char *)name.at, config->region);
	if ((rc = shard_view(endpoint->region->shard, arena, &view)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	for (size_t i = 0; i < view.n_members; i++)
		if (view.members[i].region == member.region)
			member = view.members[i];
	if ((rc = committer_call(endpoint->region->committer, lost_run, &member, error)) != TIDE_OK)
		return rc;
	log_warn("MEMBER-LOST", "region=%.*s number=%u", (int)name.n, (const char *)name.at, member.region);
	pthread_mutex_lock(&endpoint->lock);
	endpoint->state_dirty = true;
	pthread_mutex_unlock(&endpoint->lock);
	membership_poke(endpoint->region);
	return TIDE_OK;
}

void
state__lost(struct answer *answer)
{
	struct tide_error error;

	if (declare_lost(answer->endpoint, &answer->arena, answer->message.member_lost.name, &error) !=
	    TIDE_OK)
		answer_error(answer, error.code, 0, error.message);
	else
		answer_done(answer);
}

void
state__hello(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	const struct wire_hello *hello = &answer->message.hello;
	struct wire_message reply = {.type = WIRE_HELLO};
	struct wire_hello *out = &reply.hello;
	struct shard_view view = {0};
	struct tide_error error;
	struct arena arena;
	tide_err rc;

	arena_init(&arena, 0);
	/* A fork of our own does not keep us from saying what we hold. */
	rc = take_heard(endpoint, &arena, hello, &error);
	if ((rc == TIDE_OK || rc == TIDE_FORKED) &&
	    (rc = make_state(endpoint, &arena, true, &out->state)) == TIDE_OK)
		rc = shard_view(endpoint->region->shard, &arena, &view);
	else if (rc == TIDE_OK)
		tide_fail(&error, rc, NULL);
	out->from = endpoint->region->config.number;
	out->to = hello->from;
	out->name = bytes_of_string(endpoint->region->config.region);
	out->id = out->state.id;
	out->nonce = out->state.nonce;
	out->clock = out->state.clock;
	out->has_state = true;
	for (size_t i = 0; i < view.n_members; i++) {
		if (view.members[i].region != hello->from)
			continue;
		out->known_incarnation = view.members[i].incarnation;
		out->known_nonce = view.members[i].nonce;
	}
	if (rc != TIDE_OK)
		answer_error(answer, rc, 0, error.code == rc ? error.message : NULL);
	else
		answer_send(answer, &reply);
	arena_fini(&arena);
}

void
state__leave(struct answer *answer)
{
	const struct wire_leave_ask *ask = &answer->message.leave_ask;
	struct wire_message reply = {
	    .type = WIRE_LEAVE_ANSWER, .leave_answer = {.table = ask->table, .number = ask->number}};

	reply.leave_answer.yes = membership_may_go(answer->endpoint->region, ask->table, &ask->vector);
	answer_send(answer, &reply);
}
