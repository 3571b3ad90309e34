/*
 * Settings of a table as CreateTable and UpdateTable spell them: their shapes, and reading them with DynamoDB's rules.
 */
#ifndef TIDE_API_OPS_TABLE_SETTINGS_H
#define TIDE_API_OPS_TABLE_SETTINGS_H

#include "api/ops/ops.h"

extern const struct param table_throughput_shape[]; /* ProvisionedThroughput */
extern const struct param table_stream_shape[]; /* StreamSpecification */
extern const char *const table_billing_modes[];
extern const char *const table_classes[];
extern const struct param table_sse_shape[]; /* SSESpecification */

/**
 * TableClass and SSESpecification may say what holds anyway (STANDARD; not enabled); anything more is TIDE_VALIDATION: not supported.
 */
tide_err table_settings_refuse(const struct json *body, struct tide_error *error);

/** A new stream of that view on `table`: view, label and time. */
void table_stream_start(struct table *table, enum stream_view view, uint64_t now_ms);

/** Milliseconds since the Unix epoch. */
uint64_t table_now_ms(struct region *region);

#endif
