/* Items with attributes to be indexed, and indexes of each kind. */
#ifndef TIDE_TESTS_SHARD_INDEX_WORLD_H
#define TIDE_TESTS_SHARD_INDEX_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/shard/check.h"
#include "store/shard/index.h"

/* What an item is made of; an attribute that is NULL is not there. */
struct row {
	const char *pk; /* S: the table's key */
	const char *g, *h, *v; /* S */
	const char *n; /* N */
	const char *bad_g; /* N: in the place of g */
};

void row_key(const struct row *row, struct buf *key);
void row_image(const struct row *row, struct buf *image);

tide_err group_put_row(struct group *group, uint64_t table, const struct row *row);
void put_row(struct shard *shard, uint64_t table, const struct row *row);
void delete_row(struct shard *shard, uint64_t table, const char *pk);

/*
 *     id   partition   sort   projection
 *     1    g                  KEYS_ONLY
 *     2    g           n      INCLUDE v
 *     3    n           g      ALL
 *     4    g, h        n, v   KEYS_ONLY
 *     5    pk          n      ALL: an LSI
 */
#define INDEX_KINDS 5
struct index_def def_of(uint64_t id);

void add_index(struct shard *shard, uint64_t table, uint64_t id);
void add_def(struct shard *shard, uint64_t table, const struct index_def *def);
void drop_index(struct shard *shard, uint64_t table, uint64_t id);

/* One step of that many bytes; true: it is complete. To the end. */
bool backfill_some(struct shard *shard, uint64_t table, uint64_t id, size_t bytes);
void backfill_all(struct shard *shard, uint64_t table);

/* Every index of every table is what its items make it. */
void assert_sound(struct shard *shard, const char *when);

/* The keys of the items that an index gives, in its order, as "a b c"; the string lives until the next call. */
const char *listed(struct shard *shard, uint64_t table, uint64_t id);
const char *listed_range(struct shard *shard, const struct index_scan_range *range);
struct index_view view_of_index(struct shard *shard, uint64_t table, uint64_t id);

#endif
