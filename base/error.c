#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name, *exception, *text;
	int http;
} errors[] = {
#define X(code, exception, http, text) {#code, exception, text, http},
    TIDE_ERRORS(X)
#undef X
};

tide_err
tide_fail(struct tide_error *error, tide_err code, const char *format, ...)
{
	va_list args;

	if (error == NULL)
		return code;
	error->code = code;
	if (format == NULL) {
		snprintf(error->message, sizeof error->message, "%s", errors[code].text);
		return code;
	}
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	return code;
}

const char *
tide_err_name(tide_err code)
{
	return errors[code].name;
}

const char *
tide_err_text(tide_err code)
{
	return errors[code].text;
}

const char *
tide_err_exception(tide_err code)
{
	return errors[code].exception;
}

int
tide_err_http(tide_err code)
{
	return errors[code].http;
}
