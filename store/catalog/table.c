#include "store/catalog/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/catalog.h"

#define TABLE_BYTES_MAX                                                                                      \
	((size_t)4 << 20) /* a description is a few KB; attribute names are bounded by the API */

struct table *
table_new(void)
{
	struct table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	atomic_init(&table->references, 1);
	arena_init(&table->arena, TABLE_BYTES_MAX);
	return table;
}

void
table_release(const struct table *table)
{
	struct table *t = (struct table *)table; /* only the count and the memory are touched */

	if (t == NULL || atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&t->arena);
	free(t);
}

const struct replica *
table_replica(const struct table *table, const char *region)
{
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		if (strcmp(table->replicas[i].region, region) == 0)
			return &table->replicas[i];
	}
	return NULL;
}

const char *
table_status_name(enum table_status status)
{
	static const char *const names[] = {
	    [TABLE_CREATING] = "CREATING",
	    [TABLE_UPDATING] = "UPDATING",
	    [TABLE_DELETING] = "DELETING",
	    [TABLE_ACTIVE] = "ACTIVE",
	    [TABLE_CREATION_FAILED] = "CREATION_FAILED",
	};

	return names[status];
}

static const char *const views[] = {
    [STREAM_NONE] = "NONE",
    [STREAM_KEYS_ONLY] = "KEYS_ONLY",
    [STREAM_NEW_IMAGE] = "NEW_IMAGE",
    [STREAM_OLD_IMAGE] = "OLD_IMAGE",
    [STREAM_NEW_AND_OLD_IMAGES] = "NEW_AND_OLD_IMAGES",
};

const char *
stream_view_name(enum stream_view view)
{
	return views[view];
}

bool
stream_view_parse(struct bytes name, enum stream_view *view)
{
	for (unsigned i = 0; i < sizeof views / sizeof *views; i++) {
		if (bytes_is(name, views[i])) {
			*view = (enum stream_view)i;
			return true;
		}
	}
	return false;
}
