/*
 * The one item that a WHERE clause names: equalities on all key attributes among the conditions that AND joins.
 */
#include "api/partiql/tree.h"

struct search {
	const struct expr_key_schema *schema;
	const struct value *partition, *sort; /* the first of each */
	bool more, in_list;
	struct bytes twice;
};

/* The value that a condition holds one attribute equal to; NULL: it is no such condition. An IN of one value is one. */
static const struct value *
equality(const struct expr_node *node, struct bytes *name)
{
	const struct expr_node *path = node->args, *value;

	if (node->op != EXPR_OP_EQ && (node->op != EXPR_OP_IN || node->n != 2))
		return NULL;
	value = path->next;
	if (node->op == EXPR_OP_EQ && path->op == EXPR_OP_VALUE) {
		value = path;
		path = path->next;
	}
	if (path->op != EXPR_OP_PATH || path->path->n != 1 || value->op != EXPR_OP_VALUE)
		return NULL;
	*name = path->path->first->name;
	return value->value;
}

static void
take(struct search *search, const struct expr_node *node)
{
	const struct expr_key_schema *schema = search->schema;
	const struct value **slot = NULL, *value;
	struct bytes name;

	if ((value = equality(node, &name)) != NULL) {
		if (bytes_equal(name, schema->partition))
			slot = &search->partition;
		else if (schema->sort.at != NULL && bytes_equal(name, schema->sort))
			slot = &search->sort;
	}
	if (slot == NULL) {
		search->more = true;
		return;
	}
	search->in_list |= node->op == EXPR_OP_IN;
	if (*slot == NULL)
		*slot = value;
	else if (!value_equal(*slot, value))
		search->twice = name;
}

/* Recursion is as deep as the tree. */
static void
collect(struct search *search, const struct expr_node *node)
{
	if (node->op != EXPR_OP_AND) {
		take(search, node);
		return;
	}
	for (node = node->args; node != NULL; node = node->next)
		collect(search, node);
}

tide_err
partiql_key_find(const struct partiql_statement *statement, const struct expr_key_schema *schema,
    struct arena *arena, struct partiql_key *out)
{
	struct search search = {.schema = schema};
	uint32_t n = schema->sort.at != NULL ? 2 : 1;
	struct member *at;

	*out = (struct partiql_key){.found = PARTIQL_KEY_NONE};
	if (statement->where != NULL)
		collect(&search, statement->where->root);
	if (search.partition == NULL || (n == 2 && search.sort == NULL))
		return TIDE_OK;
	if ((at = arena_calloc(arena, n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	at[0] = (struct member){schema->partition, *search.partition};
	if (n == 2)
		at[1] = (struct member){schema->sort, *search.sort};
	out->item.type = VALUE_M;
	out->item.map.at = at;
	out->item.map.n = n;
	out->in_list = search.in_list;
	out->twice = search.twice;
	out->found = search.twice.at != NULL ? PARTIQL_KEY_TWICE
		     : search.more           ? PARTIQL_KEY_AND_MORE
					     : PARTIQL_KEY_ALONE;
	return value_canonicalize(&out->item, NULL);
}
