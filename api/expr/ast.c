#include "api/expr/ast.h"

static const char *const op_names[] = {
    [EXPR_OP_PATH] = "path",
    [EXPR_OP_VALUE] = "value",
    [EXPR_OP_ATTRIBUTE_EXISTS] = "attribute_exists",
    [EXPR_OP_ATTRIBUTE_NOT_EXISTS] = "attribute_not_exists",
    [EXPR_OP_ATTRIBUTE_TYPE] = "attribute_type",
    [EXPR_OP_BEGINS_WITH] = "begins_with",
    [EXPR_OP_CONTAINS] = "contains",
    [EXPR_OP_SIZE] = "size",
    [EXPR_OP_IF_NOT_EXISTS] = "if_not_exists",
    [EXPR_OP_LIST_APPEND] = "list_append",
    [EXPR_OP_UNKNOWN] = "unknown",
    [EXPR_OP_EQ] = "=",
    [EXPR_OP_NE] = "<>",
    [EXPR_OP_LT] = "<",
    [EXPR_OP_LE] = "<=",
    [EXPR_OP_GT] = ">",
    [EXPR_OP_GE] = ">=",
    [EXPR_OP_BETWEEN] = "BETWEEN",
    [EXPR_OP_IN] = "IN",
    [EXPR_OP_AND] = "AND",
    [EXPR_OP_OR] = "OR",
    [EXPR_OP_NOT] = "NOT",
    [EXPR_OP_PLUS] = "+",
    [EXPR_OP_MINUS] = "-",
};

const char *
expr_op_name(enum expr_op op)
{
	return op_names[op];
}

static void *
alloc(struct expr_builder *b, size_t n)
{
	void *at = arena_calloc(b->arena, n);

	if (at == NULL)
		b->nomem = true;
	return at;
}

/* ---- paths ---- */

struct expr_step *
expr_step_name(struct expr_builder *b, struct bytes name, bool placeholder)
{
	struct expr_step *step = alloc(b, sizeof *step);

	if (step == NULL)
		return NULL;
	step->name = name;
	step->placeholder = placeholder;
	return step;
}

struct expr_step *
expr_step_index(struct expr_builder *b, struct bytes digits)
{
	struct expr_step *step = expr_step_name(b, digits, false);
	uint64_t index = 0;

	if (step == NULL)
		return NULL;
	step->is_index = true;
	for (size_t i = 0; i < digits.n && index <= INT32_MAX; i++)
		index = index * 10 + (digits.at[i] - '0');
	/* beyond INT32_MAX is refused by the checks, which show the digits */
	step->index = index > INT32_MAX ? UINT32_MAX : (uint32_t)index;
	return step;
}

struct expr_path *
expr_path_new(struct expr_builder *b, struct expr_step *first)
{
	struct expr_path *path = first != NULL ? alloc(b, sizeof *path) : NULL;

	if (path != NULL) {
		path->first = path->last = first;
		path->n = 1;
	}
	return path;
}

struct expr_path *
expr_path_append(struct expr_path *path, struct expr_step *step)
{
	if (path == NULL || step == NULL)
		return NULL;
	path->last->next = step;
	path->last = step;
	path->n++;
	path->parens = false;
	return path;
}

struct expr_path *
expr_path_parens(struct expr_builder *b, struct expr_path *path)
{
	if (path == NULL)
		return NULL;
	b->redundant |= path->parens;
	path->parens = true;
	return path;
}

/* ---- nodes ---- */

static struct expr_node *
node_new(struct expr_builder *b, enum expr_op op)
{
	struct expr_node *node = alloc(b, sizeof *node);

	if (node != NULL)
		node->op = op;
	return node;
}

struct expr_node *
expr_node_path(struct expr_builder *b, struct expr_path *path)
{
	struct expr_node *node = path != NULL ? node_new(b, EXPR_OP_PATH) : NULL;

	if (node != NULL) {
		node->path = path;
		node->parens = path->parens;
	}
	return node;
}

struct expr_node *
expr_node_value(struct expr_builder *b, struct bytes text)
{
	struct expr_node *node = node_new(b, EXPR_OP_VALUE);

	if (node != NULL)
		node->text = text;
	return node;
}

struct expr_node *
expr_node_operator(struct expr_builder *b, enum expr_op op, struct expr_list args)
{
	struct expr_node *node;

	b->operators++;
	if (args.first == NULL || (node = node_new(b, op)) == NULL)
		return NULL;
	node->args = args.first;
	node->n = (uint16_t)args.n; /* 4096 bytes of text hold fewer */
	return node;
}

struct expr_node *
expr_node_function(struct expr_builder *b, struct bytes name, struct expr_list args)
{
	struct expr_node *node = expr_node_operator(b, EXPR_OP_UNKNOWN, args);

	if (node == NULL)
		return NULL;
	node->text = name;
	for (enum expr_op op = EXPR_OP_ATTRIBUTE_EXISTS; op < EXPR_OP_UNKNOWN; op++) {
		if (bytes_is(name, op_names[op]))
			node->op = op;
	}
	return node;
}

struct expr_node *
expr_node_parens(struct expr_builder *b, struct expr_node *node)
{
	if (node == NULL)
		return NULL;
	b->redundant |= node->parens;
	node->parens = true;
	return node;
}

struct expr_list
expr_list_append(struct expr_list list, struct expr_node *node)
{
	/* A NULL node means that memory ran out: the list becomes NULL too, and so does what is built from it. */
	if (node == NULL || (list.n > 0 && list.first == NULL))
		return (struct expr_list){NULL, NULL, 1};
	if (list.first == NULL)
		list.first = node;
	else
		list.last->next = node;
	list.last = node;
	list.n++;
	return list;
}

void
expr_action_append(struct expr_builder *b, struct expr_path *path, struct expr_node *value)
{
	struct expr_action *action = path != NULL ? alloc(b, sizeof *action) : NULL;

	if (action == NULL)
		return;
	action->type = b->section;
	action->index = b->actions_n++;
	action->path = path;
	action->value = value;
	action->legacy = b->legacy;
	if (b->actions == NULL)
		b->actions = action;
	else
		b->actions_last->next = action;
	b->actions_last = action;
}
