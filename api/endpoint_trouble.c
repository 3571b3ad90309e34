/* What keeps this region from writing, in the status document: a journal that is over, a clock that is wrong. */
#include <inttypes.h>

#include "api/endpoint_priv.h"
#include "api/endpoint_view.h"
#include "api/json/json.h"

static void
put_fork(struct buf *out, const struct region *region, const struct fork *fork)
{
	if (fork->reason == FORK_NONE) {
		buf_append_string(out, ",\"forked\":null");
		return;
	}
	buf_append_format(out, ",\"forked\":{\"reason\":\"%s\",\"peer\":",
	    fork->reason == FORK_LOST ? "declared-lost" : "restored-copy");
	json_write_string(out, bytes_of_string(endpoint_region_name(region, fork->peer)));
	buf_append_format(out, ",\"seq\":%" PRIu64 "}", fork->seq);
}

void
status__trouble(struct buf *out, struct region *region, const struct shard_view *view)
{
	struct clock_view clock;

	shard_now_ms(region->shard, &clock);
	put_fork(out, region, &view->fork);
	buf_append_format(out,
	    ",\"own_clock\":\"%s\",\"own_clock_off_ms\":%" PRIu64
	    ",\"own_closed\":%u,\"former_journals_kept\":%u",
	    clock_trouble_name(clock.trouble), clock.off_ms, view->own_closed, view->n_kept);
}
