/*
 * Application Auto Scaling for tables and global indexes: what is registered, and acting on it.
 *
 * A scalable target is one kind of capacity of one table or index, with bounds; its policies and scheduled actions belong
 * to it. Each target is one record of this region (store/catalog/regional.h), a JSON text: changes are made on the
 * committer's thread from the record as the group sees it, so that two changes at once meet. What is in memory is a copy,
 * made again when a change is on disk. What is measured and done is in memory only.
 *
 *     record.c      a target as JSON text and back
 *     registry.c    all targets of a region; changing one
 *     rule.h        target tracking: how much capacity the last minutes ask for. Pure
 *     schedule.h    at(...), rate(...), cron(...): whether an action is due. Pure
 *     act.c         what is due, once a minute
 *     op_*.c        the operations
 *
 * Source: https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html
 */
#ifndef TIDE_API_SCALING_SCALING_H
#define TIDE_API_SCALING_SCALING_H

#include "api/ops/ops.h"
#include "api/scaling/rule.h"

#define SCALING_POLICIES_MAX 50 /* of a target */
#define SCALING_ACTIONS_MAX 200
#define SCALING_TAGS_MAX 50
#define SCALING_TARGETS_MAX 5000 /* of a region */
#define SCALING_ACTIVITIES_MAX 1000 /* remembered */
#define SCALING_ID_LENGTH 36

enum scaling_dimension {
	SCALING_TABLE_READ,
	SCALING_TABLE_WRITE,
	SCALING_INDEX_READ,
	SCALING_INDEX_WRITE,
};

/** "dynamodb:table:ReadCapacityUnits", ... */
const char *scaling_dimension_name(enum scaling_dimension dimension);
bool scaling_dimension_parse(struct bytes name, enum scaling_dimension *out);

struct scaling_policy {
	struct bytes name, id;
	double target; /* percent */
	int64_t in_cooldown, out_cooldown; /* seconds; -1: not said */
	bool disable_in, says_disable_in;
	uint64_t created_ms;
};

struct scaling_action {
	struct bytes name, id, schedule, timezone; /* timezone: empty: not said */
	uint64_t start_ms, end_ms; /* 0: not said */
	int64_t min, max; /* -1: not said */
	uint64_t created_ms, ran_ms; /* ran: 0: never */
};

struct scaling_tag {
	struct bytes key, value;
};

struct scaling_target {
	struct bytes resource; /* "table/NAME", "table/NAME/index/INDEX" */
	enum scaling_dimension dimension;
	struct bytes id;
	int64_t min, max;
	bool in_suspended, out_suspended, schedule_suspended;
	uint64_t created_ms;
	struct scaling_policy *policies;
	uint32_t n_policies;
	struct scaling_action *actions;
	uint32_t n_actions;
	struct scaling_tag *tags;
	uint32_t n_tags;
};

/* --- record.c: any thread --- */

/** Append it as JSON. */
void scaling_target_write(struct buf *out, const struct scaling_target *target);

/** The other way; everything is in the arena. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err scaling_target_read(struct arena *arena, struct bytes text, struct scaling_target *out);

/* --- registry.c --- */

struct scaling;

/** Read all targets of the region's shard. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM. */
tide_err scaling_open(struct region *region, struct scaling **out, struct tide_error *error);

/** Takes NULL. */
void scaling_close(struct scaling *scaling);

/**
 * Call `each` with every target, ordered by resource and dimension, under the registry's lock: it must not call back. False ends
 * the walk. Any thread.
 */
void scaling_each(
    struct scaling *scaling, bool (*each)(void *arg, const struct scaling_target *target), void *arg);

/** A target, copied to the arena. TIDE_NOTFOUND, TIDE_NOMEM. Any thread. */
tide_err scaling_find(struct scaling *scaling, struct arena *arena, struct bytes resource,
    enum scaling_dimension dimension, struct scaling_target *out);

/** The other file's: what act.c keeps of a region between two minutes. */
struct scaling_acting;
struct scaling_acting *scaling_acting(struct scaling *scaling);
struct scaling_acting *scaling_acting_new(void);
void scaling_acting_free(struct scaling_acting *acting);

/** How many there are. */
uint32_t scaling_count(struct scaling *scaling);

/* A change of one target, in the arena of a request or of whoever makes it. */
struct scaling_change {
	struct commit_op op;
	struct region *region;
	struct arena *arena;
	struct bytes resource;
	enum scaling_dimension dimension;

	/**
	 * On the committer's thread. `target` is zeroed but for its name where `exists` is false. `*keep` false: it goes. An
	 * error, with its sentence, leaves everything as it was.
	 */
	tide_err (*apply)(struct scaling_change *change, struct scaling_target *target, bool exists,
	    bool *keep, struct tide_error *error);
	/** On disk, and in memory; or failed. May be NULL. */
	void (*done)(struct scaling_change *change, const struct tide_error *error);
	void *arg;

	struct buf text; /* the registry's: the record, from apply to done */
};

/** Make a change; `done` is called later, on the committer's thread, or now with an error. */
void scaling_change_submit(struct scaling_change *change);

/** Make it and wait. Any thread but the committer's. `done` is not called. */
tide_err scaling_change_wait(struct scaling_change *change, struct tide_error *error);

/** 36 characters of the forms that ids have; `out` in the arena. Empty without memory. */
struct bytes scaling_id_new(struct arena *arena);

/* --- act.c --- */

/** What was done, the newest first. */
struct scaling_activity {
	char id[SCALING_ID_LENGTH + 1];
	char resource[544];
	enum scaling_dimension dimension;
	uint64_t begun_ms, ended_ms;
	bool failed;
	char description[96], cause[256], message[512];
};

/** Call `each` with every activity that is remembered, the newest first. False ends the walk. Any thread. */
void scaling_activities_each(
    struct scaling *scaling, bool (*each)(void *arg, const struct scaling_activity *activity), void *arg);

/** Remember one. */
void scaling_activity_add(struct scaling *scaling, const struct scaling_activity *activity);

/** "table/NAME" or "table/NAME/index/INDEX" to its names; `*index` empty for a table. False: neither. Both borrow. */
bool scaling_resource_split(struct bytes resource, struct bytes *table, struct bytes *index);

/** What a table or index has now, and its kind of capacity; TIDE_NOTFOUND: no such table or index, or it is on demand. */
tide_err scaling_resource_now(
    struct region *region, struct bytes resource, enum scaling_dimension dimension, int64_t *units);

/** Do what is due: region->every_turn of an API process. The maintenance thread. */
void scaling_turn(struct region *region);

/* The same at a given moment, for tests. `wall_ms` tells schedules and cooldowns, `minute` counts minutes that only grow. */
void scaling_minute(struct region *region, uint64_t wall_ms, uint64_t minute);

/* --- the operations --- */

void op_scaling_register(struct request *request);
void op_scaling_deregister(struct request *request);
void op_scaling_targets(struct request *request);
void op_scaling_put_policy(struct request *request);
void op_scaling_delete_policy(struct request *request);
void op_scaling_policies(struct request *request);
void op_scaling_activities(struct request *request);
void op_scaling_put_action(struct request *request);
void op_scaling_delete_action(struct request *request);
void op_scaling_actions(struct request *request);
void op_scaling_tag(struct request *request);
void op_scaling_untag(struct request *request);
void op_scaling_tags(struct request *request);
void op_scaling_not_supported(struct request *request);

#endif
