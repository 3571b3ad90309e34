/* How the links are, for status. */
#include "replicator/link_priv.h"

static const char *const peer_names[PEER_STATES] = {"down", "greeting", "up", "refused"};
static const char *const pull_names[PULL_STATES] = {"idle", "wait", "opening", "running", "held", "stopped"};
static const char *const boot_names[BOOT_STATES] = {"choosing", "loading", "restarting"};

#define RATE_MS 1000

/* Bytes and records per second, over the last full second. */
static void
rate(struct peer *peer, uint64_t now)
{
	uint64_t ms = now - peer->window_at;

	if (ms < RATE_MS)
		return;
	peer->bytes_per_second = (peer->bytes - peer->window_bytes) * 1000 / ms;
	peer->records_per_second = (peer->records - peer->window_records) * 1000 / ms;
	peer->window_at = now;
	peer->window_bytes = peer->bytes;
	peer->window_records = peer->records;
}

static void
view_origin(const struct link *link, uint64_t now, const struct pull *pull, struct wire_origin *out)
{
	bool dead = link__dead(link, pull->origin);
	/* Nothing is known of what we have not asked for: the time since we last had all of it is the bound. */
	bool level = pull->filled == 0 && pull->behind == 0 && pull->state == PULL_RUNNING && pull->head > 0;

	*out = (struct wire_origin){.origin = pull->origin,
	    .via = pull->source != NULL ? pull->source->region : 0,
	    .state = bytes_of_string(link__closed(link, pull->origin) ? "closed" : pull_names[pull->state]),
	    .reason = bytes_of_string(pull->reason),
	    .held_for = pull->state == PULL_HELD ? pull->held_for : JID_NONE,
	    .behind_records = pull->behind,
	    .applied_seq = pull->applied_seq,
	    .behind_ms = level || (dead && pull->state == PULL_IDLE) ? 0 : now - pull->level_at};
	for (uint32_t i = 0; i < LINK_WINDOW_MAX; i++)
		if (pull->slots[i].state != SLOT_EMPTY)
			out->behind_records += pull->slots[i].batch.n_records;
	if (pull->state == PULL_RUNNING && pull->filled == 0)
		out->reason = BYTES_NONE;
}

tide_err
link_view(const struct link *link, uint64_t now, struct arena *arena, struct wire_links *out)
{
	out->links = arena_calloc(arena, (link->options.n_peers + 1) * sizeof *out->links);
	out->origins = arena_calloc(arena, (LINK_PULLS_MAX + 1) * sizeof *out->origins);
	out->loadings = arena_calloc(arena, (LINK_BOOTS_MAX + 1) * sizeof *out->loadings);
	if (out->links == NULL || out->origins == NULL || out->loadings == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		struct peer *peer =
		    (struct peer *)&link->peers[i]; /* the rate's window is no part of the machine's state */

		rate(peer, now);
		out->links[out->n_links++] = (struct wire_link){.region = peer->region,
		    .connected = peer->state == PEER_UP,
		    .state = bytes_of_string(peer_names[peer->state]),
		    .reason = bytes_of_string(peer->reason),
		    .bytes_per_second = peer->bytes_per_second,
		    .records_per_second = peer->records_per_second,
		    .retries = peer->retries,
		    .bytes = peer->bytes,
		    .records = peer->records};
	}
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++)
		if (link->pulls[i].used)
			view_origin(link, now, &link->pulls[i], &out->origins[out->n_origins++]);
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++) {
		const struct boot *boot = &link->boots[i];

		if (boot->used)
			out->loadings[out->n_loadings++] = (struct wire_loading){.table = boot->table,
			    .source = boot->source != NULL ? boot->source->region : 0,
			    .state = bytes_of_string(boot_names[boot->state])};
	}
	return TIDE_OK;
}
