#include "api/ops/tags.h"

#include <stdlib.h>

#define KEY_MAX 128
#define VALUE_MAX 256

/* No lengths here: what is too long is told in other words than those of a shape. */
static const struct param tag_shape[] = {
    {.name = "Key", .type = PARAM_STRING},
    {.name = "Value", .type = PARAM_STRING},
    PARAMS_END,
};
const struct param tags_element = {.name = "", .type = PARAM_STRUCT, .members = tag_shape, .java = "Tag"};

/* --- characters: letters, digits and spaces of any script, and + - = . _ : / @ --- */

/* Beyond ASCII these hold punctuation, symbols and what nobody may use; the rest is taken for letters, digits and spaces. */
static const struct {
	uint32_t first, last;
} others[] = {{0x80, 0x9f}, {0xa1, 0xa9}, {0xab, 0xb1}, {0xb4, 0xb4}, {0xb6, 0xb8}, {0xbb, 0xbb},
    {0xbf, 0xbf}, {0xd7, 0xd7}, {0xf7, 0xf7}, {0x300, 0x36f}, {0x200b, 0x2027}, {0x202a, 0x202e},
    {0x2030, 0x205e}, {0x2060, 0x206f}, {0x20a0, 0x20ff}, {0x2190, 0x245f}, {0x249c, 0x24e9},
    {0x2500, 0x2775}, {0x2794, 0x2bff}, {0x2e00, 0x2fff}, {0x3001, 0x3004}, {0x3008, 0x3020},
    {0x3030, 0x3030}, {0xd800, 0xf8ff}, {0xfe00, 0xfe6f}, {0xff01, 0xff0f}, {0xff1a, 0xff20},
    {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xffe0, 0xffff}, {0x1f000, 0x1faff}, {0xe0000, 0x10ffff}};

static uint32_t
next_character(struct bytes *text)
{
	unsigned n = text->at[0] < 0x80 ? 1 : text->at[0] < 0xe0 ? 2 : text->at[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? text->at[0] : text->at[0] & (0x7fu >> n);

	/* The request was checked to be UTF-8. */
	for (unsigned i = 1; i < n && i < text->n; i++)
		c = c << 6 | (text->at[i] & 0x3f);
	n = n > text->n ? (unsigned)text->n : n;
	*text = bytes_of(text->at + n, text->n - n);
	return c;
}

static bool
may_be(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		       (c != 0 && strchr(" +-=._:/@", (int)c) != NULL);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (c >= others[i].first && c <= others[i].last)
			return false;
	}
	return true;
}

/* In units of UTF-16, as the service counts. */
static bool
holds(struct bytes text, unsigned max)
{
	for (unsigned n = 0; text.n != 0;) {
		uint32_t c = next_character(&text);

		n += c > 0xffff ? 2 : 1;
		if (n > max || !may_be(c))
			return false;
	}
	return true;
}

/* --- checks --- */

static tide_err
invalid(const char *what, const char *member, struct bytes text, struct tide_error *error)
{
	int n = (int)(text.n > 512 ? 512 : text.n);

	return tide_fail(error, TIDE_VALIDATION, "The Tag %s provided is invalid, %s: %.*s", what, member,
	    text.at == NULL ? 4 : n, text.at == NULL ? "null" : (const char *)text.at);
}

tide_err
tag_key_check(struct bytes key, struct tide_error *error)
{
	if (key.n == 0 || !holds(key, KEY_MAX))
		return invalid("Key", "Key", key, error);
	return TIDE_OK;
}

/* Absent and empty differ in the sentence. */
static struct bytes
member(const struct json *tag, const char *name)
{
	const struct json *v = json_get(tag, name);

	if (v == NULL)
		return BYTES_NONE;
	return v->text.at == NULL ? BYTES_LITERAL("") : v->text;
}

tide_err
tags_check(const struct json *list, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < list->array.n && rc == TIDE_OK; i++) {
		struct bytes key = member(&list->array.at[i], "Key"),
			     value = member(&list->array.at[i], "Value");

		if ((rc = tag_key_check(key, error)) == TIDE_OK &&
		    (value.at == NULL || !holds(value, VALUE_MAX)))
			rc = invalid("Value", "Value", value, error);
		if (rc == TIDE_OK && key.n >= 4 && memcmp(key.at, "aws:", 4) == 0)
			rc = tide_fail(error, TIDE_VALIDATION,
			    "Tag Key cannot be prefixed with aws:, Key: %.*s", (int)key.n,
			    (const char *)key.at);
		/* A request may hold thousands: more than a table can have are refused by number. */
		for (uint32_t j = 0; j < i && i <= TAGS_MAX && rc == TIDE_OK; j++) {
			if (bytes_equal(key, params_string(&list->array.at[j], "Key")))
				rc = tide_fail(error, TIDE_VALIDATION,
				    "Duplicate Tag Keys provided as input: Duplicate Tag Key found %.*s",
				    (int)key.n, (const char *)key.at);
		}
	}
	return rc;
}

static int
key_order(const void *a, const void *b)
{
	return bytes_compare(((const struct tag *)a)->key, ((const struct tag *)b)->key);
}

tide_err
tags_merge(struct table *table, const struct json *list, struct tide_error *error)
{
	uint32_t n = table->n_tags;
	struct tag *tags;

	if (list->array.n > TAGS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Number of Tags exceed the current limit for the provided ResourceArn");
	tags = arena_calloc(&table->arena, ((size_t)n + list->array.n + 1) * sizeof *tags);
	if (tags == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if (n != 0)
		memcpy(tags, table->tags, n * sizeof *tags);
	for (uint32_t i = 0; i < list->array.n; i++) {
		struct bytes key = params_string(&list->array.at[i], "Key"),
			     value = params_string(&list->array.at[i], "Value");
		uint32_t at = 0;

		while (at < n && !bytes_equal(tags[at].key, key))
			at++;
		if (value.n != 0)
			value = arena_copy(&table->arena, value);
		if ((key = arena_copy(&table->arena, key)).at == NULL || (value.n != 0 && value.at == NULL))
			return tide_fail(error, TIDE_NOMEM, NULL);
		tags[at] = (struct tag){key, value};
		n += at == n;
	}
	if (n > TAGS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Number of Tags exceed the current limit for the provided ResourceArn");
	qsort(tags, n, sizeof *tags, key_order);
	table->tags = tags;
	table->n_tags = n;
	return TIDE_OK;
}
