/*
 * Settings of a table as CreateTable and UpdateTable spell them: their shapes, and reading them with DynamoDB's rules.
 */
#ifndef TIDE_API_OPS_TABLE_SETTINGS_H
#define TIDE_API_OPS_TABLE_SETTINGS_H

#include "api/ops/ops.h"

extern const struct param table_throughput_shape[]; /* ProvisionedThroughput */
extern const struct param table_stream_shape[]; /* StreamSpecification */
extern const char *const table_billing_modes[];
extern const struct param table_sse_shape[]; /* SSESpecification */
extern const struct param table_maximum_shape[]; /* OnDemandThroughput */
extern const struct param table_warm_shape[]; /* WarmThroughput */

/* What a request says about these settings. */
struct table_asked {
	bool sets_class, infrequent;
	bool sets_encryption, encrypted;
	bool sets_maximum, sets_warm;
	int64_t read_max, write_max; /* 0: not said; -1: none any more */
	int64_t warm_read, warm_write; /* 0: not said */
};

/** Read them out of a checked body, with the rules that need no table. TIDE_VALIDATION. */
tide_err table_asked_read(
    struct region *region, const struct json *body, struct table_asked *out, struct tide_error *error);

/** Into the description of a table that is being created; its capacity is set already. TIDE_VALIDATION. */
tide_err table_asked_create(
    struct table *table, const struct table_asked *asked, uint64_t now_ms, struct tide_error *error);

/**
 * Into a table that there is, and its facts written. On the committer's thread. TIDE_VALIDATION: nothing written. What was said about the
 * maximums is for on-demand tables: `table` has its new mode already.
 */
tide_err table_asked_apply(struct region *region, struct group *group, struct table *table,
    const struct table_asked *asked, uint64_t now_ms, struct tide_error *error);

/** What the table is warm for: what was asked for, or more where its capacity gives more. It never becomes less. */
uint64_t table_warm_read(const struct table *table);
uint64_t table_warm_write(const struct table *table);

/** Append the ARN of the region's default key, alias/aws/dynamodb. */
void table_default_key_arn(struct buf *out, const struct config *config);

/** A new stream of that view on `table`: view, label and time. */
void table_stream_start(struct table *table, enum stream_view view, uint64_t now_ms);

/** Milliseconds since the Unix epoch. */
uint64_t table_now_ms(struct region *region);

#endif
