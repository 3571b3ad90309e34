/* The links to the peers, as the replicator says. */
#include <stdio.h>

#include "api/metrics_priv.h"

/* Everything that a link or an origin has as one number. */
struct number {
	enum metric_type type;
	const char *name, *help;
	size_t offset; /* of a uint64_t */
	double unit;
};

static const struct number link_numbers[] = {
    {METRIC_GAUGE, "tidemark_link_round_trip_seconds", "Time that a greeting takes there and back.",
	offsetof(struct wire_link, round_trip_us), 1e-6},
    {METRIC_COUNTER, "tidemark_link_received_bytes_total", "Bytes of records and snapshots that came.",
	offsetof(struct wire_link, bytes), 1},
    {METRIC_COUNTER, "tidemark_link_received_records_total", "Records that came.",
	offsetof(struct wire_link, records), 1},
    {METRIC_COUNTER, "tidemark_link_retries_total", "Requests that failed and were, or will be, made again.",
	offsetof(struct wire_link, retries), 1},
};

static const struct number origin_numbers[] = {
    {METRIC_GAUGE, "tidemark_origin_behind_records",
	"Sequence numbers of this journal that its source has and this region has not applied.",
	offsetof(struct wire_origin, behind_records), 1},
    {METRIC_GAUGE, "tidemark_origin_behind_seconds",
	"Time since all that the source had was applied; 0 when it is.",
	offsetof(struct wire_origin, behind_ms), 1e-3},
    {METRIC_GAUGE, "tidemark_origin_applied_sequence", "The last sequence applied.",
	offsetof(struct wire_origin, applied_seq), 1},
};

static double
number_of(const void *at, const struct number *number)
{
	return (double)*(const uint64_t *)((const char *)at + number->offset) * number->unit;
}

static void
label_link(struct scrape *scrape, uint8_t region)
{
	scrape_labels(scrape);
	scrape_label_region(scrape, "source_region", region);
}

static void
write_link_states(struct scrape *scrape, const struct wire_links *links)
{
	metric_family(
	    scrape->out, METRIC_GAUGE, "tidemark_link_up", "1 when the peer is connected and greeted.");
	for (uint32_t i = 0; i < links->n_links; i++) {
		label_link(scrape, links->links[i].region);
		metric_u64(
		    scrape->out, "tidemark_link_up", buf_bytes(&scrape->labels), links->links[i].connected);
	}
	metric_family(scrape->out, METRIC_GAUGE, "tidemark_link_state", "1; the link's state is a label.");
	for (uint32_t i = 0; i < links->n_links; i++) {
		label_link(scrape, links->links[i].region);
		metric_label(&scrape->labels, "state", links->links[i].state);
		metric_u64(scrape->out, "tidemark_link_state", buf_bytes(&scrape->labels), 1);
	}
}

/* A link's lag is that of the journal that its region writes now. */
static void
write_link_lag(struct scrape *scrape, const struct wire_links *links, const struct number *number,
    const char *name, const char *help)
{
	metric_family(scrape->out, METRIC_GAUGE, name, help);
	for (uint32_t i = 0; i < links->n_links; i++) {
		const struct wire_origin *origin = endpoint_view_latest(links, links->links[i].region);

		if (origin == NULL)
			continue;
		label_link(scrape, links->links[i].region);
		metric_f64(scrape->out, name, buf_bytes(&scrape->labels), number_of(origin, number));
	}
}

static void
write_link_numbers(struct scrape *scrape, const struct wire_links *links)
{
	for (size_t f = 0; f < sizeof link_numbers / sizeof link_numbers[0]; f++) {
		metric_family(scrape->out, link_numbers[f].type, link_numbers[f].name, link_numbers[f].help);
		for (uint32_t i = 0; i < links->n_links; i++) {
			label_link(scrape, links->links[i].region);
			metric_f64(scrape->out, link_numbers[f].name, buf_bytes(&scrape->labels),
			    number_of(&links->links[i], &link_numbers[f]));
		}
	}
}

static void
label_origin(struct scrape *scrape, const struct wire_origin *origin)
{
	char journal[24];

	snprintf(journal, sizeof journal, "%u.%u.%u", jid_region(origin->origin),
	    jid_incarnation(origin->origin), jid_shard(origin->origin));
	label_link(scrape, jid_region(origin->origin));
	metric_label(&scrape->labels, "journal", bytes_of_string(journal));
}

static void
write_origins(struct scrape *scrape, const struct wire_links *links)
{
	static const char name[] = "tidemark_origin_state";

	metric_family(scrape->out, METRIC_GAUGE, name,
	    "1; what the pull of this journal does is a label, and through which region.");
	for (uint32_t i = 0; i < links->n_origins; i++) {
		const struct wire_origin *origin = &links->origins[i];

		label_origin(scrape, origin);
		scrape_label_region(scrape, "via", origin->via);
		metric_label(&scrape->labels, "state", origin->state);
		metric_u64(scrape->out, name, buf_bytes(&scrape->labels), 1);
	}
	for (size_t f = 0; f < sizeof origin_numbers / sizeof origin_numbers[0]; f++) {
		metric_family(
		    scrape->out, origin_numbers[f].type, origin_numbers[f].name, origin_numbers[f].help);
		for (uint32_t i = 0; i < links->n_origins; i++) {
			label_origin(scrape, &links->origins[i]);
			metric_f64(scrape->out, origin_numbers[f].name, buf_bytes(&scrape->labels),
			    number_of(&links->origins[i], &origin_numbers[f]));
		}
	}
}

void
metrics__links(struct scrape *scrape)
{
	static const struct wire_links none;
	const struct wire_links *links = scrape->view.links != NULL ? scrape->view.links : &none;

	scrape_u64(scrape, METRIC_GAUGE, "tidemark_replicator_running",
	    "1 when the replicator has been heard of within three seconds; else what stands of links is old.",
	    scrape->view.replicator_running);
	write_link_states(scrape, links);
	write_link_numbers(scrape, links);
	write_link_lag(scrape, links, &origin_numbers[0], "tidemark_link_behind_records",
	    "Sequence numbers that the peer has written and this region has not applied.");
	write_link_lag(scrape, links, &origin_numbers[1], "tidemark_link_behind_seconds",
	    "Time since all that the peer had written was applied; 0 when it is.");
	write_origins(scrape, links);
}
