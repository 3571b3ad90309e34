#include "store/shard/expire.h"

#include <stdlib.h>

#include "store/item/codec.h"
#include "store/shard/group_priv.h"

/* Per look. */
#define LOOKED_AT_MAX 10000
#define LOOKED_AT_BYTES_MAX (8u << 20)

/* What is older was a mistake, or another unit of time: the service keeps it too. */
#define PAST_MAX_S (5ull * 365 * 24 * 3600)
#define NUMBER_TEXT_MAX 160

void
expire_fini(struct expire *expire)
{
	buf_fini(&expire->cursor);
	buf_fini(&expire->keys);
	*expire = (struct expire){0};
}

/* --- one attribute of a stored item --- */

/* Its number, if it has one there. */
static bool
find_number(struct bytes image, struct bytes attribute, struct bytes *number)
{
	struct codec_head item, head;
	struct bytes name, value;

	if (!codec_read(&image, &item) || item.type != VALUE_M)
		return false;
	for (uint32_t i = 0; i < item.n; i++) {
		int order;

		if (!codec_read_text(&image, false, &name))
			return false;
		if ((order = bytes_compare(name, attribute)) > 0)
			return false; /* they are in order */
		value = image;
		if (order == 0) {
			if (!codec_read(&value, &head) || head.type != VALUE_N)
				return false;
			*number = head.text;
			return true;
		}
		if (!codec_skip(&image))
			return false;
	}
	return false;
}

bool
expire_is_over(struct bytes image, struct bytes attribute, uint64_t now_s, uint64_t *overdue_s)
{
	char text[NUMBER_TEXT_MAX + 1];
	struct bytes number;
	double at;

	if (!find_number(image, attribute, &number) || number.n > NUMBER_TEXT_MAX)
		return false;
	memcpy(text, number.at, number.n);
	text[number.n] = '\0';
	at = strtod(text, NULL);
	if (!(at < (double)now_s) || at < (double)now_s - (double)PAST_MAX_S)
		return false;
	*overdue_s = (uint64_t)((double)now_s - at);
	return true;
}

/* --- the walk --- */

static void
add(struct expire *expire, struct bytes key, const struct stored *stored)
{
	expire->items[expire->n++] = (struct expire_item){expire->keys.n, key.n, stored->version};
	buf_append(&expire->keys, key.at, key.n);
}

static tide_err
walk(struct shard_scan *scan, const struct expire_rule *rule, struct expire *expire)
{
	struct stored stored;
	struct bytes key;
	uint64_t overdue, bytes = 0;
	tide_err rc;

	for (uint32_t seen = 0; (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK; seen++) {
		bytes += key.n + stored.image.n;
		if (seen == LOOKED_AT_MAX || (seen > 0 && bytes > LOOKED_AT_BYTES_MAX) ||
		    expire->n == EXPIRE_FOUND_MAX) {
			buf_append(&expire->cursor, key.at, key.n);
			return TIDE_OK;
		}
		if (expire_is_over(stored.image, rule->attribute, rule->now_s, &overdue) &&
		    (rule->is_ours == NULL || rule->is_ours(rule->arg, stored.version, overdue)))
			add(expire, key, &stored);
	}
	expire->ended = rc == TIDE_NOTFOUND;
	return expire->ended ? TIDE_OK : rc;
}

tide_err
shard_expire_look(struct shard *shard, const struct expire_rule *rule, struct expire *expire)
{
	struct shard_scan_range range = {.table = rule->table, .from = buf_bytes(&expire->cursor)};
	struct shard_scan *scan;
	tide_err rc;

	expire->n = 0;
	expire->ended = false;
	buf_clear(&expire->keys);
	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	buf_clear(&expire->cursor);
	rc = walk(scan, rule, expire);
	shard_scan_close(scan);
	if (rc == TIDE_OK && (rc = buf_check(&expire->cursor)) == TIDE_OK)
		rc = buf_check(&expire->keys);
	if (rc != TIDE_OK)
		expire_fini(expire);
	return rc;
}

tide_err
group_expire_found(struct group *group, const struct expire_rule *rule, const struct expire *expire,
    bool keep_before, uint32_t *expired)
{
	tide_err rc = TIDE_OK;

	*expired = 0;
	for (uint32_t i = 0; i < expire->n && rc == TIDE_OK; i++) {
		struct bytes key =
		    bytes_of(expire->keys.at + expire->items[i].key_at, expire->items[i].key_n);
		struct stored now;

		/* It was found in a snapshot: a write since then gave it another time, a delete left nothing to do. */
		rc = group_get(group, rule->table, key, &now);
		if (rc == TIDE_NOTFOUND)
			rc = TIDE_OK;
		else if (rc == TIDE_OK && version_compare(now.version, expire->items[i].version) == 0 &&
			 (rc = group_expire(group, rule->table, key, keep_before)) == TIDE_OK)
			(*expired)++;
	}
	return rc;
}
