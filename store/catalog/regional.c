#include "store/catalog/regional.h"

#include "store/catalog/fact.h"

/* The text in an encoded record, copied to the arena. */
static tide_err
text_of(struct arena *arena, struct bytes image, struct bytes *text)
{
	struct value value;
	tide_err rc = fact_item_decode(arena, image, &value);

	if (rc != TIDE_OK)
		return rc;
	if (value.type != VALUE_S)
		return TIDE_CORRUPT;
	*text = arena_copy(arena, value.text);
	return text->at == NULL ? TIDE_NOMEM : TIDE_OK;
}

tide_err
regional_read(
    struct group *group, struct arena *arena, const char *kind, const char *name, struct bytes *text)
{
	struct buf key = {0};
	struct stored stored;
	tide_err rc;

	fact_key_of(kind, name, &key);
	if ((rc = buf_check(&key)) == TIDE_OK &&
	    (rc = group_get(group, TABLE_REGIONAL, buf_bytes(&key), &stored)) == TIDE_OK)
		rc = text_of(arena, stored.image, text);
	buf_fini(&key);
	return rc;
}

tide_err
regional_find(
    struct shard *shard, struct arena *arena, const char *kind, const char *name, struct bytes *text)
{
	struct buf key = {0}, raw = {0};
	struct stored stored;
	tide_err rc;

	fact_key_of(kind, name, &key);
	if ((rc = buf_check(&key)) == TIDE_OK &&
	    (rc = shard_get(shard, TABLE_REGIONAL, buf_bytes(&key), &raw, &stored)) == TIDE_OK)
		rc = text_of(arena, stored.image, text);
	buf_fini(&key);
	buf_fini(&raw);
	return rc;
}

tide_err
regional_write(struct group *group, const char *kind, const char *name, struct bytes text)
{
	struct value value = {.type = VALUE_S, .text = text};
	struct buf key = {0}, image = {0};
	tide_err rc;

	fact_key_of(kind, name, &key);
	fact_item_encode(kind, name, &value, &image);
	if ((rc = buf_check(&key)) == TIDE_OK && (rc = buf_check(&image)) == TIDE_OK)
		rc = group_put(group, TABLE_REGIONAL, buf_bytes(&key), buf_bytes(&image), false);
	buf_fini(&key);
	buf_fini(&image);
	return rc;
}

tide_err
regional_delete(struct group *group, const char *kind, const char *name)
{
	struct buf key = {0};
	tide_err rc;

	fact_key_of(kind, name, &key);
	if ((rc = buf_check(&key)) == TIDE_OK)
		rc = group_delete(group, TABLE_REGIONAL, buf_bytes(&key), false);
	buf_fini(&key);
	return rc;
}

tide_err
regional_each(struct shard *shard, const char *kind,
    tide_err (*each)(void *arg, struct bytes name, struct bytes text), void *arg)
{
	struct shard_scan_range range = {.table = TABLE_REGIONAL};
	struct bytes key, partition, name, text;
	struct shard_scan *scan;
	struct stored stored;
	struct arena arena;
	tide_err rc;

	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
	arena_init(&arena, 0);
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		arena_reset(&arena);
		if ((rc = fact_key_decode(&arena, key, &partition, &name)) != TIDE_OK)
			break;
		if (!bytes_is(partition, kind))
			continue;
		if ((rc = text_of(&arena, stored.image, &text)) != TIDE_OK ||
		    (rc = each(arg, name, text)) != TIDE_OK)
			break;
	}
	arena_fini(&arena);
	shard_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}
