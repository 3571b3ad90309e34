/*
 * Properties of random expressions: what is parsed prints as what was printed, conditions say what a second evaluator
 * says, and after an update every path reads what the update put there. A failure prints its seed; EXPR_SEED repeats it.
 */
#include "api/expr/ast.h"
#include "tests/unit/expr/expr_test.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 3000

static uint64_t seed, dice_state;

static uint32_t
dice(uint32_t sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (uint32_t)(dice_state >> 33) % sides;
}

static void
round_begin(uint32_t round)
{
	dice_state = (seed + round) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	dice(2);
}

/* ---- text of random conditions, and of parsed ones ---- */

static const char *const attributes[] = {"a", "b", "c", "d"};
static const char *const comparators[] = {"=", "<>", "<", "<=", ">", ">="};

static void
write_path(struct buf *out, bool placeholders)
{
	buf_append_format(out, "%s%s", placeholders && dice(4) == 0 ? "#" : "", attributes[dice(4)]);
	while (dice(3) == 0) {
		if (dice(2) == 0)
			buf_append_format(out, "[%u]", (unsigned)dice(3));
		else
			buf_append_format(out, ".%s", attributes[dice(4)]);
	}
}

static void
write_operand(struct buf *out)
{
	switch (dice(4)) {
	case 0:
		buf_append_format(out, ":%s", attributes[dice(4)]);
		break;
	case 1:
		buf_append_string(out, "size(");
		write_path(out, true);
		buf_append_string(out, ")");
		break;
	default:
		write_path(out, true);
		break;
	}
}

static void
write_condition(struct buf *out, uint32_t depth)
{
	uint32_t kind = dice(depth == 0 ? 5 : 8);

	switch (kind) {
	case 0:
		buf_append_string(out, dice(2) == 0 ? "attribute_exists(" : "attribute_not_exists(");
		write_path(out, true);
		buf_append_string(out, ")");
		break;
	case 1:
		write_operand(out);
		buf_append_string(out, " IN (");
		for (uint32_t n = dice(4);; n--) {
			write_operand(out);
			if (n == 0)
				break;
			buf_append_string(out, ", ");
		}
		buf_append_string(out, ")");
		break;
	case 2:
		write_operand(out);
		buf_append_string(out, " BETWEEN ");
		write_operand(out);
		buf_append_string(out, " AND ");
		write_operand(out);
		break;
	case 3:
	case 4:
		write_operand(out);
		buf_append_format(out, " %s ", comparators[dice(6)]);
		write_operand(out);
		break;
	case 5:
		buf_append_string(out, "NOT (");
		write_condition(out, depth - 1);
		buf_append_string(out, ")");
		break;
	default:
		buf_append_string(out, "(");
		write_condition(out, depth - 1);
		buf_append_string(out, kind == 6 ? ") AND (" : ") OR (");
		write_condition(out, depth - 1);
		buf_append_string(out, ")");
		break;
	}
}

/* The tree as text, with the names resolved: placeholders here stand for their own letter. */
static void
print_node(struct buf *out, const struct expr_node *node)
{
	const char *separator = "";

	switch (node->op) {
	case EXPR_OP_PATH:
		for (const struct expr_step *step = node->path->first; step != NULL; step = step->next) {
			if (step->is_index)
				buf_append_format(out, "[%u]", (unsigned)step->index);
			else
				buf_append_format(
				    out, "%s%.*s", separator, (int)step->name.n, (const char *)step->name.at);
			separator = ".";
		}
		return;
	case EXPR_OP_VALUE:
		buf_append(out, node->text.at, node->text.n);
		return;
	case EXPR_OP_AND:
	case EXPR_OP_OR:
		buf_append_string(out, "(");
		print_node(out, node->args);
		buf_append_format(out, ") %s (", expr_op_name(node->op));
		print_node(out, node->args->next);
		buf_append_string(out, ")");
		return;
	case EXPR_OP_NOT:
		buf_append_string(out, "NOT (");
		print_node(out, node->args);
		buf_append_string(out, ")");
		return;
	case EXPR_OP_BETWEEN:
		print_node(out, node->args);
		buf_append_string(out, " BETWEEN ");
		print_node(out, node->args->next);
		buf_append_string(out, " AND ");
		print_node(out, node->args->next->next);
		return;
	case EXPR_OP_EQ:
	case EXPR_OP_NE:
	case EXPR_OP_LT:
	case EXPR_OP_LE:
	case EXPR_OP_GT:
	case EXPR_OP_GE:
		print_node(out, node->args);
		buf_append_format(out, " %s ", expr_op_name(node->op));
		print_node(out, node->args->next);
		return;
	default:
		break;
	}
	if (node->op == EXPR_OP_IN)
		print_node(out, node->args);
	buf_append_format(out, node->op == EXPR_OP_IN ? " %s (" : "%s(", expr_op_name(node->op));
	for (const struct expr_node *arg = node->op == EXPR_OP_IN ? node->args->next : node->args;
	     arg != NULL; arg = arg->next) {
		buf_append_string(out, separator);
		print_node(out, arg);
		separator = ", ";
	}
	buf_append_string(out, ")");
}

#define SCOPE_NAMES "{'#a':'a','#b':'b','#c':'c','#d':'d'}"
#define SCOPE_VALUES "{':a':{'N':'0'},':b':{'N':'1'},':c':{'N':'2'},':d':{'N':'2.50'}}"

/* A random text may be refused for its operands (`a = a`); NULL then. */
static const struct expr_condition *
parse_condition(struct world *w, struct bytes text)
{
	const struct expr_condition *condition;
	tide_err rc = expr_condition_parse(&w->arena, EXPR_CONDITION, text, &w->scope, &condition, &w->error);

	if (rc == TIDE_OK)
		return condition;
	if (strstr(w->error.message, "must be distinct") == NULL &&
	    strstr(w->error.message, "BETWEEN operator") == NULL)
		fail_msg("seed %llu: %s: %.*s", (unsigned long long)seed, w->error.message, (int)text.n,
		    (const char *)text.at);
	return NULL;
}

static void
what_is_parsed_prints_the_same(void **state)
{
	(void)state;
	for (uint32_t round = 0, parsed = 0; round < ROUNDS; round++) {
		const struct expr_condition *first, *second;
		struct buf text = {0}, one = {0}, two = {0};
		struct world w;

		round_begin(round);
		world_open(&w, SCOPE_NAMES, SCOPE_VALUES);
		write_condition(&text, 4);
		first = text.n <= EXPR_BYTES_MAX ? parse_condition(&w, buf_bytes(&text)) : NULL;
		if (first != NULL) {
			print_node(&one, first->root);
			second = parse_condition(&w, buf_bytes(&one));
			assert_non_null(second);
			print_node(&two, second->root);
			if (!bytes_equal(buf_bytes(&one), buf_bytes(&two)))
				fail_msg("seed %llu round %u", (unsigned long long)seed, (unsigned)round);
			parsed++;
		}
		buf_fini(&text);
		buf_fini(&one);
		buf_fini(&two);
		world_close(&w);
		if (round == ROUNDS - 1)
			assert_true(parsed > ROUNDS / 4);
	}
}

/* ---- a second evaluator, for items of small numbers ---- */

/* -1: no value */
static int
second_operand(const struct expr_node *node, const int item[4])
{
	static const int values[4] = {0, 1, 2, 3};
	uint8_t letter;

	if (node->op == EXPR_OP_SIZE)
		return -1; /* of a number */
	letter = node->op == EXPR_OP_VALUE ? node->text.at[1] : node->path->first->name.at[0];
	if (node->op == EXPR_OP_VALUE)
		return values[letter - 'a'];
	return node->path->n > 1 ? -1 : item[letter - 'a'];
}

static bool
second_compare(enum expr_op op, int x, int y)
{
	if (op == EXPR_OP_NE)
		return x < 0 || y < 0 || x != y;
	if (x < 0 || y < 0)
		return false;
	return op == EXPR_OP_EQ   ? x == y
	       : op == EXPR_OP_LT ? x < y
	       : op == EXPR_OP_LE ? x <= y
	       : op == EXPR_OP_GT ? x > y
				  : x >= y;
}

static bool
second_eval(const struct expr_node *node, const int item[4])
{
	const struct expr_node *x = node->args, *y = x->next;

	switch (node->op) {
	case EXPR_OP_AND:
		return second_eval(x, item) && second_eval(y, item);
	case EXPR_OP_OR:
		return second_eval(x, item) || second_eval(y, item);
	case EXPR_OP_NOT:
		return !second_eval(x, item);
	case EXPR_OP_BETWEEN:
		return second_compare(EXPR_OP_GE, second_operand(x, item), second_operand(y, item)) &&
		       second_compare(EXPR_OP_LE, second_operand(x, item), second_operand(y->next, item));
	case EXPR_OP_IN:
		for (; y != NULL; y = y->next) {
			if (second_compare(EXPR_OP_EQ, second_operand(x, item), second_operand(y, item)))
				return true;
		}
		return false;
	case EXPR_OP_ATTRIBUTE_EXISTS:
		return second_operand(x, item) >= 0;
	case EXPR_OP_ATTRIBUTE_NOT_EXISTS:
		return second_operand(x, item) < 0;
	default:
		return second_compare(node->op, second_operand(x, item), second_operand(y, item));
	}
}

static void
two_evaluators_agree(void **state)
{
	static const char *const texts[] = {"0", "1.0", "2", "25E-1"};

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		const struct expr_condition *condition;
		struct buf text = {0}, item_text = {0};
		struct value item;
		int numbers[4];
		struct world w;

		round_begin(round);
		world_open(&w, SCOPE_NAMES, SCOPE_VALUES);
		write_condition(&text, 4);
		buf_append_string(&item_text, "{'pk':{'S':'k'}");
		for (int i = 0; i < 4; i++) {
			numbers[i] = (int)dice(5) - 1;
			if (numbers[i] >= 0)
				buf_append_format(&item_text, ",'%c':{'N':'%s'}", 'a' + i, texts[numbers[i]]);
		}
		buf_append(&item_text, "}", 2);
		item = read_item(&w, (const char *)item_text.at);
		condition = text.n <= EXPR_BYTES_MAX ? parse_condition(&w, buf_bytes(&text)) : NULL;
		if (condition != NULL &&
		    expr_condition_eval(condition, &item) != second_eval(condition->root, numbers))
			fail_msg("seed %llu round %u: %.*s on %s", (unsigned long long)seed, (unsigned)round,
			    (int)text.n, (const char *)text.at, (const char *)item_text.at);
		buf_fini(&text);
		buf_fini(&item_text);
		world_close(&w);
	}
}

/* ---- updates ---- */

static void
write_value(struct buf *out, uint32_t depth)
{
	uint32_t n = dice(4);

	switch (dice(depth == 0 ? 2 : 5)) {
	case 0:
		buf_append_format(out, "{'N':'%u'}", (unsigned)dice(100));
		break;
	case 1:
		buf_append_format(out, "{'S':'%u'}", (unsigned)dice(100));
		break;
	case 2:
	case 3:
		buf_append_string(out, "{'M':{");
		for (uint32_t i = 0; i < n; i++) {
			buf_append_format(out, "%s'%s':", i > 0 ? "," : "", attributes[i]);
			write_value(out, depth - 1);
		}
		buf_append_string(out, "}}");
		break;
	default:
		buf_append_string(out, "{'L':[");
		for (uint32_t i = 0; i < n; i++) {
			buf_append_string(out, i > 0 ? "," : "");
			write_value(out, depth - 1);
		}
		buf_append_string(out, "]}");
		break;
	}
}

static void
write_item(struct buf *out)
{
	buf_append_string(out, "{'pk':{'S':'k'}");
	for (int i = 0; i < 4; i++) {
		if (dice(4) == 0)
			continue;
		buf_append_format(out, ",'%s':", attributes[i]);
		write_value(out, 3);
	}
	buf_append(out, "}", 2);
}

static void
write_update(struct buf *out)
{
	uint32_t sets = dice(4), removes = sets == 0 ? 1 + dice(3) : dice(3);

	for (uint32_t i = 0; i < sets; i++) {
		buf_append_string(out, i == 0 ? "SET " : ", ");
		write_path(out, false);
		buf_append_format(out, " = :%s", attributes[dice(4)]);
	}
	for (uint32_t i = 0; i < removes; i++) {
		buf_append_string(out, i == 0 ? " REMOVE " : ", ");
		write_path(out, false);
	}
}

/* Whether some step of the path is an index: then what a removal shifts is not where it was. */
static bool
goes_through_list(const struct expr_path *path)
{
	for (const struct expr_step *step = path->first; step != NULL; step = step->next) {
		if (step->is_index)
			return true;
	}
	return false;
}

static bool
updated(const struct expr_update *update, struct bytes name)
{
	const struct bytes *names;
	uint32_t n = expr_update_names(update, &names);

	while (n-- > 0) {
		if (bytes_equal(names[n], name))
			return true;
	}
	return false;
}

static void
check_update(
    struct world *w, const struct expr_update *update, const struct value *before, const struct value *after)
{
	struct value old, new;

	for (const struct expr_action *a = update->actions; a != NULL; a = a->next) {
		const struct value *now = expr_path_find(a->path, after);

		if (goes_through_list(a->path))
			continue;
		if (a->type == EXPR_REMOVE)
			assert_null(now);
		else
			assert_true(now != NULL && value_equal(now, a->value->value));
	}
	for (uint32_t i = 0; i < before->map.n; i++) {
		const struct member *member = &before->map.at[i];
		const struct value *now = value_map_get(after, member->name);

		if (!updated(update, member->name))
			assert_true(now != NULL && value_equal(now, &member->value));
	}
	for (uint32_t i = 0; i < after->map.n; i++) {
		if (!updated(update, after->map.at[i].name))
			assert_non_null(value_map_get(before, after->map.at[i].name));
	}
	expect_ok(w, expr_update_returned(update, &w->arena, before, after, EXPR_UPDATED_OLD, &old));
	expect_ok(w, expr_update_returned(update, &w->arena, before, after, EXPR_UPDATED_NEW, &new));
	for (uint32_t i = 0; i < old.map.n; i++)
		assert_true(updated(update, old.map.at[i].name));
	for (uint32_t i = 0; i < new.map.n; i++)
		assert_true(updated(update, new.map.at[i].name));
}

static void
updates_are_read_back(void **state)
{
	uint32_t applied = 0;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct buf text = {0}, item_text = {0}, stored = {0}, again = {0};
		const struct expr_update *update;
		const struct value *after;
		struct value item, key, decoded;
		struct world w;

		round_begin(round);
		world_open(&w, NULL, SCOPE_VALUES);
		write_update(&text);
		write_item(&item_text);
		item = read_item(&w, (const char *)item_text.at);
		key = read_item(&w, "{'pk':{'S':'k'}}");
		value_encode(&item, &stored);
		if (expr_update_parse(&w.arena, buf_bytes(&text), &w.scope, &update, &w.error) == TIDE_OK &&
		    expr_update_apply(update, &w.arena, &item, &key, &after, &w.error) == TIDE_OK) {
			check_update(&w, update, &item, after);
			/* the item before is as it was, the one after is canonical */
			value_encode(&item, &again);
			assert_true(bytes_equal(buf_bytes(&stored), buf_bytes(&again)));
			buf_clear(&again);
			value_encode(after, &again);
			expect_ok(&w, value_decode(&w.arena, buf_bytes(&again), &decoded));
			assert_true(value_equal(after, &decoded));
			applied++;
		}
		buf_fini(&text);
		buf_fini(&item_text);
		buf_fini(&stored);
		buf_fini(&again);
		world_close(&w);
	}
	assert_true(applied > ROUNDS / 10);
}

int
main(void)
{
	const char *given = getenv("EXPR_SEED");
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_parsed_prints_the_same),
	    cmocka_unit_test(two_evaluators_agree),
	    cmocka_unit_test(updates_are_read_back),
	};

	seed = given != NULL ? strtoull(given, NULL, 10) : 20261121;
	return cmocka_run_group_tests_name("random expressions", tests, NULL, NULL);
}
