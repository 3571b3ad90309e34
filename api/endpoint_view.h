/*
 * How the region and its links are at this moment: what `tidemark status` and GET /metrics show.
 */
#ifndef TIDE_API_ENDPOINT_VIEW_H
#define TIDE_API_ENDPOINT_VIEW_H

#include "api/endpoint.h"
#include "replicator/wire.h"

struct endpoint_view {
	struct shard_view shard;
	struct committer_counters committer;
	bool may_write;
	uint64_t wall_ms;
	const struct wire_links *links; /* what the replicator said last; NULL: none has been heard of */
	uint64_t links_age_ms;
	bool replicator_running; /* heard of within the last seconds; else nothing is connected */
};

/** Gather it in the arena. Any thread. TIDE_NOMEM. */
tide_err endpoint_view(struct endpoint *endpoint, struct arena *arena, struct endpoint_view *out);

/** The origin that region writes now, which its link's lag is that of; NULL: nothing of it was pulled yet. */
const struct wire_origin *endpoint_view_latest(const struct wire_links *links, uint8_t region);

/** A region's name by its number; "" where it is not in the configuration. */
const char *endpoint_region_name(const struct region *region, uint8_t number);

/** "ACTIVE" and the like. */
const char *endpoint_state_name(enum replica_state state);

/** "needed" and the like; "none". */
const char *endpoint_rejoin_name(enum table_rejoin rejoin);

#endif
