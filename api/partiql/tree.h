/*
 * Inside api/partiql: what the grammar builds, and what its passes share. Names begin with ql_.
 *
 *     text --lexer.re--> tokens --grammar.y--> statement --literal.c, path.c, where.c, ...--> values and trees of api/expr
 *
 * Every node lives in the request's arena and keeps the piece of text that it came from: errors say where that is.
 */
#ifndef TIDE_API_PARTIQL_TREE_H
#define TIDE_API_PARTIQL_TREE_H

#include "api/expr/ast.h"
#include "api/partiql/partiql.h"

enum ql_op {
	QL_LITERAL,
	QL_MISSING,
	QL_ION, /* `...`: refused */
	QL_PARAM,
	QL_PATH, /* args: its steps; the first is a NAME */
	QL_NAME, /* a step of a path */
	QL_STAR, /* m.* */
	QL_CALL,
	QL_SELECT, /* SELECT within an expression */
	/* collections */
	QL_LIST, /* [1, 2] */
	QL_TUPLE, /* (1, 2) */
	QL_BAG, /* <<1, 2>> */
	QL_STRUCT, /* {'a': 1}: args are names and values by turns */
	/* operators */
	QL_AND,
	QL_OR,
	QL_NOT,
	QL_EQ,
	QL_NE,
	QL_LT,
	QL_LE,
	QL_GT,
	QL_GE,
	QL_IN,
	QL_BETWEEN,
	QL_LIKE,
	QL_IS,
	QL_PLUS,
	QL_MINUS,
	QL_TIMES,
	QL_DIVIDE,
	QL_MODULO,
	QL_CONCAT,
	QL_NEGATIVE,
	QL_POSITIVE,
};

struct ql_node {
	enum ql_op op;
	bool negated; /* NOT IN, NOT BETWEEN, NOT LIKE, IS NOT */
	bool parens;
	bool alias; /* a column with another name */
	struct bytes at; /* the token that names it */
	struct bytes name; /* NAME, CALL (lower case), the type of IS (upper case) */
	struct value value; /* LITERAL */
	uint32_t param; /* PARAM: which one, from 0 */
	struct ql_select *select; /* SELECT */
	uint32_t n;
	struct ql_node *args, *last, *next;
};

struct ql_list {
	struct ql_node *first, *last;
	uint32_t n;
};

/* SELECT, and what UPDATE and DELETE have of it. */
struct ql_select {
	struct bytes at; /* SELECT */
	struct ql_list columns; /* empty: * */
	bool star, distinct, value; /* DISTINCT, VALUE: refused */
	struct ql_list from; /* paths or other things; one is allowed */
	bool alias;
	struct ql_node *where; /* NULL: none */
	struct ql_node *limit, *having; /* refused */
	bool group; /* refused */
	struct ql_list order; /* `negated`: descending */
};

/* One SET or REMOVE. */
struct ql_assignment {
	struct ql_node *path, *value; /* `value` NULL: REMOVE */
	struct ql_assignment *next;
};

struct ql_returning {
	uint32_t n; /* 0: no RETURNING; only one is allowed */
	enum partiql_returning what;
	bool star; /* of the first */
};

enum ql_kind { QL_IS_SELECT, QL_IS_INSERT, QL_IS_UPDATE, QL_IS_DELETE, QL_IS_EXPRESSION, QL_IS_UNSUPPORTED };

struct ql_statement {
	enum ql_kind kind;
	struct ql_select *select; /* all but INSERT; its FROM is the table */
	struct ql_node *target, *item; /* INSERT */
	struct ql_assignment *first, *last; /* UPDATE */
	struct ql_returning returning;
	struct ql_node *expression;
	const char *unsupported; /* the operation's name */
};

/* What one parse has built so far. */
struct ql_builder {
	struct arena *arena;
	struct bytes text; /* ends with a NUL that is not counted */
	struct tide_error *error;
	struct ql_statement statement;
	const struct value *params; /* of the request */
	uint32_t n_params, params_used;
	bool syntax, overflow, nomem;
};

/* ---- lexer.re, words.c ---- */

struct ql_lexer {
	const uint8_t *at, *end; /* `*end` is 0 and readable */
};

struct ql_token {
	int id; /* of the generated ql_grammar.h; 0: the end */
	struct bytes text;
};

void ql_lexer_next(struct ql_lexer *lexer, struct ql_token *token);

/** The token of a word in any case: a keyword with a rule, any other keyword, or an identifier. */
int ql_word_id(struct bytes word);

/** The name of a type that may stand after IS, as messages show it ("INTEGER"); NULL: it is none. */
const char *ql_type_name(struct bytes word);

/* ---- grammar.y ---- */

/** Read the whole text into the builder. TIDE_VALIDATION with DynamoDB's sentence, TIDE_NOMEM. */
tide_err ql_grammar_run(struct ql_builder *b);

/* ---- tree.c: called by the grammar; NULL in gives NULL out, and `nomem` is set when the arena is full ---- */

struct ql_node *ql_node_new(struct ql_builder *b, enum ql_op op, struct bytes at);
struct ql_node *ql_node_string(struct ql_builder *b, struct bytes at);
struct ql_node *ql_node_constant(struct ql_builder *b, struct bytes at, enum value_type type, bool value);
struct ql_node *ql_node_number(struct ql_builder *b, struct bytes at);
struct ql_node *ql_node_name(struct ql_builder *b, struct bytes at);
struct ql_node *ql_node_list(struct ql_builder *b, enum ql_op op, struct bytes at, struct ql_list args);
struct ql_node *ql_node_of(
    struct ql_builder *b, enum ql_op op, struct bytes at, struct ql_node *left, struct ql_node *right);
struct ql_node *ql_node_append(struct ql_node *node, struct ql_node *arg);
struct ql_node *ql_node_select(struct ql_builder *b, struct ql_select *select);
struct ql_list ql_list_append(struct ql_list list, struct ql_node *node);
struct ql_select *ql_select_new(struct ql_builder *b);
void ql_assignment_append(struct ql_builder *b, struct ql_node *path, struct ql_node *value);

/** The class of a node in DynamoDB's sentences ("VariableReference"), and an operator's sign or word. */
const char *ql_node_class(const struct ql_node *node);
struct bytes ql_node_word(const struct ql_node *node);

/* ---- errors ---- */

/** TIDE_VALIDATION; `at` (`.at` NULL: none) adds " at LINE:COLUMN:LENGTH" in characters. */
tide_err ql_fail(struct ql_builder *b, struct bytes at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
tide_err ql_malformed(struct ql_builder *b, const char *detail);

/* ---- the passes ---- */

/** literal.c: a literal, a parameter or a collection of literals as a value, in canonical form. */
tide_err ql_value(struct ql_builder *b, const struct ql_node *node, struct value *out);

/** literal.c: is it a number, with its signs? */
bool ql_node_is_number(const struct ql_node *node);

/** literal.c: the item of INSERT. */
tide_err ql_item(struct ql_builder *b, const struct ql_node *node, struct value *out);

/** path.c: a document path. */
tide_err ql_path(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_path **out);

/** path.c: the columns of SELECT. */
tide_err ql_columns(struct ql_builder *b, const struct ql_select *select, struct partiql_statement *out);

/** where.c: a WHERE clause as a checked condition; `node` NULL: there is none. */
tide_err ql_where(struct ql_builder *b, const struct ql_node *node, const struct expr_condition **out);

/** where.c: a literal, a parameter or a collection as a node of api/expr. */
tide_err ql_value_node(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out);

/** where.c: a call of a function of expressions; `operand` makes its arguments. */
typedef tide_err (*ql_operand_fn)(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out);
tide_err ql_call_node(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node,
    ql_operand_fn operand, struct expr_node **out);

/** update.c: SET and REMOVE as a checked update. */
tide_err ql_update(struct ql_builder *b, const struct expr_update **out);

/** An expr_builder for the trees of a statement, with its arena and error. */
struct expr_builder ql_expr_builder(struct ql_builder *b);

#endif
