/*
 * What one UpdateTable asks for, read on an I/O thread; and doing it on the committer's thread, on the table as the group
 * sees it, so that two updates of one group meet.
 */
#ifndef TIDE_API_OPS_TABLE_UPDATE_H
#define TIDE_API_OPS_TABLE_UPDATE_H

#include "api/ops/index_update.h"
#include "api/ops/table_settings.h"

enum replica_action { REPLICA_KEEP, REPLICA_CREATE, REPLICA_UPDATE, REPLICA_DELETE };

struct table_update {
	bool sets_stream, stream_enabled;
	enum stream_view view;
	bool sets_mode, on_demand;
	bool sets_units;
	uint64_t read_units, write_units;
	bool sets_protection, protection;
	struct table_asked asked;
	struct index_updates indexes;
	struct index_plan *plan; /* where to say what becomes of indexes; NULL: nobody asks */
	enum replica_action action;
	struct bytes region; /* of the action; borrows from the body */
	uint64_t read_override; /* of CREATE and UPDATE; 0: not said */
	uint64_t now_ms;
};

extern const struct param table_update_shape[];

/** Read a checked body: everything that can be said without the table. TIDE_VALIDATION. */
tide_err table_update_read(
    struct region *region, const struct json *body, struct table_update *out, struct tide_error *error);

/**
 * Check against the table and write the facts. `table` is what catalog_read gave, with a reference; settings are changed in it.
 * TIDE_VALIDATION, TIDE_RESOURCE_IN_USE, TIDE_RESOURCE_NOT_FOUND, TIDE_LIMIT_EXCEEDED: nothing written.
 */
tide_err table_update_apply(struct region *region, struct group *group, struct table *table,
    const struct table_update *update, struct tide_error *error);

#endif
