#include "store/shard/walk.h"

tide_err
walk__open(struct walk *walk, struct kv_snapshot *snapshot)
{
	if (walk->from.failed || walk->to.failed)
		return TIDE_NOMEM;
	walk->it = kv_iterator_new(walk->shard->kv, snapshot);
	return walk->it != NULL ? TIDE_OK : TIDE_NOMEM;
}

void
walk__fini(struct walk *walk)
{
	if (walk->it != NULL)
		kv_iterator_free(walk->it);
	buf_fini(&walk->from);
	buf_fini(&walk->to);
	buf_fini(&walk->last);
}

static void
move(struct walk *walk)
{
	if (walk->started) {
		if (walk->backward)
			kv_iterator_prev(walk->it);
		else
			kv_iterator_next(walk->it);
		return;
	}
	walk->started = true;
	kv_iterator_seek(walk->it, buf_bytes(walk->backward ? &walk->to : &walk->from));
	if (!walk->backward)
		return;
	if (kv_iterator_valid(walk->it))
		kv_iterator_prev(walk->it);
	else
		kv_iterator_seek_last(walk->it);
}

/* What the walk skipped lies between the key given last and where it stands now. */
static tide_err
skipped(struct walk *walk, tide_err rc)
{
	struct bytes low = buf_bytes(walk->last.n > 0 && !walk->backward ? &walk->last : &walk->from);
	struct buf key = {0};

	if (rc != TIDE_CORRUPT && rc != TIDE_IO)
		return rc;
	if (walk->backward && kv_iterator_valid(walk->it) &&
	    bytes_compare(kv_iterator_key(walk->it), low) > 0)
		low = kv_iterator_key(walk->it);
	buf_append(&key, low.at, low.n);
	buf_append_byte(&key, 0);
	if (buf_check(&key) == TIDE_OK)
		shard__damaged(walk->shard, buf_bytes(&key));
	buf_fini(&key);
	return rc;
}

tide_err
walk__next(struct walk *walk, struct bytes *key)
{
	tide_err rc;

	move(walk);
	/* After each step: an iterator goes on behind what it cannot read, and nothing may be left out. */
	if ((rc = kv_iterator_check(walk->it)) != TIDE_OK)
		return skipped(walk, rc);
	if (!kv_iterator_valid(walk->it))
		return TIDE_NOTFOUND;
	*key = kv_iterator_key(walk->it);
	if (walk->backward ? bytes_compare(*key, buf_bytes(&walk->from)) < 0
			   : bytes_compare(*key, buf_bytes(&walk->to)) >= 0)
		return TIDE_NOTFOUND;
	buf_clear(&walk->last);
	buf_append(&walk->last, key->at, key->n);
	return buf_check(&walk->last);
}
