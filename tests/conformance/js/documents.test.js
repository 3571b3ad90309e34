import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
	BatchGetCommand,
	BatchWriteCommand,
	DeleteCommand,
	DynamoDBDocumentClient,
	GetCommand,
	NumberValue,
	PutCommand,
	QueryCommand,
	UpdateCommand,
	paginateQuery,
	paginateScan,
} from '@aws-sdk/lib-dynamodb';
import { documents, settings, tables } from './client.js';

const { docs: TableName } = tables({ docs: 'S' });
const get = async (pk, sk, client = documents) => (await client.send(new GetCommand({ TableName, Key: { pk, sk }, ConsistentRead: true }))).Item;

test('JavaScript values come back as they were', async () => {
	const Item = {
		pk: 'js',
		sk: 'values',
		text: 'a\u0000\u{1f600}',
		empty: '',
		number: -1.5e-7,
		integer: Number.MAX_SAFE_INTEGER,
		yes: true,
		nothing: null,
		binary: new Uint8Array([0, 1, 254, 255]),
		list: [1, 'two', [3, { four: 4 }], null, []],
		map: { a: { b: { c: { d: [{ e: 'f' }] } } }, empty: {} },
		strings: new Set(['x', 'y']),
		numbers: new Set([1, -2.5, 3e10]),
		binaries: new Set([new Uint8Array([1]), new Uint8Array([2, 3])]),
		undefinedIsLeftOut: undefined,
	};
	await documents.send(new PutCommand({ TableName, Item }));
	const got = await get('js', 'values');
	const bytes = (set) => [...set].map((b) => Buffer.from(b).toString('hex')).sort();
	assert.deepEqual(bytes(got.binaries), bytes(Item.binaries));
	for (const o of [got, Item]) {
		delete o.binaries;
		delete o.undefinedIsLeftOut;
	}
	assert.deepEqual(got, Item);
});

test('numbers beyond a double are exact', async () => {
	// A client of its own: `from` changes the client that it is given.
	const exact = DynamoDBDocumentClient.from(new DynamoDBClient(settings), { unmarshallOptions: { wrapNumbers: true } });
	const digits = '1234567890123456789012345678901234567.8';
	await exact.send(new PutCommand({ TableName, Item: { pk: 'js', sk: 'big', n: NumberValue.from(digits), i: 2n ** 100n } }));
	const got = await get('js', 'big', exact);
	assert.equal(got.n.value, digits);
	assert.equal(got.i.value, String(2n ** 100n));
	const { Attributes } = await exact.send(
		new UpdateCommand({
			TableName,
			Key: { pk: 'js', sk: 'big' },
			UpdateExpression: 'SET n = n + :tenth',
			ExpressionAttributeValues: { ':tenth': NumberValue.from('0.1') },
			ReturnValues: 'UPDATED_NEW',
		}),
	);
	assert.equal(Attributes.n.value, '1234567890123456789012345678901234567.9');
	exact.destroy();
});

test('32 levels of nesting', async () => {
	let deep = 'leaf';
	for (let n = 0; n < 31; n++) deep = n % 2 ? { n: deep } : [deep];
	await documents.send(new PutCommand({ TableName, Item: { pk: 'js', sk: 'deep', deep } }));
	assert.deepEqual((await get('js', 'deep')).deep, deep);
});

test('update, query, page, batch and delete in JavaScript values', async () => {
	const { Attributes } = await documents.send(
		new UpdateCommand({
			TableName,
			Key: { pk: 'cart', sk: '1' },
			UpdateExpression: 'SET #l = list_append(if_not_exists(#l, :none), :one), cost = if_not_exists(cost, :zero) + :price',
			ExpressionAttributeNames: { '#l': 'lines' },
			ExpressionAttributeValues: { ':none': [], ':one': [{ sku: 'a', qty: 2 }], ':zero': 0, ':price': 19.99 },
			ReturnValues: 'ALL_NEW',
		}),
	);
	assert.deepEqual(Attributes, { pk: 'cart', sk: '1', lines: [{ sku: 'a', qty: 2 }], cost: 19.99 });
	const puts = Array.from({ length: 20 }, (_, n) => ({ PutRequest: { Item: { pk: 'batch', sk: String(n).padStart(3, '0'), n } } }));
	await documents.send(new BatchWriteCommand({ RequestItems: { [TableName]: puts } }));
	const { Responses } = await documents.send(new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [{ pk: 'batch', sk: '007' }] } } }));
	assert.deepEqual(Responses[TableName], [{ pk: 'batch', sk: '007', n: 7 }]);
	const request = { TableName, KeyConditionExpression: 'pk = :p AND begins_with(sk, :s)', ExpressionAttributeValues: { ':p': 'batch', ':s': '01' } };
	assert.equal((await documents.send(new QueryCommand(request))).Count, 10);
	const seen = [];
	for await (const page of paginateQuery({ client: documents, pageSize: 3 }, request)) seen.push(...page.Items.map((i) => i.n));
	assert.deepEqual(seen, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
	let scanned = 0;
	for await (const page of paginateScan({ client: documents, pageSize: 5 }, { TableName, FilterExpression: 'pk = :p', ExpressionAttributeValues: { ':p': 'batch' } }))
		scanned += page.Count;
	assert.equal(scanned, 20);
	const gone = await documents.send(new DeleteCommand({ TableName, Key: { pk: 'batch', sk: '000' }, ReturnValues: 'ALL_OLD' }));
	assert.equal(gone.Attributes.n, 0);
	assert.equal(await get('batch', '000'), undefined);
});
