/* The size of a stored item, from its bytes: the totals need it for every record, and a record from a peer is never decoded. */
#include "store/item/codec.h"
#include "store/item/number.h"

#define CONTAINER_BYTES 3 /* as in value_size.c */
#define ELEMENT_BYTES 1

static bool add_value(struct bytes *in, unsigned depth, size_t *size);

static bool
add_set(const struct codec_head *head, size_t *size)
{
	struct bytes left = head->text, element;

	for (uint32_t i = 0; i < head->n; i++) {
		if (!codec_read_text(&left, head->type == VALUE_BS, &element))
			return false;
		*size += head->type == VALUE_NS ? number_text_size(element) : element.n;
	}
	return true;
}

static bool
add_members(struct bytes *in, uint32_t n, unsigned depth, size_t *size)
{
	struct bytes name;

	for (uint32_t i = 0; i < n; i++) {
		if (!codec_read_text(in, false, &name) || !add_value(in, depth, size))
			return false;
		*size += name.n;
	}
	return true;
}

static bool
add_value(struct bytes *in, unsigned depth, size_t *size)
{
	struct codec_head head;

	if (depth > NESTING_MAX + 1 || !codec_read(in, &head))
		return false;
	switch (head.type) {
	case VALUE_NULL:
	case VALUE_BOOL:
		*size += 1;
		return true;
	case VALUE_S:
	case VALUE_B:
		*size += head.text.n;
		return true;
	case VALUE_N:
		*size += number_text_size(head.text);
		return true;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		return add_set(&head, size);
	case VALUE_L:
		*size += CONTAINER_BYTES + ELEMENT_BYTES * (size_t)head.n;
		for (uint32_t i = 0; i < head.n; i++)
			if (!add_value(in, depth + 1, size))
				return false;
		return true;
	case VALUE_M:
		*size += CONTAINER_BYTES + ELEMENT_BYTES * (size_t)head.n;
		return add_members(in, head.n, depth + 1, size);
	}
	return false;
}

size_t
item_encoded_size(struct bytes encoded)
{
	struct codec_head head;
	size_t size = 0;

	if (!codec_read(&encoded, &head) || head.type != VALUE_M || !add_members(&encoded, head.n, 0, &size))
		return 0;
	return size;
}
