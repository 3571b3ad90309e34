#include "api/json/json.h"

#include <setjmp.h>
#include <yajl/yajl_parse.h>

#include "store/item/codec.h"

/* An attribute value takes two levels of JSON for each of its own; the rest tells "too deep" from "not JSON". */
#define JSON_DEPTH_MAX 512
#define PENDING_START 64

struct frame {
	size_t start; /* of its children in `pending` */
	bool object;
};

/*
 * The children of the containers that are open lie in one stack; a container that closes takes its own off, into an
 * array of the right size. yajl's memory comes from the arena too, and since yajl does not look at what its allocator
 * returns, a full arena jumps out of it: nothing is lost, all of it belongs to the arena.
 */
struct parser {
	struct arena *arena;
	struct json_member *pending;
	size_t n, room, depth;
	struct json root;
	jmp_buf full;
	struct frame frames[JSON_DEPTH_MAX];
};

static void *
must_alloc(struct parser *parser, size_t n)
{
	void *at = arena_alloc(parser->arena, n);

	if (at == NULL)
		longjmp(parser->full, 1);
	return at;
}

/* yajl's blocks begin with their size, which its realloc needs. */
#define BLOCK_HEAD 16

static void *
yajl_block(void *context, size_t n)
{
	uint8_t *at = must_alloc(context, n + BLOCK_HEAD);

	memcpy(at, &n, sizeof n);
	return at + BLOCK_HEAD;
}

static void *
yajl_block_grow(void *context, void *from, size_t n)
{
	uint8_t *to;
	size_t had;

	if (from == NULL)
		return yajl_block(context, n);
	memcpy(&had, (uint8_t *)from - BLOCK_HEAD, sizeof had);
	if (n <= had)
		return from;
	to = yajl_block(context, n);
	memcpy(to, from, had);
	return to;
}

static void
yajl_block_free(void *context, void *at)
{
	(void)context; /* the arena releases it */
	(void)at;
}

static struct json_member *
push(struct parser *parser)
{
	struct json_member *more;

	if (parser->n == parser->room) {
		size_t room = parser->room == 0 ? PENDING_START : parser->room * 2;

		more = must_alloc(parser, room * sizeof *more);
		if (parser->n > 0)
			memcpy(more, parser->pending, parser->n * sizeof *more);
		parser->pending = more;
		parser->room = room;
	}
	return &parser->pending[parser->n++];
}

/* Where the value that comes next belongs. In an object its member is there already, with the name. */
static struct json *
place(struct parser *parser)
{
	if (parser->depth == 0)
		return &parser->root;
	if (parser->frames[parser->depth - 1].object)
		return &parser->pending[parser->n - 1].value;
	return &push(parser)->value;
}

static int
put_literal(struct parser *parser, enum json_type type)
{
	place(parser)->type = type;
	return 1;
}

static struct bytes
copy(struct parser *parser, const void *at, size_t n)
{
	uint8_t *to = must_alloc(parser, n);

	if (n > 0)
		memcpy(to, at, n);
	return bytes_of(to, n);
}

static int
on_null(void *context)
{
	return put_literal(context, JSON_NULL);
}

static int
on_boolean(void *context, int value)
{
	return put_literal(context, value ? JSON_TRUE : JSON_FALSE);
}

static int
on_number(void *context, const char *at, size_t n)
{
	struct json *json = place(context);

	json->type = JSON_NUMBER;
	json->text = copy(context, at, n);
	return 1;
}

static int
on_string(void *context, const unsigned char *at, size_t n)
{
	struct json *json = place(context);

	json->type = JSON_STRING;
	json->text = copy(context, at, n);
	return codec_utf8_valid(json->text);
}

static int
on_name(void *context, const unsigned char *at, size_t n)
{
	struct json_member *member = push(context);

	member->name = copy(context, at, n);
	return codec_utf8_valid(member->name);
}

static int
open_container(struct parser *parser, bool object)
{
	if (parser->depth == JSON_DEPTH_MAX)
		return 0;
	if (parser->depth > 0 && !parser->frames[parser->depth - 1].object)
		push(parser); /* its own place in the array around it */
	parser->frames[parser->depth++] = (struct frame){parser->n, object};
	return 1;
}

static int
on_object_start(void *context)
{
	return open_container(context, true);
}

static int
on_array_start(void *context)
{
	return open_container(context, false);
}

/* The container's children leave the stack; what is then on top is its own place, unless it is the root. */
static struct json *
close_container(struct parser *parser, struct frame *frame)
{
	*frame = parser->frames[--parser->depth];
	return parser->depth == 0 ? &parser->root : &parser->pending[frame->start - 1].value;
}

static int
on_object_end(void *context)
{
	struct parser *parser = context;
	struct frame frame;
	struct json *json = close_container(parser, &frame);
	size_t n = parser->n - frame.start;

	json->type = JSON_OBJECT;
	json->object.n = (uint32_t)n;
	json->object.at = must_alloc(parser, n * sizeof *json->object.at);
	if (n > 0)
		memcpy(json->object.at, parser->pending + frame.start, n * sizeof *json->object.at);
	parser->n = frame.start;
	return 1;
}

static int
on_array_end(void *context)
{
	struct parser *parser = context;
	struct frame frame;
	struct json *json = close_container(parser, &frame);
	size_t n = parser->n - frame.start, i;

	json->type = JSON_ARRAY;
	json->array.n = (uint32_t)n;
	json->array.at = must_alloc(parser, n * sizeof *json->array.at);
	for (i = 0; i < n; i++)
		json->array.at[i] = parser->pending[frame.start + i].value;
	parser->n = frame.start;
	return 1;
}

static int
hex4(const uint8_t *at)
{
	int value = 0, i;

	for (i = 0; i < 4; i++) {
		uint8_t c = at[i] | 0x20;

		if (c >= '0' && c <= '9' && at[i] == c)
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/*
 * Whether escaped surrogates come in pairs. yajl does not look at what follows the first half and would make another
 * character out of it. Malformed escapes are left to yajl.
 */
static bool
surrogates_paired(struct bytes text)
{
	const uint8_t *at = text.at, *end = text.at + text.n;
	int code;

	while (end - at >= 2 && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		if (end - at < 2)
			break;
		if (end - at < 6 || at[1] != 'u' || (code = hex4(at + 2)) < 0) {
			at += 2;
			continue;
		}
		at += 6;
		if (code < 0xd800 || code > 0xdfff)
			continue;
		if (code > 0xdbff || end - at < 6 || at[0] != '\\' || at[1] != 'u')
			return false;
		code = hex4(at + 2);
		if (code < 0xdc00 || code > 0xdfff)
			return false;
		at += 6;
	}
	return true;
}

static bool
parse(struct parser *parser, struct bytes text)
{
	static const yajl_callbacks callbacks = {
	    .yajl_null = on_null,
	    .yajl_boolean = on_boolean,
	    .yajl_number = on_number,
	    .yajl_string = on_string,
	    .yajl_start_map = on_object_start,
	    .yajl_map_key = on_name,
	    .yajl_end_map = on_object_end,
	    .yajl_start_array = on_array_start,
	    .yajl_end_array = on_array_end,
	};
	yajl_alloc_funcs memory = {yajl_block, yajl_block_grow, yajl_block_free, parser};
	yajl_handle handle = yajl_alloc(&callbacks, &memory, parser);

	/* Strings are checked when they are copied: yajl lets overlong forms and surrogates pass. */
	return yajl_config(handle, yajl_dont_validate_strings, 1) != 0 &&
	       yajl_parse(handle, text.at, text.n) == yajl_status_ok &&
	       yajl_complete_parse(handle) == yajl_status_ok;
}

tide_err
json_parse(struct arena *arena, struct bytes text, struct json *out, struct tide_error *error)
{
	struct parser parser;

	parser.arena = arena;
	parser.pending = NULL;
	parser.n = parser.room = parser.depth = 0;
	if (text.n == 0 || text.n > UINT32_MAX || !surrogates_paired(text))
		return tide_fail(error, TIDE_SERIALIZATION, NULL);
	if (setjmp(parser.full) != 0)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if (!parse(&parser, text))
		return tide_fail(error, TIDE_SERIALIZATION, NULL);
	*out = parser.root;
	return TIDE_OK;
}

const struct json *
json_get(const struct json *object, const char *name)
{
	size_t n = strlen(name);
	uint32_t i;

	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (i = object->object.n; i-- > 0;) {
		const struct json_member *member = &object->object.at[i];

		if (member->name.n == n && memcmp(member->name.at, name, n) == 0)
			return member->value.type == JSON_NULL ? NULL : &member->value;
	}
	return NULL;
}
