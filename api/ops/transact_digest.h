/*
 * What must be the same in two calls with one client token, as a digest: everything that a transaction does, however its JSON was
 * written. What a call wants to be told (ReturnConsumedCapacity, ReturnItemCollectionMetrics) is no part of it. Any thread.
 */
#ifndef TIDE_API_OPS_TRANSACT_DIGEST_H
#define TIDE_API_OPS_TRANSACT_DIGEST_H

#include "api/expr/expr.h"

#define TRANSACT_DIGEST_BYTES 16

struct transact_digest;

/** In the arena; NULL: no memory. End it by transact_digest_end, or give it up by transact_digest_drop. */
struct transact_digest *transact_digest_new(struct arena *arena);

/** Each part is told from the next: a text, a number, a value, names and values. `text` may be absent (BYTES_NONE). */
void transact_digest_text(struct transact_digest *digest, struct bytes text);
void transact_digest_number(struct transact_digest *digest, uint64_t number);
void transact_digest_value(struct transact_digest *digest, const struct value *value);
void transact_digest_scope(struct transact_digest *digest, const struct expr_scope *scope);

/** The digest of all parts so far. TIDE_NOMEM: some part did not fit in memory. */
tide_err transact_digest_end(struct transact_digest *digest, uint8_t out[TRANSACT_DIGEST_BYTES]);
void transact_digest_drop(struct transact_digest *digest);

#endif
