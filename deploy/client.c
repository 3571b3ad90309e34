#include "deploy/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

struct client {
	CURL *curl;
	char name[96]; /* the URL */
	char sigv4[128];
	char credentials[512];
	struct buf reply;
	char why[CURL_ERROR_SIZE];
};

static size_t
take_reply(char *at, size_t size, size_t n, void *arg)
{
	struct client *client = arg;

	if (client->reply.n + size * n > CLIENT_REPLY_BYTES_MAX)
		return 0;
	buf_append(&client->reply, at, size * n);
	return client->reply.failed ? 0 : size * n;
}

static const char *
from_environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : otherwise;
}

tide_err
client_open(const struct place *place, struct client **out, struct tide_error *error)
{
	struct client *client;
	const char *region = place->region;

	if (place->url[0] == '\0')
		return tide_fail(
		    error, TIDE_USAGE, "needs the address of a region's API: --endpoint http://HOST:PORT");
	if (region[0] == '\0')
		region = from_environment("AWS_REGION", from_environment("AWS_DEFAULT_REGION", "us-east-1"));
	client = calloc(1, sizeof *client);
	if (client == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	client->curl = curl_easy_init();
	if (client->curl == NULL) {
		free(client);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	snprintf(client->name, sizeof client->name, "%s", place->url);
	snprintf(client->sigv4, sizeof client->sigv4, "aws:amz:%.63s:dynamodb", region);
	snprintf(client->credentials, sizeof client->credentials, "%s:%s",
	    from_environment("AWS_ACCESS_KEY_ID", "tidemark"),
	    from_environment("AWS_SECRET_ACCESS_KEY", "tidemark"));
	*out = client;
	return TIDE_OK;
}

void
client_close(struct client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->curl);
	buf_fini(&client->reply);
	free(client);
}

const char *
client_name(const struct client *client)
{
	return client->name;
}

/* Headers that every request carries. NULL: no memory. */
static struct curl_slist *
headers_of(const char *operation)
{
	char target[160];
	const char *lines[] = {target, "Content-Type: application/x-amz-json-1.0"};
	struct curl_slist *headers = NULL, *longer;

	snprintf(target, sizeof target, "X-Amz-Target: DynamoDB_20120810.%s", operation);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		longer = curl_slist_append(headers, lines[i]);
		if (longer == NULL) {
			curl_slist_free_all(headers);
			return NULL;
		}
		headers = longer;
	}
	return headers;
}

tide_err
client_send(struct client *client, const char *operation, struct bytes body, long *status,
    struct bytes *reply, struct tide_error *error)
{
	struct curl_slist *headers = headers_of(operation);
	CURLcode code;

	if (headers == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	buf_clear(&client->reply);
	client->why[0] = '\0';
	curl_easy_setopt(client->curl, CURLOPT_URL, client->name);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, (const char *)body.at);
	curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	curl_easy_setopt(client->curl, CURLOPT_AWS_SIGV4, client->sigv4);
	curl_easy_setopt(client->curl, CURLOPT_USERPWD, client->credentials);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_reply);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->why);
	curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)CLIENT_TIMEOUT_MS);
	curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*"); /* a region's address is meant as it stands */
	code = curl_easy_perform(client->curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return tide_fail(error, TIDE_IO, "%s: %s", client->name,
		    client->why[0] != '\0' ? client->why : curl_easy_strerror(code));
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, status);
	*reply = buf_bytes(&client->reply);
	return TIDE_OK;
}

/* "ns#ValidationException" without its namespace. */
static struct bytes
short_name(struct bytes type)
{
	const uint8_t *hash = type.n == 0 ? NULL : memrchr(type.at, '#', type.n);

	return hash == NULL ? type : bytes_of(hash + 1, (size_t)(type.at + type.n - hash - 1));
}

tide_err
client_call(struct client *client, const char *operation, struct bytes body, struct arena *arena,
    struct json *reply, struct tide_error *error)
{
	const struct json *type, *message;
	struct bytes text, name = BYTES_LITERAL("error"), sentence = BYTES_NONE;
	long status = 0;
	tide_err rc = client_send(client, operation, body, &status, &text, error);

	if (rc != TIDE_OK)
		return rc;
	rc = json_parse(arena, text, reply, error);
	if (rc != TIDE_OK)
		return tide_fail(error, TIDE_IO, "%s: %s: the answer (HTTP status %ld) is not JSON",
		    client->name, operation, status);
	if (status == 200)
		return TIDE_OK;
	type = json_get(reply, "__type");
	message = json_get(reply, "message");
	if (type != NULL && type->type == JSON_STRING)
		name = short_name(type->text);
	if (message != NULL && message->type == JSON_STRING)
		sentence = message->text;
	return tide_fail(error, TIDE_UNKNOWN, "%s: %s: %.*s: %.*s", client->name, operation, (int)name.n,
	    (const char *)name.at, (int)sentence.n, (const char *)sentence.at);
}
