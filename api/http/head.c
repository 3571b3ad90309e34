#include "api/http/head.h"

#include <strings.h>

#include "api/http/http.h"

static const struct {
	const char *name;
	size_t n;
} field_names[] = {
#define X(field, name) {name, sizeof(name) - 1},
    HTTP_FIELDS(X)
#undef X
};

void
http_head_fini(struct http_head *head)
{
	buf_fini(&head->text);
	memset(head, 0, sizeof *head);
}

void
http_head_clear(struct http_head *head)
{
	buf_clear(&head->text);
	memset(&head->url, 0, sizeof head->url);
	memset(head->fields, 0, sizeof head->fields);
	head->bytes = 0;
	head->name_n = 0;
	head->in_value = false;
	head->current = HTTP_FIELD_COUNT;
}

static tide_err
count(struct http_head *head, size_t n)
{
	if (n > HTTP_HEADER_BYTES_MAX - head->bytes)
		return TIDE_REQUEST_TOO_LARGE;
	head->bytes += (uint32_t)n;
	return TIDE_OK;
}

tide_err
http_head_url(struct http_head *head, const char *at, size_t n)
{
	if (count(head, n) != TIDE_OK)
		return TIDE_REQUEST_TOO_LARGE;
	if (!head->url.present)
		head->url = (struct http_span){(uint32_t)head->text.n, 0, true};
	buf_append(&head->text, at, n);
	head->url.n += (uint32_t)n;
	return buf_check(&head->text);
}

tide_err
http_head_field(struct http_head *head, const char *at, size_t n)
{
	if (head->in_value) {
		head->in_value = false;
		head->name_n = 0;
		/* What a header costs beside its name and value: colon, space, line end. */
		if (count(head, 4) != TIDE_OK)
			return TIDE_REQUEST_TOO_LARGE;
	}
	if (count(head, n) != TIDE_OK)
		return TIDE_REQUEST_TOO_LARGE;
	if (head->name_n + n > sizeof head->name) {
		head->name_n = sizeof head->name + 1;
		return TIDE_OK;
	}
	for (size_t i = 0; i < n; i++) {
		char c = at[i];

		head->name[head->name_n++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	return TIDE_OK;
}

static enum http_field
find_field(const char *name, size_t n)
{
	for (int i = 0; i < HTTP_FIELD_COUNT; i++) {
		if (field_names[i].n == n && memcmp(field_names[i].name, name, n) == 0)
			return (enum http_field)i;
	}
	return HTTP_FIELD_COUNT;
}

tide_err
http_head_value(struct http_head *head, const char *at, size_t n)
{
	struct http_span *span;

	if (count(head, n) != TIDE_OK)
		return TIDE_REQUEST_TOO_LARGE;
	if (!head->in_value) {
		head->in_value = true;
		head->current = find_field(head->name, head->name_n);
		/* A header that comes twice: the last one counts. */
		if (head->current != HTTP_FIELD_COUNT)
			head->fields[head->current] = (struct http_span){(uint32_t)head->text.n, 0, true};
	}
	if (head->current == HTTP_FIELD_COUNT)
		return TIDE_OK;
	span = &head->fields[head->current];
	buf_append(&head->text, at, n);
	span->n += (uint32_t)n;
	return buf_check(&head->text);
}

static struct bytes
trim(struct bytes text)
{
	while (text.n > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.n--;
	}
	while (text.n > 0 && (text.at[text.n - 1] == ' ' || text.at[text.n - 1] == '\t'))
		text.n--;
	return text;
}

static struct bytes
span_bytes(const struct http_head *head, struct http_span span)
{
	if (!span.present)
		return BYTES_NONE;
	/* An empty value in a head that has no text yet. */
	if (head->text.at == NULL)
		return BYTES_LITERAL("");
	return bytes_of(head->text.at + span.at, span.n);
}

struct bytes
http_head_get(const struct http_head *head, enum http_field field)
{
	return trim(span_bytes(head, head->fields[field]));
}

struct bytes
http_head_path(const struct http_head *head)
{
	struct bytes url = span_bytes(head, head->url);
	const uint8_t *query = url.n == 0 ? NULL : memchr(url.at, '?', url.n);

	if (query != NULL)
		url.n = (size_t)(query - url.at);
	return url;
}

static bool
starts_with(struct bytes text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text.n >= n && memcmp(text.at, prefix, n) == 0;
}

static bool
is_no_case(struct bytes text, const char *other)
{
	return text.n == strlen(other) && strncasecmp((const char *)text.at, other, text.n) == 0;
}

bool
http_target_parse(struct bytes target, struct bytes *operation)
{
	static const char *const prefixes[] = {"DynamoDB_20120810.", "DynamoDBStreams_20120810."};
	static const char *const others[] = {"TrentService.", "AnyScaleFrontendService."};

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		size_t n = strlen(prefixes[i]);

		/* A dot within would make it another service's. */
		if (starts_with(target, prefixes[i]) && target.n > n &&
		    memchr(target.at + n, '.', target.n - n) == NULL) {
			*operation = bytes_of(target.at + n, target.n - n);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (starts_with(target, others[i])) {
			*operation = target;
			return true;
		}
	}
	return false;
}

/* What follows `name`= in one of the comma-separated parts; n 0: nothing does. */
static struct bytes
find_part(struct bytes text, const char *name)
{
	while (text.n > 0) {
		const uint8_t *comma = memchr(text.at, ',', text.n);
		size_t n = comma == NULL ? text.n : (size_t)(comma - text.at);
		struct bytes part = trim(bytes_of(text.at, n));
		size_t name_n = strlen(name);

		if (starts_with(part, name) && part.n > name_n + 1 && part.at[name_n] == '=')
			return bytes_of(part.at + name_n + 1, part.n - name_n - 1);
		text.at += n + (comma != NULL);
		text.n -= n + (comma != NULL);
	}
	return BYTES_NONE;
}

static bool
has_part(struct bytes text, const char *name)
{
	return find_part(text, name).n > 0;
}

struct bytes
http_scope_region(struct bytes authorization)
{
	const uint8_t *space = authorization.n == 0 ? NULL : memchr(authorization.at, ' ', authorization.n);
	struct bytes scope;
	size_t end[3];

	if (space == NULL)
		return BYTES_NONE;
	scope =
	    find_part(bytes_of(space, authorization.n - (size_t)(space - authorization.at)), "Credential");
	/* From the end: terminator, service, region. */
	for (int i = 0; i < 3; i++) {
		size_t at = i == 0 ? scope.n : end[i - 1];

		while (at > 0 && scope.at[at - 1] != '/')
			at--;
		if (at == 0)
			return BYTES_NONE;
		end[i] = at - 1;
	}
	return bytes_of(scope.at + end[2] + 1, end[1] - end[2] - 1);
}

/* Header bytes are anything; a message is UTF-8. */
static void
printable(char *out, size_t room, struct bytes text)
{
	size_t n = text.n < room - 1 ? text.n : room - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(text.at[i] >= 0x20 && text.at[i] < 0x7f ? text.at[i] : '?');
	out[n] = '\0';
}

tide_err
http_authorization_check(const struct http_head *head, struct tide_error *error)
{
	static const char algorithm[] = "AWS4-HMAC-SHA256";
	struct bytes value = http_head_get(head, HTTP_AUTHORIZATION), parts;
	bool credential, signature, headers, date;
	char text[512];

	if (value.at == NULL || value.n == 0)
		return tide_fail(error, TIDE_MISSING_TOKEN, NULL);
	printable(text, sizeof text, value);
	if (!starts_with(value, algorithm) ||
	    (value.n > sizeof algorithm - 1 && value.at[sizeof algorithm - 1] != ' '))
		return tide_fail(error, TIDE_INCOMPLETE_SIGNATURE,
		    "'%s' not a valid key=value pair (missing equal-sign) in Authorization header: '%s'.",
		    text, text);
	parts = bytes_of(value.at + sizeof algorithm - 1, value.n - (sizeof algorithm - 1));
	credential = has_part(parts, "Credential");
	signature = has_part(parts, "Signature");
	headers = has_part(parts, "SignedHeaders");
	date = head->fields[HTTP_AMZ_DATE].present || head->fields[HTTP_DATE].present;
	if (credential && signature && headers && date)
		return TIDE_OK;
	return tide_fail(error, TIDE_INCOMPLETE_SIGNATURE, "%s%s%s%sAuthorization=%s",
	    credential ? "" : "Authorization header requires 'Credential' parameter. ",
	    signature ? "" : "Authorization header requires 'Signature' parameter. ",
	    headers ? "" : "Authorization header requires 'SignedHeaders' parameter. ",
	    date ? ""
		 : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
	    text);
}

enum http_type
http_content_type(struct bytes type)
{
	/* The first is what every SDK sends. */
	static const struct {
		const char *name;
		enum http_type type;
	} types[] = {
	    {"application/x-amz-json-1.0", HTTP_TYPE_JSON_1_0},
	    {"application/json", HTTP_TYPE_JSON},
	    {"application/x-amz-json-1.1", HTTP_TYPE_JSON_1_1},
	    {"application/x-www-form-urlencoded", HTTP_TYPE_FORM},
	};
	const uint8_t *end = type.n == 0 ? NULL : memchr(type.at, ';', type.n);

	if (end != NULL)
		type = trim(bytes_of(type.at, (size_t)(end - type.at)));
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (is_no_case(type, types[i].name))
			return types[i].type;
	}
	return HTTP_TYPE_UNKNOWN;
}

enum http_coding
http_content_coding(struct bytes value)
{
	if (value.n == 0 || is_no_case(value, "identity"))
		return HTTP_IDENTITY;
	if (is_no_case(value, "gzip") || is_no_case(value, "x-gzip"))
		return HTTP_GZIP;
	if (is_no_case(value, "deflate"))
		return HTTP_DEFLATE;
	return HTTP_CODING_UNKNOWN;
}

/* "gzip;q=0.000": refused. */
static bool
is_refused(struct bytes parameters)
{
	const uint8_t *q = parameters.n == 0 ? NULL : memchr(parameters.at, '=', parameters.n);

	if (q == NULL)
		return false;
	for (const uint8_t *at = q + 1; at < parameters.at + parameters.n; at++) {
		if (*at >= '1' && *at <= '9')
			return false;
	}
	return true;
}

enum http_coding
http_accepted_coding(struct bytes value)
{
	bool deflate = false;

	while (value.n > 0) {
		const uint8_t *comma = memchr(value.at, ',', value.n);
		size_t n = comma == NULL ? value.n : (size_t)(comma - value.at);
		const uint8_t *semicolon = memchr(value.at, ';', n);
		size_t name_n = semicolon == NULL ? n : (size_t)(semicolon - value.at);
		struct bytes name = trim(bytes_of(value.at, name_n));

		if (!is_refused(bytes_of(value.at + name_n, n - name_n))) {
			if (is_no_case(name, "gzip"))
				return HTTP_GZIP;
			deflate = deflate || is_no_case(name, "deflate");
		}
		value.at += n + (comma != NULL);
		value.n -= n + (comma != NULL);
	}
	return deflate ? HTTP_DEFLATE : HTTP_IDENTITY;
}
