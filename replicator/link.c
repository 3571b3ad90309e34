/* The machine's frame: making it, answers to their owners, the order in which things are done. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "replicator/link_priv.h"

#define HELLO_MS 1000
#define STALL_MS 6000
#define RETRY_MS_MIN 50
#define RETRY_MS_MAX 3000
#define HELD_MS 50
#define STATE_AGAIN_MS 5 /* two states are asked for at least so far apart */
#define LATE_MS 20 /* something that is due waits for something else */
#define WAKE_MS_MAX 1000

static void
default_u32(uint32_t *v, uint32_t by_default)
{
	if (*v == 0)
		*v = by_default;
}

struct link *
link_new(const struct link_options *options)
{
	struct link *link = calloc(1, sizeof *link);

	if (link == NULL)
		return NULL;
	link->pulls = calloc(LINK_PULLS_MAX, sizeof *link->pulls);
	link->drops = calloc(DROPS_MAX, sizeof *link->drops);
	if (link->pulls == NULL || link->drops == NULL) {
		link_free(link, NULL);
		return NULL;
	}
	link->options = *options;
	link->random = options->seed * 2 + 1;
	default_u32(&link->options.window, 16);
	if (link->options.window > LINK_WINDOW_MAX)
		link->options.window = LINK_WINDOW_MAX;
	default_u32(&link->options.hello_ms, HELLO_MS);
	default_u32(&link->options.stall_ms, STALL_MS);
	default_u32(&link->options.retry_ms_min, RETRY_MS_MIN);
	default_u32(&link->options.retry_ms_max, RETRY_MS_MAX);
	default_u32(&link->options.held_ms, HELD_MS);
	assert(options->n_peers <= LINK_PEERS_MAX);
	for (uint32_t i = 0; i < options->n_peers; i++)
		link->peers[i].region = options->peers[i];
	return link;
}

void
link_free(struct link *link, void (*drop)(void *payload))
{
	if (link == NULL)
		return;
	for (uint32_t i = 0; link->pulls != NULL && i < LINK_PULLS_MAX; i++)
		if (link->pulls[i].used)
			link__pull_close(link, &link->pulls[i], PULL_IDLE);
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (link->boots[i].used)
			link__boot_end(link, &link->boots[i]);
	for (uint32_t i = 0; i < link->n_drops; i++)
		drop(link->drops[i]);
	for (uint32_t i = 0; i < link->options.n_peers; i++)
		link_state_release(link->peers[i].hello);
	link_state_release(link->state);
	free(link->pulls);
	free(link->drops);
	free(link);
}

/* --- small things for the other files --- */

static uint64_t
random_next(struct link *link)
{
	/* xorshift64*: jitter only. Source: Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016). */
	link->random ^= link->random >> 12;
	link->random ^= link->random << 25;
	link->random ^= link->random >> 27;
	return link->random * 0x2545f4914f6cdd1dULL;
}

uint64_t
link__backoff(struct link *link, uint64_t now, uint32_t *backoff_ms)
{
	uint32_t ms = *backoff_ms == 0 ? link->options.retry_ms_min : *backoff_ms;

	*backoff_ms = ms * 2 > link->options.retry_ms_max ? link->options.retry_ms_max : ms * 2;
	/* Half of it is chance, so that links that were lost together do not come back together. */
	return now + ms / 2 + random_next(link) % (ms / 2 + 1);
}

void
link__drop(struct link *link, void *payload)
{
	assert(link->n_drops < DROPS_MAX);
	link->drops[link->n_drops++] = payload;
}

struct note_line *
link__note(struct link *link, enum link_note note)
{
	/* When the log falls behind, the oldest lines stay: they say how it began. */
	struct note_line *line = &link->notes[link->n_notes < NOTES_MAX ? link->n_notes++ : NOTES_MAX - 1];

	*line = (struct note_line){.note = note};
	return line;
}

void
link__want_state(struct link *link)
{
	link->state_now = true;
}

void
link__reason(char to[LINK_REASON_MAX], struct bytes text)
{
	snprintf(to, LINK_REASON_MAX, "%.*s", (int)(text.n < LINK_REASON_MAX ? text.n : LINK_REASON_MAX - 1),
	    text.n == 0 ? "" : (const char *)text.at);
	/* It goes into a log line and a JSON string: plain text only. */
	for (char *c = to; *c != 0; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~' || *c == '"' || *c == '\\')
			*c = '.';
}

/* --- the local API process --- */

void
link_local_up(struct link *link, uint64_t now)
{
	if (link->local)
		return;
	link->local = true;
	link->state_asking = false;
	link->state_now = true;
	link->state_at = now;
	link__note(link, NOTE_LOCAL_UP);
}

void
link_local_down(struct link *link, uint64_t now)
{
	(void)now;
	if (!link->local)
		return;
	link->local = false;
	link->state_asking = false;
	link->state_generation++;
	link_state_release(link->state);
	link->state = NULL;
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++)
		if (link->pulls[i].used && link->pulls[i].state != PULL_STOPPED)
			link__pull_close(link, &link->pulls[i], PULL_IDLE);
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (link->boots[i].used)
			link__boot_end(link, &link->boots[i]);
	for (uint32_t i = 0; i < link->options.n_peers; i++)
		link->peers[i].member_asking = link->peers[i].member_wanted = false;
	link->leave_asking = link->granted_asking = link->leave_yes = link->floor_asking = false;
	link->leave_generation++;
	link->floor_table = 0;
	link__note(link, NOTE_LOCAL_DOWN);
}

void
link_state_came(struct link *link, uint64_t now, uint64_t ticket, struct link_state *state)
{
	struct link_state *old = link->state;

	if (ticket_kind(ticket) != TICKET_STATE || ticket_generation(ticket) != link->state_generation ||
	    !link->local) {
		link_state_release(state);
		return;
	}
	link->state_asking = false;
	link->states++;
	link->state = state;
	if (old != NULL && !jid_same(old->state->id, state->state->id)) {
		/* Born again under another name: nothing that was asked for holds. */
		for (uint32_t i = 0; i < LINK_PULLS_MAX; i++)
			if (link->pulls[i].used)
				link__pull_close(link, &link->pulls[i], PULL_IDLE);
	}
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		if (old == NULL || old->state->signature != state->state->signature)
			link__hello_soon(&link->peers[i], now);
		link__peer_judge(link, now, &link->peers[i]);
	}
	link_state_release(old);
	link__pulls_scan(link, now);
	link__boots_scan(link, now);
}

/* --- answers to their owners --- */

static struct pull *
pull_of(struct link *link, uint64_t ticket)
{
	uint32_t slot = ticket_slot(ticket);
	struct pull *pull = slot < LINK_PULLS_MAX ? &link->pulls[slot] : NULL;

	return pull != NULL && pull->used && pull->generation == ticket_generation(ticket) ? pull : NULL;
}

static struct boot *
boot_of(struct link *link, uint64_t ticket)
{
	uint32_t slot = ticket_slot(ticket);
	struct boot *boot = slot < LINK_BOOTS_MAX ? &link->boots[slot] : NULL;

	return boot != NULL && boot->used && boot->generation == ticket_generation(ticket) ? boot : NULL;
}

static struct peer *
peer_of(struct link *link, uint64_t ticket)
{
	uint32_t slot = ticket_slot(ticket);

	return slot < link->options.n_peers ? &link->peers[slot] : NULL;
}

void
link_failed(struct link *link, uint64_t now, uint64_t ticket, const struct wire_error *error)
{
	struct pull *pull;
	struct boot *boot;
	struct peer *peer;

	switch (ticket_kind(ticket)) {
	case TICKET_STATE:
		if (ticket_generation(ticket) == link->state_generation) {
			link->state_asking = false;
			link->state_now = true;
			link->state_at = now + link->options.retry_ms_min;
		}
		break;
	case TICKET_HELLO:
		if ((peer = peer_of(link, ticket)) != NULL && peer->generation == ticket_generation(ticket))
			link__peer_failed(link, now, peer, error);
		break;
	case TICKET_MEMBER:
		if ((peer = peer_of(link, ticket)) != NULL)
			peer->member_asking = false;
		break;
	case TICKET_OPEN:
	case TICKET_NEXT:
	case TICKET_APPLY:
		if ((pull = pull_of(link, ticket)) != NULL)
			link__pull_failed(link, now, pull, ticket, error);
		break;
	case TICKET_READ:
	case TICKET_LOAD:
	case TICKET_BOOT:
		if ((boot = boot_of(link, ticket)) != NULL)
			link__boot_failed(link, now, boot, ticket, error);
		break;
	case TICKET_FLOOR:
		link->floor_asking = false;
		link__floor_said(link, now); /* it is found again, if it is still so */
		break;
	case TICKET_LEAVE:
		if (ticket_generation(ticket) == link->leave_generation)
			link->leave_asking = false;
		break;
	case TICKET_GRANTED:
		link->granted_asking = false;
		break;
	case TICKET_CLOSE:
		break;
	}
}

void
link_done(struct link *link, uint64_t now, uint64_t ticket)
{
	struct boot *boot;
	struct peer *peer;

	switch (ticket_kind(ticket)) {
	case TICKET_MEMBER:
		if ((peer = peer_of(link, ticket)) != NULL) {
			peer->member_asking = false;
			link__want_state(link);
		}
		break;
	case TICKET_LOAD:
	case TICKET_BOOT:
		if ((boot = boot_of(link, ticket)) != NULL)
			link__boot_done(link, now, boot, ticket);
		break;
	case TICKET_FLOOR:
		link->floor_asking = false;
		link__floor_said(link, now);
		break;
	case TICKET_GRANTED:
		link->granted_asking = false;
		link->leave_yes = false;
		link__want_state(link);
		break;
	default:
		break;
	}
}

/* --- what is to be done --- */

static bool
next_state(struct link *link, uint64_t now, struct link_action *out)
{
	if (!link->local || now < link->state_at)
		return false;
	/* A held question is left alone when the answer is wanted at once: a second one overtakes it. */
	if (link->state_asking && !link->state_now)
		return false;
	link->state_asking = true;
	link->state_at = now + STATE_AGAIN_MS;
	*out = (struct link_action){.kind = LINK_ASK_STATE,
	    .ticket = ticket_make(TICKET_STATE, 0, ++link->state_generation),
	    .signature = link->state_now || link->state == NULL ? 0 : link->state->state->signature};
	link->state_now = false;
	return true;
}

static bool
next_note(struct link *link, struct link_action *out)
{
	const struct note_line *line = &link->notes[0];

	if (link->n_notes == 0)
		return false;
	*out = (struct link_action){.kind = LINK_NOTE,
	    .note = line->note,
	    .source = line->source,
	    .origin = line->origin,
	    .held_for = line->held_for,
	    .table = line->table,
	    .code = line->code};
	memcpy(out->reason, line->reason, sizeof out->reason);
	memmove(link->notes, link->notes + 1, --link->n_notes * sizeof *link->notes);
	return true;
}

static bool
next_floor(struct link *link, uint64_t now, struct link_action *out)
{
	if (!link->local || link->floor_table == 0 || link->floor_asking || now < link->floor_at)
		return false;
	link->floor_asking = true;
	link->floor_at = now + 1000;
	*out = (struct link_action){.kind = LINK_BOOT,
	    .table = link->floor_table,
	    .ticket = ticket_make(TICKET_FLOOR, 0, ++link->generation)};
	return true;
}

bool
link_next(struct link *link, uint64_t now, struct link_action *out)
{
	if (link->n_drops > 0) {
		*out = (struct link_action){.kind = LINK_DROP, .payload = link->drops[--link->n_drops]};
		return true;
	}
	if (next_note(link, out) || next_state(link, now, out) || link__peer_next(link, now, out))
		return true;
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++)
		if (link->pulls[i].used && link__pull_next(link, now, &link->pulls[i], out))
			return true;
	if (link->n_drops > 0 || link->n_notes > 0)
		return link_next(link, now, out); /* a pull was closed on the way */
	if (!link->local || link->state == NULL)
		return false;
	if (next_floor(link, now, out))
		return true;
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (link->boots[i].used && link__boot_next(link, now, &link->boots[i], out))
			return true;
	if (link->n_drops > 0 || link->n_notes > 0)
		return link_next(link, now, out);
	return link__leave_next(link, now, out);
}

static void
sooner(uint64_t *wake, uint64_t at)
{
	if (at < *wake)
		*wake = at;
}

uint64_t
link_wake(const struct link *link, uint64_t now)
{
	uint64_t wake = now + WAKE_MS_MAX;

	if (link->local && (!link->state_asking || link->state_now))
		sooner(&wake, link->state_at);
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		const struct peer *peer = &link->peers[i];

		if (link->state != NULL && peer->state != PEER_DOWN && !peer->asking)
			sooner(&wake, peer->hello_at);
		if (link->state != NULL && peer->member_wanted && !peer->member_asking)
			sooner(&wake, peer->member_at);
	}
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++) {
		const struct pull *pull = &link->pulls[i];

		if (!pull->used)
			continue;
		if (link->state != NULL &&
		    (pull->state == PULL_WAIT || (pull->state == PULL_HELD && pull->applying == 0)))
			sooner(&wake, pull->until > now ? pull->until : now + LATE_MS);
		if (pull->in_flight > 0 || pull->state == PULL_OPENING)
			sooner(&wake, pull->heard_at + link->options.stall_ms);
	}
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (link->boots[i].used)
			sooner(&wake, link->boots[i].until > now ? link->boots[i].until : now + WAKE_MS_MAX);
	if (link->state != NULL && link->state->state->n_questions > 0 && !link->leave_asking &&
	    !link->granted_asking)
		sooner(&wake, link->leave_at);
	if (link->floor_table != 0 && !link->floor_asking)
		sooner(&wake, link->floor_at);
	return wake > now ? wake : now + 1;
}

void
link_check(const struct link *link)
{
	assert(link->n_notes <= NOTES_MAX);
	assert(link->local || link->state == NULL);
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++) {
		const struct pull *pull = &link->pulls[i];
		uint32_t filled = 0, applying = 0;

		if (!pull->used)
			continue;
		for (uint32_t s = 0; s < LINK_WINDOW_MAX; s++) {
			filled += pull->slots[s].state != SLOT_EMPTY;
			applying += pull->slots[s].state == SLOT_APPLYING;
		}
		assert(filled == pull->filled);
		assert(applying <= pull->applying);
		assert(pull->in_flight + pull->filled <= link->options.window);
		assert(pull->sent >= pull->head && pull->sent - pull->head <= LINK_APPLY_MAX);
		assert((pull->state == PULL_RUNNING || pull->state == PULL_HELD) == (pull->session != 0));
		if (pull->state == PULL_RUNNING || pull->state == PULL_HELD || pull->state == PULL_OPENING) {
			assert(pull->source != NULL && pull->source->state == PEER_UP);
			assert(pull->opened != NULL && link->local);
		} else
			assert(pull->filled == 0 && pull->in_flight == 0 && pull->opened == NULL);
	}
	for (uint32_t i = 0; i < link->options.n_peers; i++)
		assert((link->peers[i].state == PEER_UP) <= (link->peers[i].hello != NULL));
}
