/*
 * Walking and printing the JSON trees that regions answer.
 */
#ifndef TIDE_DEPLOY_TREE_H
#define TIDE_DEPLOY_TREE_H

#include "api/json/json.h"

/** Follow "Table.Replicas.0.RegionName"; NULL where the path leads nowhere or to null. Borrowed from the tree. */
const struct json *tree_follow(const struct json *json, const char *path);

/** The text of a string or number at a path; BYTES_NONE where there is none. Borrowed. */
struct bytes tree_text(const struct json *json, const char *path);

/** The whole number at a path, as a JSON number or a string of digits; 0 where there is none. */
uint64_t tree_number(const struct json *json, const char *path);

/** Is there `true` at the path? */
bool tree_true(const struct json *json, const char *path);

/** Append the tree as JSON without spaces. */
void tree_write(struct buf *out, const struct json *json);

#endif
