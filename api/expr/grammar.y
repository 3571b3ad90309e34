/*
 * The grammar of all expressions. A first token that no text can contain chooses what is parsed.
 *
 * A condition in parentheses and an operand in parentheses begin alike, so every kind of thing (path, value, function,
 * comparison) has its own rule for parentheses; which of them may stand where is decided at the next operator. A bare
 * function is a condition or an operand; the checks tell which functions may be which.
 *
 * The stack is bounded: no expression of EXPR_OPERATORS_MAX operators without redundant parentheses needs more.
 */
%name ExprParse
%token_prefix EXPR_T_
%token_type {struct bytes}
%default_type {struct expr_node *}
%extra_argument {struct expr_builder *b}
%stack_size 1280

%include {
#include "api/expr/ast.h"

/* lemon's template declares none of its functions and leaves some unused */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-function"
#define ExprParse_ENGINEALWAYSONSTACK 1
#define YYNOERRORRECOVERY 1

static struct expr_list
list_of(struct expr_node *a, struct expr_node *b, struct expr_node *c)
{
	struct expr_list list = expr_list_append((struct expr_list){0}, a);

	if (b != NULL)
		list = expr_list_append(list, b);
	return c != NULL ? expr_list_append(list, c) : list;
}
}

%syntax_error { b->syntax = true; }
%stack_overflow { b->overflow = true; }

%left OR.
%left AND.
%right NOT.

start ::= START_CONDITION cond(C). { b->root = C; }
start ::= START_UPDATE sections.
start ::= START_PROJECTION projections.

/* conditions */

cond(A) ::= func(F). { A = F; }
cond(A) ::= complex(C). { A = C; }

complex(A) ::= cond(L) OR cond(R). { A = expr_node_operator(b, EXPR_OP_OR, list_of(L, R, NULL)); }
complex(A) ::= cond(L) AND cond(R). { A = expr_node_operator(b, EXPR_OP_AND, list_of(L, R, NULL)); }
complex(A) ::= NOT cond(C). { A = expr_node_operator(b, EXPR_OP_NOT, list_of(C, NULL, NULL)); }
complex(A) ::= operand(L) comparator(C) operand(R). { A = expr_node_operator(b, C, list_of(L, R, NULL)); }
complex(A) ::= operand(X) BETWEEN operand(L) AND operand(H). {
	A = expr_node_operator(b, EXPR_OP_BETWEEN, list_of(X, L, H));
}
complex(A) ::= operand(X) IN LP args(L) RP. {
	struct expr_list list = expr_list_append((struct expr_list){0}, X);

	list.last = L.last;
	list.n += L.n;
	if (list.first != NULL)
		list.first->next = L.first;
	A = expr_node_operator(b, EXPR_OP_IN, list);
}
complex(A) ::= LP complex(C) RP. { A = expr_node_parens(b, C); }

%type comparator {enum expr_op}
comparator(A) ::= EQ. { A = EXPR_OP_EQ; }
comparator(A) ::= NE. { A = EXPR_OP_NE; }
comparator(A) ::= LT. { A = EXPR_OP_LT; }
comparator(A) ::= LE. { A = EXPR_OP_LE; }
comparator(A) ::= GT. { A = EXPR_OP_GT; }
comparator(A) ::= GE. { A = EXPR_OP_GE; }

/* operands */

operand(A) ::= path(P). { A = expr_node_path(b, P); }
operand(A) ::= val(V). { A = V; }
operand(A) ::= func(F). { A = F; }

val(A) ::= VALUE(V). { A = expr_node_value(b, V); }
val(A) ::= LP val(V) RP. { A = expr_node_parens(b, V); }

func(A) ::= IDENT(N) LP args(L) RP. { A = expr_node_function(b, N, L); }
func(A) ::= LP func(F) RP. { A = expr_node_parens(b, F); }

%type args {struct expr_list}
args(A) ::= operand(X). { A = expr_list_append((struct expr_list){0}, X); }
args(A) ::= args(L) COMMA operand(X). { A = expr_list_append(L, X); }

/* paths: `target` has no parentheses, `group` has */

%type target {struct expr_path *}
%type group {struct expr_path *}
%type path {struct expr_path *}
%type name {struct expr_step *}
path(A) ::= target(P). { A = P; }
path(A) ::= group(P). { A = P; }

target(A) ::= name(N). { A = expr_path_new(b, N); }
target(A) ::= target(P) DOT name(N). { A = expr_path_append(P, N); }
target(A) ::= target(P) LB NUMBER(I) RB. { A = expr_path_append(P, expr_step_index(b, I)); }

group(A) ::= LP path(P) RP. { A = expr_path_parens(b, P); }
group(A) ::= group(P) DOT name(N). { A = expr_path_append(P, N); }
group(A) ::= group(P) LB NUMBER(I) RB. { A = expr_path_append(P, expr_step_index(b, I)); }

name(A) ::= IDENT(N). { A = expr_step_name(b, N, false); }
name(A) ::= NAME(N). { A = expr_step_name(b, N, true); }

/* updates */

sections ::= section.
sections ::= sections section.

section ::= set_word sets.
section ::= remove_word removes.
section ::= add_word adds.
section ::= delete_word deletes.

/* reduced before the section's first action */
set_word ::= SET. { b->section = EXPR_SET; b->sections[EXPR_SET] += b->sections[EXPR_SET] < 2; }
remove_word ::= REMOVE. { b->section = EXPR_REMOVE; b->sections[EXPR_REMOVE] += b->sections[EXPR_REMOVE] < 2; }
add_word ::= ADD. { b->section = EXPR_ADD; b->sections[EXPR_ADD] += b->sections[EXPR_ADD] < 2; }
delete_word ::= DELETE. { b->section = EXPR_DELETE; b->sections[EXPR_DELETE] += b->sections[EXPR_DELETE] < 2; }

sets ::= set.
sets ::= sets COMMA set.
set ::= target(P) EQ set_value(V). { expr_action_append(b, P, V); }

set_value(A) ::= operand(X). { A = X; }
set_value(A) ::= arith(X). { A = X; }
arith(A) ::= operand(L) PLUS operand(R). { A = expr_node_operator(b, EXPR_OP_PLUS, list_of(L, R, NULL)); }
arith(A) ::= operand(L) MINUS operand(R). { A = expr_node_operator(b, EXPR_OP_MINUS, list_of(L, R, NULL)); }
arith(A) ::= LP arith(X) RP. { A = expr_node_parens(b, X); }

removes ::= remove.
removes ::= removes COMMA remove.
remove ::= target(P). { expr_action_append(b, P, NULL); }

adds ::= add.
adds ::= adds COMMA add.
add ::= target(P) VALUE(V). { expr_action_append(b, P, expr_node_value(b, V)); }

deletes ::= delete.
deletes ::= deletes COMMA delete.
delete ::= target(P) VALUE(V). { expr_action_append(b, P, expr_node_value(b, V)); }

/* projections */

projections ::= projection.
projections ::= projections COMMA projection.
projection ::= target(P). { expr_action_append(b, P, NULL); }

/* a token that no rule uses: whatever the lexer does not know */
start ::= UNKNOWN START_UNKNOWN.

%code {
/* DynamoDB shows the token before the offending one, that one, and the next, as they stand in the text. */
static tide_err
syntax_fail(struct expr_builder *b, struct expr_lexer *lexer, const struct expr_token *previous,
    const struct expr_token *token)
{
	const uint8_t *from = previous->text.at != NULL ? previous->text.at : token->text.at;
	const uint8_t *to = token->text.at + token->text.n;
	struct expr_token next;

	if (token->id == 0)
		return expr_invalid(b, "Syntax error; token: \"<EOF>\", near: \"%.*s\"", (int)(to - from), from);
	expr_lexer_next(lexer, &next);
	to = next.text.at + next.text.n;
	return expr_invalid(b, "Syntax error; token: \"%.*s\", near: \"%.*s\"", (int)token->text.n, token->text.at,
	    (int)(to - from), from);
}

static int
first_token(enum expr_kind kind)
{
	switch (kind) {
	case EXPR_UPDATE:
		return EXPR_T_START_UPDATE;
	case EXPR_PROJECTION:
		return EXPR_T_START_PROJECTION;
	case EXPR_CONDITION:
	case EXPR_FILTER:
	case EXPR_KEY_CONDITION:
	case EXPR_STATEMENT:
		break;
	}
	return EXPR_T_START_CONDITION;
}

tide_err
expr_grammar_run(struct expr_builder *b)
{
	struct expr_lexer lexer = {b->text.at, b->text.at + b->text.n};
	struct expr_token token = {0}, previous = {0};
	yyParser parser;
	tide_err rc = TIDE_OK;

	ExprParseInit(&parser);
	ExprParse(&parser, first_token(b->kind), BYTES_NONE, b);
	do {
		previous = token;
		expr_lexer_next(&lexer, &token);
		ExprParse(&parser, token.id, token.text, b);
		if (b->redundant)
			rc = expr_invalid(b, "The expression has redundant parentheses;");
		else if (b->syntax)
			rc = syntax_fail(b, &lexer, &previous, &token);
		else if (b->overflow)
			rc = b->operators > EXPR_OPERATORS_MAX
			    ? expr_invalid(b, "The expression contains too many operators; operator count: %d",
			          EXPR_OPERATORS_MAX + 1)
			    : expr_invalid(b, "The expression has redundant parentheses;");
		else if (b->nomem)
			rc = TIDE_NOMEM;
	} while (rc == TIDE_OK && token.id != 0);
	ExprParseFinalize(&parser);
	return rc;
}
}
