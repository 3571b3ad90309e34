/* Which attributes the filters of a part name. */
#include "api/partiql/plan.h"

static uint32_t
count_paths(const struct expr_node *node)
{
	uint32_t n = 0;

	if (node->op == EXPR_OP_PATH || node->op == EXPR_OP_VALUE)
		return node->op == EXPR_OP_PATH;
	for (node = node->args; node != NULL; node = node->next)
		n += count_paths(node);
	return n;
}

static void
add_names(const struct expr_node *node, struct bytes *at, uint32_t *n)
{
	uint32_t i = 0;

	if (node->op == EXPR_OP_PATH) {
		while (i < *n && !bytes_equal(at[i], node->path->first->name))
			i++;
		if (i == *n)
			at[(*n)++] = node->path->first->name;
		return;
	}
	if (node->op == EXPR_OP_VALUE)
		return;
	for (node = node->args; node != NULL; node = node->next)
		add_names(node, at, n);
}

/* The slot of a name in a Java HashSet of that many (a power of two). */
static uint32_t
java_slot(struct bytes name, uint32_t slots)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < name.n; i++)
		hash = hash * 31 + name.at[i];
	return (hash ^ hash >> 16) & (slots - 1);
}

/* Insertion sort: names of one slot stay in the order of the statement. */
static void
java_order(struct bytes *at, uint32_t n)
{
	uint32_t slots = 16;

	while (n > slots * 3 / 4)
		slots *= 2;
	for (uint32_t i = 1; i < n; i++) {
		struct bytes name = at[i];
		uint32_t j = i;

		for (; j > 0 && java_slot(at[j - 1], slots) > java_slot(name, slots); j--)
			at[j] = at[j - 1];
		at[j] = name;
	}
}

/* Filters were put in front of one another: the first is the last in the list. */
static void
add_filter_names(const struct ql_filter *filter, struct bytes *at, uint32_t *n)
{
	if (filter == NULL)
		return;
	add_filter_names(filter->next, at, n);
	add_names(filter->node, at, n);
}

tide_err
partiql_read_filter_names(
    const struct partiql_read *read, struct arena *arena, const struct bytes **names, uint32_t *n)
{
	const struct ql_filter *filters = read->filters;
	uint32_t room = 1;
	struct bytes *at;

	for (const struct ql_filter *filter = filters; filter != NULL; filter = filter->next)
		room += count_paths(filter->node);
	if ((at = arena_alloc(arena, room * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	*n = 0;
	add_filter_names(filters, at, n);
	java_order(at, *n);
	*names = at;
	return TIDE_OK;
}
