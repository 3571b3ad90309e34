/*
 * `tidemark call OPERATION [JSON]`: one DynamoDB request, for scripts and for machines without the AWS CLI.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/client.h"
#include "deploy/command.h"
#include "deploy/tree.h"

#define BODY_BYTES_MAX (32u << 20)

static tide_err
read_stdin(struct buf *body, struct tide_error *error)
{
	uint8_t piece[65536];
	size_t n;

	while ((n = fread(piece, 1, sizeof piece, stdin)) > 0) {
		buf_append(body, piece, n);
		if (body->failed || body->n > BODY_BYTES_MAX)
			return tide_fail(error, TIDE_USAGE, "the request on standard input is too large");
	}
	return ferror(stdin) ? tide_fail(error, TIDE_IO, "cannot read standard input") : TIDE_OK;
}

/* What --get asks for: strings and numbers bare, so that a shell can compare them. */
static int
print_member(struct bytes reply, const char *path)
{
	struct arena arena;
	struct buf out = {0};
	struct tide_error error = {0};
	struct json tree;
	const struct json *found;
	int status = COMMAND_FAILED;

	arena_init(&arena, 0);
	if (json_parse(&arena, reply, &tree, &error) != TIDE_OK) {
		command_fail(&error);
	} else if ((found = tree_follow(&tree, path)) != NULL) {
		if (found->type == JSON_STRING)
			buf_append(&out, found->text.at, found->text.n);
		else
			tree_write(&out, found);
		buf_append_byte(&out, '\n');
		if (!out.failed && fwrite(out.at, 1, out.n, stdout) == out.n)
			status = COMMAND_OK;
	}
	buf_fini(&out);
	arena_fini(&arena);
	return status;
}

static int
send_request(const struct place *place, const char *operation, struct bytes body, const char *path)
{
	struct client *client = NULL;
	struct tide_error error = {0};
	struct bytes reply;
	long http = 0;
	int status;

	if (client_open(place, &client, &error) != TIDE_OK ||
	    client_send(client, operation, body, &http, &reply, &error) != TIDE_OK) {
		status = command_fail(&error);
	} else if (http != 200) {
		fprintf(stderr, "%.*s\n", (int)reply.n, (const char *)reply.at);
		status = COMMAND_FAILED;
	} else if (path != NULL) {
		status = print_member(reply, path);
	} else {
		printf("%.*s\n", (int)reply.n, (const char *)reply.at);
		status = COMMAND_OK;
	}
	client_close(client);
	return status;
}

int
command_call(int argc, char **argv)
{
	static const struct option options[] = {PLACES_OPTIONS, {"get", required_argument, NULL, 'g'}, {0}};
	struct places places = {0};
	struct tide_error error = {0};
	struct buf body = {0};
	const char *path = NULL, *operation;
	int option, status = COMMAND_OK;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'g')
			path = optarg;
		else if (places_take(&places, option, optarg, &error) != TIDE_OK)
			status = command_usage("%s", error.message);
		if (status != COMMAND_OK)
			goto out;
	}
	if (places.n != 1 || (argc - optind != 1 && argc - optind != 2)) {
		status = command_usage("call: needs OPERATION, its JSON ('-': from standard input; none: "
				       "{}), and one --endpoint");
		goto out;
	}
	operation = argv[optind];
	if (argc - optind == 1)
		buf_append_string(&body, "{}");
	else if (strcmp(argv[optind + 1], "-") != 0)
		buf_append_string(&body, argv[optind + 1]);
	else if (read_stdin(&body, &error) != TIDE_OK) {
		status = command_fail(&error);
		goto out;
	}
	if (buf_check(&body) != TIDE_OK)
		status = command_usage("out of memory");
	else
		status = send_request(&places.at[0], operation, buf_bytes(&body), path);
out:
	buf_fini(&body);
	places_fini(&places);
	return status;
}
