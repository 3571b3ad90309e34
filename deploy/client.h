/*
 * A DynamoDB client: one kept-alive connection to one endpoint, requests signed by libcurl.
 *
 * Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where they are set. Not thread-safe.
 */
#ifndef TIDE_DEPLOY_CLIENT_H
#define TIDE_DEPLOY_CLIENT_H

#include "api/json/json.h"
#include "deploy/places.h"

struct client;

#define CLIENT_REPLY_BYTES_MAX (64u << 20) /* a reply is at most 16 MB of items, written as JSON */
#define CLIENT_TIMEOUT_MS 30000

/** A client of the place's API. Does not connect yet. TIDE_USAGE: the place has no URL. TIDE_NOMEM. */
tide_err client_open(const struct place *place, struct client **out, struct tide_error *error);

/** Takes NULL. */
void client_close(struct client *client);

/** The address in words, for messages. */
const char *client_name(const struct client *client);

/**
 * Send one request and wait for its answer. `*reply` borrows from the client until the next call.
 *
 * Errors     TIDE_IO: not reached, or no whole answer within CLIENT_TIMEOUT_MS. An error that DynamoDB's API answers is
 *            TIDE_OK with its HTTP status.
 */
tide_err client_send(struct client *client, const char *operation, struct bytes body, long *status,
    struct bytes *reply, struct tide_error *error);

/**
 * The same for callers that want the answer's tree: a status other than 200 is TIDE_UNKNOWN with the exception's name and
 * sentence. The tree is in `arena`.
 */
tide_err client_call(struct client *client, const char *operation, struct bytes body, struct arena *arena,
    struct json *reply, struct tide_error *error);

#endif
