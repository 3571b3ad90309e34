/* What an alarm is for: the disk, the clock, the journal's history, members, replicas that have to be loaded anew. */
#include "api/metrics_priv.h"
#include "store/shard/health.h"

/* One sample of 1 that says in a label which of its states something is in. */
static void
write_state(struct scrape *scrape, const char *name, const char *help, const char *state)
{
	metric_family(scrape->out, METRIC_GAUGE, name, help);
	scrape_labels(scrape);
	metric_label(&scrape->labels, "state", bytes_of_string(state));
	metric_u64(scrape->out, name, buf_bytes(&scrape->labels), 1);
}

static tide_err
write_disk(struct scrape *scrape)
{
	struct shard_health *health = arena_calloc(scrape->arena, sizeof *health); /* too large for a stack */

	if (health == NULL)
		return TIDE_NOMEM;
	shard_health(scrape->region->shard, health);
	write_state(scrape, "tidemark_disk_state",
	    "1; how this region stands with its disk: ok, damaged, full, failing, sealed.",
	    shard_state_name(health->state));
	scrape_u64(scrape, METRIC_COUNTER, "tidemark_disk_writes_refused_total",
	    "Groups that failed or were not taken for the disk's sake.", health->writes_refused);
	scrape_u64(scrape, METRIC_COUNTER, "tidemark_disk_reads_failed_total",
	    "Reads of the store that met damage or an input/output error.", health->reads_failed);
	scrape_u64(scrape, METRIC_COUNTER, "tidemark_disk_checkpoints_failed_total",
	    "Checkpoints that failed.", health->checkpoints_failed);
	scrape_u64(scrape, METRIC_GAUGE, "tidemark_disk_damaged_ranges",
	    "Ranges of keys that cannot be read.", health->ranges);
	return TIDE_OK;
}

static void
write_clock(struct scrape *scrape)
{
	static const char name[] = "tidemark_peer_clock_ahead_seconds";
	const struct shard_view *shard = &scrape->view.shard;
	struct clock_view clock = {0};

	shard_now_ms(scrape->region->shard, &clock);
	write_state(scrape, "tidemark_clock_state",
	    "1; what is wrong with this region's own clock; CLOCK-RIGHT: nothing.",
	    clock_trouble_name(clock.trouble));
	metric_family(scrape->out, METRIC_GAUGE, name,
	    "That region's clock is ahead of this one by at least so much, by its greetings.");
	for (size_t i = 0; i < shard->n_members; i++) {
		if (shard->members[i].region == scrape->region->config.number)
			continue;
		scrape_labels(scrape);
		scrape_label_region(scrape, "source_region", shard->members[i].region);
		metric_f64(
		    scrape->out, name, buf_bytes(&scrape->labels), (double)shard->members[i].ahead_ms * 1e-3);
	}
}

static void
write_members(struct scrape *scrape)
{
	const struct shard_view *shard = &scrape->view.shard;
	static const struct {
		const char *name, *help;
		size_t offset; /* of a bool */
	} families[] = {
	    {"tidemark_member_counted", "1 when that region has counted this one's journal.",
		offsetof(struct member_view, counted)},
	    {"tidemark_member_lost", "1 when that region was declared lost.",
		offsetof(struct member_view, lost)},
	};

	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
		metric_family(scrape->out, METRIC_GAUGE, families[f].name, families[f].help);
		for (size_t i = 0; i < shard->n_members; i++) {
			scrape_labels(scrape);
			scrape_label_region(scrape, "member_region", shard->members[i].region);
			metric_u64(scrape->out, families[f].name, buf_bytes(&scrape->labels),
			    *(const bool *)((const char *)&shard->members[i] + families[f].offset));
		}
	}
}

/* Replicas that fell behind what their peers keep. */
static void
write_rejoins(struct scrape *scrape)
{
	static const char name[] = "tidemark_table_rejoin";
	const struct shard_view *shard = &scrape->view.shard;

	metric_family(scrape->out, METRIC_GAUGE, name,
	    "1 for a replica that fell behind what its peers keep; the step is a label. needed: an operator "
	    "has to "
	    "start it.");
	for (size_t i = 0; i < shard->n_tables; i++) {
		if (shard->tables[i].rejoin == REJOIN_NONE)
			continue;
		scrape_labels(scrape);
		scrape_label_table(scrape, shard->tables[i].id);
		metric_label(
		    &scrape->labels, "step", bytes_of_string(endpoint_rejoin_name(shard->tables[i].rejoin)));
		metric_u64(scrape->out, name, buf_bytes(&scrape->labels), 1);
	}
}

tide_err
metrics__health(struct scrape *scrape)
{
	tide_err rc = write_disk(scrape);

	if (rc != TIDE_OK)
		return rc;
	write_clock(scrape);
	write_members(scrape);
	write_rejoins(scrape);
	scrape_u64(scrape, METRIC_GAUGE, "tidemark_journal_forked",
	    "1 when this region's journal must not be written any more: another history of it is known.",
	    scrape->view.shard.fork.reason != FORK_NONE);
	return TIDE_OK;
}
