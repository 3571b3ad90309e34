import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	ConditionalCheckFailedException,
	DeleteItemCommand,
	DynamoDBServiceException,
	GetItemCommand,
	PutItemCommand,
	ResourceNotFoundException,
	UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { plain, tables } from './client.js';

const { items: TableName } = tables({ items: undefined });
const Key = (pk) => ({ pk: { S: pk } });
const get = async (pk) => (await plain.send(new GetItemCommand({ TableName, Key: Key(pk), ConsistentRead: true }))).Item;

test('an item comes back as it was put, whatever its types', async () => {
	const Item = {
		...Key('types'),
		s: { S: 'text \u0000 \u00e9 \u{1f600}' },
		n: { N: '-12345678901234567890123456789012345678' },
		b: { B: new Uint8Array([0, 255, 128]) },
		ss: { SS: ['a', 'b'] },
		ns: { NS: ['1', '2.5'] },
		bs: { BS: [new Uint8Array([1]), new Uint8Array([2])] },
		m: { M: { l: { L: [{ BOOL: false }, { NULL: true }, { M: {} }] } } },
	};
	const put = await plain.send(new PutItemCommand({ TableName, Item }));
	assert.equal(put.$metadata.httpStatusCode, 200);
	assert.match(put.$metadata.requestId, /^[0-9A-Z]{52}$/);
	const got = await get('types');
	for (const set of [got, Item]) {
		set.ss.SS.sort();
		set.ns.NS.sort();
		set.bs.BS.sort((x, y) => x[0] - y[0]);
	}
	assert.deepEqual(got, Item);
});

test('a missing item is undefined', async () => {
	assert.equal(await get('nobody'), undefined);
});

test('put returns what it replaces', async () => {
	await plain.send(new PutItemCommand({ TableName, Item: { ...Key('old'), n: { N: '1' } } }));
	const second = await plain.send(new PutItemCommand({ TableName, Item: { ...Key('old'), n: { N: '2' } }, ReturnValues: 'ALL_OLD' }));
	assert.deepEqual(second.Attributes, { ...Key('old'), n: { N: '1' } });
});

test('a failed condition is ConditionalCheckFailedException, with the item if asked for', async () => {
	const Item = { ...Key('conditional'), n: { N: '1' } };
	const put = { TableName, Item, ConditionExpression: 'attribute_not_exists(pk)' };
	await plain.send(new PutItemCommand(put));
	await assert.rejects(plain.send(new PutItemCommand(put)), (e) => {
		assert.ok(e instanceof ConditionalCheckFailedException && e instanceof DynamoDBServiceException);
		assert.equal(e.message, 'The conditional request failed');
		assert.equal(e.$metadata.httpStatusCode, 400);
		assert.equal(e.Item, undefined);
		return true;
	});
	for (const command of [
		new PutItemCommand({ ...put, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
		new DeleteItemCommand({ TableName, Key: Key('conditional'), ConditionExpression: 'attribute_exists(zz)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
		new UpdateItemCommand({
			TableName,
			Key: Key('conditional'),
			UpdateExpression: 'SET n = :n',
			ConditionExpression: 'n > :n',
			ExpressionAttributeValues: { ':n': { N: '5' } },
			ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
		}),
	]) {
		await assert.rejects(plain.send(command), (e) => {
			assert.ok(e instanceof ConditionalCheckFailedException);
			assert.deepEqual(e.Item, Item);
			return true;
		});
	}
	assert.deepEqual(await get('conditional'), Item);
});

test('update: every clause, every kind of return value', async () => {
	await plain.send(new PutItemCommand({ TableName, Item: { ...Key('up'), n: { N: '1' }, l: { L: [{ S: 'a' }] }, ss: { SS: ['x', 'y'] }, gone: { S: 'g' } } }));
	const update = {
		TableName,
		Key: Key('up'),
		UpdateExpression: 'SET #m = if_not_exists(#m, :one), l = list_append(l, :l), n = n + :one REMOVE gone ADD hits :one DELETE ss :ss',
		ExpressionAttributeNames: { '#m': 'm' },
		ExpressionAttributeValues: { ':one': { N: '1' }, ':l': { L: [{ S: 'b' }] }, ':ss': { SS: ['y'] } },
	};
	const { Attributes } = await plain.send(new UpdateItemCommand({ ...update, ReturnValues: 'ALL_NEW' }));
	assert.deepEqual(Attributes, {
		...Key('up'),
		n: { N: '2' },
		m: { N: '1' },
		hits: { N: '1' },
		l: { L: [{ S: 'a' }, { S: 'b' }] },
		ss: { SS: ['x'] },
	});
	const again = { TableName, Key: Key('up'), UpdateExpression: 'ADD hits :one', ExpressionAttributeValues: { ':one': { N: '1' } } };
	assert.deepEqual((await plain.send(new UpdateItemCommand({ ...again, ReturnValues: 'UPDATED_OLD' }))).Attributes, { hits: { N: '1' } });
	assert.deepEqual((await plain.send(new UpdateItemCommand({ ...again, ReturnValues: 'UPDATED_NEW' }))).Attributes, { hits: { N: '3' } });
	assert.equal((await plain.send(new UpdateItemCommand({ ...again, ReturnValues: 'ALL_OLD' }))).Attributes.hits.N, '3');
	assert.equal((await plain.send(new UpdateItemCommand({ ...again, ReturnValues: 'NONE' }))).Attributes, undefined);
});

test('delete returns what it took away', async () => {
	await plain.send(new PutItemCommand({ TableName, Item: { ...Key('del'), n: { N: '1' } } }));
	const gone = await plain.send(new DeleteItemCommand({ TableName, Key: Key('del'), ReturnValues: 'ALL_OLD' }));
	assert.equal(gone.Attributes.n.N, '1');
	assert.equal(await get('del'), undefined);
});

test('errors are the classes of the client', async () => {
	await assert.rejects(plain.send(new GetItemCommand({ TableName: 'js-no-such-table', Key: Key('a') })), (e) => {
		assert.ok(e instanceof ResourceNotFoundException);
		assert.match(e.message, /^Requested resource not found/);
		return true;
	});
	await assert.rejects(plain.send(new GetItemCommand({ TableName, Key: { wrong: { S: 'a' } } })), (e) => {
		assert.equal(e.name, 'ValidationException');
		assert.equal(e.$fault, 'client');
		assert.equal(e.message, 'The provided key element does not match the schema');
		return true;
	});
	await assert.rejects(plain.send(new PutItemCommand({ TableName, Item: { ...Key('a'), b: { S: 'x'.repeat(400 * 1024) } } })), (e) => {
		assert.equal(e.name, 'ValidationException');
		assert.equal(e.message, 'Item size has exceeded the maximum allowed size');
		return true;
	});
	await assert.rejects(plain.send(new UpdateItemCommand({ TableName, Key: Key('a'), UpdateExpression: 'SET a ==' })), {
		name: 'ValidationException',
		message: /^Invalid UpdateExpression: Syntax error; token: /,
	});
});
