/*
 * GlobalSecondaryIndexUpdates of UpdateTable: one index made or deleted, the capacity of others changed.
 */
#ifndef TIDE_API_OPS_INDEX_UPDATE_H
#define TIDE_API_OPS_INDEX_UPDATE_H

#include "api/ops/index_define.h"

extern const struct param index_updates_element; /* of GlobalSecondaryIndexUpdates */

/* What the request says, borrowed from its body. */
struct index_updates {
	const struct json *list; /* NULL: nothing */
	const struct json *attributes; /* AttributeDefinitions; NULL: none */
	uint32_t online; /* Create and Delete actions */
	bool creates;
};

/** Read a checked body: what can be said without the table. TIDE_VALIDATION. */
tide_err index_updates_read(const struct json *body, struct index_updates *out, struct tide_error *error);

/** The name of the index that it deletes, in the body; BYTES_NONE: none. */
struct bytes index_updates_deleted(const struct index_updates *updates);

/* What is to be written. Names belong to the table that it was planned on. */
struct index_plan {
	bool changed[INDEXES_MAX]; /* of table->indexes: its capacity */
	bool creates, deletes;
	struct table_index created;
	struct bytes deleted; /* its name */
};

/**
 * Check against the table, whose capacity mode will be `on_demand`, and change its indexes' capacity in `table`; nothing is written yet.
 * `switches`: the mode changes, so all global indexes change with it. Committer thread.
 * Errors     TIDE_VALIDATION, TIDE_LIMIT_EXCEEDED, TIDE_RESOURCE_NOT_FOUND: with DynamoDB's sentences. TIDE_NOMEM, TIDE_IO.
 */
tide_err index_updates_plan(struct shard *shard, struct table *table, const struct index_updates *updates,
    bool on_demand, bool switches, uint64_t now_ms, struct index_plan *out, struct tide_error *error);

/** Write the facts. The shard follows with index_align_group. */
tide_err index_plan_write(
    struct catalog *catalog, struct group *group, const struct table *table, const struct index_plan *plan);

/** Is an index of the table still being filled here? */
bool index_is_building(struct shard *shard, const struct table *table, const struct table_index **which);

#endif
