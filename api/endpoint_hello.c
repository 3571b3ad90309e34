/* What a hello says about a peer and about us; and what the operator says about regions. */
#include <stdlib.h>

#include "api/endpoint_priv.h"
#include "api/membership.h"
#include "base/log.h"

/* What a hello makes us write down. */
struct heard {
	const struct wire_hello *hello;
	bool note, count, reborn;
	bool lost; /* as it was */
	bool states; /* it says what it holds and knows: dead journals are closed by that */
	bool check; /* it holds something of our journal */
	enum fork_reason fork; /* should this journal have written: why it is over */
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
	out->note = known == NULL || theirs > known->incarnation;
	out->lost = known != NULL && known->lost && !out->note; /* a later incarnation is a member again */
	out->states = hello->has_state && theirs == jid_incarnation(hello->state.id);
	if (hello->known_incarnation == 0)
		return;
	/* It knows a journal of ours that we are not: this folder began after that one was lost, or is an old copy. */
	out->reborn =
	    hello->known_incarnation > ours ||
	    (hello->known_incarnation == ours && (hello->known_nonce != view->nonce || hello->known_lost));
	out->fork = hello->known_incarnation == ours && hello->known_lost ? FORK_LOST : FORK_COPY;
	if (hello->known_incarnation != ours || out->reborn)
		return;
	out->count = (known == NULL || !known->counted) && (known == NULL || theirs >= known->incarnation);
	out->check = hello->mark.seq > 0;
}

static tide_err
take_state(struct group *group, const struct wire_hello *hello)
{
	const struct wire_state *state = &hello->state;
	struct told_table *tables = calloc(state->n_tables + 1, sizeof *tables);
	struct told_dead *dead = calloc(state->n_dead + 1, sizeof *dead);
	tide_err rc = TIDE_NOMEM;

	if (tables != NULL && dead != NULL) {
		for (uint32_t i = 0; i < state->n_tables; i++)
			tables[i] = (struct told_table){state->tables[i].id,
			    (enum replica_state)state->tables[i].state, state->tables[i].vector,
			    replica_loads((enum replica_state)state->tables[i].state,
				(enum table_rejoin)state->tables[i].rejoin)};
		for (uint32_t i = 0; i < state->n_dead; i++)
			dead[i] = (struct told_dead){
			    state->dead[i].region, state->dead[i].incarnation, state->dead[i].nonce};
		rc = group_heard(group, state->id, tables, state->n_tables, dead, state->n_dead);
	}
	free(tables);
	free(dead);
	return rc;
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
	if (heard->states && (rc = take_state(group, hello)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (heard->count && (rc = group_counted(group, hello->from, hello->clock)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return TIDE_OK;
}

struct fork_call {
	enum fork_reason reason;
	uint8_t peer;
	uint64_t seq;
};

static tide_err
fork_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct fork_call *call = ((struct commit_call *)op)->arg;
	tide_err rc = group_fork(group, call->reason, call->peer, call->seq);

	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
hello__forked(struct endpoint *endpoint, enum fork_reason reason, uint8_t peer, uint64_t seq)
{
	struct fork_call call = {reason, peer, seq};
	struct tide_error error;

	if (committer_call(endpoint->region->committer, fork_run, &call, &error) != TIDE_OK)
		log_err("REPL-FORKED-SELF", "peer=%u why=\"%s\"", peer, error.message);
	membership_poke(endpoint->region);
}

/* The last record of ours that the peer holds must be in our journal. */
static void
check_mark(struct endpoint *endpoint, const struct wire_hello *hello)
{
	struct mark *known = &endpoint->marks[hello->from];
	struct tide_error error;
	bool fresh;

	pthread_mutex_lock(&endpoint->lock);
	fresh = known->seq != hello->mark.seq || known->clock.v != hello->mark.clock.v;
	*known = hello->mark;
	pthread_mutex_unlock(&endpoint->lock);
	if (fresh &&
	    shard_own_record(endpoint->region->shard, hello->mark_table, hello->mark, &error) == TIDE_FORKED)
		hello__forked(endpoint, FORK_COPY, hello->from, hello->mark.seq);
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

/* Under another incarnation: the facts of the catalog have to be read again. */
static tide_err
begin_anew(struct endpoint *endpoint, commit_run_fn run, void *arg, struct tide_error *error)
{
	tide_err rc = TIDE_USAGE;

	/* The group may have to be empty: the next one may be. */
	for (int i = 0; i < 20 && rc == TIDE_USAGE; i++)
		rc = committer_call(endpoint->region->committer, run, arg, error);
	if (rc == TIDE_OK) {
		struct tide_error why;

		if (catalog_reload(endpoint->region->catalog, &why) != TIDE_OK)
			log_err("CATALOG-RELOAD", "why=\"%s\"", why.message);
		pthread_mutex_lock(&endpoint->lock);
		endpoint->state_dirty = true;
		pthread_mutex_unlock(&endpoint->lock);
		membership_poke(endpoint->region);
	}
	return rc;
}

static tide_err
be_reborn(struct endpoint *endpoint, struct heard *heard)
{
	struct tide_error error;
	tide_err rc = begin_anew(endpoint, reborn_run, heard, &error);

	if (rc == TIDE_USAGE)
		hello__forked(endpoint, heard->fork, heard->hello->from, 0);
	else if (rc != TIDE_OK)
		log_err("REBORN-FAILED", "peer=%u known_incarnation=%u why=\"%s\"", heard->hello->from,
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
	if (hello->wall_ms != 0)
		shard_clock_heard(endpoint->region->shard, hello->from, hello->wall_ms, hello->ahead_ms);
	weigh(&view, endpoint->region->config.number, hello, &heard);
	if (heard.check)
		check_mark(endpoint, hello);
	if (heard.reborn && view.fork.reason == FORK_NONE && (rc = be_reborn(endpoint, &heard)) != TIDE_OK)
		return tide_fail(
		    error, TIDE_FORKED, "a peer knows another journal of ours, but this one has written");
	if (heard.reborn && view.fork.reason == FORK_NONE)
		heard.note = true; /* what was known of members went with the former name */
	if (!heard.note && !heard.count && !heard.states)
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
hello__member(struct answer *answer)
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
hello__lost(struct answer *answer)
{
	struct tide_error error;

	if (declare_lost(answer->endpoint, &answer->arena, answer->message.member_lost.name, &error) !=
	    TIDE_OK)
		answer_error(answer, error.code, 0, error.message);
	else
		answer_done(answer);
}

/* --- this region's journal is over, and the operator has it begin another --- */

static tide_err
reincarnate_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	(void)op;
	return shard_reincarnate(group_shard(group), error);
}

static tide_err
reincarnate(struct endpoint *endpoint, struct bytes name, struct tide_error *error)
{
	const struct config *config = &endpoint->region->config;

	if (!bytes_is(name, config->region))
		return tide_fail(error, TIDE_USAGE, "this is %s, not %.*s", config->region,
		    (int)(name.n > 255 ? 255 : name.n), (const char *)name.at);
	return begin_anew(endpoint, reincarnate_run, NULL, error);
}

void
hello__reincarnate(struct answer *answer)
{
	struct tide_error error;

	if (reincarnate(answer->endpoint, answer->message.reincarnate.name, &error) != TIDE_OK)
		answer_error(answer, error.code, 0, error.message);
	else
		answer_done(answer);
}

void
hello__came(struct answer *answer)
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
	    (rc = state__make(endpoint, &arena, true, &out->state)) == TIDE_OK)
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
		out->known_lost = view.members[i].lost;
		out->mark = wire_state_last(&out->state,
		    jid_make(hello->from, view.members[i].incarnation, jid_shard(view.id)), &out->mark_table);
	}
	if (rc != TIDE_OK)
		answer_error(answer, rc, 0, error.code == rc ? error.message : NULL);
	else
		answer_send(answer, &reply);
	arena_fini(&arena);
}
