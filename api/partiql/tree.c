#include "api/partiql/tree.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- nodes ---- */

static void *
alloc(struct ql_builder *b, size_t n)
{
	void *at = arena_calloc(b->arena, n);

	if (at == NULL)
		b->nomem = true;
	return at;
}

struct ql_node *
ql_node_new(struct ql_builder *b, enum ql_op op, struct bytes at)
{
	struct ql_node *node = alloc(b, sizeof *node);

	if (node == NULL)
		return NULL;
	node->op = op;
	node->at = at;
	if (op == QL_PARAM)
		node->param = b->params_used++;
	return node;
}

/* The text between quotes, a quote in it written twice. */
static struct bytes
unquote(struct ql_builder *b, struct bytes at)
{
	uint8_t quote = at.at[0], *out = alloc(b, at.n);
	size_t n = 0;

	if (out == NULL)
		return BYTES_NONE;
	for (size_t i = 1; i + 1 < at.n; i++) {
		out[n++] = at.at[i];
		i += at.at[i] == quote;
	}
	return bytes_of(out, n);
}

struct ql_node *
ql_node_string(struct ql_builder *b, struct bytes at)
{
	struct ql_node *node = ql_node_new(b, QL_LITERAL, at);

	if (node != NULL) {
		node->value.type = VALUE_S;
		node->value.text = unquote(b, at);
	}
	return node;
}

struct ql_node *
ql_node_constant(struct ql_builder *b, struct bytes at, enum value_type type, bool value)
{
	struct ql_node *node = ql_node_new(b, QL_LITERAL, at);

	if (node != NULL) {
		node->value.type = type;
		node->value.boolean = value;
	}
	return node;
}

/* Keeps the number as written: what is wrong with it depends on where it stands. */
struct ql_node *
ql_node_number(struct ql_builder *b, struct bytes at)
{
	struct ql_node *node = ql_node_new(b, QL_LITERAL, at);

	if (node != NULL) {
		node->value.type = VALUE_N;
		node->value.text = at;
	}
	return node;
}

struct ql_node *
ql_node_name(struct ql_builder *b, struct bytes at)
{
	struct ql_node *node = ql_node_new(b, QL_NAME, at);

	if (node != NULL)
		node->name = at.at[0] == '"' ? unquote(b, at) : at;
	return node;
}

struct ql_node *
ql_node_list(struct ql_builder *b, enum ql_op op, struct bytes at, struct ql_list args)
{
	struct ql_node *node;

	if (args.n > 0 && args.first == NULL)
		return NULL;
	if ((node = ql_node_new(b, op, at)) == NULL)
		return NULL;
	node->args = args.first;
	node->last = args.last;
	node->n = args.n;
	return node;
}

struct ql_node *
ql_node_of(struct ql_builder *b, enum ql_op op, struct bytes at, struct ql_node *left, struct ql_node *right)
{
	struct ql_list args = ql_list_append((struct ql_list){0}, left);

	/* a unary operator has its argument on the right */
	if (left == NULL)
		args = ql_list_append((struct ql_list){0}, right);
	else
		args = ql_list_append(args, right);
	return ql_node_list(b, op, at, args);
}

struct ql_node *
ql_node_append(struct ql_node *node, struct ql_node *arg)
{
	if (node == NULL || arg == NULL)
		return NULL;
	if (node->args == NULL)
		node->args = arg;
	else
		node->last->next = arg;
	node->last = arg;
	node->n++;
	return node;
}

struct ql_node *
ql_node_select(struct ql_builder *b, struct ql_select *select)
{
	struct ql_node *node = select != NULL ? ql_node_new(b, QL_SELECT, select->at) : NULL;

	if (node != NULL)
		node->select = select;
	return node;
}

struct ql_list
ql_list_append(struct ql_list list, struct ql_node *node)
{
	/* A NULL node means that memory ran out: the list becomes NULL too, and so does what is built from it. */
	if (node == NULL || (list.n > 0 && list.first == NULL))
		return (struct ql_list){NULL, NULL, 1};
	if (list.first == NULL)
		list.first = node;
	else
		list.last->next = node;
	list.last = node;
	list.n++;
	return list;
}

struct ql_select *
ql_select_new(struct ql_builder *b)
{
	return alloc(b, sizeof(struct ql_select));
}

void
ql_assignment_append(struct ql_builder *b, struct ql_node *path, struct ql_node *value)
{
	struct ql_assignment *assignment = alloc(b, sizeof *assignment);

	if (assignment == NULL || path == NULL)
		return;
	assignment->path = path;
	assignment->value = value;
	if (b->statement.first == NULL)
		b->statement.first = assignment;
	else
		b->statement.last->next = assignment;
	b->statement.last = assignment;
}

/* ---- for sentences ---- */

const char *
ql_node_class(const struct ql_node *node)
{
	switch (node->op) {
	case QL_LITERAL:
		return "Literal";
	case QL_MISSING:
		return "LiteralMissing";
	case QL_ION:
		return "Literal";
	case QL_PARAM:
		return "Parameter";
	case QL_PATH:
	case QL_NAME:
	case QL_STAR:
		return node->n > 1 ? "Path" : "VariableReference";
	case QL_SELECT:
		return "Select";
	case QL_LIST:
	case QL_TUPLE:
	case QL_BAG:
		return "Seq";
	case QL_STRUCT:
		return "Struct";
	case QL_IS:
		return "IsType";
	default:
		return "NAry";
	}
}

struct bytes
ql_node_word(const struct ql_node *node)
{
	static const char *const words[] = {
	    [QL_AND] = "and",
	    [QL_OR] = "or",
	    [QL_NOT] = "not",
	    [QL_EQ] = "=",
	    [QL_NE] = "<>",
	    [QL_LT] = "<",
	    [QL_LE] = "<=",
	    [QL_GT] = ">",
	    [QL_GE] = ">=",
	    [QL_IN] = "in",
	    [QL_BETWEEN] = "between",
	    [QL_LIKE] = "like",
	    [QL_IS] = "is",
	    [QL_PLUS] = "+",
	    [QL_MINUS] = "-",
	    [QL_TIMES] = "*",
	    [QL_DIVIDE] = "/",
	    [QL_MODULO] = "%",
	    [QL_CONCAT] = "||",
	    [QL_NEGATIVE] = "-",
	    [QL_POSITIVE] = "+",
	};

	if (node->op == QL_CALL)
		return node->name;
	return node->op >= QL_AND ? bytes_of_string(words[node->op]) : node->at;
}

/* ---- errors ---- */

/* Characters, not bytes: what a client counts in its statement. */
static unsigned
characters(const uint8_t *from, const uint8_t *to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += (*from & 0xc0) != 0x80;
	return n;
}

tide_err
ql_fail(struct ql_builder *b, struct bytes at, const char *format, ...)
{
	char text[TIDE_MESSAGE_MAX];
	const uint8_t *line = b->text.at;
	unsigned lines = 1;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (at.at == NULL)
		return tide_fail(b->error, TIDE_VALIDATION, "%s", text);
	for (const uint8_t *c = b->text.at; c < at.at; c++) {
		if (*c == '\n') {
			lines++;
			line = c + 1;
		}
	}
	return tide_fail(b->error, TIDE_VALIDATION, "%s at %u:%u:%u", text, lines,
	    characters(line, at.at) + 1, characters(at.at, at.at + at.n));
}

tide_err
ql_malformed(struct ql_builder *b, const char *detail)
{
	return tide_fail(
	    b->error, TIDE_VALIDATION, "Statement wasn't well formed, can't be processed: %s", detail);
}

struct expr_builder
ql_expr_builder(struct ql_builder *b)
{
	return (struct expr_builder){.arena = b->arena, .kind = EXPR_STATEMENT, .error = b->error};
}
