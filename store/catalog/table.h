/*
 * A table's description as one region sees it: built from the facts in the catalog, immutable, counted by references.
 */
#ifndef TIDE_STORE_CATALOG_TABLE_H
#define TIDE_STORE_CATALOG_TABLE_H

#include <stdatomic.h>

#include "store/item/value.h"
#include "store/shard/index.h"

#define TABLE_NAME_MAX 255
#define REGION_NAME_MAX 63

enum stream_view {
	STREAM_NONE,
	STREAM_KEYS_ONLY,
	STREAM_NEW_IMAGE,
	STREAM_OLD_IMAGE,
	STREAM_NEW_AND_OLD_IMAGES
};

/* As DynamoDB names them; CREATION_FAILED is a replica's only: its region has another table of that name. */
enum table_status { TABLE_CREATING, TABLE_UPDATING, TABLE_DELETING, TABLE_ACTIVE, TABLE_CREATION_FAILED };

struct key_attribute {
	struct bytes name;
	enum value_type type; /* S, N, B */
};

struct replica {
	char region[REGION_NAME_MAX + 1];
	uint8_t number; /* region number */
	enum table_status status; /* CREATING, ACTIVE, DELETING, UPDATING, CREATION_FAILED */
	uint8_t percent; /* of the bootstrap, while CREATING */
	bool wanted; /* it shall be there, or (when all were removed) its removal is void */
	bool deletion_protection;
	uint64_t read_override; /* provisioned reads of this replica alone; 0: the table's */
	bool claimed; /* its region has taken it on: it wrote the replica's status and holds the name */
};

struct tag {
	struct bytes key, value;
};

/* When provisioned throughput was changed last; 0: never. */
struct throughput_changes {
	uint64_t increased_ms, decreased_ms;
	uint64_t decreases; /* on the UTC day of the last one */
};

/* A secondary index as the table's facts say it shall be. What a shard has of it: store/shard/index.h. */
struct table_index {
	uint64_t id; /* unique in the table for ever */
	struct bytes name;
	bool local; /* an LSI */
	struct key_attribute partitions[INDEX_KEYS_MAX], sorts[INDEX_KEYS_MAX];
	uint8_t n_partitions, n_sorts;
	enum index_projection projection;
	struct bytes includes[INDEX_INCLUDES_MAX]; /* INCLUDE: NonKeyAttributes, by name */
	uint8_t n_includes;
	uint64_t created_ms; /* and `order` among those of one request: how they are listed */
	uint32_t order;
	/* capacity, of GSIs only; as the table's own members of these names */
	uint64_t read_units, write_units;
	struct throughput_changes changes;
	uint64_t read_units_max, write_units_max;
	uint64_t warm_read_units, warm_write_units;
};

struct table {
	atomic_int references;
	uint64_t id;
	char name[TABLE_NAME_MAX + 1];
	bool built_in; /* tidemark.*: readable, never written by clients, not listed */
	bool global; /* its facts are in the catalog */
	bool deleted; /* for ever; the rest may be empty */
	bool here; /* this region has (or is making, or is giving up) a replica under this name */
	enum table_status status; /* of this region's replica */
	struct key_attribute partition, sort;
	bool has_sort;
	struct key_attribute *attributes; /* AttributeDefinitions: of all keys, by name */
	uint32_t n_attributes;
	struct table_index *indexes; /* in the order in which they were made; LSIs and GSIs */
	uint32_t n_indexes;
	uint32_t n_shadowed; /* behind them: what contradicts an earlier one, and is not there for anybody */
	struct replica *replicas; /* all of them, this region's own included, by name; empty when regional */
	uint32_t n_replicas;
	enum stream_view stream;
	char stream_label[32]; /* of the latest stream; empty: never had one */
	uint64_t stream_created_ms;
	bool on_demand; /* PAY_PER_REQUEST */
	uint64_t on_demand_since_ms; /* 0: never */
	uint64_t read_units, write_units;
	uint64_t read_override; /* reads of this region's replica alone; 0: read_units */
	struct throughput_changes changes; /* of these */
	bool deletion_protection; /* of this region's replica */
	uint64_t created_ms;
	/* settings of the whole table, the same in all of its replicas */
	struct bytes ttl_attribute; /* time to live; empty: off */
	bool infrequent_access; /* the table class */
	uint64_t class_changed_ms; /* 0: never set */
	bool encrypted; /* SSESpecification asked for KMS: shown with the region's default key */
	uint64_t read_units_max, write_units_max; /* OnDemandThroughput; 0: none */
	uint64_t warm_read_units, warm_write_units; /* asked for; 0: what the capacity mode gives */
	/* of this region's replica only */
	struct tag *tags; /* by key */
	uint32_t n_tags;
	struct bytes policy; /* JSON; empty: none */
	uint64_t policy_revision; /* of the last change, a deletion too; 0: never had one */
	struct arena arena; /* holds the arrays and names */
};

/* Provisioned reads of this region's replica. */
static inline uint64_t
table_read_units(const struct table *table)
{
	return table->read_override != 0 && !table->on_demand ? table->read_override : table->read_units;
}

/* What this region's replica may consume, in units a second; 0: no limit. */
static inline uint64_t
table_read_limit(const struct table *table)
{
	return table->on_demand ? table->read_units_max : table_read_units(table);
}

static inline uint64_t
table_write_limit(const struct table *table)
{
	return table->on_demand ? table->write_units_max : table->write_units;
}

/** Has the table, or one of its global indexes, any limit? */
static inline bool
table_is_limited(const struct table *table)
{
	bool limited = !table->on_demand || table->read_units_max != 0 || table->write_units_max != 0;

	for (uint32_t i = 0; i < table->n_indexes && !limited; i++)
		limited = table->indexes[i].read_units_max != 0 || table->indexes[i].write_units_max != 0;
	return limited && !table->built_in;
}

/** That region's entry in the list; NULL: none, or a regional table. */
const struct replica *table_replica(const struct table *table, const char *region);

/** The index of that name; NULL: none. */
const struct table_index *table_index_find(const struct table *table, struct bytes name);

/** Has the index that attribute: a key of its own or of the table, or projected? */
bool table_index_projects(const struct table *table, const struct table_index *index, struct bytes name);

/** What a shard is to be told of it; borrows from both. */
void table_index_def(const struct table *table, const struct table_index *index, struct index_def *out);

/** A type of key attributes by that name anywhere in the table: its own keys and those of its indexes. NULL: none. */
const struct key_attribute *table_key_attribute(const struct table *table, struct bytes name);

/** Fill in `attributes` from the keys of the table and its indexes. TIDE_NOMEM. */
tide_err table_derive_attributes(struct table *table);

/** "KEYS_ONLY", "INCLUDE", "ALL". */
const char *index_projection_name(enum index_projection projection);

/** "CREATING", "UPDATING", "DELETING", "ACTIVE", "CREATION_FAILED". */
const char *table_status_name(enum table_status status);

/** "KEYS_ONLY", ...; "NONE" for STREAM_NONE. */
const char *stream_view_name(enum stream_view view);
bool stream_view_parse(struct bytes name, enum stream_view *view);

/** Does the stream of this table want the image before a change? */
static inline bool
table_keeps_before(const struct table *table)
{
	return table->stream == STREAM_OLD_IMAGE || table->stream == STREAM_NEW_AND_OLD_IMAGES;
}

#endif
