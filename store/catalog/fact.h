/*
 * Facts as items: their names, keys and values. For this folder only.
 */
#ifndef TIDE_STORE_CATALOG_FACT_H
#define TIDE_STORE_CATALOG_FACT_H

#include "conflict/version.h"
#include "store/catalog/catalog.h"

#define FACT_NAME_MAX 96 /* "protection#" and a region's name */

enum fact_kind {
	FACT_SCHEMA,
	FACT_DELETED,
	FACT_STREAM,
	FACT_BILLING,
	FACT_WANTED,
	FACT_STATUS,
	FACT_NAME,
	FACT_PROTECTION,
	FACT_UNKNOWN, /* of a later version: kept in the store, not looked at */
};

struct fact {
	enum fact_kind kind;
	uint64_t table; /* TABLE_CATALOG or TABLE_REGIONAL: where it is kept */
	char region[REGION_NAME_MAX + 1]; /* empty where the kind has none */
	struct version version;
	uint8_t *image; /* encoded item; owned */
	size_t image_n;
};

struct facts {
	struct fact *at;
	uint32_t n, room;
};

void facts_fini(struct facts *facts);

/** Set one (replacing it), copying `image`. TIDE_NOMEM: unchanged. */
tide_err facts_set(struct facts *facts, enum fact_kind kind, const char *region, uint64_t table,
    struct version version, struct bytes image);
void facts_drop(struct facts *facts, enum fact_kind kind, const char *region, uint64_t table);
const struct fact *facts_get(const struct facts *facts, enum fact_kind kind, const char *region);

/** "schema", "wanted#eu-west-1" to kind and region; false when it is too long to be one. */
bool fact_name_parse(struct bytes name, enum fact_kind *kind, char region[REGION_NAME_MAX + 1]);
void fact_name_format(enum fact_kind kind, const char *region, char name[FACT_NAME_MAX + 1]);
bool fact_kind_has_region(enum fact_kind kind);

/** The key of an item in the built-in tables, of any two strings; and of a fact. */
void fact_key_of(const char *partition, const char *sort, struct buf *out);
void fact_key(uint64_t id, enum fact_kind kind, const char *region, struct buf *out);

/** The two strings back. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err fact_key_decode(struct arena *arena, struct bytes key, struct bytes *partition, struct bytes *sort);

/** A table id from 16 lower-case hex digits. */
bool fact_id_parse(struct bytes text, uint64_t *id);

/** Append the item {"fact": sort, "id": partition, "value": value}. */
void fact_item_encode(const char *partition, const char *sort, const struct value *value, struct buf *out);

/** The "value" of an encoded fact item; borrows from `image`. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err fact_item_decode(struct arena *arena, struct bytes image, struct value *value);

/**
 * Describe a table from its facts. `regions[0]` is this region. TIDE_NOTFOUND: neither a schema nor `deleted`;
 * TIDE_CORRUPT: a fact that cannot be understood (named in `error`).
 */
tide_err table_build(uint64_t id, const struct facts *facts, const struct catalog_region *regions,
    uint32_t n_regions, struct table **out, struct tide_error *error);

/** The regions that the catalog was opened with, this one first. */
const struct catalog_region *catalog__regions(const struct catalog *catalog, uint32_t *n);

#endif
