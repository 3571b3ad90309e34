/*
 * The words of an expression. A character that begins none is a token of its own, for the sentence of the syntax
 * error. Keywords are keywords in every kind of expression and in any case.
 */
#include "api/expr/ast.h"
#include "api/expr/grammar.h"

#include <strings.h>

static const struct {
	const char *text;
	int id;
} keywords[] = {
    {"ADD", EXPR_T_ADD},
    {"AND", EXPR_T_AND},
    {"BETWEEN", EXPR_T_BETWEEN},
    {"DELETE", EXPR_T_DELETE},
    {"IN", EXPR_T_IN},
    {"NOT", EXPR_T_NOT},
    {"OR", EXPR_T_OR},
    {"REMOVE", EXPR_T_REMOVE},
    {"SET", EXPR_T_SET},
};

static int
word_id(const uint8_t *at, size_t n)
{
	for (size_t i = 0; n <= 7 && i < sizeof keywords / sizeof keywords[0]; i++) {
		if (strlen(keywords[i].text) == n && strncasecmp(keywords[i].text, (const char *)at, n) == 0)
			return keywords[i].id;
	}
	return EXPR_T_IDENT;
}

void
expr_lexer_next(struct expr_lexer *lexer, struct expr_token *token)
{
	const uint8_t *YYCURSOR = lexer->at, *YYLIMIT = lexer->end;
	const uint8_t *start;
	int id;

	for (;;) {
		start = YYCURSOR;
		/*!re2c
		re2c:define:YYCTYPE = uint8_t;
		re2c:yyfill:enable = 0;
		re2c:eof = 0;

		word = [a-zA-Z] [a-zA-Z0-9_]*;

		[ \t\r\n]+         { continue; }
		word               { id = word_id(start, (size_t)(YYCURSOR - start)); break; }
		"#" [a-zA-Z0-9_]+  { id = EXPR_T_NAME; break; }
		":" [a-zA-Z0-9_]+  { id = EXPR_T_VALUE; break; }
		"0" | [1-9] [0-9]* { id = EXPR_T_NUMBER; break; }
		"="                { id = EXPR_T_EQ; break; }
		"<>"               { id = EXPR_T_NE; break; }
		"<"                { id = EXPR_T_LT; break; }
		"<="               { id = EXPR_T_LE; break; }
		">"                { id = EXPR_T_GT; break; }
		">="               { id = EXPR_T_GE; break; }
		"("                { id = EXPR_T_LP; break; }
		")"                { id = EXPR_T_RP; break; }
		"["                { id = EXPR_T_LB; break; }
		"]"                { id = EXPR_T_RB; break; }
		","                { id = EXPR_T_COMMA; break; }
		"."                { id = EXPR_T_DOT; break; }
		"+"                { id = EXPR_T_PLUS; break; }
		"-"                { id = EXPR_T_MINUS; break; }
		$                  { id = 0; break; }
		[\xc0-\xff] [\x80-\xbf]+ { id = EXPR_T_UNKNOWN; break; }
		*                  { id = EXPR_T_UNKNOWN; break; }
		*/
	}
	lexer->at = YYCURSOR;
	token->id = id;
	token->text = bytes_of(start, (size_t)(YYCURSOR - start));
	if (id == 0)
		token->text = bytes_of(lexer->end, 0);
}
