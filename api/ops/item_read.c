#include "api/ops/item_read.h"

#include "api/expr/legacy.h"

tide_err
item_read_write(
    struct arena *arena, struct bytes image, const struct expr_projection *projection, struct buf *out)
{
	struct value item, part;
	tide_err rc;

	if (projection == NULL) {
		rc = json_write_encoded_item(out, image);
		return rc == TIDE_OK ? buf_check(out) : rc;
	}
	if ((rc = value_decode(arena, image, &item)) != TIDE_OK)
		return rc;
	if ((rc = expr_projection_apply(projection, arena, &item, &part)) != TIDE_OK)
		return rc;
	json_write_item(out, &part);
	return buf_check(out);
}

tide_err
item_read_size(struct arena *arena, struct bytes image, size_t *size)
{
	struct value item;
	tide_err rc = value_decode(arena, image, &item);

	if (rc == TIDE_OK)
		*size = item_size(&item);
	return rc;
}

tide_err
item_read_projection(struct arena *arena, const struct json *object, struct expr_scope *scope,
    const struct expr_projection **out, struct tide_error *error)
{
	const struct json *text = json_get(object, "ProjectionExpression");

	*out = NULL;
	if (text == NULL)
		return expr_legacy_projection(arena, json_get(object, "AttributesToGet"), out, error);
	return expr_projection_parse(arena, text->text, scope, out, error);
}
