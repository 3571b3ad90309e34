#include "store/item/key.h"

#include <assert.h>
#include <xxhash.h>

#include "store/item/number.h"

/* In S and B keys 00 becomes 00 ff, and 00 00 ends: the end sorts before every continuation. */
#define ESCAPED_ZERO 0xff

uint64_t
key_hash(const struct value *partition)
{
	/* Of the text, which is canonical for numbers too. XXH3's result is fixed for ever since version 0.8.0. */
	return XXH3_64bits(partition->text.at, partition->text.n);
}

static void
append_escaped(struct bytes text, struct buf *out)
{
	const uint8_t *at = text.at, *end, *zero;

	if (text.n == 0)
		return; /* `at` may be NULL */
	end = at + text.n;
	while (at < end && (zero = memchr(at, 0, (size_t)(end - at))) != NULL) {
		buf_append(out, at, (size_t)(zero - at) + 1);
		buf_append_byte(out, ESCAPED_ZERO);
		at = zero + 1;
	}
	buf_append(out, at, (size_t)(end - at));
}

static void
append_scalar(const struct value *value, struct buf *out)
{
	struct number number;
	tide_err rc;

	assert(value->type <= VALUE_B);
	if (value->type == VALUE_N) {
		rc = number_parse(value->text, &number, NULL);
		assert(rc == TIDE_OK); /* values hold canonical numbers */
		(void)rc;
		number_key_append(&number, out);
		return;
	}
	append_escaped(value->text, out);
	buf_append(out, "\0", 2);
}

void
key_encode_partition(const struct value *partition, struct buf *out)
{
	buf_append_u64(out, key_hash(partition));
	append_scalar(partition, out);
}

void
key_encode_sort(const struct value *sort, struct buf *out)
{
	append_scalar(sort, out);
}

void
key_encode_sort_prefix(const struct value *prefix, struct buf *out)
{
	assert(prefix->type == VALUE_S || prefix->type == VALUE_B);
	append_escaped(prefix->text, out);
}

void
key_encode(const struct value *partition, const struct value *sort, struct buf *out)
{
	key_encode_partition(partition, out);
	if (sort != NULL)
		key_encode_sort(sort, out);
}

void
key_encode_composite_partition(const struct value *partitions, unsigned n_partitions, struct buf *out)
{
	size_t start = out->n;
	uint64_t hash;

	assert(n_partitions > 0);
	if (n_partitions == 1) {
		key_encode_partition(partitions, out);
		return;
	}
	buf_append_u64(out, 0); /* the hash's place */
	for (unsigned i = 0; i < n_partitions; i++)
		append_scalar(&partitions[i], out);
	if (out->failed)
		return;
	hash = XXH3_64bits(out->at + start + KEY_HASH_BYTES, out->n - start - KEY_HASH_BYTES);
	for (unsigned i = 0; i < KEY_HASH_BYTES; i++)
		out->at[start + i] = (uint8_t)(hash >> 8 * (KEY_HASH_BYTES - 1 - i));
}

void
key_encode_composite(const struct value *partitions, unsigned n_partitions, const struct value *sorts,
    unsigned n_sorts, struct buf *out)
{
	key_encode_composite_partition(partitions, n_partitions, out);
	for (unsigned i = 0; i < n_sorts; i++)
		append_scalar(&sorts[i], out);
}

bool
key_skip(struct bytes *in, enum value_type type)
{
	const uint8_t *at = in->at, *end = in->at + in->n, *zero;
	struct number number;

	if (type == VALUE_N)
		return number_key_read(in, &number) == TIDE_OK;
	for (;;) {
		zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
		if (zero == NULL || zero + 1 == end || (zero[1] != 0 && zero[1] != ESCAPED_ZERO))
			return false;
		at = zero + 2;
		if (zero[1] == 0)
			break;
	}
	*in = bytes_of(at, (size_t)(end - at));
	return true;
}

static tide_err
read_number(struct arena *arena, struct bytes *in, struct value *out)
{
	char text[NUMBER_TEXT_MAX];
	struct number number;
	tide_err rc;

	if ((rc = number_key_read(in, &number)) != TIDE_OK)
		return rc;
	out->type = VALUE_N;
	out->text = arena_copy(arena, bytes_of(text, number_write(&number, text)));
	return out->text.at != NULL ? TIDE_OK : TIDE_NOMEM;
}

static tide_err
read_scalar(struct arena *arena, struct bytes *in, enum value_type type, struct value *out)
{
	const uint8_t *at = in->at, *end = in->at + in->n, *zero;
	uint8_t *text;
	size_t n = 0;

	if (type == VALUE_N)
		return read_number(arena, in, out);
	if ((text = arena_alloc(arena, in->n)) == NULL) /* unescaped is never longer */
		return TIDE_NOMEM;
	for (;;) {
		zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
		if (zero == NULL || zero + 1 == end)
			return TIDE_CORRUPT;
		memcpy(text + n, at, (size_t)(zero - at));
		n += (size_t)(zero - at);
		at = zero + 2;
		if (zero[1] == 0)
			break;
		if (zero[1] != ESCAPED_ZERO)
			return TIDE_CORRUPT;
		text[n++] = 0;
	}
	out->type = type;
	out->text = bytes_of(text, n);
	*in = bytes_of(at, (size_t)(end - at));
	return TIDE_OK;
}

tide_err
key_decode(struct arena *arena, struct bytes key, enum value_type partition_type, bool has_sort,
    enum value_type sort_type, struct value *partition, struct value *sort)
{
	struct value p, s = {0};
	struct bytes rest;
	tide_err rc;

	assert(partition_type <= VALUE_B && (!has_sort || sort_type <= VALUE_B));
	if (key.n < KEY_HASH_BYTES)
		return TIDE_CORRUPT;
	rest = bytes_of(key.at + KEY_HASH_BYTES, key.n - KEY_HASH_BYTES);
	if ((rc = read_scalar(arena, &rest, partition_type, &p)) != TIDE_OK)
		return rc;
	if (has_sort && (rc = read_scalar(arena, &rest, sort_type, &s)) != TIDE_OK)
		return rc;
	if (rest.n != 0 || bytes_u64(key.at) != key_hash(&p))
		return TIDE_CORRUPT;
	*partition = p;
	if (has_sort)
		*sort = s;
	return TIDE_OK;
}

bool
key_prefix_end(struct bytes prefix, struct buf *out)
{
	size_t n = prefix.n;

	while (n > 0 && prefix.at[n - 1] == 0xff)
		n--;
	if (n == 0)
		return false;
	buf_append(out, prefix.at, n - 1);
	buf_append_byte(out, prefix.at[n - 1] + 1);
	return true;
}
