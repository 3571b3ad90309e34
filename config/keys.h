/*
 * The table of configuration keys: what each may hold, its default, and where it goes. Private to config/.
 * docs/configuration.md documents the same keys in the same order.
 */
#ifndef TIDE_CONFIG_KEYS_H
#define TIDE_CONFIG_KEYS_H

#include <stdint.h>
#include <string.h>

#include "config/config.h"

enum key_kind { KEY_INT, KEY_STRING };

#define KEY_REQUIRED INT64_MIN /* the file must say */
#define KEY_COMPUTED (INT64_MIN + 1) /* config_load works it out */

struct key {
	const char *group; /* NULL: top level */
	const char *name;
	enum key_kind kind;
	size_t offset, size; /* of the field */
	int64_t low, high; /* KEY_INT: the range, both ends included */
	int64_t fallback;
	const char *text; /* KEY_STRING's default; NULL: required; "": config_load works it out */
	const char *(*check)(const char *text); /* what is wrong with it; NULL: nothing */
};

extern const struct key config_keys[];
extern const size_t config_keys_n;
extern const struct key config_peer_keys[];
extern const size_t config_peer_keys_n;

#endif
