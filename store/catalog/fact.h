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
	FACT_OVERRIDE,
	FACT_INDEX, /* these two are named by an index's id where others are by a region */
	FACT_CAPACITY,
	/* as enum table_setting */
	FACT_TTL,
	FACT_CLASS,
	FACT_ENCRYPTION,
	FACT_MAXIMUM,
	FACT_WARM,
	FACT_TAGS,
	FACT_POLICY,
	FACT_UNKNOWN, /* of a later version: kept in the store, not looked at */
};

struct fact {
	enum fact_kind kind;
	uint64_t table; /* TABLE_CATALOG or TABLE_REGIONAL: where it is kept */
	char region[REGION_NAME_MAX + 1]; /* or index, in hex; empty where the kind has none */
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
bool fact_kind_has_index(enum fact_kind kind);

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

/** Write or delete one fact. Errors: those of group_put and group_delete. */
tide_err fact_put(struct group *group, uint64_t in, uint64_t id, enum fact_kind kind, const char *region,
    const struct value *value);
tide_err fact_delete(struct group *group, uint64_t in, uint64_t id, enum fact_kind kind, const char *region);

/* --- values: making them, and reading the members of a map that may be anything --- */

struct fact_number {
	char at[24];
};

struct value fact_text(const char *text);
struct value fact_bool(bool flag);
struct value fact_number(uint64_t v, struct fact_number *text); /* lives as long as `text` */

/* Members that tell of changes of throughput; `texts` has room for three numbers. */
#define FACT_CHANGES(changes, texts)                                                                         \
	{BYTES_LITERAL("decreased"), fact_number((changes)->decreased_ms, &(texts)[0])},                     \
	    {BYTES_LITERAL("decreases"), fact_number((changes)->decreases, &(texts)[1])},                    \
	{                                                                                                    \
		BYTES_LITERAL("increased"), fact_number((changes)->increased_ms, &(texts)[2])                \
	}
struct throughput_changes fact_changes(const struct value *map);

/** BYTES_NONE, 0, false: not there, or of another type. */
struct bytes fact_member_text(const struct value *map, const char *name, enum value_type type);
uint64_t fact_member_number(const struct value *map, const char *name);
bool fact_member_is(const struct value *map, const char *name);

/* --- settings --- */

/** All settings that `table` has; and taking all of them away again. */
tide_err settings_put(struct group *group, uint64_t in, const char *region, const struct table *table);
tide_err settings_delete_shared(struct group *group, uint64_t in, uint64_t id);
tide_err settings_delete_own(struct group *group, uint64_t in, uint64_t id, const char *region);

/** Take a setting's fact into the description. TIDE_NOMEM. */
tide_err settings_build(struct table *table, const struct fact *fact, const struct value *value);

/* --- indexes --- */

#define FACT_INDEXES_MAX 64 /* of one table: what is beyond is not looked at */

/** All that the table has, shadowed ones too; and taking those facts away. */
tide_err index_facts_put(
    struct catalog *catalog, struct group *group, uint64_t in, const struct table *table);
tide_err index_facts_delete(struct group *group, uint64_t in, const struct table *table);

/** Take an index's fact into the description. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err index_fact_build(struct table *table, const struct fact *fact, const struct value *value);

/** After all facts: order them, set those apart that contradict others, and derive the attributes. TIDE_NOMEM. */
tide_err index_facts_settle(struct table *table);

/** The ids (as in fact names) of the indexes that the catalog knows of a table: from its facts and from what this group may have written. */
struct index_names {
	char (*at)[REGION_NAME_MAX + 1];
	uint32_t n, room;
};
tide_err catalog__index_names(struct catalog *catalog, uint64_t id, struct index_names *out);

/** A group writes facts of that index: until it is committed nothing else tells of them. TIDE_NOMEM, TIDE_UNAVAILABLE. */
tide_err catalog__index_written(struct catalog *catalog, uint64_t id, uint64_t index);

/**
 * Describe a table from its facts. `regions[0]` is this region. TIDE_NOTFOUND: neither a schema nor `deleted`;
 * TIDE_CORRUPT: a fact that cannot be understood (named in `error`).
 */
tide_err table_build(uint64_t id, const struct facts *facts, const struct catalog_region *regions,
    uint32_t n_regions, struct table **out, struct tide_error *error);

/** The regions that the catalog was opened with, this one first. */
const struct catalog_region *catalog__regions(const struct catalog *catalog, uint32_t *n);

#endif
