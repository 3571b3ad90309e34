#include "tests/unit/shard/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/item/key.h"

static uint64_t
wall_ms(void *arg)
{
	/* Each shard's clock argument points at its own place in `clocks`. */
	struct {
		struct world *world;
		unsigned region;
	} *clock = arg;

	return clock->world->now_ms + (uint64_t)clock->world->skew_ms[clock->region];
}

static uint64_t
mono_ms(void *arg)
{
	struct {
		struct world *world;
		unsigned region;
	} *clock = arg;

	return clock->world->mono_ms;
}

static struct {
	struct world *world;
	unsigned region;
} clocks[REGIONS_MAX + 1];

static void
options_of(struct world *world, unsigned region, char dir[128], struct shard_options *options)
{
	snprintf(dir, 128, "%s/%u", world->dir, region);
	clocks[region].world = world;
	clocks[region].region = region;
	*options = (struct shard_options){.dir = dir,
	    .kv_plugin = world->kv,
	    .journal_plugin = "segments",
	    .region = (uint8_t)region,
	    .segment_bytes = 64 << 10,
	    .skew_ms_max = 500,
	    .wall_ms = wall_ms,
	    .mono_ms = mono_ms,
	    .wall_arg = &clocks[region],
	    .create = true};
}

void
region_start(struct world *world, unsigned region)
{
	struct shard_options options;
	struct tide_error error = {0};
	char dir[128];

	options_of(world, region, dir, &options);
	if (shard_open(&options, &world->shard[region], &error) != TIDE_OK)
		fail_msg("region %u does not open: %s", region, error.message);
}

void
region_stop(struct world *world, unsigned region, bool checkpoint)
{
	shard_close(world->shard[region], checkpoint);
	world->shard[region] = NULL;
}

static void
report(void *arg, const char *fault)
{
	(void)arg;
	print_error("check: %s\n", fault);
}

void
region_check(struct world *world, unsigned region)
{
	struct shard_options options;
	struct check_counts counts;
	struct tide_error error = {0};
	char dir[128];

	options_of(world, region, dir, &options);
	if (shard_check(&options, NULL, report, NULL, &counts, &error) != TIDE_OK)
		fail_msg("region %u cannot be checked: %s", region, error.message);
	assert_int_equal(counts.faults, 0);
}

void
world_open(struct world *world, unsigned regions, const char *kv)
{
	*world = (struct world){.kv = kv, .n = regions, .now_ms = 1000000};
	strcpy(world->dir, "/tmp/tidemark-shard-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	for (unsigned r = 1; r <= regions; r++)
		region_start(world, r);
	for (unsigned r = 1; r <= regions; r++)
		for (unsigned q = 1; q <= regions; q++) {
			struct group *group = group_open(world->shard[r]);

			assert_int_equal(
			    group_note_member(group, (uint8_t)q, 1, shard_nonce(world->shard[q]), false),
			    TIDE_OK);
			assert_int_equal(group_commit(group, NULL), TIDE_OK);
		}
}

void
region_wipe(struct world *world, unsigned region)
{
	char command[256];

	snprintf(command, sizeof command, "rm -rf %s/%u", world->dir, region);
	assert_int_equal(system(command), 0);
}

void
world_close(struct world *world)
{
	char command[256];

	for (unsigned r = 1; r <= world->n; r++)
		region_stop(world, r, false);
	if (strcmp(world->kv, "memory") != 0)
		for (unsigned r = 1; r <= world->n; r++)
			region_check(world, r);
	snprintf(command, sizeof command, "rm -rf %s", world->dir);
	assert_int_equal(system(command), 0);
}

void
set_state(struct world *world, unsigned region, uint64_t table, enum replica_state state)
{
	struct group *group = group_open(world->shard[region]);

	assert_int_equal(group_table_state(group, table, state), TIDE_OK);
	assert_int_equal(group_table_shared(group, table, true), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

void
world_table(struct world *world, uint64_t table)
{
	for (unsigned r = 1; r <= world->n; r++)
		set_state(world, r, table, REPLICA_ACTIVE);
}

void
text_key(const char *text, struct buf *key)
{
	struct value partition = {.type = VALUE_S, .text = bytes_of_string(text)};

	key_encode(&partition, NULL, key);
}

tide_err
group_put_text(struct group *group, uint64_t table, const char *key_text, const char *text)
{
	struct member members[] = {
	    {BYTES_LITERAL("pk"), {.type = VALUE_S, .text = bytes_of_string(key_text)}},
	    {BYTES_LITERAL("v"), {.type = VALUE_S, .text = bytes_of_string(text)}},
	};
	struct value item = {.type = VALUE_M, .map = {members, 2}};
	struct buf key = {0}, image = {0};
	tide_err rc;

	text_key(key_text, &key);
	value_encode(&item, &image);
	rc = group_put(group, table, buf_bytes(&key), buf_bytes(&image), false);
	buf_fini(&key);
	buf_fini(&image);
	return rc;
}

tide_err
group_delete_text(struct group *group, uint64_t table, const char *key_text)
{
	struct buf key = {0};
	tide_err rc;

	text_key(key_text, &key);
	rc = group_delete(group, table, buf_bytes(&key), false);
	buf_fini(&key);
	return rc;
}

void
put_in(struct world *world, unsigned region, uint64_t table, const char *key_text, const char *text)
{
	struct group *group = group_open(world->shard[region]);
	struct tide_error error = {0};

	assert_int_equal(group_put_text(group, table, key_text, text), TIDE_OK);
	if (group_commit(group, &error) != TIDE_OK)
		fail_msg("put: %s", error.message);
}

void
put(struct world *world, unsigned region, const char *key, const char *value)
{
	put_in(world, region, USER_TABLE, key, value);
}

void delete (struct world *world, unsigned region, const char *key_text)
{
	struct group *group = group_open(world->shard[region]);

	assert_int_equal(group_delete_text(group, USER_TABLE, key_text), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

const char *
get(struct world *world, unsigned region, const char *key_text)
{
	return get_from(world->shard[region], USER_TABLE, key_text);
}

const char *
get_from(struct shard *shard, uint64_t table, const char *key_text)
{
	static char text[256];
	struct buf key = {0}, raw = {0};
	struct stored stored;
	struct value item;
	struct arena arena;
	tide_err rc;

	text_key(key_text, &key);
	rc = shard_get(shard, table, buf_bytes(&key), &raw, &stored);
	arena_init(&arena, 0);
	if (rc == TIDE_OK) {
		const struct value *v;

		assert_int_equal(value_decode(&arena, stored.image, &item), TIDE_OK);
		v = value_map_get(&item, BYTES_LITERAL("v"));
		assert_non_null(v);
		snprintf(text, sizeof text, "%.*s", (int)v->text.n, (const char *)v->text.at);
	} else
		assert_int_equal(rc, TIDE_NOTFOUND);
	arena_fini(&arena);
	buf_fini(&key);
	buf_fini(&raw);
	return rc == TIDE_OK ? text : NULL;
}

/* The tables that a puller asks for, with its vectors, and the least position among them. */
static uint32_t
asked(const struct shard_view *view, struct jid origin, struct ship_table *tables, uint64_t *ids,
    uint64_t *from)
{
	uint32_t n = 0;

	*from = UINT64_MAX;
	for (size_t i = 0; i < view->n_tables; i++) {
		const struct table_view *table = &view->tables[i];
		uint64_t at = vector_get(&table->position, origin).seq;

		if (!table->shared || table->state < REPLICA_CATCHUP || table->state > REPLICA_LEAVING)
			continue;
		ids[n] = table->id;
		tables[n++] = (struct ship_table){table->id, vector_get(&table->vector, origin).seq};
		if (at < *from)
			*from = at;
	}
	return n;
}

static tide_err
apply_batch(struct world *world, unsigned to, unsigned from, struct jid origin, struct buf *units,
    const uint64_t *ids, uint32_t n, const struct ship_batch *batch)
{
	struct group *group = group_open(world->shard[to]);
	struct tide_error error = {0};
	struct apply_stop stop;
	tide_err rc = group_tables_current(group, ids, n);
	bool changed;

	for (size_t at = 0; at < units->n && rc == TIDE_OK; at += 4 + bytes_u32(units->at + at))
		rc = group_apply(group, bytes_of(units->at + at + 4, bytes_u32(units->at + at)),
		    (uint8_t)from, &stop, &error);
	if (rc == TIDE_OK && (rc = group_progress(group, origin, ids, n, batch->upto)) == TIDE_OK &&
	    batch->tells)
		rc = group_told(group, origin, batch->promise, batch->told, batch->n_told);
	if (rc == TIDE_OK)
		rc = group_align(group, &changed);
	if (rc == TIDE_CORRUPT || rc == TIDE_FORKED)
		print_error("apply: %s\n", error.message);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	return rc;
}

tide_err
pull(struct world *world, unsigned to, unsigned from, unsigned origin)
{
	return pull_journal(world, to, from, shard_id(world->shard[origin]));
}

tide_err
pull_journal(struct world *world, unsigned to, unsigned from, struct jid origin)
{
	struct ship_table tables[16];
	struct ship_batch batch;
	struct shard_view view;
	struct buf units = {0};
	struct arena arena;
	struct ship *ship;
	uint64_t ids[16], least;
	uint32_t n;
	tide_err rc;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(world->shard[to], &arena, &view), TIDE_OK);
	n = asked(&view, origin, tables, ids, &least);
	rc = ship_open(world->shard[from], origin, tables, n, least, &ship, NULL);
	if (rc == TIDE_OK) {
		do {
			struct tide_error error = {0};

			buf_clear(&units);
			assert_int_equal(ship_next(ship, 2000, &arena, &units, &batch, &error), TIDE_OK);
			rc = apply_batch(world, to, from, origin, &units, ids, n, &batch);
		} while (rc == TIDE_OK && !batch.at_end);
		ship_close(ship);
	}
	buf_fini(&units);
	arena_fini(&arena);
	return rc;
}

void
tell(struct world *world, unsigned to, unsigned from)
{
	struct group *group = group_open(world->shard[to]);
	struct told_table tables[16];
	struct shard_view view;
	struct arena arena;
	bool changed;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(world->shard[from], &arena, &view), TIDE_OK);
	for (size_t i = 0; i < view.n_tables; i++)
		tables[i] = (struct told_table){view.tables[i].id, view.tables[i].state,
		    view.tables[i].vector, replica_loads(view.tables[i].state, view.tables[i].rejoin)};
	assert_int_equal(
	    group_heard(group, view.id, tables, (uint32_t)view.n_tables, view.dead, view.n_dead), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	arena_fini(&arena);
	group = group_open(world->shard[to]);
	assert_int_equal(group_close_dead(group, &changed), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

void
note(struct world *world, unsigned region, unsigned about, bool lost)
{
	struct shard *other = world->shard[about];
	struct group *group = group_open(world->shard[region]);

	if (lost)
		assert_int_equal(group_note_member(group, (uint8_t)about, 1, 0, true), TIDE_OK);
	else
		assert_int_equal(group_note_member(group, (uint8_t)about, jid_incarnation(shard_id(other)),
				     shard_nonce(other), false),
		    TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

void
settle(struct world *world)
{
	/* Causal holds may need several rounds. */
	for (int round = 0; round < 8; round++)
		for (unsigned to = 1; to <= world->n; to++)
			for (unsigned from = 1; from <= world->n; from++)
				if (to != from && world->shard[to] != NULL && world->shard[from] != NULL)
					pull(world, to, from, from);
}

unsigned
count_items(struct world *world, unsigned region, uint64_t table, bool tombstones)
{
	struct shard_scan_range range = {.table = table, .tombstones = tombstones};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	unsigned n = 0;

	assert_int_equal(shard_scan_open(world->shard[region], &range, &scan), TIDE_OK);
	while (shard_scan_next(scan, &key, &stored) == TIDE_OK)
		n++;
	shard_scan_close(scan);
	return n;
}

static void
assert_same_items(struct world *world, unsigned a, unsigned b, uint64_t table)
{
	struct shard_scan_range range = {.table = table};
	struct shard_scan *x, *y;
	struct stored in_x, in_y;
	struct bytes key_x, key_y;
	tide_err rc;

	assert_int_equal(shard_scan_open(world->shard[a], &range, &x), TIDE_OK);
	assert_int_equal(shard_scan_open(world->shard[b], &range, &y), TIDE_OK);
	do {
		rc = shard_scan_next(x, &key_x, &in_x);
		assert_int_equal(shard_scan_next(y, &key_y, &in_y), rc);
		if (rc != TIDE_OK)
			break;
		assert_true(bytes_equal(key_x, key_y));
		assert_true(bytes_equal(in_x.image, in_y.image));
		assert_int_equal(version_compare(in_x.version, in_y.version), 0);
	} while (rc == TIDE_OK);
	assert_int_equal(rc, TIDE_NOTFOUND);
	shard_scan_close(x);
	shard_scan_close(y);
}

void
assert_converged(struct world *world, uint64_t table)
{
	struct table_view first, other;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(world->shard[1], &arena, table, &first), TIDE_OK);
	for (unsigned r = 2; r <= world->n; r++) {
		assert_int_equal(shard_table_view(world->shard[r], &arena, table, &other), TIDE_OK);
		assert_true(vector_equal(&first.vector, &other.vector));
		assert_true(first.fingerprint == other.fingerprint);
		assert_int_equal(first.items, other.items);
		assert_int_equal(first.bytes, other.bytes);
		assert_same_items(world, 1, r, table);
		assert_same_items(world, 1, r, TABLE_CONFLICTS);
	}
	arena_fini(&arena);
}

bool
load_step(
    struct world *world, unsigned to, struct snapshot *snapshot, unsigned from, uint64_t table, uint64_t id)
{
	const struct snapshot_info *info = snapshot_info(snapshot);
	struct load_piece piece = {.table = table,
	    .source = (uint8_t)from,
	    .snapshot = id,
	    .vector = info->vector,
	    .position = info->position,
	    .clock = info->clock,
	    .items_expected = info->items};
	struct buf unit = {0}, cursor = {0};
	struct tide_error error = {0};
	struct table_view view;
	struct group *group;
	struct arena arena;
	tide_err rc;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(world->shard[to], &arena, table, &view), TIDE_OK);
	piece.after = view.boot.cursor;
	assert_int_equal(snapshot_read(snapshot, piece.after, 500, &unit, &cursor, &piece.done), TIDE_OK);
	piece.cursor = buf_bytes(&cursor);
	piece.wire_unit = buf_bytes(&unit);
	group = group_open(world->shard[to]);
	if ((rc = group_load(group, &piece, &error)) != TIDE_OK)
		fail_msg("load: %s %s", tide_err_name(rc), error.message);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	buf_fini(&unit);
	buf_fini(&cursor);
	arena_fini(&arena);
	return piece.done;
}

enum table_rejoin
rejoin_of(struct world *world, unsigned region, uint64_t table)
{
	struct table_view view;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(world->shard[region], &arena, table, &view), TIDE_OK);
	arena_fini(&arena);
	return view.rejoin;
}

void
rejoin_start(struct world *world, unsigned region, uint64_t table)
{
	struct group *group = group_open(world->shard[region]);
	uint32_t n;

	assert_int_equal(group_rejoin_start(group, table, &n), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

struct rejoin_progress
rejoin_step(struct world *world, unsigned region, size_t bytes_max)
{
	struct group *group = group_open(world->shard[region]);
	struct rejoin_progress progress;
	struct tide_error error = {0};

	assert_int_equal(group_rejoin_merge(group, bytes_max, &progress), TIDE_OK);
	if (group_commit(group, &error) != TIDE_OK)
		fail_msg("merge: %s", error.message);
	return progress;
}

void
rejoin_merge(struct world *world, unsigned region)
{
	while (rejoin_step(world, region, 300).busy)
		continue;
}
