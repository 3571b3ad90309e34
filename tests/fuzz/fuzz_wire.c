/* Any bytes as a message of the replication protocol: refused, or what they decode to encodes and decodes to the same again. */
#include <stdlib.h>

#include "replicator/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct wire_message message, again;
	struct buf once = {0}, twice = {0}, plain = {0};
	struct tide_error error;
	struct arena arena;

	arena_init(&arena, 16 << 20);
	if (wire_decode_body(&arena, bytes_of(at, n), &message, &error) == TIDE_OK) {
		if (wire_encode(&message, &once) != TIDE_OK)
			abort();
		if (wire_decode(&arena, buf_bytes(&once), &again, &error) == TIDE_OK) {
			if (wire_encode(&again, &twice) != TIDE_OK ||
			    !bytes_equal(buf_bytes(&once), buf_bytes(&twice)))
				abort();
		} else if (error.code != TIDE_NOMEM) {
			abort();
		}
		if (message.type == WIRE_RECORDS && message.records.plain_bytes > 0 &&
		    message.records.plain_bytes < 1 << 20)
			(void)wire_decompress(message.records.units, message.records.plain_bytes, &plain);
	}
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&plain);
	arena_fini(&arena);
	return 0;
}
