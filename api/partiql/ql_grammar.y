/*
 * The grammar of PartiQL as DynamoDB takes it, and of some that it knows and refuses by a sentence of its own (aliases, joins,
 * GROUP BY, LIMIT): those become marks in the tree.
 *
 * Comparisons do not nest to the right of one another, so the AND of BETWEEN is never the operator.
 * The stack is bounded, and with it the depth of what is nested; operators in a row are counted (EXPR_OPERATORS_MAX).
 */
%name QlParse
%token_prefix QL_T_
%token_type {struct bytes}
%default_type {struct ql_node *}
%extra_argument {struct ql_builder *b}
%stack_size 2000

%include {
#include "api/partiql/tree.h"

#include <strings.h>

/* lemon's template declares none of its functions and leaves some unused */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-function"
#define QlParse_ENGINEALWAYSONSTACK 1
#define YYNOERRORRECOVERY 1

static struct ql_node *
negated(struct ql_node *node)
{
	if (node != NULL)
		node->negated = true;
	return node;
}

static struct ql_node *
three(struct ql_builder *b, enum ql_op op, struct bytes at, struct ql_node *x, struct ql_node *y, struct ql_node *z)
{
	return ql_node_append(ql_node_of(b, op, at, x, y), z);
}

static struct ql_node *
is_type(struct ql_builder *b, struct bytes at, struct ql_node *x, struct bytes type)
{
	struct ql_list args = ql_list_append((struct ql_list){0}, x);
	struct ql_node *node = ql_node_list(b, QL_IS, at, args);
	const char *name = ql_type_name(type);

	if (node != NULL && name != NULL)
		node->name = bytes_of_string(name);
	return node;
}

static struct ql_node *
call(struct ql_builder *b, struct bytes name, struct ql_list args)
{
	struct ql_node *node = ql_node_list(b, QL_CALL, name, args);

	if (node == NULL)
		return NULL;
	node->name = arena_copy(b->arena, name);
	if (node->name.at == NULL) {
		b->nomem = true;
		return NULL;
	}
	for (size_t i = 0; i < name.n; i++) {
		uint8_t *c = (uint8_t *)node->name.at + i;

		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
	return node;
}

static struct ql_list
one(struct ql_node *node)
{
	return ql_list_append((struct ql_list){0}, node);
}

/* A path of one step. */
static struct ql_node *
path_of(struct ql_builder *b, struct ql_node *name)
{
	return name != NULL ? ql_node_list(b, QL_PATH, name->at, one(name)) : NULL;
}
}

%syntax_error { b->syntax = true; }
%stack_overflow { b->overflow = true; }

%left OR.
%left AND.
%right NOT.

start ::= statement.
start ::= statement SEMI.

/* statements */

statement ::= select(S). { b->statement.kind = QL_IS_SELECT; b->statement.select = S; }
statement ::= insert.
statement ::= UPDATE table(S) actions where(W) returning. {
	b->statement.kind = QL_IS_UPDATE;
	b->statement.select = S;
	if (S != NULL)
		S->where = W;
}
statement ::= FROM table(S) where(W) actions returning. {
	b->statement.kind = QL_IS_UPDATE;
	b->statement.select = S;
	if (S != NULL)
		S->where = W;
}
statement ::= DELETE FROM table(S) where(W) returning. {
	b->statement.kind = QL_IS_DELETE;
	b->statement.select = S;
	if (S != NULL)
		S->where = W;
}
statement ::= expr(X). { b->statement.kind = QL_IS_EXPRESSION; b->statement.expression = X; }
statement ::= CREATE TABLE name. { b->statement.kind = QL_IS_UNSUPPORTED; b->statement.unsupported = "CreateTable"; }
statement ::= DROP TABLE name. { b->statement.kind = QL_IS_UNSUPPORTED; b->statement.unsupported = "DropTable"; }

%type select {struct ql_select *}
%type table {struct ql_select *}
select(A) ::= SELECT(T) distinct(D) columns(C) FROM sources(F) where(W) group(G) having(H) order(O) limit(L). {
	if ((A = ql_select_new(b)) != NULL) {
		A->at = T;
		A->distinct = D == 1;
		A->value = D == 2;
		A->star = C.n == 0;
		A->columns = C;
		A->from = F;
		for (struct ql_node *source = F.first; source != NULL; source = source->next)
			A->alias |= source->alias;
		A->where = W;
		A->group = G;
		A->having = H;
		A->order = O;
		A->limit = L;
	}
}

%type distinct {int}
distinct(A) ::= . { A = 0; }
distinct(A) ::= ALL. { A = 0; }
distinct(A) ::= DISTINCT. { A = 1; }
distinct(A) ::= VALUE. { A = 2; }

%type columns {struct ql_list}
%type column_list {struct ql_list}
columns(A) ::= STAR. { A = (struct ql_list){0}; }
columns(A) ::= column_list(L). { A = L; }
column_list(A) ::= column(X). { A = one(X); }
column_list(A) ::= column_list(L) COMMA column(X). { A = ql_list_append(L, X); }
column(A) ::= expr(X). { A = X; }
column(A) ::= expr(X) AS name. { if ((A = X) != NULL) A->alias = true; }
column(A) ::= expr(X) name. { if ((A = X) != NULL) A->alias = true; }

%type sources {struct ql_list}
sources(A) ::= source(X). { A = one(X); }
sources(A) ::= sources(L) COMMA source(X). { A = ql_list_append(L, X); }
source(A) ::= expr(X). { A = X; }
source(A) ::= expr(X) AS name. { if ((A = X) != NULL) A->alias = true; }
source(A) ::= expr(X) name. { if ((A = X) != NULL) A->alias = true; }

where(A) ::= . { A = NULL; }
where(A) ::= WHERE expr(X). { A = X; }

%type group {bool}
group(A) ::= . { A = false; }
group(A) ::= GROUP BY items. { A = true; }
having(A) ::= . { A = NULL; }
having(A) ::= HAVING expr(X). { A = X; }
limit(A) ::= . { A = NULL; }
limit(A) ::= LIMIT expr(X). { A = X; }

%type order {struct ql_list}
%type order_list {struct ql_list}
order(A) ::= . { A = (struct ql_list){0}; }
order(A) ::= ORDER BY order_list(L). { A = L; }
order_list(A) ::= order_key(X). { A = one(X); }
order_list(A) ::= order_list(L) COMMA order_key(X). { A = ql_list_append(L, X); }
order_key(A) ::= expr(X). { A = X; }
order_key(A) ::= expr(X) ASC. { A = X; }
order_key(A) ::= expr(X) DESC. { A = negated(X); }

/* a table as UPDATE and DELETE name it */
table(A) ::= path(P). { if ((A = ql_select_new(b)) != NULL) A->from = one(P); }
table(A) ::= path(P) AS name. { if ((A = ql_select_new(b)) != NULL) { A->from = one(P); A->alias = true; } }
table(A) ::= path(P) name. { if ((A = ql_select_new(b)) != NULL) { A->from = one(P); A->alias = true; } }

insert ::= INSERT INTO path(P) VALUE expr(X) returning. {
	b->statement.kind = QL_IS_INSERT;
	b->statement.target = P;
	b->statement.item = X;
}
insert ::= INSERT INTO path struct. { b->statement.kind = QL_IS_UNSUPPORTED; b->statement.unsupported = "InsertOp"; }
insert ::= INSERT INTO path bag. { b->statement.kind = QL_IS_UNSUPPORTED; b->statement.unsupported = "InsertOp"; }
insert ::= INSERT INTO path VALUES rows. { b->statement.kind = QL_IS_UNSUPPORTED; b->statement.unsupported = "InsertOp"; }
rows ::= LP items RP. { }
rows ::= rows COMMA LP items RP. { }

actions ::= action.
actions ::= actions action.
action ::= SET sets.
action ::= REMOVE path(P). { ql_assignment_append(b, P, NULL); }
sets ::= set.
sets ::= sets COMMA set.
set ::= path(P) EQ expr(X). { ql_assignment_append(b, P, X); }

returning ::= .
returning ::= RETURNING returned_list.
returned_list ::= returned.
returned_list ::= returned_list COMMA returned.
returned ::= rows_kind(R) STAR. {
	if (b->statement.returning.n++ == 0) {
		b->statement.returning.what = R;
		b->statement.returning.star = true;
	}
}
returned ::= rows_kind(R) expr. {
	if (b->statement.returning.n++ == 0)
		b->statement.returning.what = R;
}
%type rows_kind {enum partiql_returning}
rows_kind(A) ::= ALL OLD. { A = PARTIQL_RETURN_ALL_OLD; }
rows_kind(A) ::= ALL NEW. { A = PARTIQL_RETURN_ALL_NEW; }
rows_kind(A) ::= MODIFIED OLD. { A = PARTIQL_RETURN_MODIFIED_OLD; }
rows_kind(A) ::= MODIFIED NEW. { A = PARTIQL_RETURN_MODIFIED_NEW; }

/* conditions */

expr(A) ::= expr(L) OR(T) expr(R). { A = ql_node_of(b, QL_OR, T, L, R); }
expr(A) ::= expr(L) AND(T) expr(R). { A = ql_node_of(b, QL_AND, T, L, R); }
expr(A) ::= NOT(T) expr(X). { A = ql_node_of(b, QL_NOT, T, NULL, X); }
expr(A) ::= pred(X). { A = X; }

pred(A) ::= sum(X). { A = X; }
pred(A) ::= pred(L) EQ(T) sum(R). { A = ql_node_of(b, QL_EQ, T, L, R); }
pred(A) ::= pred(L) NE(T) sum(R). { A = ql_node_of(b, QL_NE, T, L, R); }
pred(A) ::= pred(L) LT(T) sum(R). { A = ql_node_of(b, QL_LT, T, L, R); }
pred(A) ::= pred(L) LE(T) sum(R). { A = ql_node_of(b, QL_LE, T, L, R); }
pred(A) ::= pred(L) GT(T) sum(R). { A = ql_node_of(b, QL_GT, T, L, R); }
pred(A) ::= pred(L) GE(T) sum(R). { A = ql_node_of(b, QL_GE, T, L, R); }
pred(A) ::= pred(L) IN(T) sum(R). { A = ql_node_of(b, QL_IN, T, L, R); }
pred(A) ::= pred(L) NOT IN(T) sum(R). { A = negated(ql_node_of(b, QL_IN, T, L, R)); }
pred(A) ::= pred(L) LIKE(T) sum(R). { A = ql_node_of(b, QL_LIKE, T, L, R); }
pred(A) ::= pred(L) NOT LIKE(T) sum(R). { A = negated(ql_node_of(b, QL_LIKE, T, L, R)); }
pred(A) ::= pred(L) BETWEEN(T) sum(X) AND sum(Y). { A = three(b, QL_BETWEEN, T, L, X, Y); }
pred(A) ::= pred(L) NOT BETWEEN(T) sum(X) AND sum(Y). { A = negated(three(b, QL_BETWEEN, T, L, X, Y)); }
pred(A) ::= pred(L) IS(T) TYPE(N). { A = is_type(b, T, L, N); }
pred(A) ::= pred(L) IS(T) NOT TYPE(N). { A = negated(is_type(b, T, L, N)); }

/* arithmetic */

sum(A) ::= product(X). { A = X; }
sum(A) ::= sum(L) PLUS(T) product(R). { A = ql_node_of(b, QL_PLUS, T, L, R); }
sum(A) ::= sum(L) MINUS(T) product(R). { A = ql_node_of(b, QL_MINUS, T, L, R); }
sum(A) ::= sum(L) CONCAT(T) product(R). { A = ql_node_of(b, QL_CONCAT, T, L, R); }
product(A) ::= signed(X). { A = X; }
product(A) ::= product(L) STAR(T) signed(R). { A = ql_node_of(b, QL_TIMES, T, L, R); }
product(A) ::= product(L) SLASH(T) signed(R). { A = ql_node_of(b, QL_DIVIDE, T, L, R); }
product(A) ::= product(L) PERCENT(T) signed(R). { A = ql_node_of(b, QL_MODULO, T, L, R); }
signed(A) ::= primary(X). { A = X; }
signed(A) ::= MINUS(T) signed(X). { A = ql_node_of(b, QL_NEGATIVE, T, NULL, X); }
signed(A) ::= PLUS(T) signed(X). { A = ql_node_of(b, QL_POSITIVE, T, NULL, X); }

/* terms */

primary(A) ::= path(P). { A = P; }
primary(A) ::= STRING(T). { A = ql_node_string(b, T); }
primary(A) ::= NUMBER(T). { A = ql_node_number(b, T); }
primary(A) ::= TRUE(T). { A = ql_node_constant(b, T, VALUE_BOOL, true); }
primary(A) ::= FALSE(T). { A = ql_node_constant(b, T, VALUE_BOOL, false); }
primary(A) ::= NULL(T). { A = ql_node_constant(b, T, VALUE_NULL, true); }
primary(A) ::= MISSING(T). { A = ql_node_new(b, QL_MISSING, T); }
primary(A) ::= ION(T). { A = ql_node_new(b, QL_ION, T); }
primary(A) ::= PARAM(T). { A = ql_node_new(b, QL_PARAM, T); }
primary(A) ::= IDENT(T) LP args(L) RP. { A = call(b, T, L); }
primary(A) ::= FUNCTION(T) LP args(L) RP. { A = call(b, T, L); }
primary(A) ::= LP expr(X) RP. { if ((A = X) != NULL) A->parens = true; }
primary(A) ::= LP select(S) RP. { A = ql_node_select(b, S); }
primary(A) ::= LP(T) items(L) COMMA expr(X) RP. { A = ql_node_list(b, QL_TUPLE, T, ql_list_append(L, X)); }
primary(A) ::= LB(T) RB. { A = ql_node_list(b, QL_LIST, T, (struct ql_list){0}); }
primary(A) ::= LB(T) items(L) RB. { A = ql_node_list(b, QL_LIST, T, L); }
primary(A) ::= bag(X). { A = X; }
primary(A) ::= struct(X). { A = X; }

bag(A) ::= LBAG(T) RBAG. { A = ql_node_list(b, QL_BAG, T, (struct ql_list){0}); }
bag(A) ::= LBAG(T) items(L) RBAG. { A = ql_node_list(b, QL_BAG, T, L); }
struct(A) ::= LC(T) RC. { A = ql_node_list(b, QL_STRUCT, T, (struct ql_list){0}); }
struct(A) ::= LC(T) members(L) RC. { A = ql_node_list(b, QL_STRUCT, T, L); }

%type items {struct ql_list}
%type args {struct ql_list}
%type members {struct ql_list}
items(A) ::= expr(X). { A = one(X); }
items(A) ::= items(L) COMMA expr(X). { A = ql_list_append(L, X); }
args(A) ::= . { A = (struct ql_list){0}; }
args(A) ::= items(L). { A = L; }
args(A) ::= STAR(T). { A = one(ql_node_new(b, QL_STAR, T)); }
args(A) ::= select(S). { A = one(ql_node_select(b, S)); }
members(A) ::= expr(N) COLON expr(X). { A = ql_list_append(one(N), X); }
members(A) ::= members(L) COMMA expr(N) COLON expr(X). { A = ql_list_append(ql_list_append(L, N), X); }

/* paths */

path(A) ::= name(N). { A = path_of(b, N); }
path(A) ::= AT name(N). { A = path_of(b, N); }
path(A) ::= path(P) DOT name(N). { A = ql_node_append(P, N); }
path(A) ::= path(P) DOT STAR(T). { A = ql_node_append(P, ql_node_new(b, QL_STAR, T)); }
path(A) ::= path(P) LB expr(X) RB. { A = ql_node_append(P, X); }

name(A) ::= IDENT(T). { A = ql_node_name(b, T); }
name(A) ::= QUOTED(T). { A = ql_node_name(b, T); }

/* tokens that no rule uses */
start ::= UNREADABLE KEYWORD.

%code {
/* Where a statement stops to make sense: DynamoDB's parser says what it had expected there. */

static bool
accepts(const yyParser *parser, int token)
{
	YYACTIONTYPE action = yy_find_shift_action((YYCODETYPE)token, parser->yytos->stateno);

	return action != YY_ERROR_ACTION && action != YY_NO_ACTION;
}

static bool
is_operator(int id)
{
	switch (id) {
	case QL_T_EQ:
	case QL_T_NE:
	case QL_T_LT:
	case QL_T_LE:
	case QL_T_GT:
	case QL_T_GE:
	case QL_T_IN:
	case QL_T_IS:
	case QL_T_LIKE:
	case QL_T_BETWEEN:
	case QL_T_AND:
	case QL_T_OR:
	case QL_T_SLASH:
	case QL_T_PERCENT:
	case QL_T_CONCAT:
		return true;
	default:
		return false;
	}
}

static bool
is_infix(int id)
{
	return is_operator(id) || id == QL_T_PLUS || id == QL_T_MINUS || id == QL_T_STAR;
}

static bool
is_word(const struct ql_token *token)
{
	uint8_t c = token->text.n > 0 ? token->text.at[0] : 0;

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_keyword(const struct ql_token *token)
{
	return is_word(token) && token->id != QL_T_IDENT;
}

static tide_err
term_fail(struct ql_builder *b, const struct ql_token *previous, const struct ql_token *token)
{
	if (token->id == QL_T_FROM)
		return ql_malformed(b, "Expected data manipulation");
	if (token->id == 0 && is_infix(previous->id))
		return ql_malformed(b, "Missing right-hand side expression of infix operator");
	if (is_operator(token->id))
		return ql_malformed(b, "Unexpected operator");
	return ql_malformed(b, is_keyword(token) ? "Unexpected keyword" : "Unexpected term");
}

/* After INSERT INTO table DynamoDB's parser takes any expression, and then wonders at what follows. */
static tide_err
insert_fail(struct ql_builder *b, struct ql_lexer lexer, const struct ql_token *token)
{
	struct ql_token first = *token;

	if (first.id == QL_T_LP)
		ql_lexer_next(&lexer, &first);
	if (first.id == 0)
		return ql_malformed(b, "Unexpected term");
	if (is_keyword(&first))
		return ql_malformed(b, "Unexpected keyword");
	return ql_malformed(b, "Unexpected token after expression");
}

static tide_err
syntax_fail(struct ql_builder *b, const yyParser *parser, struct ql_lexer lexer,
    const struct ql_token *previous, const struct ql_token *token)
{
	if (accepts(parser, QL_T_VALUE) && accepts(parser, QL_T_DOT))
		return insert_fail(b, lexer, token);
	if (previous->id == QL_T_IS || accepts(parser, QL_T_TYPE))
		return ql_malformed(b, "Expected type name");
	if (previous->id == QL_T_DOT)
		return ql_malformed(b, "Invalid path dot component");
	if (accepts(parser, QL_T_PARAM))
		return term_fail(b, previous, token);
	if (accepts(parser, QL_T_IDENT) && !accepts(parser, 0) && !accepts(parser, QL_T_AS))
		return ql_malformed(b, "Expected identifier for simple path");
	if (accepts(parser, QL_T_SET))
		return ql_malformed(b, "Expected data manipulation");
	if (accepts(parser, 0))
		return ql_malformed(b, "Unexpected token after expression");
	if (previous->id == QL_T_FUNCTION)
		return ql_malformed(b, "Unexpected keyword");
	/* what is open is ( if none of the other brackets would close it */
	if (accepts(parser, QL_T_RP) ||
	    (accepts(parser, QL_T_COMMA) && !accepts(parser, QL_T_RB) && !accepts(parser, QL_T_RC) &&
		!accepts(parser, QL_T_RBAG) && !accepts(parser, QL_T_FROM)))
		return ql_malformed(b, "Expected RIGHT_PAREN");
	if (accepts(parser, QL_T_FROM) && previous->id != QL_T_DELETE)
		return ql_malformed(b, "Expected FROM after SELECT list");
	return ql_malformed(b, is_keyword(token) ? "Unexpected keyword" : "Unexpected term");
}

/* An exponent, or the places behind the point, that no 32 bits hold are no number to the parser. */
static bool
number_readable(struct bytes text)
{
	int64_t exponent = 0, places = 0;
	bool point = false, negative = false;
	size_t i = 0;

	for (; i < text.n && (text.at[i] | 0x20) != 'e'; i++) {
		places += point;
		point |= text.at[i] == '.';
	}
	if (++i < text.n && (text.at[i] == '+' || text.at[i] == '-'))
		negative = text.at[i++] == '-';
	for (; i < text.n && exponent <= INT32_MAX; i++)
		exponent = exponent * 10 + (text.at[i] - '0');
	places -= negative ? -exponent : exponent;
	return exponent <= INT32_MAX && places >= INT32_MIN && places <= INT32_MAX;
}

static bool
readable(const struct ql_token *token)
{
	return token->id != QL_T_UNREADABLE && (token->id != QL_T_NUMBER || number_readable(token->text));
}

/* After IS [NOT] a word names a type, whatever else it may be. Types of two words are one token. */
static void
read_type(struct ql_lexer *lexer, struct ql_token *token)
{
	struct ql_lexer ahead = *lexer;
	struct ql_token next;

	if (!is_word(token) || ql_type_name(token->text) == NULL)
		return;
	token->id = QL_T_TYPE;
	ql_lexer_next(&ahead, &next);
	if ((token->text.n == 6 && next.text.n == 9 && strncasecmp((const char *)next.text.at, "PRECISION", 9) == 0) ||
	    (token->text.n == 9 && next.text.n == 7 && strncasecmp((const char *)next.text.at, "VARYING", 7) == 0))
		*lexer = ahead;
}

/* All of the text is read before any of it is judged. */
static bool
text_readable(struct bytes text)
{
	struct ql_lexer lexer = {text.at, text.at + text.n};
	struct ql_token token;

	do {
		ql_lexer_next(&lexer, &token);
		if (!readable(&token))
			return false;
	} while (token.id != 0);
	return true;
}

tide_err
ql_grammar_run(struct ql_builder *b)
{
	struct ql_lexer lexer = {b->text.at, b->text.at + b->text.n};
	struct ql_token token = {0}, previous = {0}, before = {0};
	yyParser parser;
	tide_err rc = TIDE_OK;

	if (!text_readable(b->text))
		return ql_malformed(b, "");
	QlParseInit(&parser);
	do {
		before = previous;
		previous = token;
		ql_lexer_next(&lexer, &token);
		if (previous.id == QL_T_IS || (previous.id == QL_T_NOT && before.id == QL_T_IS))
			read_type(&lexer, &token);
		QlParse(&parser, token.id, token.text, b);
		if (b->syntax)
			rc = syntax_fail(b, &parser, lexer, &previous, &token);
		else if (b->overflow)
			rc = ql_malformed(b, "");
		else if (b->nomem)
			rc = TIDE_NOMEM;
	} while (rc == TIDE_OK && token.id != 0);
	QlParseFinalize(&parser);
	return rc;
}
}
