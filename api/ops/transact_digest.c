#include "api/ops/transact_digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct transact_digest {
	XXH3_state_t *state;
	struct buf scratch;
	bool failed;
};

/* The state wants to lie on 64 bytes; an arena gives less. */
#define STATE_ALIGN 64

struct transact_digest *
transact_digest_new(struct arena *arena)
{
	struct transact_digest *digest = arena_calloc(arena, sizeof *digest);
	uint8_t *room = arena_alloc(arena, sizeof(XXH3_state_t) + STATE_ALIGN);

	if (digest == NULL || room == NULL)
		return NULL;
	room += STATE_ALIGN - (uintptr_t)room % STATE_ALIGN;
	digest->state = (XXH3_state_t *)(void *)room;
	XXH3_128bits_reset(digest->state);
	return digest;
}

void
transact_digest_number(struct transact_digest *digest, uint64_t number)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> 8 * i);
	XXH3_128bits_update(digest->state, bytes, sizeof bytes);
}

void
transact_digest_text(struct transact_digest *digest, struct bytes text)
{
	transact_digest_number(digest, text.at == NULL ? UINT64_MAX : text.n);
	if (text.n > 0)
		XXH3_128bits_update(digest->state, text.at, text.n);
}

void
transact_digest_value(struct transact_digest *digest, const struct value *value)
{
	buf_clear(&digest->scratch);
	value_encode(value, &digest->scratch);
	digest->failed |= buf_check(&digest->scratch) != TIDE_OK;
	transact_digest_text(digest, buf_bytes(&digest->scratch));
}

void
transact_digest_scope(struct transact_digest *digest, const struct expr_scope *scope)
{
	transact_digest_number(digest, scope->names.n);
	for (uint32_t i = 0; i < scope->names.n; i++) {
		transact_digest_text(digest, scope->names.at[i].placeholder);
		transact_digest_text(digest, scope->names.at[i].name);
	}
	transact_digest_number(digest, scope->values.n);
	for (uint32_t i = 0; i < scope->values.n; i++) {
		transact_digest_text(digest, scope->values.at[i].placeholder);
		transact_digest_value(digest, &scope->values.at[i].value);
	}
}

tide_err
transact_digest_end(struct transact_digest *digest, uint8_t out[TRANSACT_DIGEST_BYTES])
{
	XXH128_hash_t hash = XXH3_128bits_digest(digest->state);

	for (int i = 0; i < 8; i++) {
		out[i] = (uint8_t)(hash.high64 >> 8 * i);
		out[8 + i] = (uint8_t)(hash.low64 >> 8 * i);
	}
	transact_digest_drop(digest);
	return digest->failed ? TIDE_NOMEM : TIDE_OK;
}

void
transact_digest_drop(struct transact_digest *digest)
{
	buf_fini(&digest->scratch);
}
