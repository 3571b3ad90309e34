/*
 * The words of a statement. What begins none is the UNREADABLE token: DynamoDB says no more of it than that the statement is not
 * well formed.
 */
#include "api/partiql/tree.h"
#include "api/partiql/ql_grammar.h"

void
ql_lexer_next(struct ql_lexer *lexer, struct ql_token *token)
{
	const uint8_t *YYCURSOR = lexer->at, *YYLIMIT = lexer->end, *YYMARKER = NULL;
	const uint8_t *start;
	int id;

	(void)YYMARKER;
	for (;;) {
		start = YYCURSOR;
		/*!re2c
		re2c:define:YYCTYPE = uint8_t;
		re2c:yyfill:enable = 0;
		re2c:eof = 0;

		any = [\x00-\xff];
		word = [a-zA-Z_$] [a-zA-Z0-9_$]*;
		digits = [0-9]+;
		number = (digits ("." [0-9]*)? | "." digits) ([eE] [+-]? digits)?;

		[ \t\r\n]+               { continue; }
		"--" [^\n]*              { continue; }
		"/*" ([^*] | "*"+ [^*/])* "*"+ "/" { continue; }
		"/*"                     { id = QL_T_UNREADABLE; break; }
		word                     { id = ql_word_id(bytes_of(start, (size_t)(YYCURSOR - start))); break; }
		number                   { id = QL_T_NUMBER; break; }
		number [a-zA-Z0-9_$.]    { id = QL_T_UNREADABLE; break; }
		"'" ([^'] | "''")* "'"   { id = QL_T_STRING; break; }
		["] ([^"] | ["]["])* ["] { id = QL_T_QUOTED; break; }
		"`" [^`]* "`"            { id = QL_T_ION; break; }
		"?"                      { id = QL_T_PARAM; break; }
		"="                      { id = QL_T_EQ; break; }
		"<>" | "!="              { id = QL_T_NE; break; }
		"<"                      { id = QL_T_LT; break; }
		"<="                     { id = QL_T_LE; break; }
		">"                      { id = QL_T_GT; break; }
		">="                     { id = QL_T_GE; break; }
		"<<"                     { id = QL_T_LBAG; break; }
		">>"                     { id = QL_T_RBAG; break; }
		"("                      { id = QL_T_LP; break; }
		")"                      { id = QL_T_RP; break; }
		"["                      { id = QL_T_LB; break; }
		"]"                      { id = QL_T_RB; break; }
		"{"                      { id = QL_T_LC; break; }
		"}"                      { id = QL_T_RC; break; }
		","                      { id = QL_T_COMMA; break; }
		"."                      { id = QL_T_DOT; break; }
		":"                      { id = QL_T_COLON; break; }
		";"                      { id = QL_T_SEMI; break; }
		"+"                      { id = QL_T_PLUS; break; }
		"-"                      { id = QL_T_MINUS; break; }
		"*"                      { id = QL_T_STAR; break; }
		"/"                      { id = QL_T_SLASH; break; }
		"%"                      { id = QL_T_PERCENT; break; }
		"||"                     { id = QL_T_CONCAT; break; }
		"@"                      { id = QL_T_AT; break; }
		$                        { id = 0; break; }
		any                      { id = QL_T_UNREADABLE; break; }
		*/
	}
	lexer->at = YYCURSOR;
	token->id = id;
	token->text = bytes_of(start, (size_t)(YYCURSOR - start));
	if (id == 0)
		token->text = bytes_of(lexer->end, 0);
}
