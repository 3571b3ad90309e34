/* Whom to ask for an origin's records. */
#include "replicator/link_priv.h"

const struct wire_table *
link__table(const struct wire_state *state, uint64_t id)
{
	uint32_t low = 0, high = state->n_tables;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (state->tables[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < state->n_tables && state->tables[low].id == id ? &state->tables[low] : NULL;
}

bool
link__dead(const struct link *link, struct jid origin)
{
	const struct wire_member *member;

	if (link->state == NULL)
		return false;
	if (jid_region(origin) == link->options.region)
		return jid_incarnation(origin) < jid_incarnation(link->state->state->id);
	member = link__member(link, jid_region(origin));
	return member != NULL && (jid_incarnation(origin) < member->incarnation ||
				     (member->lost && jid_incarnation(origin) == member->incarnation));
}

bool
link__closed(const struct link *link, struct jid origin)
{
	const struct wire_state *ours = link->state != NULL ? link->state->state : NULL;

	for (uint32_t i = 0; ours != NULL && i < ours->n_closed; i++)
		if (ours->closed[i].region == jid_region(origin))
			return jid_incarnation(origin) <= ours->closed[i].incarnation;
	return false;
}

bool
link__wants_states(const struct link *link, const struct wire_state *theirs)
{
	const struct wire_state *ours = link->state != NULL ? link->state->state : NULL;

	if (ours == NULL)
		return false;
	for (uint32_t i = 0; i < ours->n_dead; i++)
		if (!link__closed(link, jid_make(ours->dead[i].region, ours->dead[i].incarnation, 0)))
			return true;
	for (uint32_t i = 0; i < theirs->n_dead; i++)
		if (!link__dead(link, jid_make(theirs->dead[i].region, theirs->dead[i].incarnation, 0)))
			return true;
	return false;
}

static bool
follows(const struct wire_table *table)
{
	return table->shared && (table->state == REPLICA_CATCHUP || table->state == REPLICA_ACTIVE ||
				    table->state == REPLICA_LEAVING);
}

/* Does this peer know all deaths that we know? */
static bool
knows_deaths(const struct wire_state *ours, const struct wire_state *theirs)
{
	for (uint32_t i = 0; i < ours->n_dead; i++) {
		bool known = false;

		for (uint32_t k = 0; k < theirs->n_dead; k++)
			known |= theirs->dead[k].region == ours->dead[i].region &&
				 theirs->dead[k].incarnation >= ours->dead[i].incarnation;
		if (!known)
			return false;
	}
	return true;
}

/* A member that is there, unless it was declared lost. */
static bool
counts(const struct link *link, const struct peer *peer)
{
	const struct wire_member *member = link__member(link, peer->region);

	return member == NULL || !member->lost;
}

static bool
all_know_deaths(const struct link *link)
{
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		const struct peer *peer = &link->peers[i];

		if (counts(link, peer) &&
		    (peer->state != PEER_UP || !knows_deaths(link->state->state, peer->hello->state)))
			return false;
	}
	return true;
}

bool
link_level(const struct link *link, struct jid origin, uint64_t id)
{
	const struct wire_table *table = link->state == NULL ? NULL : link__table(link->state->state, id);

	if (table == NULL || !link__dead(link, origin) || !all_know_deaths(link))
		return false;
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		const struct peer *peer = &link->peers[i];
		const struct wire_table *there;

		if (!counts(link, peer))
			continue;
		there = link__table(peer->hello->state, id);
		if (there != NULL && there->state != REPLICA_ABSENT &&
		    vector_get(&there->vector, origin).seq > vector_get(&table->vector, origin).seq)
			return false;
	}
	return true;
}

/*
 * A relay must hold every table that it is asked for: it would pass over the records of one that it lacks. Except where there are
 * none: what is left of a dead journal may be with a region that does not hold all that we hold.
 */
static bool
can_relay(const struct link *link, const struct peer *peer, struct jid origin)
{
	const struct wire_state *ours = link->state->state, *theirs = peer->hello->state;

	if (jid_same(peer->hello->message.hello.id, origin))
		return true;
	for (uint32_t i = 0; i < ours->n_tables; i++) {
		const struct wire_table *other;

		if (!follows(&ours->tables[i]))
			continue;
		other = link__table(theirs, ours->tables[i].id);
		if ((other == NULL || (other->state != REPLICA_ACTIVE && other->state != REPLICA_LEAVING)) &&
		    !link_level(link, origin, ours->tables[i].id))
			return false;
	}
	return true;
}

/* The first of our tables that keeps this peer from relaying the origin, and how many there are; 0: none. */
static uint64_t
in_the_way(const struct link *link, const struct peer *peer, struct jid origin, uint32_t *n)
{
	const struct wire_state *ours = link->state->state;
	uint64_t first = 0;

	*n = 0;
	for (uint32_t i = 0; i < ours->n_tables; i++) {
		const struct wire_table *table = &ours->tables[i], *other;

		if (!follows(table))
			continue;
		other = link__table(peer->hello->state, table->id);
		if ((other != NULL && (other->state == REPLICA_ACTIVE || other->state == REPLICA_LEAVING)) ||
		    link_level(link, origin, table->id))
			continue;
		if ((*n)++ == 0)
			first = table->id;
	}
	return first;
}

static bool
holds_more(const struct link *link, const struct peer *peer, struct jid origin)
{
	const struct wire_state *ours = link->state->state;

	for (uint32_t i = 0; i < ours->n_tables; i++) {
		const struct wire_table *table = &ours->tables[i], *other;

		if (follows(table) && (other = link__table(peer->hello->state, table->id)) != NULL &&
		    other->state != REPLICA_ABSENT &&
		    vector_get(&other->vector, origin).seq > vector_get(&table->vector, origin).seq)
			return true;
	}
	return false;
}

/*
 * What is left of a dead journal may be spread: each table's last records with another region, none of which holds all our tables, so that
 * nobody can send them in their order; or with a replica that catches up, which has them from a snapshot. Then a table has to be
 * loaded from where it is, whichever leaves the least in the way of one that can relay the others.
 */
uint64_t
link__spread(const struct link *link, struct jid origin)
{
	uint32_t fewest = UINT32_MAX, n;
	uint64_t table = 0;

	if (link->state == NULL || !link__dead(link, origin) || link__closed(link, origin) ||
	    !all_know_deaths(link))
		return 0;
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		const struct peer *peer = &link->peers[i];
		uint64_t first;

		if (!counts(link, peer) || !holds_more(link, peer, origin))
			continue;
		first = in_the_way(link, peer, origin, &n);
		if (n < fewest) {
			fewest = n;
			table = first;
		}
	}
	return table;
}

/* By how many tables, and how far at most, this peer has more of the origin than we. */
static uint64_t
more_than_we(const struct link *link, const struct peer *peer, struct jid origin)
{
	const struct wire_state *ours = link->state->state, *theirs = peer->hello->state;
	uint64_t most = 0;

	for (uint32_t i = 0; i < ours->n_tables; i++) {
		const struct wire_table *table = &ours->tables[i], *other;
		uint64_t seq;

		if (!follows(table))
			continue;
		other = link__table(theirs, table->id);
		if (other == NULL || (other->state != REPLICA_ACTIVE && other->state != REPLICA_LEAVING))
			continue;
		seq = vector_get(&other->vector, origin).seq;
		if (seq > vector_get(&table->vector, origin).seq && seq > most)
			most = seq;
	}
	return most;
}

bool
link__has_more(const struct link *link, const struct peer *peer, struct jid origin)
{
	return more_than_we(link, peer, origin) > 0;
}

/* Do our tables stand apart in this origin's journal? Then one that catches up waits to hear how far all is complete. */
static bool
stand_apart(const struct link *link, struct jid origin)
{
	const struct wire_state *ours = link->state->state;
	uint64_t least = UINT64_MAX, most = 0;

	for (uint32_t i = 0; i < ours->n_tables; i++) {
		const struct wire_table *table = &ours->tables[i];
		uint64_t at;

		if (!follows(table))
			continue;
		at = vector_get(&table->position, origin).seq;
		least = at < least ? at : least;
		most = at > most ? at : most;
	}
	return least < most;
}

struct peer *
link__source(struct link *link, uint64_t now, const struct pull *pull)
{
	struct peer *own = link__peer(link, jid_region(pull->origin)), *best = NULL;
	uint64_t most = 0;

	if (link->state == NULL || jid_same(pull->origin, link->state->state->id) ||
	    link__closed(link, pull->origin))
		return NULL;
	if (own != NULL && own->state == PEER_UP && !link__dead(link, pull->origin) &&
	    jid_same(own->hello->message.hello.id, pull->origin) &&
	    (pull->avoid != own->region || now >= pull->avoid_until))
		return own;
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		struct peer *peer = &link->peers[i];
		uint64_t seq;

		if (peer->state != PEER_UP ||
		    (peer->region == jid_region(pull->origin) && !link__is_later(peer, pull->origin)) ||
		    (pull->avoid == peer->region && now < pull->avoid_until))
			continue;
		if ((seq = more_than_we(link, peer, pull->origin)) > most &&
		    can_relay(link, peer, pull->origin)) {
			most = seq;
			best = peer;
		}
	}
	/* Nobody has more records of it, but any relay knows how far it has them all; another one each time. */
	for (uint32_t i = 0; i < link->options.n_peers && best == NULL && stand_apart(link, pull->origin);
	     i++) {
		struct peer *peer = &link->peers[(i + pull->generation) % link->options.n_peers];

		if (peer->state == PEER_UP &&
		    (peer->region != jid_region(pull->origin) || link__is_later(peer, pull->origin)) &&
		    (pull->avoid != peer->region || now >= pull->avoid_until) &&
		    can_relay(link, peer, pull->origin))
			best = peer;
	}
	return best;
}
