/*
 * Any bytes as a request: refused, or an item that is the same after the store and after JSON. Numbers that the value
 * holds are added to each other on the way.
 */
#include <stdlib.h>

#include "api/json/json.h"
#include "store/item/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
add_numbers(const struct value *item)
{
	struct number total = {0}, number, sum;
	uint32_t i;

	for (i = 0; i < item->map.n; i++) {
		if (item->map.at[i].value.type != VALUE_N)
			continue;
		check(number_parse(item->map.at[i].value.text, &number, NULL) == TIDE_OK);
		if (number_add(&total, &number, &sum, NULL) == TIDE_OK)
			total = sum;
	}
}

static void
check_item(struct arena *arena, const struct value *item)
{
	struct buf stored = {0}, again = {0}, text = {0}, direct = {0};
	struct value decoded, reread;
	struct json json;

	value_encode(item, &stored);
	check(value_decode(arena, buf_bytes(&stored), &decoded) == TIDE_OK && value_equal(item, &decoded));
	json_write_item(&text, &decoded);
	check(json_write_encoded_item(&direct, buf_bytes(&stored)) == TIDE_OK);
	check(bytes_equal(buf_bytes(&text), buf_bytes(&direct)));
	check(json_parse(arena, buf_bytes(&text), &json, NULL) == TIDE_OK);
	check(json_to_item(arena, &json, &reread, NULL) == TIDE_OK);
	value_encode(&reread, &again);
	check(bytes_equal(buf_bytes(&stored), buf_bytes(&again)));
	buf_fini(&stored);
	buf_fini(&again);
	buf_fini(&text);
	buf_fini(&direct);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct tide_error error;
	struct arena arena;
	struct json json;
	struct value item;

	arena_init(&arena, 0);
	if (json_parse(&arena, bytes_of(at, n), &json, &error) == TIDE_OK) {
		const struct json *member = json_get(&json, "Item");

		if (json_to_item(&arena, member != NULL ? member : &json, &item, &error) == TIDE_OK) {
			add_numbers(&item);
			check_item(&arena, &item);
		}
	}
	arena_fini(&arena);
	return 0;
}
