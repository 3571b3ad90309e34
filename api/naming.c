#include "api/naming.h"

#include <stdlib.h>

struct naming {
	struct region *region;
	const struct table *table; /* the last one described: the shard borrows from it until the next */
};

/* Committer thread, as is the next. */
static bool
describe(void *arg, uint64_t id, struct shard_naming *out)
{
	struct naming *naming = arg;
	const struct table *table = catalog_find_id(naming->region->catalog, id);

	if (table == NULL)
		return false;
	if (naming->table != NULL)
		table_release(naming->table);
	naming->table = table;
	/* A table whose facts have not all come yet has no names. */
	if (table->name[0] == '\0' || table->partition.name.n == 0)
		return false;
	*out = (struct shard_naming){
	    .table = bytes_of_string(table->name),
	    .partition = table->partition.name,
	    .sort = table->has_sort ? table->sort.name : BYTES_NONE,
	    .partition_type = (uint8_t)table->partition.type,
	    .sort_type = table->has_sort ? (uint8_t)table->sort.type : 0,
	    .has_sort = table->has_sort,
	};
	return true;
}

static const char *
region_called(void *arg, uint8_t number)
{
	const struct config *config = &((struct naming *)arg)->region->config;

	if (number == config->number)
		return config->region;
	for (uint32_t i = 0; i < config->replication.n_peers; i++)
		if (config->replication.peers[i].number == number)
			return config->replication.peers[i].region;
	return NULL;
}

tide_err
naming_open(struct region *region, struct naming **out, struct tide_error *error)
{
	struct naming *naming = calloc(1, sizeof *naming);

	if (naming == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	naming->region = region;
	shard_set_naming(region->shard, describe, region_called, naming);
	*out = naming;
	return TIDE_OK;
}

void
naming_close(struct naming *naming)
{
	if (naming == NULL)
		return;
	if (naming->table != NULL)
		table_release(naming->table);
	free(naming);
}
