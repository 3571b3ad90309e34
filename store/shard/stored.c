#include "store/shard/stored.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/item/value.h"

#define FORM_ITEM 1
#define FORM_TOMBSTONE 2

void
space_key(uint64_t table, struct bytes key, struct buf *out)
{
	buf_append_byte(out, SPACE_ITEMS);
	buf_append_u64(out, table);
	buf_append(out, key.at, key.n);
}

void
stored_encode(const struct stored *stored, struct buf *out)
{
	buf_append_byte(out, stored->tombstone ? FORM_TOMBSTONE : FORM_ITEM);
	buf_append_u64(out, stored->version.clock.v);
	buf_append_u32(out, stored->version.origin.v);
	buf_append_u64(out, stored->seq);
	if (!stored->tombstone)
		buf_append(out, stored->image.at, stored->image.n);
}

tide_err
stored_decode(struct bytes in, struct stored *out)
{
	if (in.n < STORED_HEADER || (in.at[0] != FORM_ITEM && in.at[0] != FORM_TOMBSTONE))
		return TIDE_CORRUPT;
	out->tombstone = in.at[0] == FORM_TOMBSTONE;
	out->version.clock.v = bytes_u64(in.at + 1);
	out->version.origin.v = bytes_u32(in.at + 9);
	out->seq = bytes_u64(in.at + 13);
	out->image = bytes_of(in.at + STORED_HEADER, in.n - STORED_HEADER);
	return TIDE_OK;
}

fingerprint_t
stored_fingerprint(struct bytes key, const struct stored *stored)
{
	uint64_t words[3];
	XXH128_hash_t hash;

	if (stored->tombstone)
		return 0;
	words[0] = XXH3_64bits(key.at, key.n);
	words[1] = stored->version.clock.v;
	words[2] = stored->version.origin.v;
	hash = XXH3_128bits_withSeed(stored->image.at, stored->image.n, XXH3_64bits(words, sizeof words));
	return (fingerprint_t)hash.high64 << 64 | hash.low64;
}

uint64_t
stored_bytes(const struct stored *stored)
{
	return stored->tombstone ? 0 : item_encoded_size(stored->image);
}

void
seen_put(struct kv_batch *batch, struct jid id, uint64_t seq)
{
	static const uint8_t key = SPACE_SEEN;
	uint8_t value[12];

	for (int i = 0; i < 4; i++)
		value[i] = (uint8_t)(id.v >> 8 * (3 - i));
	for (int i = 0; i < 8; i++)
		value[4 + i] = (uint8_t)(seq >> 8 * (7 - i));
	kv_batch_put(batch, bytes_of(&key, 1), bytes_of(value, sizeof value));
}

tide_err
seen_get(struct kv *kv, struct jid id, uint64_t *seq)
{
	static const uint8_t key = SPACE_SEEN;
	struct buf value = {0};
	tide_err rc = kv_get(kv, NULL, bytes_of(&key, 1), &value);

	*seq = 0;
	if (rc == TIDE_OK && value.n == 12 && bytes_u32(value.at) == id.v)
		*seq = bytes_u64(value.at + 4);
	buf_fini(&value);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}
