#include "store/catalog/catalog.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/catalog/fact.h"

/*
 * Two sorted arrays: every id with its facts, and the names that this region serves. Readers take the lock shared, find,
 * count a reference and leave; a writer (the committer's thread after a commit, or a reload) takes it alone, for one whole unit.
 */
struct entry {
	uint64_t id;
	struct facts facts;
	struct table *table; /* NULL: the facts do not make a table (yet) */
	bool changed; /* facts newer than `table` */
};

#define BUILT_IN 4
#define INDEXES_WRITTEN_MAX 1024

struct catalog {
	struct shard *shard;
	struct catalog_region *regions;
	uint32_t n_regions;
	pthread_rwlock_t lock;
	struct entry *entries; /* by id */
	size_t n_entries, room_entries;
	struct table **names; /* by name; borrowed from the entries */
	size_t n_names, room_names;
	struct table *built_in[BUILT_IN]; /* TABLE_CATALOG, TABLE_CONFLICTS, TABLE_REGIONAL, TABLE_TOKENS */
	/* Committer's thread: indexes that groups have written since the last commit, (table, index). */
	struct {
		uint64_t table, index;
	} written[INDEXES_WRITTEN_MAX];
	uint32_t n_written;
};

const struct catalog_region *
catalog__regions(const struct catalog *catalog, uint32_t *n)
{
	*n = catalog->n_regions;
	return catalog->regions;
}

const char *
catalog_region_name(const struct catalog *catalog)
{
	return catalog->regions[0].name;
}

/* --- built-in tables --- */

static struct table *
built_in_new(uint64_t id, const char *name, const char *partition, const char *sort)
{
	struct table *t = table_new();

	if (t == NULL)
		return NULL;
	if ((t->attributes = arena_calloc(&t->arena, 2 * sizeof *t->attributes)) == NULL) {
		table_release(t);
		return NULL;
	}
	t->id = id;
	snprintf(t->name, sizeof t->name, "%s", name);
	t->built_in = t->here = t->has_sort = t->on_demand = true;
	t->status = TABLE_ACTIVE;
	t->partition = (struct key_attribute){bytes_of_string(partition), VALUE_S};
	t->sort = (struct key_attribute){bytes_of_string(sort), VALUE_S};
	t->attributes[0] = t->partition;
	t->attributes[1] = t->sort;
	t->n_attributes = 2;
	return t;
}

static struct table *
built_in_of(const struct catalog *catalog, uint64_t id)
{
	return id >= 1 && id <= BUILT_IN ? catalog->built_in[id - 1] : NULL;
}

/* --- the arrays; the lock is held for writing --- */

static size_t
entry_place(const struct catalog *c, uint64_t id)
{
	size_t low = 0, high = c->n_entries, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (c->entries[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct entry *
entry_find(const struct catalog *c, uint64_t id)
{
	size_t at = entry_place(c, id);

	return at < c->n_entries && c->entries[at].id == id ? &c->entries[at] : NULL;
}

static struct entry *
entry_of(struct catalog *c, uint64_t id)
{
	size_t at = entry_place(c, id), room;
	struct entry *grown;

	if (at < c->n_entries && c->entries[at].id == id)
		return &c->entries[at];
	if (c->n_entries == c->room_entries) {
		room = c->room_entries == 0 ? 16 : c->room_entries * 2;
		if ((grown = realloc(c->entries, room * sizeof *grown)) == NULL)
			return NULL;
		c->entries = grown;
		c->room_entries = room;
	}
	memmove(&c->entries[at + 1], &c->entries[at], (c->n_entries - at) * sizeof *c->entries);
	c->entries[at] = (struct entry){.id = id};
	c->n_entries++;
	return &c->entries[at];
}

static int
name_order(const struct table *table, struct bytes name)
{
	return bytes_compare(bytes_of_string(table->name), name);
}

static size_t
name_place(const struct catalog *c, struct bytes name)
{
	size_t low = 0, high = c->n_names, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (name_order(c->names[mid], name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
name_remove(struct catalog *c, const struct table *table)
{
	for (size_t i = name_place(c, bytes_of_string(table->name)); i < c->n_names; i++) {
		if (c->names[i] == table) {
			memmove(&c->names[i], &c->names[i + 1], (--c->n_names - i) * sizeof *c->names);
			return;
		}
	}
}

static tide_err
name_add(struct catalog *c, struct table *table)
{
	size_t at = name_place(c, bytes_of_string(table->name)), room;
	struct table **grown;

	if (c->n_names == c->room_names) {
		room = c->room_names == 0 ? 16 : c->room_names * 2;
		if ((grown = realloc(c->names, room * sizeof(struct table *))) == NULL)
			return TIDE_NOMEM;
		c->names = grown;
		c->room_names = room;
	}
	memmove(&c->names[at + 1], &c->names[at], (c->n_names - at) * sizeof(struct table *));
	c->names[at] = table;
	c->n_names++;
	return TIDE_OK;
}

static void
entry_fini(struct entry *entry)
{
	facts_fini(&entry->facts);
	table_release(entry->table);
}

static void
clear(struct catalog *c)
{
	for (size_t i = 0; i < c->n_entries; i++)
		entry_fini(&c->entries[i]);
	c->n_entries = c->n_names = 0;
}

/* The entry's facts changed: describe the table anew and publish it. */
static tide_err
entry_refresh(struct catalog *c, struct entry *entry)
{
	struct tide_error error = {TIDE_OK, ""};
	struct table *table = NULL;
	tide_err rc;

	rc = table_build(entry->id, &entry->facts, c->regions, c->n_regions, &table, &error);
	if (rc == TIDE_NOMEM)
		return rc;
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		log_warn("CATALOG-FACT", "%s", error.message);
	if (table != NULL && table->here && (rc = name_add(c, table)) != TIDE_OK) {
		table_release(table);
		return rc;
	}
	if (entry->table != NULL) {
		name_remove(c, entry->table);
		table_release(entry->table);
	}
	entry->table = table;
	entry->changed = false;
	return TIDE_OK;
}

/* All that changed at once: no reader sees a table between two facts of one unit. */
static tide_err
refresh(struct catalog *c)
{
	tide_err rc;

	for (size_t i = c->n_entries; i-- > 0;) {
		struct entry *entry = &c->entries[i];

		if (!entry->changed)
			continue;
		if ((rc = entry_refresh(c, entry)) != TIDE_OK)
			return rc;
		if (entry->facts.n == 0) {
			entry_fini(entry);
			memmove(entry, entry + 1, (--c->n_entries - i) * sizeof *entry);
		}
	}
	return TIDE_OK;
}

/* --- from the store --- */

/* What kind of fact an item of the built-in tables is; false: another kind of item. */
static bool
fact_of_key(struct arena *arena, struct bytes key, uint64_t *id, enum fact_kind *kind,
    char region[REGION_NAME_MAX + 1])
{
	struct bytes partition, sort;

	return fact_key_decode(arena, key, &partition, &sort) == TIDE_OK && fact_id_parse(partition, id) &&
	       fact_name_parse(sort, kind, region) && *kind != FACT_UNKNOWN;
}

static tide_err
scan_table(struct catalog *c, uint64_t table, struct tide_error *error)
{
	struct shard_scan_range range = {.table = table};
	struct shard_scan *scan = NULL;
	struct stored stored;
	struct bytes key;
	struct arena arena;
	tide_err rc;

	if ((rc = shard_scan_open(c->shard, &range, &scan)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : tide_fail(error, rc, NULL);
	arena_init(&arena, 0);
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		char region[REGION_NAME_MAX + 1];
		enum fact_kind kind;
		struct entry *entry;
		uint64_t id;

		if (fact_of_key(&arena, key, &id, &kind, region)) {
			if ((entry = entry_of(c, id)) == NULL ||
			    facts_set(&entry->facts, kind, region, table, stored.version, stored.image) !=
				TIDE_OK) {
				rc = TIDE_NOMEM;
				break;
			}
			entry->changed = true;
		}
		arena_reset(&arena);
	}
	arena_fini(&arena);
	shard_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : tide_fail(error, rc, NULL);
}

tide_err
catalog_reload(struct catalog *c, struct tide_error *error)
{
	tide_err rc;

	pthread_rwlock_wrlock(&c->lock);
	clear(c);
	if ((rc = scan_table(c, TABLE_CATALOG, error)) == TIDE_OK)
		rc = scan_table(c, TABLE_REGIONAL, error);
	if (rc == TIDE_OK && (rc = refresh(c)) != TIDE_OK)
		tide_fail(error, rc, NULL);
	pthread_rwlock_unlock(&c->lock);
	return rc;
}

/*
 * A committed unit touched this key: take what the store holds now. That is right whatever the record was: a put, a
 * delete, the loser of a conflict.
 */
static tide_err
follow_key(struct catalog *c, uint64_t table, struct bytes key)
{
	char region[REGION_NAME_MAX + 1];
	struct buf raw = {0};
	struct entry *entry;
	struct stored stored;
	enum fact_kind kind;
	struct arena arena;
	bool is_fact;
	uint64_t id;
	tide_err rc;

	arena_init(&arena, 0);
	is_fact = fact_of_key(&arena, key, &id, &kind, region);
	arena_fini(&arena);
	if (!is_fact)
		return TIDE_OK;
	rc = shard_get(c->shard, table, key, &raw, &stored);
	if (rc == TIDE_OK || rc == TIDE_NOTFOUND) {
		entry = rc == TIDE_OK ? entry_of(c, id) : entry_find(c, id);
		if (rc == TIDE_OK) {
			rc = entry == NULL ? TIDE_NOMEM
					   : facts_set(&entry->facts, kind, region, table, stored.version,
						 stored.image);
		} else {
			rc = TIDE_OK;
			if (entry != NULL)
				facts_drop(&entry->facts, kind, region, table);
		}
		if (entry != NULL)
			entry->changed = true;
	}
	buf_fini(&raw);
	return rc;
}

static void
follow_unit(void *arg, const struct unit *unit)
{
	struct catalog *c = arg;
	struct tide_error error;
	bool touched = false;
	tide_err rc = TIDE_OK;

	c->n_written = 0; /* all of the group is on disk, and nothing reads between the calls for its units */
	for (uint32_t i = 0; i < unit->n_records && !touched; i++)
		touched = unit->records[i].table == TABLE_CATALOG || unit->records[i].table == TABLE_REGIONAL;
	if (!touched)
		return;
	pthread_rwlock_wrlock(&c->lock);
	for (uint32_t i = 0; i < unit->n_records && rc == TIDE_OK; i++) {
		const struct record *r = &unit->records[i];

		if (r->table == TABLE_CATALOG || r->table == TABLE_REGIONAL)
			rc = follow_key(c, r->table, r->key);
	}
	if (rc == TIDE_OK)
		rc = refresh(c);
	pthread_rwlock_unlock(&c->lock);
	/* No memory, or an unreadable item: what is cached may be stale, so read all of it again. */
	if (rc != TIDE_OK && catalog_reload(c, &error) != TIDE_OK)
		log_err("CATALOG-RELOAD", "why=\"%s\"", error.message);
}

/* --- which indexes a table has facts of --- */

tide_err
catalog__index_written(struct catalog *c, uint64_t id, uint64_t index)
{
	/* Only groups that failed leave any: the next one that is committed makes room again. */
	if (c->n_written == INDEXES_WRITTEN_MAX)
		return TIDE_UNAVAILABLE;
	c->written[c->n_written].table = id;
	c->written[c->n_written++].index = index;
	return TIDE_OK;
}

static tide_err
index_name_add(struct index_names *names, const char *name)
{
	char(*grown)[REGION_NAME_MAX + 1];
	uint32_t room;

	for (uint32_t i = 0; i < names->n; i++) {
		if (strcmp(names->at[i], name) == 0)
			return TIDE_OK;
	}
	if (names->n == names->room) {
		room = names->room == 0 ? 8 : names->room * 2;
		if ((grown = realloc(names->at, room * sizeof *grown)) == NULL)
			return TIDE_NOMEM;
		names->at = grown;
		names->room = room;
	}
	snprintf(names->at[names->n++], REGION_NAME_MAX + 1, "%s", name);
	return TIDE_OK;
}

tide_err
catalog__index_names(struct catalog *c, uint64_t id, struct index_names *out)
{
	struct entry *entry;
	tide_err rc = TIDE_OK;

	pthread_rwlock_rdlock(&c->lock);
	if ((entry = entry_find(c, id)) != NULL) {
		for (uint32_t i = 0; i < entry->facts.n && rc == TIDE_OK; i++) {
			if (fact_kind_has_index(entry->facts.at[i].kind))
				rc = index_name_add(out, entry->facts.at[i].region);
		}
	}
	pthread_rwlock_unlock(&c->lock);
	for (uint32_t i = 0; i < c->n_written && rc == TIDE_OK; i++) {
		char name[REGION_NAME_MAX + 1];

		if (c->written[i].table != id)
			continue;
		snprintf(name, sizeof name, "%016llx", (unsigned long long)c->written[i].index);
		rc = index_name_add(out, name);
	}
	return rc;
}

tide_err
catalog_open(struct shard *shard, const struct catalog_region *regions, uint32_t n, struct catalog **out,
    struct tide_error *error)
{
	struct catalog *c;
	tide_err rc;

	assert(n >= 1);
	if ((c = calloc(1, sizeof *c)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	pthread_rwlock_init(&c->lock, NULL);
	c->shard = shard;
	c->n_regions = n;
	c->built_in[0] = built_in_new(TABLE_CATALOG, "tidemark.catalog", "id", "fact");
	c->built_in[1] = built_in_new(TABLE_CONFLICTS, "tidemark.conflicts", "Item", "Version");
	c->built_in[2] = built_in_new(TABLE_REGIONAL, "tidemark.regional", "id", "fact");
	c->built_in[3] = built_in_new(TABLE_TOKENS, "tidemark.tokens", "Token", "Operation");
	c->regions = malloc(n * sizeof *c->regions);
	if (c->regions == NULL || c->built_in[0] == NULL || c->built_in[1] == NULL ||
	    c->built_in[2] == NULL || c->built_in[3] == NULL) {
		catalog_close(c);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	memcpy(c->regions, regions, n * sizeof *c->regions);
	if ((rc = catalog_reload(c, error)) != TIDE_OK) {
		catalog_close(c);
		return rc;
	}
	shard_observe(shard, follow_unit, c);
	*out = c;
	return TIDE_OK;
}

void
catalog_close(struct catalog *c)
{
	if (c == NULL)
		return;
	clear(c);
	for (int i = 0; i < BUILT_IN; i++)
		table_release(c->built_in[i]);
	free(c->entries);
	free(c->names);
	free(c->regions);
	pthread_rwlock_destroy(&c->lock);
	free(c);
}

/* --- finding --- */

static const struct table *
hold(struct table *table)
{
	if (table != NULL)
		atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
	return table;
}

const struct table *
catalog_find(struct catalog *c, struct bytes name)
{
	const struct table *found = NULL;
	size_t at;

	if (bytes_is(name, c->built_in[1]->name))
		return hold(c->built_in[1]);
	pthread_rwlock_rdlock(&c->lock);
	at = name_place(c, name);
	if (at < c->n_names && name_order(c->names[at], name) == 0)
		found = hold(c->names[at]);
	pthread_rwlock_unlock(&c->lock);
	return found;
}

const struct table *
catalog_find_id(struct catalog *c, uint64_t id)
{
	const struct table *found = NULL;
	struct entry *entry;

	if (built_in_of(c, id) != NULL)
		return hold(built_in_of(c, id));
	pthread_rwlock_rdlock(&c->lock);
	if ((entry = entry_find(c, id)) != NULL)
		found = hold(entry->table);
	pthread_rwlock_unlock(&c->lock);
	return found;
}

tide_err
catalog_list(struct catalog *c, struct arena *arena, struct bytes after, uint32_t max, struct bytes *names,
    uint32_t *n)
{
	tide_err rc = TIDE_OK;
	uint32_t count = 0;
	size_t at;

	pthread_rwlock_rdlock(&c->lock);
	at = name_place(c, after);
	if (at < c->n_names && name_order(c->names[at], after) == 0)
		at++;
	for (; at < c->n_names && count < max && rc == TIDE_OK; at++) {
		names[count] = arena_copy(arena, bytes_of_string(c->names[at]->name));
		if (names[count++].at == NULL)
			rc = TIDE_NOMEM;
	}
	pthread_rwlock_unlock(&c->lock);
	if (rc == TIDE_OK)
		*n = count;
	return rc;
}

tide_err
catalog_all(struct catalog *c, struct arena *arena, const struct table ***tables, uint32_t *n)
{
	const struct table **all;
	uint32_t count = 0;

	pthread_rwlock_rdlock(&c->lock);
	all = arena_alloc(arena, (c->n_entries + BUILT_IN) * sizeof(struct table *));
	if (all != NULL) {
		for (int i = 0; i < BUILT_IN; i++)
			all[count++] = hold(c->built_in[i]);
		for (size_t i = 0; i < c->n_entries; i++) {
			if (c->entries[i].table != NULL)
				all[count++] = hold(c->entries[i].table);
		}
	}
	pthread_rwlock_unlock(&c->lock);
	if (all == NULL)
		return TIDE_NOMEM;
	*tables = all;
	*n = count;
	return TIDE_OK;
}
