/*
 * Secondary indexes as CreateTable and UpdateTable spell them: their shapes, and reading them with DynamoDB's rules.
 */
#ifndef TIDE_API_OPS_INDEX_DEFINE_H
#define TIDE_API_OPS_INDEX_DEFINE_H

#include "api/ops/ops.h"

#define LOCAL_INDEXES_MAX 5
#define GLOBAL_INDEXES_MAX 20
#define INDEX_UNITS_MAX 1000000000000

extern const struct param index_attributes_element; /* of AttributeDefinitions */
extern const struct param index_local_element; /* of LocalSecondaryIndexes */
extern const struct param index_global_element; /* of GlobalSecondaryIndexes */
extern const struct param index_create_shape[]; /* GlobalSecondaryIndexUpdates.Create */

/* AttributeDefinitions, in the order given. */
struct index_attributes {
	struct key_attribute *at; /* in the table's arena */
	uint32_t n;
};

/** Read AttributeDefinitions into the arena. TIDE_VALIDATION: a name twice. */
tide_err index_attributes_read(
    struct arena *arena, const struct json *list, struct index_attributes *out, struct tide_error *error);
const struct key_attribute *index_attribute_find(
    const struct index_attributes *attributes, struct bytes name);

/**
 * The LocalSecondaryIndexes and GlobalSecondaryIndexes of CreateTable into `table`, whose keys and capacity mode are set; its
 * AttributeDefinitions, which all must be used, too. TIDE_VALIDATION, TIDE_NOMEM, TIDE_IO (no random numbers).
 */
tide_err index_define_all(struct table *table, const struct json *body,
    const struct index_attributes *attributes, uint64_t now_ms, struct tide_error *error);

/**
 * One GSI of UpdateTable, without what depends on the table. Its id is made; names are in the arena. TIDE_VALIDATION, TIDE_NOMEM, TIDE_IO.
 */
tide_err index_define_one(struct arena *arena, const struct json *create,
    const struct index_attributes *attributes, uint64_t now_ms, struct table_index *out,
    struct tide_error *error);

/* What a request says of an index's capacity. */
struct index_asked {
	bool sets_units, sets_maximum, sets_warm;
	uint64_t read_units, write_units;
	int64_t read_max, write_max; /* 0: not said; -1: none any more */
	int64_t warm_read, warm_write; /* 0: not said; -1: nought */
};

/** Out of a definition or an update of the index. TIDE_VALIDATION: out of bounds. */
tide_err index_asked_read(
    const struct json *object, struct bytes name, struct index_asked *out, struct tide_error *error);

/**
 * Into `index` of a table in its capacity mode; `fresh`: the index is being made. The maximums and the throughput must fit the mode.
 * TIDE_VALIDATION: `index` is unchanged.
 */
tide_err index_asked_take(const struct table *table, struct table_index *index,
    const struct index_asked *asked, bool fresh, struct tide_error *error);

/** What a GSI is warm for: as table_warm_read, table_warm_write. */
uint64_t index_warm_read(const struct table *table, const struct table_index *index);
uint64_t index_warm_write(const struct table *table, const struct table_index *index);

/** A number for a new table or index, in 63 bits, greater than those of built-in tables. TIDE_IO: no random numbers. */
tide_err table_new_id(uint64_t *id);

#endif
