#include "api/ops/statement_token.h"

#include <xxhash.h>

/* Written big-endian: version (1) | request (8) | read (4) | key | checksum of all before it (8) */
#define VERSION 1
#define HEAD_BYTES 13
#define CHECK_BYTES 8

uint64_t
statement_token_request(
    const struct json *object, const struct statement_parameters *parameters, uint64_t table, uint64_t index)
{
	struct bytes text = params_string(object, "Statement");
	struct buf all = {0};
	uint64_t hash;

	buf_append_u64(&all, table);
	buf_append_u64(&all, index);
	buf_append_u64(&all, text.n);
	buf_append(&all, text.at, text.n);
	for (uint32_t i = 0; i < parameters->n; i++)
		value_encode(&parameters->at[i], &all);
	hash = XXH3_64bits(all.at, all.n);
	buf_fini(&all);
	return hash;
}

void
statement_token_write(struct buf *out, uint64_t request, const struct statement_position *position)
{
	struct buf token = {0};

	buf_append_byte(&token, VERSION);
	buf_append_u64(&token, request);
	buf_append_u32(&token, position->read);
	buf_append(&token, position->after.at, position->after.n);
	buf_append_u64(&token, XXH3_64bits(token.at, token.n));
	if (buf_check(&token) == TIDE_OK)
		json_write_base64(out, buf_bytes(&token));
	else
		out->failed = true;
	buf_fini(&token);
}

tide_err
statement_token_read(struct arena *arena, struct bytes text, uint64_t request, struct statement_position *out,
    struct tide_error *error)
{
	struct bytes token;
	tide_err rc;

	rc = json_read_base64(arena, text, &token);
	if (rc == TIDE_NOMEM)
		return tide_fail(error, rc, NULL);
	if (rc != TIDE_OK || token.n < HEAD_BYTES + CHECK_BYTES || token.at[0] != VERSION ||
	    bytes_u64(token.at + token.n - CHECK_BYTES) != XXH3_64bits(token.at, token.n - CHECK_BYTES))
		return tide_fail(error, TIDE_VALIDATION, "Invalid NextToken");
	if (bytes_u64(token.at + 1) != request)
		return tide_fail(error, TIDE_VALIDATION, "NextToken does not match request");
	out->read = bytes_u32(token.at + 9);
	out->after = bytes_of(token.at + HEAD_BYTES, token.n - HEAD_BYTES - CHECK_BYTES);
	return TIDE_OK;
}
