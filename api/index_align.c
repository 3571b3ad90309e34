#include "api/index_align.h"

#include "base/log.h"
#include "store/shard/index.h"

static bool
wanted(const struct table *table, uint64_t index)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		if (table->indexes[i].id == index)
			return true;
	}
	return false;
}

static bool
present(const struct index_view *views, uint32_t n, uint64_t index)
{
	for (uint32_t i = 0; i < n; i++) {
		if (views[i].id == index)
			return true;
	}
	return false;
}

static tide_err
drop_others(struct group *group, const struct table *table)
{
	struct index_view *views = NULL;
	struct arena arena;
	uint32_t n = 0;
	tide_err rc;

	arena_init(&arena, 0);
	rc = shard_index_views(group_shard(group), &arena, table->id, &views, &n);
	if (rc == TIDE_NOTFOUND)
		rc = TIDE_OK; /* a table of this very group: nothing to drop */
	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++) {
		if (!wanted(table, views[i].id))
			rc = group_index_drop(group, table->id, views[i].id);
	}
	arena_fini(&arena);
	return rc;
}

tide_err
index_align_group(struct group *group, const struct table *table)
{
	struct index_def def;
	tide_err rc = drop_others(group, table);

	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		table_index_def(table, &table->indexes[i], &def);
		rc = group_index_add(group, table->id, &def);
	}
	return rc;
}

/* --- the step --- */

struct align {
	struct region *region;
	uint64_t table;
};

static tide_err
align_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct align *align = ((struct commit_call *)op)->arg;
	const struct table *table = NULL;
	tide_err rc;

	rc = catalog_read(align->region->catalog, group, align->table, &table);
	if (rc == TIDE_OK && !table->deleted)
		rc = index_align_group(group, table);
	table_release(table);
	/* The table went, or its replica, since it was looked at. */
	return rc == TIDE_OK || rc == TIDE_NOTFOUND ? TIDE_OK : tide_fail(error, rc, NULL);
}

static bool
is_aligned(struct region *region, struct arena *arena, const struct table *table)
{
	struct index_view *views = NULL;
	uint32_t n = 0;
	tide_err rc;

	rc = shard_index_views(region->shard, arena, table->id, &views, &n);
	if (rc != TIDE_OK || n != table->n_indexes)
		return rc == TIDE_NOTFOUND;
	for (uint32_t i = 0; i < n; i++) {
		if (!present(views, n, table->indexes[i].id))
			return false;
	}
	return true;
}

tide_err
index_align_step(
    struct region *region, const struct table *const *tables, uint32_t n, struct tide_error *error)
{
	tide_err rc = TIDE_OK;
	struct arena arena;

	arena_init(&arena, 0);
	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++) {
		struct align align = {.region = region, .table = tables[i]->id};

		arena_reset(&arena);
		if (tables[i]->built_in || tables[i]->deleted || is_aligned(region, &arena, tables[i]))
			continue;
		rc = committer_call(region->committer, align_run, &align, error);
		if (rc == TIDE_OK)
			log_info("INDEX-ALIGN", "table=%s indexes=%u", tables[i]->name, tables[i]->n_indexes);
	}
	arena_fini(&arena);
	return rc;
}
