#include "api/lag.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/backlog.h"

#define HASH_SIZE 1024 /* a power of two; table ids are random */
#define SLOT_MS 10000
#define SLOTS 6 /* of the last minute */

const uint32_t lag_bounds_ms[LAG_BUCKETS] = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 60000, 600000, 3600000};

/* Ten seconds of the last minute. */
struct slot {
	uint64_t number;
	uint64_t n, ms, ms_max;
};

struct arrivals {
	struct lag_arrivals total;
	struct slot slots[SLOTS];
};

struct lag_table {
	uint64_t id;
	struct lag_table *next; /* in its hash chain */
	uint64_t conflicts;
	struct backlog backlog; /* of our own records */
	struct arrivals *arrivals[CONFIG_PEERS_MAX]; /* by place among the peers; NULL: none came */
	uint64_t told_seq[CONFIG_PEERS_MAX], told_round[CONFIG_PEERS_MAX];
};

struct lag {
	struct shard *shard;
	uint8_t regions[CONFIG_PEERS_MAX]; /* the peers' numbers */
	uint32_t n_regions;
	pthread_mutex_t lock;
	struct lag_table *hash[HASH_SIZE];
	uint32_t n_tables;
	uint64_t round[CONFIG_PEERS_MAX]; /* how often that peer told; 0: never */
};

static uint32_t
place_of(const struct lag *lag, uint8_t region)
{
	uint32_t place = 0;

	while (place < lag->n_regions && lag->regions[place] != region)
		place++;
	return place;
}

/* Under the lock. NULL: no memory, or too many tables: that one has no numbers. */
static struct lag_table *
table_of(struct lag *lag, uint64_t id)
{
	struct lag_table **chain = &lag->hash[id & (HASH_SIZE - 1)], *table;

	for (table = *chain; table != NULL; table = table->next)
		if (table->id == id)
			return table;
	if (lag->n_tables == LAG_TABLES_MAX || (table = calloc(1, sizeof *table)) == NULL)
		return NULL;
	table->id = id;
	table->next = *chain;
	*chain = table;
	lag->n_tables++;
	return table;
}

static void
table_free(struct lag_table *table)
{
	for (uint32_t i = 0; i < CONFIG_PEERS_MAX; i++)
		free(table->arrivals[i]);
	backlog_fini(&table->backlog);
	free(table);
}

/* --- what is observed --- */

static void
arrive(struct lag *lag, struct lag_table *table, uint32_t place, const struct record *record, uint64_t now)
{
	uint64_t then = hlc_ms(record->version.clock), ms = now > then ? now - then : 0,
		 number = now / SLOT_MS;
	struct arrivals *arrivals = table->arrivals[place];
	struct slot *slot;
	uint32_t bucket = 0;

	if (arrivals == NULL && (arrivals = table->arrivals[place] = calloc(1, sizeof *arrivals)) == NULL)
		return;
	while (bucket < LAG_BUCKETS && ms > lag_bounds_ms[bucket])
		bucket++;
	arrivals->total.source = lag->regions[place];
	arrivals->total.n++;
	arrivals->total.bytes += record->key.n + record->image.n;
	arrivals->total.ms += ms;
	arrivals->total.buckets[bucket]++;
	slot = &arrivals->slots[number % SLOTS];
	if (slot->number != number)
		*slot = (struct slot){.number = number};
	slot->n++;
	slot->ms += ms;
	if (ms > slot->ms_max)
		slot->ms_max = ms;
}

static void
observe_arrivals(struct lag *lag, const struct unit *unit)
{
	uint32_t place = place_of(lag, jid_region(unit->origin));
	uint64_t now = shard_wall_ms(lag->shard);
	struct lag_table *table = NULL;

	if (place == lag->n_regions)
		return;
	for (uint32_t i = 0; i < unit->n_records; i++) {
		const struct record *record = &unit->records[i];

		if (table == NULL || table->id != record->table)
			table = table_of(lag, record->table);
		if (table != NULL)
			arrive(lag, table, place, record, now);
	}
}

static void
observe_own(struct lag *lag, const struct record *records, uint32_t n)
{
	struct lag_table *table = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (table == NULL || table->id != records[i].table)
			table = table_of(lag, records[i].table);
		/* A record that there is no memory for is not counted: a number to look at, nothing depends on it. */
		if (table != NULL)
			backlog_add(&table->backlog, records[i].origin_seq, records[i].origin_prev.seq);
	}
}

static void
observe_conflicts(struct lag *lag, const struct unit *unit)
{
	for (uint32_t i = 0; i < unit->n_entries; i++) {
		uint64_t id = shard_conflict_table(unit->entries[i].key);
		struct lag_table *table = id == 0 ? NULL : table_of(lag, id);

		if (table != NULL)
			table->conflicts++;
	}
}

static void
observe(void *arg, const struct unit *unit)
{
	struct lag *lag = arg;

	if (lag->n_regions == 0 || unit->kind == UNIT_NOTE)
		return; /* nobody sends, nobody waits */
	pthread_mutex_lock(&lag->lock);
	if (unit->kind == UNIT_LOCAL)
		observe_own(lag, unit->records, unit->n_records);
	else if (unit->kind == UNIT_REMOTE)
		observe_arrivals(lag, unit);
	observe_own(lag, unit->entries, unit->n_entries);
	observe_conflicts(lag, unit);
	pthread_mutex_unlock(&lag->lock);
}

/* The least that any peer with a replica has told: nobody asks for less. */
static void
forget(const struct lag *lag, struct lag_table *table)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < lag->n_regions; i++)
		if (lag->round[i] > 0 && table->told_round[i] == lag->round[i] && table->told_seq[i] < least)
			least = table->told_seq[i];
	if (least != UINT64_MAX)
		backlog_forget(&table->backlog, least);
}

void
lag_told(struct lag *lag, uint8_t region, const struct told_table *tables, uint32_t n)
{
	uint32_t place;
	struct jid self;

	if (lag == NULL || (place = place_of(lag, region)) == lag->n_regions)
		return;
	self = shard_id(lag->shard);
	pthread_mutex_lock(&lag->lock);
	lag->round[place]++;
	for (uint32_t i = 0; i < n; i++) {
		struct lag_table *table;

		if (tables[i].state < REPLICA_CATCHUP || (table = table_of(lag, tables[i].table)) == NULL)
			continue;
		table->told_seq[place] = vector_get(&tables[i].vector, self).seq;
		table->told_round[place] = lag->round[place];
		forget(lag, table);
	}
	pthread_mutex_unlock(&lag->lock);
}

/* --- what is shown --- */

static void
add_recent(const struct arrivals *arrivals, uint64_t number, struct lag_arrivals *out)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct slot *slot = &arrivals->slots[i];

		if (slot->number > number || number - slot->number >= SLOTS)
			continue;
		out->recent_n += slot->n;
		out->recent_ms += slot->ms;
		if (slot->ms_max > out->recent_ms_max)
			out->recent_ms_max = slot->ms_max;
	}
}

static tide_err
view_table(const struct lag *lag, struct arena *arena, const struct lag_table *from,
    const struct table_view *table, uint64_t number, struct lag_table_view *out)
{
	uint64_t last = vector_get(&table->vector, shard_id(lag->shard)).seq;

	*out = (struct lag_table_view){.table = from->id, .conflicts = from->conflicts};
	out->arrivals = arena_calloc(arena, (lag->n_regions + 1) * sizeof *out->arrivals);
	out->waiting = arena_calloc(arena, (lag->n_regions + 1) * sizeof *out->waiting);
	if (out->arrivals == NULL || out->waiting == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < lag->n_regions; i++) {
		if (from->arrivals[i] != NULL) {
			out->arrivals[out->n_arrivals] = from->arrivals[i]->total;
			add_recent(from->arrivals[i], number, &out->arrivals[out->n_arrivals++]);
		}
		if (table->shared && lag->round[i] > 0 && from->told_round[i] == lag->round[i])
			out->waiting[out->n_waiting++] = (struct lag_waiting){
			    lag->regions[i], backlog_above(&from->backlog, from->told_seq[i], last)};
	}
	return TIDE_OK;
}

static const struct table_view *
find_view(const struct shard_view *shard, uint64_t id)
{
	size_t low = 0, high = shard->n_tables;

	while (low < high) { /* ascending by id */
		size_t middle = low + (high - low) / 2;

		if (shard->tables[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == shard->n_tables || shard->tables[low].id != id ||
	    shard->tables[low].state == REPLICA_ABSENT)
		return NULL;
	return &shard->tables[low];
}

tide_err
lag_view(struct lag *lag, struct arena *arena, const struct shard_view *shard, struct lag_view *out)
{
	uint64_t number = shard_wall_ms(lag->shard) / SLOT_MS;
	tide_err rc = TIDE_OK;

	*out = (struct lag_view){0};
	pthread_mutex_lock(&lag->lock);
	if ((out->tables = arena_calloc(arena, (lag->n_tables + 1) * sizeof *out->tables)) == NULL)
		rc = TIDE_NOMEM;
	for (uint32_t i = 0; i < HASH_SIZE && rc == TIDE_OK; i++)
		for (struct lag_table **at = &lag->hash[i], *table; (table = *at) != NULL && rc == TIDE_OK;) {
			const struct table_view *here = find_view(shard, table->id);

			if (here == NULL) {
				*at = table->next;
				table_free(table);
				lag->n_tables--;
				continue;
			}
			rc = view_table(lag, arena, table, here, number, &out->tables[out->n_tables++]);
			at = &table->next;
		}
	pthread_mutex_unlock(&lag->lock);
	return rc;
}

/* --- life --- */

tide_err
lag_open(const struct config *config, struct shard *shard, struct lag **out)
{
	struct lag *lag = calloc(1, sizeof *lag);

	if (lag == NULL)
		return TIDE_NOMEM;
	lag->shard = shard;
	for (uint32_t i = 0; i < config->replication.n_peers; i++)
		lag->regions[lag->n_regions++] = config->replication.peers[i].number;
	pthread_mutex_init(&lag->lock, NULL);
	shard_observe(shard, observe, lag);
	*out = lag;
	return TIDE_OK;
}

void
lag_close(struct lag *lag)
{
	if (lag == NULL)
		return;
	for (uint32_t i = 0; i < HASH_SIZE; i++)
		for (struct lag_table *table = lag->hash[i], *next; table != NULL; table = next) {
			next = table->next;
			table_free(table);
		}
	pthread_mutex_destroy(&lag->lock);
	free(lag);
}
