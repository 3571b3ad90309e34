/*
 * Literals, parameters and collections of literals as values. A number that breaks DynamoDB's rules, or a thing that is no
 * value, is told with its place in the value: root, root.name, root[1].
 */
#include "api/partiql/tree.h"

#include "store/item/number.h"

#include <stdio.h>
#include <stdlib.h>

struct place {
	char text[512];
	size_t n;
	uint32_t depth;
};

static void
place_add(struct place *place, const char *format, int n, const char *text)
{
	int wrote = snprintf(place->text + place->n, sizeof place->text - place->n, format, n, text);

	place->n += wrote > 0 ? (size_t)wrote : 0;
	if (place->n >= sizeof place->text)
		place->n = sizeof place->text - 1;
	place->depth++;
}

static void
place_back(struct place *place, size_t n)
{
	place->n = n;
	place->text[n] = '\0';
	place->depth--;
}

static tide_err value_at(
    struct ql_builder *b, const struct ql_node *node, struct place *place, struct value *out);

/* ---- scalars ---- */

bool
ql_node_is_number(const struct ql_node *node)
{
	while (node->op == QL_NEGATIVE || node->op == QL_POSITIVE)
		node = node->args;
	return node->op == QL_LITERAL && node->value.type == VALUE_N;
}

static tide_err
number_at(struct ql_builder *b, const struct ql_node *node, const struct place *place, struct value *out)
{
	struct tide_error why = {.code = TIDE_OK};
	char text[NUMBER_TEXT_MAX];
	bool negative = false;
	struct number number;

	for (; node->op != QL_LITERAL; node = node->args)
		negative ^= node->op == QL_NEGATIVE;
	if (number_parse(node->value.text, &number, &why) != TIDE_OK)
		return ql_fail(b, BYTES_NONE, "%s under %s", why.message, place->text);
	number.negative ^= negative && number.coefficient != 0;
	out->type = VALUE_N;
	out->text = arena_copy(b->arena, bytes_of(text, number_write(&number, text)));
	return out->text.at != NULL ? TIDE_OK : TIDE_NOMEM;
}

/* What an Ion literal would have been. */
static const char *
ion_type(struct bytes text)
{
	uint8_t c = text.n > 2 ? text.at[1] : 0;

	if ((c >= '0' && c <= '9') || c == '-')
		return memchr(text.at, '.', text.n) != NULL ? "DECIMAL" : "INT";
	if (c == '"')
		return "STRING";
	if (c == '{')
		return text.at[2] == '{' ? "BLOB" : "STRUCT";
	return c == '[' ? "LIST" : c == '(' ? "SEXP" : "SYMBOL";
}

/* ---- collections ---- */

static tide_err
list_at(struct ql_builder *b, const struct ql_node *node, struct place *place, struct value *out)
{
	size_t mark = place->n;
	uint32_t i = 0;
	tide_err rc;

	out->type = VALUE_L;
	out->list.n = node->n;
	if ((out->list.at = arena_calloc(b->arena, ((size_t)node->n + 1) * sizeof *out->list.at)) == NULL)
		return TIDE_NOMEM;
	for (const struct ql_node *arg = node->args; arg != NULL; arg = arg->next, i++) {
		place_add(place, "[%d]", (int)i, "");
		if ((rc = value_at(b, arg, place, &out->list.at[i])) != TIDE_OK)
			return rc;
		place_back(place, mark);
	}
	return TIDE_OK;
}

#define BAG_TYPES "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags"

/* The elements as they are written. */
static tide_err
duplicates_fail(struct ql_builder *b, const struct ql_node *node, bool numbers, const struct place *place)
{
	char text[TIDE_MESSAGE_MAX];
	size_t n = 0;

	text[0] = '\0';
	for (const struct ql_node *arg = node->args; arg != NULL && n < sizeof text; arg = arg->next) {
		struct bytes written = arg->op == QL_LITERAL ? arg->value.text : arg->at;

		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", n > 0 ? ", " : "", (int)written.n,
		    (const char *)written.at);
	}
	return ql_fail(b, BYTES_NONE,
	    "One or more parameter values were invalid: Input collection [%.*s] contains duplicates%s%s",
	    (int)(n < sizeof text ? n : sizeof text - 1), text, numbers ? "! under " : ".",
	    numbers ? place->text : "");
}

static tide_err
bag_element(struct ql_builder *b, const struct ql_node *node, const struct place *place, struct value *out)
{
	if (ql_node_is_number(node))
		return number_at(b, node, place, out);
	if (node->op != QL_LITERAL || node->value.type != VALUE_S)
		return ql_fail(b, node->at, BAG_TYPES);
	*out = node->value;
	return TIDE_OK;
}

static tide_err
bag_at(struct ql_builder *b, const struct ql_node *node, struct place *place, struct value *out)
{
	uint32_t i = 0;
	tide_err rc;

	if (node->n == 0)
		return ql_fail(b, BYTES_NONE, "Empty bags are not supported");
	if ((out->list.at = arena_calloc(b->arena, node->n * sizeof *out->list.at)) == NULL)
		return TIDE_NOMEM;
	out->list.n = node->n;
	for (const struct ql_node *arg = node->args; arg != NULL; arg = arg->next, i++) {
		if ((rc = bag_element(b, arg, place, &out->list.at[i])) != TIDE_OK)
			return rc;
		if (out->list.at[i].type != out->list.at[0].type)
			return ql_fail(b, BYTES_NONE, BAG_TYPES);
	}
	out->type = out->list.at[0].type == VALUE_N ? VALUE_NS : VALUE_SS;
	if ((rc = value_canonicalize(out, NULL)) == TIDE_VALIDATION)
		return duplicates_fail(b, node, out->type == VALUE_NS, place);
	return rc;
}

/* The name of a member: a string. */
static tide_err
member_name(struct ql_builder *b, const struct ql_node *node, const struct place *place, struct bytes *out)
{
	if (node->op != QL_LITERAL || node->value.type != VALUE_S)
		return ql_fail(b, node->at, "Tuple keys must be of type String. Actual type: %s under %s",
		    ql_node_is_number(node)  ? "INT"
		    : node->op == QL_LITERAL ? value_type_name(node->value.type)
					     : ql_node_class(node),
		    place->text);
	if (node->value.text.n == 0)
		return ql_fail(b, BYTES_NONE, "Path component cannot be an empty string");
	*out = node->value.text;
	return TIDE_OK;
}

static int
member_order(const void *x, const void *y)
{
	return bytes_compare(((const struct member *)x)->name, ((const struct member *)y)->name);
}

/* Into canonical order. `*twice`: a name that is there twice. */
static bool
members_sort(struct value *map, struct bytes *twice)
{
	if (map->map.n > 1)
		qsort(map->map.at, map->map.n, sizeof *map->map.at, member_order);
	for (uint32_t i = 1; i < map->map.n; i++) {
		if (bytes_equal(map->map.at[i - 1].name, map->map.at[i].name)) {
			*twice = map->map.at[i].name;
			return false;
		}
	}
	return true;
}

static tide_err
twice_fail(struct ql_builder *b, struct bytes name, const struct place *place, struct bytes at)
{
	return ql_fail(b, at, "Duplicate keys in tuple. Key: %.*s under %s", (int)name.n,
	    (const char *)name.at, place->text);
}

static tide_err
struct_at(struct ql_builder *b, const struct ql_node *node, struct place *place, struct value *out)
{
	size_t mark = place->n;
	struct member *member;
	struct bytes twice;
	tide_err rc;

	out->type = VALUE_M;
	out->map.n = node->n / 2;
	member = out->map.at = arena_calloc(b->arena, ((size_t)out->map.n + 1) * sizeof *member);
	if (member == NULL)
		return TIDE_NOMEM;
	for (const struct ql_node *name = node->args; name != NULL; name = name->next->next, member++) {
		if ((rc = member_name(b, name, place, &member->name)) != TIDE_OK)
			return rc;
		place_add(place, ".%.*s", (int)member->name.n, (const char *)member->name.at);
		if ((rc = value_at(b, name->next, place, &member->value)) != TIDE_OK)
			return rc;
		place_back(place, mark);
	}
	return members_sort(out, &twice) ? TIDE_OK : twice_fail(b, twice, place, node->at);
}

/* Recursion ends at NESTING_MAX. */
static tide_err
value_at(struct ql_builder *b, const struct ql_node *node, struct place *place, struct value *out)
{
	if (place->depth >= NESTING_MAX)
		return ql_fail(
		    b, BYTES_NONE, "Nesting Levels have exceeded supported limits under %s", place->text);
	if (ql_node_is_number(node))
		return number_at(b, node, place, out);
	switch (node->op) {
	case QL_LITERAL:
		*out = node->value;
		return TIDE_OK;
	case QL_LIST:
	case QL_TUPLE:
		return list_at(b, node, place, out);
	case QL_BAG:
		return bag_at(b, node, place, out);
	case QL_STRUCT:
		return struct_at(b, node, place, out);
	case QL_ION:
		return ql_fail(b, node->at, "Ion Literals are not supported: %s under key %s",
		    ion_type(node->at), place->text);
	default:
		return ql_fail(b, node->op == QL_PATH && node->n > 1 ? BYTES_NONE : node->at,
		    "Unsupported data type: %s under key %s", ql_node_class(node), place->text);
	}
}

tide_err
ql_value(struct ql_builder *b, const struct ql_node *node, struct value *out)
{
	struct place place = {.text = "root", .n = 4};

	if (node->op == QL_PARAM && node->param >= b->n_params)
		return ql_fail(b, BYTES_NONE, "Number of parameters in request and statement don't match.");
	if (node->op == QL_PARAM) {
		*out = b->params[node->param];
		return TIDE_OK;
	}
	return value_at(b, node, &place, out);
}

/* ---- INSERT ---- */

/* An attribute's value: what stands there in place of one is named as it is written. */
static tide_err
attribute_value(struct ql_builder *b, const struct ql_node *node, struct value *out)
{
	struct bytes word = ql_node_word(node);

	if (node->op == QL_MISSING)
		return ql_fail(b, node->at, "Unsupported data type: MISSING under key root");
	if (node->op == QL_SELECT)
		return ql_fail(b, node->at, "Unsupported data type: SELECT under key root");
	if (node->op == QL_PATH && node->n > 1)
		return ql_fail(b, BYTES_NONE, "Unsupported data type: PATH under key root");
	if (node->op == QL_PATH)
		word = node->args->name;
	else if (node->op != QL_CALL && (node->op < QL_AND || ql_node_is_number(node)))
		return ql_value(b, node, out);
	return ql_fail(
	    b, node->at, "Unsupported data type: %.*s under key root", (int)word.n, (const char *)word.at);
}

/* The second place where a name stands. */
static struct bytes
second_place(const struct ql_node *item, struct bytes name)
{
	bool seen = false;

	for (const struct ql_node *node = item->args; node != NULL; node = node->next->next) {
		if (!bytes_equal(node->value.text, name))
			continue;
		if (seen)
			return node->at;
		seen = true;
	}
	return BYTES_NONE;
}

tide_err
ql_item(struct ql_builder *b, const struct ql_node *node, struct value *out)
{
	struct place place = {.text = "root", .n = 4};
	struct member *member;
	struct bytes twice;
	tide_err rc;

	if (node->op != QL_STRUCT)
		return ql_fail(b, node->at,
		    "Unsupported format in item expression. Please use struct format {...} to express item "
		    "values for insert statement.");
	out->type = VALUE_M;
	out->map.n = node->n / 2;
	member = out->map.at = arena_calloc(b->arena, ((size_t)out->map.n + 1) * sizeof *member);
	if (member == NULL)
		return TIDE_NOMEM;
	for (const struct ql_node *name = node->args; name != NULL; name = name->next->next, member++) {
		if ((rc = member_name(b, name, &place, &member->name)) != TIDE_OK ||
		    (rc = attribute_value(b, name->next, &member->value)) != TIDE_OK)
			return rc;
	}
	if (members_sort(out, &twice))
		return TIDE_OK;
	return twice_fail(b, twice, &place, second_place(node, twice));
}
