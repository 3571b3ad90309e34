/*
 * The conflict log: what each conflict discarded, kept as an item of the built-in global table `tidemark.conflicts`.
 *
 *     Item           S  table id and item key in hex: the partition key
 *     Version        S  the loser's version, "clock-origin" in hex: the sort key
 *     Table, Key        the table's name (S) and the item's key (M)
 *     LoserVersion, WinnerVersion   S
 *     LoserRegion, WinnerRegion     S
 *     Loser, Winner  M  the two images; absent where it was a delete. B (the stored form) where an image nests as deep as an
 *                       item may, or cannot be read
 *     Reason         S
 *     ExpiresAt      N  seconds since the epoch
 *
 * The key is made of the conflict alone, so that every region that finds it writes the same item: put if absent.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/item/key.h"
#include "store/shard/group_priv.h"

#define VERSION_TEXT 26 /* 16 hex, '-', 8 hex, NUL */
#define ATTRIBUTES_MAX 12

static void
version_text(struct version version, char text[VERSION_TEXT])
{
	snprintf(text, VERSION_TEXT, "%016" PRIx64 "-%08" PRIx32, version.clock.v, version.origin.v);
}

static struct bytes
item_name(struct arena *arena, uint64_t table, struct bytes key)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *at = arena_alloc(arena, 17 + key.n * 2 + 1);
	size_t n;

	if (at == NULL)
		return BYTES_NONE;
	n = (size_t)snprintf((char *)at, 18, "%016" PRIx64 "#", table);
	for (size_t i = 0; i < key.n; i++) {
		at[n++] = (uint8_t)digits[key.at[i] >> 4];
		at[n++] = (uint8_t)digits[key.at[i] & 15];
	}
	return bytes_of(at, n);
}

struct entry {
	struct arena *arena;
	struct member members[ATTRIBUTES_MAX];
	uint32_t n;
	tide_err rc;
};

static void
add(struct entry *entry, const char *name, struct value value)
{
	entry->members[entry->n].name = bytes_of_string(name);
	entry->members[entry->n++].value = value;
}

static void
add_text(struct entry *entry, const char *name, enum value_type type, const char *text)
{
	struct bytes copy = arena_copy(entry->arena, bytes_of_string(text));

	if (copy.at == NULL)
		entry->rc = TIDE_NOMEM;
	add(entry, name, (struct value){.type = type, .text = copy});
}

static unsigned
levels(const struct value *value)
{
	unsigned most = 0, in;

	if (value->type != VALUE_M && value->type != VALUE_L)
		return 0;
	for (uint32_t i = 0; i < (value->type == VALUE_M ? value->map.n : value->list.n); i++)
		if ((in = levels(value->type == VALUE_M ? &value->map.at[i].value : &value->list.at[i])) >
		    most)
			most = in;
	return most + 1;
}

static void
add_image(struct entry *entry, const char *name, const struct stored *stored)
{
	struct value image;
	tide_err rc;

	if (stored->tombstone)
		return;
	rc = value_decode(entry->arena, stored->image, &image);
	if (rc == TIDE_NOMEM)
		entry->rc = rc;
	/* An image from a peer may be anything: logging what it lost must not fail for that. */
	if (rc != TIDE_OK || levels(&image) >= NESTING_MAX)
		image = (struct value){.type = VALUE_B, .text = stored->image};
	add(entry, name, image);
}

static void
add_region(struct entry *entry, const struct shard *shard, const char *name, struct jid origin)
{
	const char *region =
	    shard->region_name == NULL ? NULL : shard->region_name(shard->naming_arg, jid_region(origin));
	char number[8];

	snprintf(number, sizeof number, "%u", jid_region(origin));
	add_text(entry, name, VALUE_S, region != NULL ? region : number);
}

/* The table's name and the item's key as a person knows them, where they are known. */
static void
add_names(struct entry *entry, const struct shard *shard, uint64_t table, struct bytes key)
{
	struct shard_naming naming = {0};
	struct value partition, sort;
	struct member *members;
	struct value map = {.type = VALUE_M};
	char id[20];

	if (shard->describe == NULL || !shard->describe(shard->naming_arg, table, &naming)) {
		snprintf(id, sizeof id, "%016" PRIx64, table);
		add_text(entry, "Table", VALUE_S, id);
		return;
	}
	add(entry, "Table", (struct value){.type = VALUE_S, .text = arena_copy(entry->arena, naming.table)});
	if ((members = arena_alloc(entry->arena, 2 * sizeof *members)) == NULL) {
		entry->rc = TIDE_NOMEM;
		return;
	}
	if (key_decode(entry->arena, key, (enum value_type)naming.partition_type, naming.has_sort,
		(enum value_type)naming.sort_type, &partition, &sort) != TIDE_OK)
		return; /* the Item attribute still says which */
	members[0] = (struct member){arena_copy(entry->arena, naming.partition), partition};
	members[1] = (struct member){arena_copy(entry->arena, naming.sort), sort};
	map.map.at = members;
	map.map.n = naming.has_sort ? 2 : 1;
	if (value_canonicalize(&map, NULL) == TIDE_OK)
		add(entry, "Key", map);
}

static tide_err
encode_entry(struct group *group, uint64_t table, struct bytes key, const struct stored *loser,
    const struct stored *winner, const char *reason, struct bytes item, const char *version,
    struct buf *image)
{
	const struct shard *shard = group->shard;
	struct entry entry = {.arena = &group->arena};
	struct value map = {.type = VALUE_M};
	char text[VERSION_TEXT];

	add(&entry, "Item", (struct value){.type = VALUE_S, .text = item});
	add_text(&entry, "Version", VALUE_S, version);
	add_text(&entry, "LoserVersion", VALUE_S, version);
	if (winner->version.clock.v != 0) {
		version_text(winner->version, text);
		add_text(&entry, "WinnerVersion", VALUE_S, text);
		add_region(&entry, shard, "WinnerRegion", winner->version.origin);
	}
	add_region(&entry, shard, "LoserRegion", loser->version.origin);
	add_text(&entry, "Reason", VALUE_S, reason);
	snprintf(text, sizeof text, "%" PRIu64,
	    (hlc_ms(loser->version.clock) + shard->options.conflict_retention_ms) / 1000);
	add_text(&entry, "ExpiresAt", VALUE_N, text);
	if (entry.rc == TIDE_OK)
		add_names(&entry, shard, table, key);
	if (entry.rc == TIDE_OK)
		add_image(&entry, "Loser", loser);
	if (entry.rc == TIDE_OK)
		add_image(&entry, "Winner", winner);
	if (entry.rc != TIDE_OK)
		return entry.rc;
	map.map.at = entry.members;
	map.map.n = entry.n;
	if ((entry.rc = value_canonicalize(&map, NULL)) != TIDE_OK)
		return entry.rc;
	value_encode(&map, image);
	return buf_check(image);
}

static tide_err
write_entry(struct group *group, struct unit_build *unit, struct pending *pending, struct bytes image)
{
	struct shard *shard = group->shard;
	struct record *record = group__entry(group, unit);
	tide_err rc;

	if (record == NULL || (record->image = arena_copy(&group->arena, image)).at == NULL)
		return TIDE_NOMEM;
	record->table = TABLE_CONFLICTS;
	record->key = pending->key;
	record->seq = group->next_seq;
	group__own(group, record, hlc_tick(shard->work.clock, group->now_ms));
	if ((rc = group__apply(group, unit, record, true, pending)) != TIDE_OK)
		return rc;
	unit->unit.n_entries++;
	group->next_seq++;
	shard->work.conflicts++;
	return TIDE_OK;
}

/* `unit` NULL: as a write of ours. */
static tide_err
log_loser(struct group *group, struct unit_build *unit, uint64_t table, struct bytes key,
    const struct stored *loser, const struct stored *winner, const char *reason)
{
	struct value partition = {.type = VALUE_S}, sort = {.type = VALUE_S};
	struct buf entry_key = {0}, image = {0};
	const struct table_fold *log = fold_table(&group->shard->work, TABLE_CONFLICTS);
	struct pending *pending;
	char version[VERSION_TEXT];
	tide_err rc;

	if (table <= TABLE_BUILT_IN_MAX || (loser->tombstone && winner->tombstone))
		return TIDE_OK;
	/*
	 * While the log itself is being loaded nothing of ours may get in between; the other regions log this conflict too. One that rejoins
	 * takes entries all the time: what the merging of the other tables finds must be logged, and of two of one conflict it does not matter
	 * which stays.
	 */
	if (log == NULL || (log->state != REPLICA_ACTIVE && log->rejoin == REJOIN_NONE))
		return TIDE_OK;
	version_text(loser->version, version);
	partition.text = item_name(&group->arena, table, key);
	sort.text = bytes_of_string(version);
	if (partition.text.at == NULL)
		return TIDE_NOMEM;
	key_encode(&partition, &sort, &entry_key);
	if ((rc = buf_check(&entry_key)) == TIDE_OK)
		rc = group__pending(group, TABLE_CONFLICTS, buf_bytes(&entry_key), &pending);
	if (rc == TIDE_OK && !pending->exists) {
		rc = encode_entry(group, table, key, loser, winner, reason, partition.text, version, &image);
		if (rc == TIDE_OK && unit != NULL)
			rc = write_entry(group, unit, pending, buf_bytes(&image));
		else if (rc == TIDE_OK)
			rc = group_put(
			    group, TABLE_CONFLICTS, buf_bytes(&entry_key), buf_bytes(&image), false);
	}
	buf_fini(&entry_key);
	buf_fini(&image);
	return rc;
}

uint64_t
shard_conflict_table(struct bytes key)
{
	struct value partition, sort;
	struct arena arena;
	uint64_t table = 0;
	char text[17];

	arena_init(&arena, 0);
	if (key_decode(&arena, key, VALUE_S, true, VALUE_S, &partition, &sort) == TIDE_OK &&
	    partition.text.n > 16) {
		memcpy(text, partition.text.at, 16);
		text[16] = 0;
		table = strtoull(text, NULL, 16);
	}
	arena_fini(&arena);
	return table;
}

tide_err
group__log_conflict(struct group *group, struct unit_build *unit, uint64_t table, struct bytes key,
    const struct stored *loser, const struct stored *winner)
{
	return log_loser(
	    group, unit, table, key, loser, winner, "concurrent writes: the later timestamp won");
}

tide_err
group__log_given_up(struct group *group, uint64_t table, struct bytes key, const struct stored *loser,
    const struct stored *winner)
{
	return log_loser(group, NULL, table, key, loser, winner,
	    "written to a journal that was given up: no other region has it");
}

uint64_t
conflict_expiry_ms(struct bytes key, uint64_t retention_ms)
{
	struct value partition, sort;
	struct arena arena;
	uint64_t clock, ms = 0;
	char text[17];

	arena_init(&arena, 0);
	if (key_decode(&arena, key, VALUE_S, true, VALUE_S, &partition, &sort) == TIDE_OK &&
	    sort.text.n >= 16) {
		memcpy(text, sort.text.at, 16);
		text[16] = 0;
		clock = strtoull(text, NULL, 16);
		ms = hlc_ms((struct hlc){clock}) + retention_ms;
	}
	arena_fini(&arena);
	return ms;
}
