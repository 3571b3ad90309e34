/*
 * Attribute values and items, in memory: a tree in an arena.
 *
 * Canonical form, which every producer keeps: map members and item attributes in byte order of their names, no
 * name twice; set elements in order (numbers numerically, others bytewise), none twice; numbers hold canonical
 * text (number_format). So equal values have equal encodings, in every region. Trees are immutable once built and may
 * share parts; they live as long as their arena (or what their slices borrow).
 */
#ifndef TIDE_STORE_ITEM_VALUE_H
#define TIDE_STORE_ITEM_VALUE_H

#include "base/arena.h"

/* The order is DynamoDB's type code list; `value_type_name` gives "S", "N", ... */
enum value_type {
	VALUE_S,
	VALUE_N,
	VALUE_B,
	VALUE_SS,
	VALUE_NS,
	VALUE_BS,
	VALUE_M,
	VALUE_L,
	VALUE_NULL,
	VALUE_BOOL,
};

struct member;

struct value {
	enum value_type type;
	union {
		bool boolean; /* BOOL */
		struct bytes text; /* S (UTF-8), N (canonical text), B (raw bytes) */
		struct {
			struct value *at;
			uint32_t n;
		} list; /* L; SS, NS, BS (elements typed S, N, B) */
		struct {
			struct member *at;
			uint32_t n;
		} map; /* M */
	};
};

struct member {
	struct bytes name;
	struct value value;
};

/* An item is a map of attributes; `struct value` of type M. */

#define ITEM_BYTES_MAX (400 * 1024)
#define NESTING_MAX 32
#define PARTITION_KEY_BYTES_MAX 2048
#define SORT_KEY_BYTES_MAX 1024

/** "S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL". */
const char *value_type_name(enum value_type type);

/** The member of that name in a map (binary search); NULL if absent. */
const struct value *value_map_get(const struct value *map, struct bytes name);

/** Deep equality as DynamoDB's `=`: numbers by value, sets as sets. */
bool value_equal(const struct value *a, const struct value *b);

/** Order of two scalars of one type S, N or B: <0, 0, >0. The caller checked the types. */
int value_compare(const struct value *a, const struct value *b);

/**
 * Sort a map's members or a set's elements into canonical order, in place.
 * TIDE_VALIDATION with DynamoDB's sentence when a set holds an element twice.
 */
tide_err value_canonicalize(struct value *value, struct tide_error *error);

/** A deep copy into `arena`; NULL: no memory. */
struct value *value_copy(struct arena *arena, const struct value *value);

/** Size as DynamoDB counts it, names included for the members of a map at the top (an item). */
size_t value_size(const struct value *value);
size_t item_size(const struct value *item);

/** The same of a stored item, from its bytes; 0 when they are not one. */
size_t item_encoded_size(struct bytes encoded);

/** Append the stored form (msgpack; docs/item-format.md). Canonical in, canonical out. */
void value_encode(const struct value *value, struct buf *out);

/**
 * Decode a stored value. Strings borrow from `in`, which must outlive the tree; the rest is in `arena`.
 * Errors     TIDE_CORRUPT: not a value in canonical form, nested deeper than NESTING_MAX + 1, or trailing bytes.
 *            TIDE_NOMEM.
 */
tide_err value_decode(struct arena *arena, struct bytes in, struct value *out);

#endif
