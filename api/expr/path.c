#include "api/expr/ast.h"

#include <stdio.h>

const struct value *
expr_path_find(const struct expr_path *path, const struct value *item)
{
	const struct value *at = item;

	for (const struct expr_step *step = path->first; step != NULL && at != NULL; step = step->next) {
		if (step->is_index)
			at = at->type == VALUE_L && step->index < at->list.n ? &at->list.at[step->index]
									     : NULL;
		else
			at = at->type == VALUE_M ? value_map_get(at, step->name) : NULL;
	}
	return at;
}

/* The order of an expr_tree's children; indexes before names, which only meets in paths that conflict. */
int
expr_step_compare(const struct expr_step *a, const struct expr_step *b)
{
	if (a->is_index != b->is_index)
		return a->is_index ? -1 : 1;
	if (a->is_index)
		return (a->index > b->index) - (a->index < b->index);
	return bytes_compare(a->name, b->name);
}

bool
expr_path_equal(const struct expr_path *a, const struct expr_path *b)
{
	const struct expr_step *x = a->first, *y = b->first;

	if (a->n != b->n)
		return false;
	for (; x != NULL; x = x->next, y = y->next) {
		if (expr_step_compare(x, y) != 0)
			return false;
	}
	return true;
}

void
expr_path_format(const struct expr_path *path, char text[static EXPR_PATH_TEXT_MAX])
{
	const char *comma = "";
	size_t n = 1;
	int wrote;

	text[0] = '[';
	for (const struct expr_step *step = path->first; step != NULL; step = step->next) {
		if (step->is_index)
			wrote = snprintf(
			    text + n, EXPR_PATH_TEXT_MAX - n, "%s[%u]", comma, (unsigned)step->index);
		else
			wrote = snprintf(text + n, EXPR_PATH_TEXT_MAX - n, "%s%.*s", comma, (int)step->name.n,
			    (const char *)step->name.at);
		if (wrote < 0 || n + (size_t)wrote >= EXPR_PATH_TEXT_MAX - 1) {
			n = EXPR_PATH_TEXT_MAX - 2;
			break;
		}
		n += (size_t)wrote;
		comma = ", ";
	}
	text[n] = ']';
	text[n + 1] = '\0';
}
