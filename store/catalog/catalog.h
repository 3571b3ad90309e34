/*
 * The catalog: facts about tables (one item per fact), and the descriptions made of them.
 *
 * Facts live in two built-in tables: TABLE_CATALOG (global tables: replicated to every region) and TABLE_REGIONAL (tables without
 * other replicas). A fact's key is (table id in hex, fact name):
 *
 *     schema              name, keys, attribute definitions, creation time      written once
 *     deleted             terminal: beats every other fact of that id           whoever deletes
 *     stream, billing ... one fact per setting                                  any region
 *     wanted#REGION       should that region hold a replica?                    any region
 *     status#REGION       what that replica is now                              that region only
 *     name#REGION         (name -> id) in that region; may refuse "name taken"  that region only
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
tide_err catalog_open(struct shard *shard, const struct catalog_region *regions, uint32_t n, struct catalog **out,
    struct tide_error *error);
void catalog_close(struct catalog *catalog);

/** The table of that name in this region (DELETING ones too); NULL: none. Release it. Any thread; no lock is held afterwards. */
const struct table *catalog_find(struct catalog *catalog, struct bytes name);
const struct table *catalog_find_id(struct catalog *catalog, uint64_t id);
void table_release(const struct table *table);

/** Up to `max` names in byte order after `after` (empty: from the start) into `names` (each copied to the arena). Built-in ones are left out. */
tide_err catalog_list(struct catalog *catalog, struct arena *arena, struct bytes after, uint32_t max, struct bytes *names,
    uint32_t *n);

/** All tables, built-in ones too, each with a reference, in an array in the arena. For status and membership. Any thread. */
tide_err catalog_all(struct catalog *catalog, struct arena *arena, const struct table ***tables, uint32_t *n);

#endif
