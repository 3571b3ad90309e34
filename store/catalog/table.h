/*
 * A table's description as one region sees it: built from the facts in the catalog, immutable, counted by references.
 */
#ifndef TIDE_STORE_CATALOG_TABLE_H
#define TIDE_STORE_CATALOG_TABLE_H

#include <stdatomic.h>

#include "store/item/value.h"
#include "store/shard/shard.h"

#define TABLE_NAME_MAX 255
#define REGION_NAME_MAX 63

enum stream_view { STREAM_NONE, STREAM_KEYS_ONLY, STREAM_NEW_IMAGE, STREAM_OLD_IMAGE, STREAM_NEW_AND_OLD_IMAGES };

/* As DynamoDB names them. */
enum table_status { TABLE_CREATING, TABLE_UPDATING, TABLE_DELETING, TABLE_ACTIVE };

struct key_attribute {
	struct bytes name;
	enum value_type type; /* S, N, B */
};

struct replica {
	char region[REGION_NAME_MAX + 1];
	uint8_t number;             /* region number */
	enum table_status status;   /* CREATING, ACTIVE, DELETING, UPDATING */
	uint8_t percent;            /* of the bootstrap, while CREATING */
};

struct table {
	atomic_int references;
	uint64_t id;
	char name[TABLE_NAME_MAX + 1];
	bool built_in;              /* tidemark.*: readable, never written by clients, not listed */
	bool global;                /* its facts are in the catalog */
	enum table_status status;   /* of this region's replica */
	struct key_attribute partition, sort;
	bool has_sort;
	struct key_attribute *attributes; /* AttributeDefinitions, in the order given */
	uint32_t n_attributes;
	struct replica *replicas;   /* all of them, this region's own included, by name; empty when regional */
	uint32_t n_replicas;
	enum stream_view stream;
	char stream_label[32];      /* of the latest stream; empty: never had one */
	bool on_demand;             /* PAY_PER_REQUEST */
	uint64_t read_units, write_units;
	bool deletion_protection;
	uint64_t created_ms;
	struct arena arena;         /* holds the arrays and names */
};

/** Does the stream of this table want the image before a change? */
static inline bool
table_keeps_before(const struct table *table)
{
	return table->stream == STREAM_OLD_IMAGE || table->stream == STREAM_NEW_AND_OLD_IMAGES;
}

#endif
