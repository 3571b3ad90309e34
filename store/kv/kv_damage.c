#include "store/kv/kv_damage.h"

#define STEPS_MAX 2000 /* sound keys looked at on one side */

/* Can a walk begin at `key` without meeting damage? `next`: the key that it finds there; empty: none. */
static tide_err
is_sound(struct kv *kv, struct bytes key, struct buf *next, bool *sound)
{
	struct kv_iterator *it = kv_iterator_new(kv, NULL);
	tide_err rc = TIDE_OK;

	if (it == NULL)
		return TIDE_NOMEM;
	kv_iterator_seek(it, key);
	buf_clear(next);
	if (kv_iterator_valid(it)) {
		struct bytes at = kv_iterator_key(it);

		buf_append(next, at.at, at.n);
		rc = buf_check(next);
	}
	*sound = kv_iterator_check(it) == TIDE_OK;
	kv_iterator_free(it);
	return rc;
}

static tide_err
copy(struct buf *to, struct bytes from)
{
	buf_clear(to);
	buf_append(to, from.at, from.n);
	return buf_check(to);
}

/*
 * Walk away from `key` over what can be read, until a walk that begins there meets no damage. The walk itself skips what is damaged, and a
 * key that it finds may lie amid the damage, in another block. Backward, a sound beginning at a key says nothing of what lies before
 * it, so that the bound is the last key from which a walk meets the damage no more when it ends at once.
 */
static tide_err
bound(struct kv *kv, struct bytes key, bool forward, struct buf *out)
{
	struct kv_iterator *it = kv_iterator_new(kv, NULL);
	struct buf next = {0};
	bool sound = false;
	tide_err rc = it == NULL ? TIDE_NOMEM : TIDE_OK;

	buf_clear(out);
	if (rc == TIDE_OK) {
		kv_iterator_seek(it, key);
		if (!forward && kv_iterator_valid(it))
			kv_iterator_prev(it);
		else if (!forward)
			kv_iterator_seek_last(it);
		while (!forward && kv_iterator_valid(it) && bytes_compare(kv_iterator_key(it), key) >= 0)
			kv_iterator_prev(it);
	}
	for (int i = 0; rc == TIDE_OK && i < STEPS_MAX && kv_iterator_valid(it); i++) {
		rc = is_sound(kv, kv_iterator_key(it), &next, &sound);
		if (rc != TIDE_OK || sound)
			break;
		if (forward)
			kv_iterator_next(it);
		else
			kv_iterator_prev(it);
	}
	if (rc == TIDE_OK && sound && kv_iterator_valid(it))
		rc = copy(out, kv_iterator_key(it));
	buf_fini(&next);
	if (it != NULL)
		kv_iterator_free(it);
	return rc;
}

tide_err
kv_damage_around(struct kv *kv, struct bytes key, struct buf *after, struct buf *before)
{
	struct buf next = {0};
	bool sound;
	tide_err rc = is_sound(kv, key, &next, &sound);

	if (rc == TIDE_OK && sound)
		rc = TIDE_NOTFOUND;
	if (rc == TIDE_OK)
		rc = bound(kv, key, false, after);
	if (rc == TIDE_OK)
		rc = bound(kv, key, true, before);
	buf_fini(&next);
	return rc;
}
