/*
 * Tags of a table: reading them out of a request with DynamoDB's rules, and putting them among those that the table has.
 */
#ifndef TIDE_API_OPS_TAGS_H
#define TIDE_API_OPS_TAGS_H

#include "api/ops/ops.h"

#define TAGS_MAX 50 /* of a table */

extern const struct param tags_element; /* of a list of Tag */

/** Keys and values of a checked list of Tag: lengths, characters, no key twice, none that begins with "aws:". TIDE_VALIDATION. */
tide_err tags_check(const struct json *list, struct tide_error *error);

/** A single key of UntagResource. TIDE_VALIDATION. */
tide_err tag_key_check(struct bytes key, struct tide_error *error);

/** Put the checked list among the table's tags, in its arena. TIDE_VALIDATION: more than TAGS_MAX; TIDE_NOMEM. */
tide_err tags_merge(struct table *table, const struct json *list, struct tide_error *error);

#endif
