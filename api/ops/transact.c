#include "api/ops/transact.h"

tide_err
transact_reason_set(struct transact_reason *reason, struct arena *arena, const struct tide_error *error)
{
	struct bytes copy = arena_copy(arena, bytes_of_string(error->message));

	if (copy.at == NULL)
		return TIDE_NOMEM;
	reason->code = error->code;
	reason->message = (const char *)copy.at;
	return TIDE_OK;
}

bool
transact_is_upfront(const struct tide_error *error)
{
	static const char begins[] = "One or more parameter values are not valid. ";

	return error->code == TIDE_VALIDATION && strncmp(error->message, begins, sizeof begins - 1) == 0;
}

static const char *
code_of(tide_err code)
{
	switch (code) {
	case TIDE_OK:
		return "None";
	case TIDE_CONDITION_FAILED:
		return "ConditionalCheckFailed";
	case TIDE_THROUGHPUT_EXCEEDED:
		return "ProvisionedThroughputExceeded";
	case TIDE_THROTTLED:
		return "ThrottlingError";
	case TIDE_ITEM_COLLECTION_SIZE:
		return "ItemCollectionSizeLimitExceeded";
	case TIDE_DUPLICATE_ITEM: /* PartiQL's */
		return "DuplicateItem";
	case TIDE_RESOURCE_NOT_FOUND:
		return "ResourceNotFound";
	default:
		return "ValidationError";
	}
}

static tide_err
write_reason(struct buf *out, const struct transact_reason *reason)
{
	const char *message = reason->message != NULL ? reason->message : tide_err_text(reason->code);
	tide_err rc = TIDE_OK;

	buf_append_byte(out, '{');
	if (reason->item.at != NULL) {
		buf_append_string(out, "\"Item\":");
		rc = json_write_encoded_item(out, reason->item);
		buf_append_byte(out, ',');
	}
	buf_append_format(out, "\"Code\":\"%s\"", code_of(reason->code));
	if (reason->code != TIDE_OK) {
		buf_append_string(out, ",\"Message\":");
		json_write_string(out, bytes_of_string(message));
	}
	buf_append_byte(out, '}');
	return rc;
}

tide_err
transact_cancel(const struct transact_reason *reasons, size_t size, uint32_t n, struct buf *members,
    struct tide_error *error)
{
	const uint8_t *at = (const uint8_t *)reasons;
	tide_err rc = TIDE_OK;

	buf_clear(members);
	buf_append_string(members, ",\"CancellationReasons\":[");
	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++) {
		buf_append_string(members, i == 0 ? "" : ",");
		rc = write_reason(members, (const struct transact_reason *)(at + i * size));
	}
	/* Of a hundred actions the list alone is longer than an error's sentence may be. */
	buf_append_string(members, "],\"Message\":\"Transaction cancelled, please refer cancellation reasons "
				   "for specific reasons [");
	for (uint32_t i = 0; i < n; i++)
		buf_append_format(members, "%s%s", i == 0 ? "" : ", ",
		    code_of(((const struct transact_reason *)(at + i * size))->code));
	buf_append_string(members, "]\"");
	buf_append_byte(members, '\0');
	if (rc == TIDE_OK)
		rc = buf_check(members);
	return tide_fail(error, rc == TIDE_OK ? TIDE_TRANSACTION_CANCELED : rc, NULL);
}

tide_err
transact_check_distinct(
    const uint64_t *tables, const struct bytes *keys, uint32_t n, struct tide_error *error)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = 0; k < i && keys[i].n != 0; k++)
			if (tables[i] == tables[k] && bytes_equal(keys[i], keys[k]))
				return tide_fail(error, TIDE_VALIDATION,
				    "Transaction request cannot include multiple operations on one item");
	return TIDE_OK;
}
