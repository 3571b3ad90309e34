/* The entry of an item, from its stored bytes: every write of an indexed table needs it, and a record from a peer is never decoded. */
#include "store/item/codec.h"
#include "store/item/key.h"
#include "store/item/number.h"
#include "store/shard/index_priv.h"

#define PROJECTED_MAX (2 * INDEX_KEYS_MAX + INDEX_INCLUDES_MAX + 2)

struct parts {
	const struct index_def *def;
	struct value partitions[INDEX_KEYS_MAX], sorts[INDEX_KEYS_MAX];
	unsigned found; /* key attributes */
	struct bytes members[PROJECTED_MAX]; /* name and value as they are stored */
	uint32_t n_members;
};

enum part { PART_NONE, PART_PROJECTED, PART_BAD };

/* A key attribute has the type that the index wants, and a value that can be a key. */
static bool
is_key(const struct index_key *key, const struct codec_head *head)
{
	if (head->type != key->type)
		return false;
	return head->type == VALUE_N ? number_text_is_canonical(head->text) : head->text.n > 0;
}

static enum part
take_key(struct parts *parts, const struct index_key *keys, unsigned n, struct value *values,
    struct bytes name, const struct codec_head *head)
{
	enum part part = PART_NONE;

	for (unsigned i = 0; i < n; i++) {
		if (!bytes_equal(keys[i].name, name))
			continue;
		if (!is_key(&keys[i], head))
			return PART_BAD;
		values[i] = (struct value){.type = head->type, .text = head->text};
		parts->found++;
		part = PART_PROJECTED;
	}
	return part;
}

static bool
is_named(const struct bytes *names, unsigned n, struct bytes name)
{
	for (unsigned i = 0; i < n; i++)
		if (bytes_equal(names[i], name))
			return true;
	return false;
}

/* One attribute of the item. */
static enum part
take_member(struct parts *parts, struct bytes name, const struct codec_head *head)
{
	const struct index_def *def = parts->def;
	enum part a = take_key(parts, def->partitions, def->n_partitions, parts->partitions, name, head);
	enum part b = a == PART_BAD ? a : take_key(parts, def->sorts, def->n_sorts, parts->sorts, name, head);

	if (a == PART_BAD || b == PART_BAD)
		return PART_BAD;
	if (a == PART_PROJECTED || b == PART_PROJECTED)
		return PART_PROJECTED;
	return is_named(def->table_keys, def->n_table_keys, name) ||
		       (def->projection == INDEX_INCLUDE && is_named(def->includes, def->n_includes, name))
		   ? PART_PROJECTED
		   : PART_NONE;
}

/* Its key attributes, and what is projected of it. */
static bool
take_apart(struct parts *parts, struct bytes image)
{
	struct codec_head item, head;

	if (!codec_read(&image, &item) || item.type != VALUE_M)
		return false;
	for (uint32_t i = 0; i < item.n; i++) {
		struct bytes member = image, value, name;
		enum part part;

		if (!codec_read_text(&image, false, &name))
			return false;
		value = image;
		if (!codec_read(&value, &head) || !codec_skip(&image))
			return false;
		if ((part = take_member(parts, name, &head)) == PART_BAD)
			return false;
		if (part == PART_NONE || parts->def->projection == INDEX_ALL)
			continue;
		if (parts->n_members == PROJECTED_MAX)
			return false; /* a name twice: nothing that is ours to index */
		parts->members[parts->n_members++] = bytes_of(member.at, (size_t)(image.at - member.at));
	}
	return parts->found == (unsigned)parts->def->n_partitions + parts->def->n_sorts;
}

/* All values of a key together keep within the bound of a single one. */
static bool
fits(const struct value *values, unsigned n, size_t max)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += values[i].type == VALUE_N ? number_text_size(values[i].text) : values[i].text.n;
	return size <= max;
}

bool
index_entry(const struct index_def *def, struct bytes item_key, struct bytes image, struct buf *key,
    struct buf *value, uint64_t *bytes)
{
	struct parts parts = {.def = def};
	size_t start;

	if (!take_apart(&parts, image) ||
	    !fits(parts.partitions, def->n_partitions, PARTITION_KEY_BYTES_MAX) ||
	    !fits(parts.sorts, def->n_sorts, SORT_KEY_BYTES_MAX))
		return false;
	key_encode_composite(parts.partitions, def->n_partitions, parts.sorts, def->n_sorts, key);
	buf_append(key, item_key.at, item_key.n);
	if (value == NULL)
		return true;
	start = value->n;
	if (def->projection != INDEX_ALL) {
		codec_append_map(value, parts.n_members);
		for (uint32_t i = 0; i < parts.n_members; i++)
			buf_append(value, parts.members[i].at, parts.members[i].n);
	}
	if (bytes != NULL && def->projection == INDEX_ALL)
		*bytes = item_encoded_size(image);
	else if (bytes != NULL && !value->failed)
		*bytes = item_encoded_size(bytes_of(value->at + start, value->n - start));
	return true;
}

bool
index_item_key(const struct index_def *def, struct bytes entry_key, struct bytes *item_key)
{
	struct bytes rest;

	if (entry_key.n < KEY_HASH_BYTES)
		return false;
	rest = bytes_of(entry_key.at + KEY_HASH_BYTES, entry_key.n - KEY_HASH_BYTES);
	for (unsigned i = 0; i < def->n_partitions; i++)
		if (!key_skip(&rest, def->partitions[i].type))
			return false;
	for (unsigned i = 0; i < def->n_sorts; i++)
		if (!key_skip(&rest, def->sorts[i].type))
			return false;
	*item_key = rest;
	return rest.n > 0;
}

void
index_space_key(uint64_t table, uint64_t index, struct bytes entry_key, struct buf *out)
{
	buf_append_byte(out, SPACE_INDEXES);
	buf_append_u64(out, table);
	buf_append_u64(out, index);
	buf_append(out, entry_key.at, entry_key.n);
}

/* Everything between two prefixes. */
static tide_err
clear(struct kv *kv, struct buf *from, struct buf *to)
{
	tide_err rc;

	if ((rc = buf_check(from)) == TIDE_OK && (rc = buf_check(to)) == TIDE_OK)
		rc = kv_delete_range(kv, buf_bytes(from), buf_bytes(to));
	buf_fini(from);
	buf_fini(to);
	return rc;
}

tide_err
index__clear(struct kv *kv, uint64_t table, uint64_t index)
{
	struct buf from = {0}, to = {0};

	index_space_key(table, index, BYTES_NONE, &from);
	if (index < UINT64_MAX) {
		index_space_key(table, index + 1, BYTES_NONE, &to);
	} else {
		buf_append_byte(&to, SPACE_INDEXES);
		buf_append_u64(&to, table + 1);
	}
	return clear(kv, &from, &to);
}

tide_err
index__clear_table(struct kv *kv, uint64_t table)
{
	struct buf from = {0}, to = {0};

	buf_append_byte(&from, SPACE_INDEXES);
	buf_append_u64(&from, table);
	buf_append_byte(&to, SPACE_INDEXES);
	buf_append_u64(&to, table + 1);
	return clear(kv, &from, &to);
}
