/*
 * Sizes as DynamoDB documents them for its limits and capacity units, those of numbers as it charges them (number.h).
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
#include "store/item/number.h"
#include "store/item/value.h"

#define CONTAINER_BYTES 3 /* of each list and map */
#define ELEMENT_BYTES 1 /* of each element in one */

size_t
value_size(const struct value *value)
{
	size_t size = 0;
	uint32_t i;

	switch (value->type) {
	case VALUE_NULL:
	case VALUE_BOOL:
		return 1;
	case VALUE_S:
	case VALUE_B:
		return value->text.n;
	case VALUE_N:
		return number_text_size(value->text);
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		for (i = 0; i < value->list.n; i++)
			size += value_size(&value->list.at[i]);
		return size;
	case VALUE_L:
		for (i = 0; i < value->list.n; i++)
			size += ELEMENT_BYTES + value_size(&value->list.at[i]);
		return CONTAINER_BYTES + size;
	case VALUE_M:
		return CONTAINER_BYTES + ELEMENT_BYTES * (size_t)value->map.n + item_size(value);
	}
	return size;
}

size_t
item_size(const struct value *item)
{
	size_t size = 0;
	uint32_t i;

	for (i = 0; i < item->map.n; i++)
		size += item->map.at[i].name.n + value_size(&item->map.at[i].value);
	return size;
}
