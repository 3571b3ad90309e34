#include "tests/unit/shard/index_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/item/key.h"

void
row_key(const struct row *row, struct buf *key)
{
	struct value partition = {.type = VALUE_S, .text = bytes_of_string(row->pk)};

	key_encode(&partition, NULL, key);
}

static void
add(struct member *members, uint32_t *n, const char *name, enum value_type type, const char *text)
{
	if (text != NULL)
		members[(*n)++] =
		    (struct member){bytes_of_string(name), {.type = type, .text = bytes_of_string(text)}};
}

void
row_image(const struct row *row, struct buf *image)
{
	struct member members[8];
	struct value item = {.type = VALUE_M, .map = {members, 0}};
	uint32_t n = 0;

	add(members, &n, "g", VALUE_S, row->g);
	add(members, &n, "g", VALUE_N, row->bad_g);
	add(members, &n, "h", VALUE_S, row->h);
	add(members, &n, "n", VALUE_N, row->n);
	add(members, &n, "pk", VALUE_S, row->pk);
	add(members, &n, "v", VALUE_S, row->v);
	item.map.n = n;
	value_encode(&item, image);
}

tide_err
group_put_row(struct group *group, uint64_t table, const struct row *row)
{
	struct buf key = {0}, image = {0};
	tide_err rc;

	row_key(row, &key);
	row_image(row, &image);
	rc = group_put(group, table, buf_bytes(&key), buf_bytes(&image), false);
	buf_fini(&key);
	buf_fini(&image);
	return rc;
}

void
put_row(struct shard *shard, uint64_t table, const struct row *row)
{
	struct group *group = group_open(shard);

	assert_int_equal(group_put_row(group, table, row), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

void
delete_row(struct shard *shard, uint64_t table, const char *pk)
{
	struct group *group = group_open(shard);
	struct row row = {.pk = pk};
	struct buf key = {0};

	row_key(&row, &key);
	assert_int_equal(group_delete(group, table, buf_bytes(&key), false), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	buf_fini(&key);
}

struct index_def
def_of(uint64_t id)
{
	static const struct index_key g = {{(const uint8_t *)"g", 1}, VALUE_S};
	static const struct index_key h = {{(const uint8_t *)"h", 1}, VALUE_S};
	static const struct index_key n = {{(const uint8_t *)"n", 1}, VALUE_N};
	static const struct index_key v = {{(const uint8_t *)"v", 1}, VALUE_S};
	static const struct index_key pk = {{(const uint8_t *)"pk", 2}, VALUE_S};
	struct index_def def = {.id = id, .n_partitions = 1, .table_keys = {pk.name}, .n_table_keys = 1};

	def.partitions[0] = id == 3 ? n : id == 5 ? pk : g;
	switch (id) {
	case 2:
		def.projection = INDEX_INCLUDE;
		def.sorts[def.n_sorts++] = n;
		def.includes[def.n_includes++] = v.name;
		break;
	case 3:
		def.projection = INDEX_ALL;
		def.sorts[def.n_sorts++] = g;
		break;
	case 4:
		def.partitions[def.n_partitions++] = h;
		def.sorts[def.n_sorts++] = n;
		def.sorts[def.n_sorts++] = v;
		break;
	case 5:
		def.projection = INDEX_ALL;
		def.sorts[def.n_sorts++] = n;
		break;
	}
	return def;
}

void
add_def(struct shard *shard, uint64_t table, const struct index_def *def)
{
	struct group *group = group_open(shard);

	assert_int_equal(group_index_add(group, table, def), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

void
add_index(struct shard *shard, uint64_t table, uint64_t id)
{
	struct index_def def = def_of(id);

	add_def(shard, table, &def);
}

void
drop_index(struct shard *shard, uint64_t table, uint64_t id)
{
	struct group *group = group_open(shard);

	assert_int_equal(group_index_drop(group, table, id), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

bool
backfill_some(struct shard *shard, uint64_t table, uint64_t id, size_t bytes)
{
	struct group *group = group_open(shard);
	struct index_progress progress;

	assert_int_equal(group_index_backfill(group, table, id, bytes, &progress), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return progress.done;
}

void
backfill_all(struct shard *shard, uint64_t table)
{
	uint64_t at = table, id = 0;

	while (shard_index_backfilling(shard, &at, &id) && at == table)
		while (!backfill_some(shard, table, id, 100))
			;
}

static void
report(void *arg, const char *fault)
{
	print_error("%s: %s\n", (const char *)arg, fault);
}

void
assert_sound(struct shard *shard, const char *when)
{
	struct shard_view view;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(shard, &arena, &view), TIDE_OK);
	for (size_t t = 0; t < view.n_tables; t++) {
		struct index_view *indexes;
		uint64_t faults;
		uint32_t n;

		if (shard_index_views(shard, &arena, view.tables[t].id, &indexes, &n) != TIDE_OK)
			continue;
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(shard_index_check(shard, view.tables[t].id, indexes[i].id, report,
					     (void *)(uintptr_t)when, &faults),
			    TIDE_OK);
			assert_int_equal(faults, 0);
		}
	}
	arena_fini(&arena);
}

const char *
listed_range(struct shard *shard, const struct index_scan_range *range)
{
	static char text[4096];
	struct index_scan *scan;
	struct index_row row;
	struct arena arena;
	size_t n = 0;
	tide_err rc;

	text[0] = 0;
	arena_init(&arena, 0);
	assert_int_equal(shard_index_scan_open(shard, range, &scan), TIDE_OK);
	while ((rc = shard_index_scan_next(scan, &row)) == TIDE_OK) {
		struct value key, none, item;
		const struct value *pk;

		assert_int_equal(
		    key_decode(&arena, row.item_key, VALUE_S, false, VALUE_S, &key, &none), TIDE_OK);
		assert_int_equal(value_decode(&arena, row.image, &item), TIDE_OK);
		assert_non_null(pk = value_map_get(&item, BYTES_LITERAL("pk")));
		assert_true(bytes_equal(pk->text, key.text));
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", n > 0 ? " " : "", (int)key.text.n,
		    (const char *)key.text.at);
	}
	assert_int_equal(rc, TIDE_NOTFOUND);
	shard_index_scan_close(scan);
	arena_fini(&arena);
	return text;
}

const char *
listed(struct shard *shard, uint64_t table, uint64_t id)
{
	struct index_scan_range range = {.table = table, .index = id};

	return listed_range(shard, &range);
}

struct index_view
view_of_index(struct shard *shard, uint64_t table, uint64_t id)
{
	struct index_view view = {0};

	assert_int_equal(shard_index_view(shard, table, id, &view), TIDE_OK);
	return view;
}
