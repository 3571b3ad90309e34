#include "store/item/value.h"

#include <assert.h>
#include <stdlib.h>

#include "store/item/number.h"

#define SORT_IN_PLACE_MAX 16

const char *
value_type_name(enum value_type type)
{
	static const char *const names[] = {"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"};

	assert((size_t)type < sizeof names / sizeof names[0]);
	return names[type];
}

const struct value *
value_map_get(const struct value *map, struct bytes name)
{
	uint32_t low = 0, high = map->map.n;

	assert(map->type == VALUE_M);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = bytes_compare(map->map.at[middle].name, name);

		if (order == 0)
			return &map->map.at[middle].value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int
value_compare(const struct value *a, const struct value *b)
{
	assert(a->type == b->type && a->type <= VALUE_B);
	return a->type == VALUE_N ? number_text_compare(a->text, b->text) : bytes_compare(a->text, b->text);
}

bool
value_equal(const struct value *a, const struct value *b)
{
	uint32_t i;

	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_S:
	case VALUE_N: /* canonical: equal numbers have one text */
	case VALUE_B:
		return bytes_equal(a->text, b->text);
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS: /* in one order on both sides */
	case VALUE_L:
		if (a->list.n != b->list.n)
			return false;
		for (i = 0; i < a->list.n; i++) {
			if (!value_equal(&a->list.at[i], &b->list.at[i]))
				return false;
		}
		return true;
	case VALUE_M:
		if (a->map.n != b->map.n)
			return false;
		for (i = 0; i < a->map.n; i++) {
			if (!bytes_equal(a->map.at[i].name, b->map.at[i].name) ||
			    !value_equal(&a->map.at[i].value, &b->map.at[i].value))
				return false;
		}
		return true;
	}
	return false;
}

static int
compare_members(const void *a, const void *b)
{
	return bytes_compare(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int
compare_elements(const void *a, const void *b)
{
	return value_compare(a, b);
}

/* A stable sort of few: what nearly every item is. */
static void
insertion_sort(uint8_t *at, size_t n, size_t width, int (*compare)(const void *, const void *))
{
	_Alignas(16) uint8_t held[sizeof(struct member)];
	size_t i, j;

	for (i = 1; i < n; i++) {
		for (j = i; j > 0 && compare(at + (j - 1) * width, at + i * width) > 0; j--)
			;
		if (j == i)
			continue;
		memcpy(held, at + i * width, width);
		memmove(at + (j + 1) * width, at + j * width, (i - j) * width);
		memcpy(at + j * width, held, width);
	}
}

/* A stable merge sort from the bottom up; `spare` is as large as `at`. The result is in `at`. */
static void
merge_sort(uint8_t *at, uint8_t *spare, size_t n, size_t width, int (*compare)(const void *, const void *))
{
	uint8_t *from = at, *to = spare, *swap;
	size_t run, start, i, j, k, middle, end;

	for (start = 0; start < n; start += SORT_IN_PLACE_MAX)
		insertion_sort(at + start * width,
		    n - start < SORT_IN_PLACE_MAX ? n - start : SORT_IN_PLACE_MAX, width, compare);
	for (run = SORT_IN_PLACE_MAX; run < n; run *= 2) {
		for (start = 0; start < n; start = end) {
			middle = n - start < run ? n : start + run;
			end = n - middle < run ? n : middle + run;
			for (i = start, j = middle, k = start; k < end; k++) {
				if (j == end ||
				    (i < middle && compare(from + i * width, from + j * width) <= 0))
					memcpy(to + k * width, from + i++ * width, width);
				else
					memcpy(to + k * width, from + j++ * width, width);
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != at)
		memcpy(at, from, n * width);
}

static tide_err
sort(void *at, size_t n, size_t width, int (*compare)(const void *, const void *), bool *duplicates)
{
	uint8_t *bytes = at, *spare;
	size_t i;
	int order = -1;

	*duplicates = false;
	for (i = 1; i < n && order < 0; i++)
		order = compare(bytes + (i - 1) * width, bytes + i * width);
	if (order < 0)
		return TIDE_OK; /* in order already, as SDKs that keep sorted maps send it */
	if (n <= SORT_IN_PLACE_MAX) {
		insertion_sort(bytes, n, width, compare);
	} else {
		if ((spare = malloc(n * width)) == NULL)
			return TIDE_NOMEM;
		merge_sort(bytes, spare, n, width, compare);
		free(spare);
	}
	for (i = 1; i < n && !*duplicates; i++)
		*duplicates = compare(bytes + (i - 1) * width, bytes + i * width) == 0;
	return TIDE_OK;
}

/* Of members with one name the last written stays. */
static void
drop_duplicates(struct value *map)
{
	struct member *at = map->map.at;
	uint32_t i, kept = 0;

	for (i = 0; i < map->map.n; i++) {
		if (i + 1 < map->map.n && bytes_equal(at[i].name, at[i + 1].name))
			continue;
		at[kept++] = at[i];
	}
	map->map.n = kept;
}

tide_err
value_canonicalize(struct value *value, struct tide_error *error)
{
	bool duplicates = false;
	tide_err rc;

	switch (value->type) {
	case VALUE_M:
		rc = sort(value->map.at, value->map.n, sizeof *value->map.at, compare_members, &duplicates);
		if (rc != TIDE_OK)
			return tide_fail(error, rc, NULL);
		if (duplicates)
			drop_duplicates(value);
		return TIDE_OK;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		rc = sort(
		    value->list.at, value->list.n, sizeof *value->list.at, compare_elements, &duplicates);
		if (rc != TIDE_OK)
			return tide_fail(error, rc, NULL);
		if (!duplicates)
			return TIDE_OK;
		return tide_fail(error, TIDE_VALIDATION,
		    value->type == VALUE_NS
			? "Input collection contains duplicates"
			: "One or more parameter values were invalid: Input collection contains duplicates.");
	default:
		return TIDE_OK;
	}
}

static bool
copy_into(struct arena *arena, const struct value *from, struct value *to)
{
	uint32_t i;

	*to = *from;
	switch (from->type) {
	case VALUE_NULL:
	case VALUE_BOOL:
		return true;
	case VALUE_S:
	case VALUE_N:
	case VALUE_B:
		to->text = arena_copy(arena, from->text);
		return to->text.at != NULL;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
	case VALUE_L:
		if ((to->list.at = arena_alloc(arena, from->list.n * sizeof *to->list.at)) == NULL)
			return false;
		for (i = 0; i < from->list.n; i++) {
			if (!copy_into(arena, &from->list.at[i], &to->list.at[i]))
				return false;
		}
		return true;
	case VALUE_M:
		if ((to->map.at = arena_alloc(arena, from->map.n * sizeof *to->map.at)) == NULL)
			return false;
		for (i = 0; i < from->map.n; i++) {
			to->map.at[i].name = arena_copy(arena, from->map.at[i].name);
			if (to->map.at[i].name.at == NULL ||
			    !copy_into(arena, &from->map.at[i].value, &to->map.at[i].value))
				return false;
		}
		return true;
	}
	return false;
}

struct value *
value_copy(struct arena *arena, const struct value *value)
{
	struct value *copy = arena_alloc(arena, sizeof *copy);

	return copy != NULL && copy_into(arena, value, copy) ? copy : NULL;
}
