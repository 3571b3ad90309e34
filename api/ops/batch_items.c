#include "api/ops/batch_items.h"

#include <stdio.h>

tide_err
batch_items_check(const struct json *items, uint32_t writes_max, struct tide_error *error)
{
	struct violations violations = {0};
	const struct json_member *table;
	char at[320], constraint[160];
	int n;
	uint32_t i;

	snprintf(constraint, sizeof constraint,
	    "Map value must satisfy constraint: [Member must have length less than or equal to %u, "
	    "Member must have length greater than or equal to 1]",
	    writes_max);
	for (i = 0; i < items->object.n; i++) {
		table = &items->object.at[i];
		if (table->value.type == JSON_NULL) {
			n = table->name.n < 255 ? (int)table->name.n : 255;
			snprintf(at, sizeof at, "requestItems.%.*s.member", n, (const char *)table->name.at);
			violations_add(&violations, BYTES_LITERAL("null"), at, "Member must not be null");
		} else if (writes_max != 0 &&
			   (table->value.array.n < 1 || table->value.array.n > writes_max)) {
			violations_add(&violations, table->name, "requestItems", constraint);
		}
	}
	return violations_finish(&violations, error);
}
