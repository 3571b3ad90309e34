/*
 * The catalog: facts about tables (one item per fact), and the descriptions made of them. Form of the facts: docs/catalog.md.
 *
 * Facts live in two built-in tables: TABLE_CATALOG (global tables: replicated to every region) and TABLE_REGIONAL (tables without
 * other replicas). A fact's key is (table id in hex, fact name):
 *
 *     schema              name, keys, attribute definitions, creation time      written once
 *     deleted             terminal: beats every other fact of that id           whoever deletes
 *     stream, billing     one fact per setting                                  any region
 *     wanted#REGION       should that region hold a replica?                    any region
 *     status#REGION       what that replica is now; may refuse "name taken"     that region only
 *     name#REGION         (name -> id) in that region                           that region only
 *     ttl, class, encryption, maximum, warm   one fact per setting              any region
 *     override#REGION     capacity of that replica alone                        any region
 *     protection#REGION, tags#REGION, policy#REGION   that replica's own        that region only
 *     index#ID            a secondary index             written once, then deleted; any region
 *     capacity#ID         what changes of an index                              any region
 *
 * Three more kinds of items are in TABLE_REGIONAL only: ("names", NAME) -> id, the claim that makes a name unique in this region
 * (read through the group, so two CreateTable of one group meet), ("region", "counted") (api/membership.h), and ("scaling", ...) (regional.h).
 */
#ifndef TIDE_STORE_CATALOG_CATALOG_H
#define TIDE_STORE_CATALOG_CATALOG_H

#include "store/catalog/table.h"
#include "store/shard/group.h"

struct catalog;

struct catalog_region {
	char name[REGION_NAME_MAX + 1];
	uint8_t number;
};

/** Load all facts of a shard and observe it from then on. `regions`: every region of the cluster, this one first. Copied. */
tide_err catalog_open(struct shard *shard, const struct catalog_region *regions, uint32_t n,
    struct catalog **out, struct tide_error *error);
void catalog_close(struct catalog *catalog);

/** Read all facts again: after the catalog's own table was loaded from a peer. Any thread. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM. */
tide_err catalog_reload(struct catalog *catalog, struct tide_error *error);

/** This region's name. */
const char *catalog_region_name(const struct catalog *catalog);

/** The table of that name in this region (DELETING ones too); NULL: none. Release it. Any thread; no lock is held afterwards. */
const struct table *catalog_find(struct catalog *catalog, struct bytes name);
const struct table *catalog_find_id(struct catalog *catalog, uint64_t id);
void table_release(const struct table *table);

/** Up to `max` names in byte order after `after` (empty: from the start) into `names` (each copied to the arena). Built-in ones are left out. */
tide_err catalog_list(struct catalog *catalog, struct arena *arena, struct bytes after, uint32_t max,
    struct bytes *names, uint32_t *n);

/** All tables, built-in ones too, each with a reference, in an array in the arena. For status and membership. Any thread. */
tide_err catalog_all(struct catalog *catalog, struct arena *arena, const struct table ***tables, uint32_t *n);

/* --- through a group: on the committer thread --- */

/**
 * The table as the group sees it, its own writes included; release it. It is also what the writers below take.
 * TIDE_NOTFOUND: no facts of that id (or no schema). A deleted one is found (`deleted`).
 */
tide_err catalog_read(struct catalog *catalog, struct group *group, uint64_t id, const struct table **out);

/** An empty description to fill in for catalog_write_new, with one reference; NULL: no memory. Strings belong in its arena. */
struct table *table_new(void);

/** All facts of a new regional table, and its claim to the name. TIDE_RESOURCE_IN_USE: the name is taken; nothing written. */
tide_err catalog_write_new(
    struct catalog *catalog, struct group *group, const struct table *table, struct tide_error *error);

/** The settings as they stand in `table`. */
tide_err catalog_write_stream(struct group *group, const struct table *table);
tide_err catalog_write_billing(struct group *group, const struct table *table);
/** Provisioned reads of that replica alone; 0: the table's, again. */
tide_err catalog_write_override(
    struct group *group, const struct table *table, const char *region, uint64_t read_units);
tide_err catalog_write_protection(struct catalog *catalog, struct group *group, const struct table *table);

/* In the order of the kinds of facts. */
enum table_setting {
	SETTING_TTL,
	SETTING_CLASS,
	SETTING_ENCRYPTION,
	SETTING_MAXIMUM,
	SETTING_WARM,
	SETTING_TAGS, /* these two are this region's own */
	SETTING_POLICY,
};

/** One of them as it stands in `table`; where the table has it no more, its fact goes. */
tide_err catalog_write_setting(
    struct catalog *catalog, struct group *group, const struct table *table, enum table_setting setting);

/** A new index; it is in `table` or not. TIDE_UNAVAILABLE: too many since the last commit. */
tide_err catalog_write_index(
    struct catalog *catalog, struct group *group, const struct table *table, const struct table_index *index);

/** What of an index changes, as it stands in `index`. */
tide_err catalog_write_index_capacity(
    struct group *group, const struct table *table, const struct table_index *index);

/** The index of that name goes, with all that it stood in front of. */
tide_err catalog_write_index_deleted(struct group *group, const struct table *table, struct bytes name);

/** A regional table becomes global with this region as its first, ACTIVE replica: its facts move to TABLE_CATALOG. `table` is stale after. */
tide_err catalog_write_global(struct catalog *catalog, struct group *group, const struct table *table);

/** Should `region` hold a replica? */
tide_err catalog_write_wanted(
    struct group *group, const struct table *table, const char *region, bool wanted);

/** What this region's replica is now; CREATION_FAILED says that the name is taken here. */
tide_err catalog_write_status(struct catalog *catalog, struct group *group, const struct table *table,
    enum table_status status, uint8_t percent);

/** Claim the table's name in this region. TIDE_RESOURCE_IN_USE: another table has it; nothing written. */
tide_err catalog_write_claim(
    struct catalog *catalog, struct group *group, const struct table *table, struct tide_error *error);

/** This region has nothing of the table any more: its own facts and the claim go. Repeating it is harmless. */
tide_err catalog_write_gone(struct catalog *catalog, struct group *group, const struct table *table);

/** The table is deleted: everywhere and for ever where it is global; a regional one's facts go without a trace. */
tide_err catalog_write_deleted(struct catalog *catalog, struct group *group, const struct table *table);

/** All members counted this incarnation of this region (kept in TABLE_REGIONAL); `*incarnation` -1: not said yet. */
tide_err catalog_read_counted(struct shard *shard, int32_t *incarnation);
tide_err catalog_write_counted(struct group *group, uint16_t incarnation);

#endif
