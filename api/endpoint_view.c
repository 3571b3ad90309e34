#include "api/endpoint_view.h"

#include "api/endpoint_priv.h"
#include "api/membership.h"

#define REPLICATOR_GONE_MS 3000 /* no LINKS for so long: no replicator is at work */

const char *
endpoint_state_name(enum replica_state state)
{
	static const char *const names[] = {"ABSENT", "CREATING", "CATCHUP", "ACTIVE", "LEAVING", "MERGING"};

	return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

const char *
endpoint_rejoin_name(enum table_rejoin rejoin)
{
	static const char *const names[] = {"none", "needed", "loading", "loaded", "merging", "following"};

	return (unsigned)rejoin < sizeof names / sizeof names[0] ? names[rejoin] : "?";
}

const char *
endpoint_region_name(const struct region *region, uint8_t number)
{
	if (number == region->config.number)
		return region->config.region;
	for (uint32_t i = 0; i < region->config.replication.n_peers; i++)
		if (region->config.replication.peers[i].number == number)
			return region->config.replication.peers[i].region;
	return "";
}

const struct wire_origin *
endpoint_view_latest(const struct wire_links *links, uint8_t region)
{
	const struct wire_origin *latest = NULL;

	for (uint32_t i = 0; i < links->n_origins; i++)
		if (jid_region(links->origins[i].origin) == region &&
		    (latest == NULL || links->origins[i].origin.v > latest->origin.v))
			latest = &links->origins[i];
	return latest;
}

/* The replicator's last LINKS, decoded. One that cannot be read is as good as none. */
static tide_err
view_links(struct endpoint *endpoint, struct arena *arena, struct endpoint_view *out)
{
	struct wire_message *message = arena_calloc(arena, sizeof *message);
	struct bytes copy;
	bool any;

	if (message == NULL)
		return TIDE_NOMEM;
	pthread_mutex_lock(&endpoint->lock);
	any = endpoint->links.n > 0;
	copy = any ? arena_copy(arena, buf_bytes(&endpoint->links)) : BYTES_NONE;
	out->links_age_ms = endpoint__now(endpoint) - endpoint->links_at;
	pthread_mutex_unlock(&endpoint->lock);
	if (any && copy.at == NULL)
		return TIDE_NOMEM;
	if (!any || wire_decode(arena, copy, message, NULL) != TIDE_OK || message->type != WIRE_LINKS)
		return TIDE_OK;
	out->links = &message->links;
	out->replicator_running = out->links_age_ms < REPLICATOR_GONE_MS;
	for (uint32_t i = 0; i < out->links->n_links; i++)
		message->links.links[i].connected &= out->replicator_running;
	return TIDE_OK;
}

tide_err
endpoint_view(struct endpoint *endpoint, struct arena *arena, struct endpoint_view *out)
{
	struct region *region = endpoint->region;
	tide_err rc;

	*out = (struct endpoint_view){.committer = committer_counters(region->committer),
	    .may_write = region_may_write(region),
	    .wall_ms = shard_wall_ms(region->shard)};
	if ((rc = view_links(endpoint, arena, out)) != TIDE_OK)
		return rc;
	return shard_view(region->shard, arena, &out->shard);
}
