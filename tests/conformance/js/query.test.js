import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	BatchGetItemCommand,
	BatchWriteItemCommand,
	QueryCommand,
	ScanCommand,
	paginateListTables,
	paginateQuery,
	paginateScan,
} from '@aws-sdk/client-dynamodb';
import { plain, tables } from './client.js';

const PARTITIONS = 20;
const PER_PARTITION = 25;
const { query: TableName, other: Other } = tables({ query: 'N', other: undefined }, fill);
const key = (p, n) => ({ pk: { S: `p${p}` }, sk: { N: String(n) } });
const text = (item) => `${item.pk.S}/${item.sk.N}`;

async function fill() {
	for (let p = 0; p < PARTITIONS; p++) {
		const writes = Array.from({ length: PER_PARTITION }, (_, n) => ({ PutRequest: { Item: { ...key(p, n - 5), even: { BOOL: n % 2 === 0 } } } }));
		const { UnprocessedItems } = await plain.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: writes } }));
		assert.deepEqual(UnprocessedItems, {});
	}
}

const ofPartition = (p) => ({ TableName, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: `p${p}` } } });

test('query pages are in the order of the sort key, both ways', async () => {
	for (const ScanIndexForward of [true, false]) {
		const found = [];
		let pages = 0;
		for await (const page of paginateQuery({ client: plain, pageSize: 7 }, { ...ofPartition(3), ScanIndexForward })) {
			assert.ok(page.Items.length <= 7);
			found.push(...page.Items.map((i) => Number(i.sk.N)));
			pages++;
		}
		const wanted = Array.from({ length: PER_PARTITION }, (_, n) => n - 5);
		assert.deepEqual(found, ScanIndexForward ? wanted : wanted.reverse());
		assert.ok(pages >= 4);
	}
});

test('query by ranges, filter and projection', async () => {
	const between = await plain.send(
		new QueryCommand({
			...ofPartition(1),
			KeyConditionExpression: 'pk = :p AND sk BETWEEN :a AND :b',
			FilterExpression: 'even = :t',
			ProjectionExpression: 'sk',
			ExpressionAttributeValues: { ':p': { S: 'p1' }, ':a': { N: '-3' }, ':b': { N: '4' }, ':t': { BOOL: true } },
		}),
	);
	assert.equal(between.ScannedCount, 8);
	assert.deepEqual(between.Items, [-3, -1, 1, 3].map((n) => ({ sk: { N: String(n) } })));
	const count = await plain.send(new QueryCommand({ ...ofPartition(2), Select: 'COUNT' }));
	assert.equal(count.Count, PER_PARTITION);
	assert.equal(count.Items, undefined);
});

test('a scan finds all; segments share it out', async () => {
	const all = new Set();
	for await (const page of paginateScan({ client: plain, pageSize: 33 }, { TableName })) for (const item of page.Items) all.add(text(item));
	assert.equal(all.size, PARTITIONS * PER_PARTITION);
	const TotalSegments = 4;
	const parts = await Promise.all(
		Array.from({ length: TotalSegments }, async (_, Segment) => {
			const mine = [];
			for await (const page of paginateScan({ client: plain }, { TableName, TotalSegments, Segment })) mine.push(...page.Items.map(text));
			return mine;
		}),
	);
	assert.equal(parts.flat().length, all.size);
	assert.deepEqual(new Set(parts.flat()), all);
	assert.ok(parts.filter((p) => p.length > 0).length > 1);
	const filtered = await plain.send(new ScanCommand({ TableName, FilterExpression: 'even = :t', ExpressionAttributeValues: { ':t': { BOOL: true } }, Select: 'COUNT' }));
	assert.equal(filtered.Count, PARTITIONS * 13);
	assert.equal(filtered.ScannedCount, all.size);
});

test('batches over two tables', async () => {
	await plain.send(
		new BatchWriteItemCommand({
			RequestItems: {
				[TableName]: [{ PutRequest: { Item: key(99, 1) } }],
				[Other]: [{ PutRequest: { Item: { pk: { S: 'o' }, n: { N: '1' } } } }],
			},
		}),
	);
	const got = await plain.send(
		new BatchGetItemCommand({
			RequestItems: {
				[TableName]: { Keys: [key(99, 1), key(99, 2)], ConsistentRead: true },
				[Other]: { Keys: [{ pk: { S: 'o' } }], ProjectionExpression: '#n', ExpressionAttributeNames: { '#n': 'n' } },
			},
			ReturnConsumedCapacity: 'TOTAL',
		}),
	);
	assert.deepEqual(got.Responses, { [TableName]: [key(99, 1)], [Other]: [{ n: { N: '1' } }] });
	assert.deepEqual(got.UnprocessedKeys, {});
	assert.equal(got.ConsumedCapacity.length, 2);
	await plain.send(
		new BatchWriteItemCommand({ RequestItems: { [TableName]: [{ DeleteRequest: { Key: key(99, 1) } }], [Other]: [{ DeleteRequest: { Key: { pk: { S: 'o' } } } }] } }),
	);
	const twice = [{ DeleteRequest: { Key: key(1, 1) } }, { DeleteRequest: { Key: key(1, 1) } }];
	await assert.rejects(plain.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: twice } })), {
		name: 'ValidationException',
		message: 'Provided list of item keys contains duplicates',
	});
});

test('tables are listed page by page', async () => {
	const names = [];
	for await (const page of paginateListTables({ client: plain, pageSize: 1 }, {})) names.push(...page.TableNames);
	assert.ok(names.includes(TableName) && names.includes(Other));
	assert.equal(new Set(names).size, names.length);
});
