/*
 * Inside api/expr, and for api/partiql, which makes the same trees of its statements: the tree that the grammar builds, and what
 * its passes share.
 *
 *     text --lexer.re--> tokens --grammar.y--> tree --check*.c--> checked tree --condition.c, update.c, ...--> result
 *
 * Every node lives in the request's arena. The grammar records what was written; the checks resolve #names and :values in
 * place, and after them nothing changes.
 */
#ifndef TIDE_API_EXPR_AST_H
#define TIDE_API_EXPR_AST_H

#include "api/expr/expr.h"

/* One step of a document path: an attribute or map member by name, or a list element by index. */
struct expr_step {
	struct bytes name; /* as written until resolved; of an index its digits */
	uint32_t index;
	bool is_index, placeholder;
	struct expr_step *next;
};

struct expr_path {
	struct expr_step *first, *last;
	uint32_t n;
	bool parens; /* written in parentheses */
};

enum expr_op {
	EXPR_OP_PATH,
	EXPR_OP_VALUE,
	/* functions; their names are in ast.c */
	EXPR_OP_ATTRIBUTE_EXISTS,
	EXPR_OP_ATTRIBUTE_NOT_EXISTS,
	EXPR_OP_ATTRIBUTE_TYPE,
	EXPR_OP_BEGINS_WITH,
	EXPR_OP_CONTAINS,
	EXPR_OP_SIZE,
	EXPR_OP_IF_NOT_EXISTS,
	EXPR_OP_LIST_APPEND,
	EXPR_OP_UNKNOWN,
	/* operators of conditions */
	EXPR_OP_EQ,
	EXPR_OP_NE,
	EXPR_OP_LT,
	EXPR_OP_LE,
	EXPR_OP_GT,
	EXPR_OP_GE,
	EXPR_OP_BETWEEN,
	EXPR_OP_IN,
	EXPR_OP_AND,
	EXPR_OP_OR,
	EXPR_OP_NOT,
	/* operators of updates */
	EXPR_OP_PLUS,
	EXPR_OP_MINUS,
};

/* Is it true or false of an item? */
static inline bool
expr_op_is_condition(enum expr_op op)
{
	return (op >= EXPR_OP_EQ && op <= EXPR_OP_NOT) ||
	       (op >= EXPR_OP_ATTRIBUTE_EXISTS && op <= EXPR_OP_CONTAINS);
}

struct expr_node {
	enum expr_op op;
	bool parens;
	uint16_t n; /* arguments */
	struct bytes text; /* the function's name or the :value, as written */
	union {
		struct expr_path *path; /* PATH */
		const struct value *value; /* VALUE; NULL until resolved */
		struct expr_node *args; /* all others */
	};
	struct expr_node *next; /* the next argument of the same parent */
};

struct expr_list {
	struct expr_node *first, *last;
	uint32_t n;
};

enum expr_action_type { EXPR_SET, EXPR_REMOVE, EXPR_ADD, EXPR_DELETE, EXPR_ACTION_TYPES };

struct expr_action {
	enum expr_action_type type;
	uint32_t index; /* in the order written */
	struct expr_path *path;
	struct expr_node *value; /* NULL for REMOVE */
	bool legacy; /* of AttributeUpdates: a wrong type has another sentence */
	struct expr_action *next;
};

/* A set of paths as a tree: no path twice, none within another, every inner node all names or all indexes. Children
 * are in canonical order: names bytewise, indexes numerically. */
struct expr_tree {
	struct bytes name;
	uint32_t index;
	bool is_index;
	const struct expr_action *action; /* a leaf of an update */
	struct expr_tree *child, *next; /* `child` NULL: a leaf */
};

/* What one parse has built so far. */
struct expr_builder {
	struct arena *arena;
	enum expr_kind kind;
	struct bytes text;
	struct expr_scope *scope;
	struct tide_error *error;

	struct expr_node *root; /* a condition */
	struct expr_action *actions, *actions_last; /* an update; of a projection only the paths are used */
	uint32_t actions_n;
	enum expr_action_type section;
	uint8_t sections[EXPR_ACTION_TYPES];

	uint32_t operators;
	bool syntax, overflow, redundant, nomem;
	bool legacy; /* not a text but a parameter from before expressions: legacy.h */
};

struct expr_condition {
	const struct expr_node *root;
	bool legacy; /* faults found later have other sentences */
	const struct bytes *names;
	uint32_t names_n;
};

struct expr_update {
	const struct expr_action *actions; /* in the order written */
	uint32_t n;
	const struct expr_tree *tree; /* the first of the top-level names */
	bool creates; /* has a SET or an ADD */
	const struct bytes *names;
	uint32_t names_n;
};

struct expr_projection {
	const struct expr_action *paths; /* in the order written */
	const struct expr_tree *tree;
	const struct bytes *names;
	uint32_t names_n;
};

/* parse.c: what a checked builder has built. TIDE_NOMEM. */
tide_err expr_condition_new(struct expr_builder *b, const struct expr_condition **out);
tide_err expr_update_new(struct expr_builder *b, struct expr_action **sorted, const struct expr_update **out);

/** The same of a projection whose paths are resolved and not too deep; refuses those that overlap. */
tide_err expr_projection_new(struct expr_builder *b, const struct expr_projection **out);

/* lexer.re */
struct expr_lexer {
	const uint8_t *at, *end; /* `*end` is 0 and readable */
};

struct expr_token {
	int id; /* of the generated grammar.h; 0: the end */
	struct bytes text;
};

void expr_lexer_next(struct expr_lexer *lexer, struct expr_token *token);

/* grammar.y: reads the whole text into the builder; leaves a syntax error's sentence in its `error`. */
tide_err expr_grammar_run(struct expr_builder *b);

/* ast.c: called by the grammar; NULL in gives NULL out, and `nomem` is set when the arena is full. */
struct expr_step *expr_step_name(struct expr_builder *b, struct bytes name, bool placeholder);
struct expr_step *expr_step_index(struct expr_builder *b, struct bytes digits);
struct expr_path *expr_path_new(struct expr_builder *b, struct expr_step *first);
struct expr_path *expr_path_append(struct expr_path *path, struct expr_step *step);
struct expr_path *expr_path_parens(struct expr_builder *b, struct expr_path *path);
struct expr_node *expr_node_path(struct expr_builder *b, struct expr_path *path);
struct expr_node *expr_node_value(struct expr_builder *b, struct bytes text);
struct expr_node *expr_node_function(struct expr_builder *b, struct bytes name, struct expr_list args);
struct expr_node *expr_node_operator(struct expr_builder *b, enum expr_op op, struct expr_list args);
struct expr_node *expr_node_parens(struct expr_builder *b, struct expr_node *node);
struct expr_list expr_list_append(struct expr_list list, struct expr_node *node);
void expr_action_append(struct expr_builder *b, struct expr_path *path, struct expr_node *value);
const char *expr_op_name(enum expr_op op);

/* check.c: the checks of conditions; check_update.c: of updates and projections. TIDE_VALIDATION with the sentence. */
tide_err expr_check_condition(struct expr_builder *b);
tide_err expr_check_update(struct expr_builder *b, struct expr_action ***sorted);
tide_err expr_check_projection(struct expr_builder *b, struct expr_action ***sorted);

/* check_common.c: what both kinds of checks need */
tide_err expr_invalid(struct expr_builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
tide_err expr_check_written_path(struct expr_builder *b, const struct expr_path *path);
tide_err expr_check_function(struct expr_builder *b, const struct expr_node *node, bool nested);
tide_err expr_check_arity(struct expr_builder *b, const struct expr_node *node);
tide_err expr_check_depth(struct expr_builder *b, const struct expr_path *path);
tide_err expr_check_distinct(struct expr_builder *b, const struct expr_node *node);
tide_err expr_check_needs_path(struct expr_builder *b, const struct expr_node *node);
tide_err expr_check_types(struct expr_builder *b, const struct expr_node *node, uint32_t allowed);
tide_err expr_resolve_path(struct expr_builder *b, struct expr_path *path);
tide_err expr_resolve_value(struct expr_builder *b, struct expr_node *node);
tide_err expr_operand_type_fail(struct expr_builder *b, const struct expr_node *node, const char *type);

#define EXPR_TYPE(type) (UINT32_C(1) << VALUE_##type)
#define EXPR_ORDERED (EXPR_TYPE(S) | EXPR_TYPE(N) | EXPR_TYPE(B))
#define EXPR_SETS (EXPR_TYPE(SS) | EXPR_TYPE(NS) | EXPR_TYPE(BS))

/* path.c */
#define EXPR_PATH_TEXT_MAX 512
const struct value *expr_path_find(const struct expr_path *path, const struct value *item);
int expr_step_compare(const struct expr_step *a, const struct expr_step *b);
bool expr_path_equal(const struct expr_path *a, const struct expr_path *b);
void expr_path_format(const struct expr_path *path, char text[static EXPR_PATH_TEXT_MAX]);

/*
 * tree.c. `sort` orders a builder's actions by path, `check` refuses paths that overlap or conflict, `build` makes the tree
 * of paths that passed the check and are at most EXPR_PATH_DEPTH_MAX deep.
 */
tide_err expr_tree_sort(struct expr_builder *b, struct expr_action ***sorted);
tide_err expr_tree_check(struct expr_builder *b, struct expr_action **sorted);
tide_err expr_tree_build(struct expr_builder *b, struct expr_action **sorted, const struct expr_tree **out);
tide_err expr_tree_names(
    struct arena *arena, const struct expr_tree *tree, const struct bytes **names, uint32_t *n);
tide_err expr_tree_project(
    const struct expr_tree *tree, struct arena *arena, const struct value *item, struct value *out);

/* names.c */
const struct bytes *expr_scope_use_name(struct expr_scope *scope, struct bytes placeholder);
const struct value *expr_scope_use_value(struct expr_scope *scope, struct bytes placeholder);

/* reserved.c: whether a name, in any case, is a reserved word. */
bool expr_word_reserved(struct bytes name);

#endif
