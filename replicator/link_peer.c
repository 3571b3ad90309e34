/* Peers: greeting them, and what their hello says about them and about us. */
#include <assert.h>
#include <stdio.h>

#include "replicator/link_priv.h"

#define HELLO_AGAIN_MS 25 /* two hellos to one peer are at least so far apart */
#define MEMBER_AGAIN_MS 100

static const uint8_t successors[PEER_STATES] = {
    [PEER_DOWN] = 1 << PEER_GREETING,
    [PEER_GREETING] = 1 << PEER_UP | 1 << PEER_REFUSED | 1 << PEER_DOWN,
    [PEER_UP] = 1 << PEER_GREETING | 1 << PEER_REFUSED | 1 << PEER_DOWN,
    [PEER_REFUSED] = 1 << PEER_UP | 1 << PEER_GREETING | 1 << PEER_DOWN,
};

void
link__peer_move(struct peer *peer, enum peer_state to)
{
	assert(successors[peer->state] & 1 << to);
	peer->state = to;
}

struct peer *
link__peer(struct link *link, uint8_t region)
{
	for (uint32_t i = 0; i < link->options.n_peers; i++)
		if (link->peers[i].region == region)
			return &link->peers[i];
	return NULL;
}

const struct wire_member *
link__member(const struct link *link, uint8_t region)
{
	if (link->state == NULL)
		return NULL;
	for (uint32_t i = 0; i < link->state->state->n_members; i++)
		if (link->state->state->members[i].region == region)
			return &link->state->state->members[i];
	return NULL;
}

void
link__hello_soon(struct peer *peer, uint64_t now)
{
	uint64_t at = peer->asked_at + HELLO_AGAIN_MS;

	if (at < now)
		at = now;
	if (at < peer->hello_at)
		peer->hello_at = at;
}

/* Sessions and bootstraps at a peer that answers no more. */
static void
abandon(struct link *link, uint64_t now, struct peer *peer, const char *why)
{
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++) {
		struct pull *pull = &link->pulls[i];

		if (pull->used && pull->source == peer)
			link__pull_retry(link, now, pull, why);
	}
	link__boot_peer_down(link, now, peer);
}

void
link_peer_up(struct link *link, uint64_t now, uint8_t region)
{
	struct peer *peer = link__peer(link, region);

	if (peer == NULL || peer->state != PEER_DOWN)
		return;
	link__peer_move(peer, PEER_GREETING);
	peer->asking = false;
	peer->generation++;
	peer->hello_at = now;
	peer->reason[0] = 0;
}

void
link_peer_down(struct link *link, uint64_t now, uint8_t region)
{
	struct peer *peer = link__peer(link, region);
	bool was_up;

	if (peer == NULL || peer->state == PEER_DOWN)
		return;
	was_up = peer->state == PEER_UP;
	link__peer_move(peer, PEER_DOWN);
	peer->asking = peer->member_wanted = false;
	peer->generation++;
	peer->retries++;
	abandon(link, now, peer, "the connection is gone");
	link_state_release(peer->hello); /* the next connection may lead to another journal */
	peer->hello = NULL;
	if (was_up) {
		struct note_line *line = link__note(link, NOTE_DISCONNECTED);

		line->source = region;
		snprintf(line->reason, sizeof line->reason, "the connection is gone");
	}
}

static void
refuse(struct link *link, uint64_t now, struct peer *peer, const char *why)
{
	if (peer->state == PEER_REFUSED)
		return;
	link__peer_move(peer, PEER_REFUSED);
	snprintf(peer->reason, sizeof peer->reason, "%s", why);
	abandon(link, now, peer, why);

	struct note_line *line = link__note(link, NOTE_REFUSED);

	line->source = peer->region;
	snprintf(line->reason, sizeof line->reason, "%s", why);
}

void
link__peer_failed(struct link *link, uint64_t now, struct peer *peer, const struct wire_error *error)
{
	char why[LINK_REASON_MAX];

	peer->asking = false;
	peer->retries++;
	peer->hello_at = now + link->options.hello_ms / 2;
	if (peer->state == PEER_DOWN)
		return;
	link__reason(why, error->message);
	if (error->code == TIDE_FORMAT || error->code == TIDE_FENCED) {
		refuse(link, now, peer, why);
		return;
	}
	snprintf(peer->reason, sizeof peer->reason, "%s", why);
	if (peer->state == PEER_UP) {
		struct note_line *line = link__note(link, NOTE_DISCONNECTED);

		line->source = peer->region;
		line->code = error->code;
		snprintf(line->reason, sizeof line->reason, "%s", why);
		link__peer_move(peer, PEER_GREETING);
		abandon(link, now, peer, "the peer answers no more");
	} else if (peer->state == PEER_REFUSED) {
		link__peer_move(peer, PEER_GREETING);
	}
}

/* Does our region have to write down what this hello says? */
static bool
member_news(const struct link *link, const struct wire_hello *hello, const struct wire_member *known)
{
	const struct wire_state *ours = link->state->state;
	uint16_t incarnation = jid_incarnation(hello->id);

	if (known == NULL || incarnation > known->incarnation)
		return true;
	if (hello->known_incarnation == 0)
		return false; /* it will have heard of us by our own hello */
	if (hello->known_incarnation > jid_incarnation(ours->id))
		return true;
	if (hello->known_incarnation == jid_incarnation(ours->id) && hello->known_lost)
		return true;
	if (hello->known_incarnation == jid_incarnation(ours->id))
		return hello->known_nonce != ours->nonce || !known->counted;
	return false;
}

/* Is the journal that answered one that we may deal with? Asked again when our own state has changed. */
void
link__peer_judge(struct link *link, uint64_t now, struct peer *peer)
{
	const struct wire_hello *hello;
	const struct wire_member *known;
	uint16_t incarnation;

	if (link->state == NULL || peer->hello == NULL || peer->state == PEER_DOWN)
		return;
	if (peer->state == PEER_GREETING && peer->reason[0] != 0)
		return; /* the last hello failed: what an earlier one said proves nothing */
	hello = &peer->hello->message.hello;
	known = link__member(link, peer->region);
	incarnation = jid_incarnation(hello->id);
	peer->member_wanted = peer->states || member_news(link, hello, known);
	if (hello->from != peer->region || jid_region(hello->id) != peer->region) {
		refuse(link, now, peer, "another region answers at its address");
		return;
	}
	if (known != NULL && known->incarnation != 0 && incarnation < known->incarnation) {
		refuse(link, now, peer,
		    "it answers with a former incarnation: its folder was restored behind our back");
		return;
	}
	if (known != NULL && known->lost && incarnation == known->incarnation) {
		refuse(link, now, peer, "it was declared lost: it has to take a new incarnation");
		return;
	}
	if (known != NULL && incarnation == known->incarnation && known->nonce != hello->nonce) {
		refuse(link, now, peer,
		    "another journal under the incarnation that we know: it has to take a new one");
		return;
	}
	if (peer->state != PEER_UP) {
		struct note_line *line = link__note(link, NOTE_CONNECTED);

		line->source = peer->region;
		line->origin = hello->id;
		link__peer_move(peer, PEER_UP);
	}
	peer->reason[0] = 0;
}

void
link_hello_came(struct link *link, uint64_t now, uint64_t ticket, struct link_state *hello)
{
	uint32_t slot = ticket_slot(ticket);
	struct peer *peer = slot < link->options.n_peers ? &link->peers[slot] : NULL;
	const struct wire_hello *said = &hello->message.hello;

	if (ticket_kind(ticket) != TICKET_HELLO || peer == NULL ||
	    peer->generation != ticket_generation(ticket)) {
		link_state_release(hello);
		return;
	}
	peer->asking = false;
	peer->hello_at = now + link->options.hello_ms;
	peer->reason[0] = 0;
	link_state_release(peer->hello);
	peer->hello = hello;
	peer->states = link__wants_states(link, hello->state);
	link__peer_judge(link, now, peer);
	/* It did not know us yet when it answered: by now it does. */
	if (link->state != NULL && (said->known_incarnation != jid_incarnation(link->state->state->id) ||
				       said->known_nonce != link->state->state->nonce))
		link__hello_soon(peer, now);
	if (peer->state == PEER_UP) {
		link__pulls_scan(link, now);
		link__boots_scan(link, now);
	}
}

static bool
next_hello(struct link *link, uint64_t now, struct peer *peer, struct link_action *out)
{
	if (peer->state == PEER_DOWN || peer->asking || now < peer->hello_at)
		return false;
	peer->asking = true;
	peer->asked_at = now;
	peer->hello_at = now + link->options.hello_ms;
	*out = (struct link_action){.kind = LINK_HELLO,
	    .source = peer->region,
	    .state = link->state,
	    .ticket = ticket_make(TICKET_HELLO, (uint32_t)(peer - link->peers), ++peer->generation)};
	return true;
}

static bool
next_member(struct link *link, uint64_t now, struct peer *peer, struct link_action *out)
{
	if (!peer->member_wanted || peer->member_asking || now < peer->member_at)
		return false;
	peer->member_asking = true;
	peer->member_at = now + MEMBER_AGAIN_MS;
	*out = (struct link_action){.kind = LINK_MEMBER,
	    .source = peer->region,
	    .state = peer->hello,
	    .whole = peer->states,
	    .ticket = ticket_make(TICKET_MEMBER, (uint32_t)(peer - link->peers), ++link->generation)};
	peer->states = false; /* once per hello */
	peer->member_wanted =
	    member_news(link, &peer->hello->message.hello, link__member(link, peer->region));
	return true;
}

bool
link__peer_next(struct link *link, uint64_t now, struct link_action *out)
{
	if (!link->local || link->state == NULL)
		return false;
	for (uint32_t i = 0; i < link->options.n_peers; i++)
		if (next_hello(link, now, &link->peers[i], out) ||
		    next_member(link, now, &link->peers[i], out))
			return true;
	return false;
}
