// The document client's transactions, statements, indexes and its options for turning JavaScript values into attributes and back.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
	BatchExecuteStatementCommand,
	DynamoDBDocument,
	DynamoDBDocumentClient,
	ExecuteStatementCommand,
	ExecuteTransactionCommand,
	GetCommand,
	PutCommand,
	QueryCommand,
	ScanCommand,
	TransactGetCommand,
	TransactWriteCommand,
	UpdateCommand,
	paginateQuery,
	paginateScan,
} from '@aws-sdk/lib-dynamodb';
import { documents, plain, settings, tables } from './client.js';

const byColour = { IndexName: 'byColour', KeySchema: [{ AttributeName: 'colour', KeyType: 'HASH' }, { AttributeName: 'shade', KeyType: 'RANGE' }], Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['n'] } };
const { statements: TableName } = tables({ statements: { sort: 'S', indexes: [byColour] } });
const get = async (pk, sk) => (await documents.send(new GetCommand({ TableName, Key: { pk, sk }, ConsistentRead: true }))).Item;
const put = (Item) => documents.send(new PutCommand({ TableName, Item }));
const statement = (Statement, Parameters, more = {}) => documents.send(new ExecuteStatementCommand({ Statement: Statement.replace(/\bT\b/, `"${TableName}"`), Parameters, ...more }));

test('a transaction writes all or nothing', async () => {
	await put({ pk: 'bank', sk: 'a', balance: 100 });
	await put({ pk: 'bank', sk: 'b', balance: 0 });
	const move = (amount) => [
		{
			Update: {
				TableName,
				Key: { pk: 'bank', sk: 'a' },
				UpdateExpression: 'SET balance = balance - :n',
				ConditionExpression: 'balance >= :n',
				ExpressionAttributeValues: { ':n': amount },
				ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
			},
		},
		{ Update: { TableName, Key: { pk: 'bank', sk: 'b' }, UpdateExpression: 'ADD balance :n', ExpressionAttributeValues: { ':n': amount } } },
		{ Put: { TableName, Item: { pk: 'bank', sk: `move-${amount}`, amount, tags: new Set(['move']) } } },
		{ ConditionCheck: { TableName, Key: { pk: 'bank', sk: 'closed' }, ConditionExpression: 'attribute_not_exists(pk)' } },
	];
	const written = await documents.send(new TransactWriteCommand({ TransactItems: move(30), ReturnConsumedCapacity: 'TOTAL' }));
	assert.equal(written.ConsumedCapacity[0].TableName, TableName);
	assert.ok(written.ConsumedCapacity[0].CapacityUnits >= 6);
	const keys = ['a', 'b', 'none', 'move-30'].map((sk) => ({ Get: { TableName, Key: { pk: 'bank', sk } } }));
	const { Responses } = await documents.send(new TransactGetCommand({ TransactItems: keys }));
	assert.deepEqual(Responses.map((r) => r.Item?.balance ?? r.Item?.amount), [70, 30, undefined, 30]);
	assert.deepEqual(Responses[3].Item.tags, new Set(['move']));
	await assert.rejects(documents.send(new TransactWriteCommand({ TransactItems: move(500) })), (e) => {
		assert.equal(e.name, 'TransactionCanceledException');
		assert.equal(e.message, 'Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None, None, None]');
		assert.deepEqual(e.CancellationReasons.map((r) => r.Code), ['ConditionalCheckFailed', 'None', 'None', 'None']);
		const [{ Item }] = e.CancellationReasons;
		assert.equal(Item.balance.N ?? Item.balance, '70');
		return true;
	});
	assert.equal(await get('bank', 'move-500'), undefined);
});

test('a token makes a transaction happen once', async () => {
	await put({ pk: 'once', sk: 'n', n: 0 });
	const add = (n) => ({ TransactItems: [{ Update: { TableName, Key: { pk: 'once', sk: 'n' }, UpdateExpression: 'ADD n :n', ExpressionAttributeValues: { ':n': n } } }] });
	const ClientRequestToken = randomUUID();
	for (let n = 0; n < 3; n++) await documents.send(new TransactWriteCommand({ ...add(1), ClientRequestToken }));
	assert.equal((await get('once', 'n')).n, 1);
	await assert.rejects(documents.send(new TransactWriteCommand({ ...add(2), ClientRequestToken })), { name: 'IdempotentParameterMismatchException' });
});

test('statements with values of JavaScript', async () => {
	await statement("INSERT INTO T VALUE {'pk': ?, 'sk': ?, 'v': ?}", ['ql', '1', { list: [1, 'two', null], deep: { yes: true } }]);
	await assert.rejects(statement("INSERT INTO T VALUE {'pk': 'ql', 'sk': '1'}"), { name: 'DuplicateItemException' });
	await statement("INSERT INTO T VALUE {'pk': 'ql', 'sk': '2', 'v': 7}");
	const one = await statement('SELECT v, sk FROM T WHERE pk = ? AND sk = ?', ['ql', '1']);
	assert.deepEqual(one.Items, [{ sk: '1', v: { list: [1, 'two', null], deep: { yes: true } } }]);
	const nested = await statement("SELECT v.deep.yes FROM T WHERE pk = 'ql' AND sk = '1'");
	assert.deepEqual(nested.Items, [{ yes: true }]);
	const changed = await statement('UPDATE T SET v = v + ? SET w = ? WHERE pk = ? AND sk = ? RETURNING ALL NEW *', [5, new Set(['x']), 'ql', '2']);
	assert.deepEqual(changed.Items, [{ pk: 'ql', sk: '2', v: 12, w: new Set(['x']) }]);
	const found = [];
	let NextToken;
	do {
		const page = await statement("SELECT sk FROM T WHERE pk = 'ql' ORDER BY sk DESC", undefined, { Limit: 1, NextToken });
		found.push(...page.Items.map((i) => i.sk));
		NextToken = page.NextToken;
	} while (NextToken);
	assert.deepEqual(found, ['2', '1']);
	await statement("DELETE FROM T WHERE pk = 'ql' AND sk = '2'");
	assert.equal(await get('ql', '2'), undefined);
});

test('statements in batches and transactions', async () => {
	const insert = (sk, n) => ({ Statement: `INSERT INTO "${TableName}" VALUE {'pk': 'many', 'sk': ?, 'n': ?}`, Parameters: [sk, n] });
	const read = (sk) => ({ Statement: `SELECT * FROM "${TableName}" WHERE pk = 'many' AND sk = ?`, Parameters: [sk] });
	const written = await documents.send(new BatchExecuteStatementCommand({ Statements: [insert('a', 1), insert('b', 2)] }));
	assert.deepEqual(written.Responses.map((r) => r.Error), [undefined, undefined]);
	const mixed = await documents.send(new BatchExecuteStatementCommand({ Statements: [read('a'), read('none'), read('b')] }));
	assert.deepEqual(mixed.Responses.map((r) => r.Item?.n), [1, undefined, 2]);
	const twice = await documents.send(new BatchExecuteStatementCommand({ Statements: [insert('a', 9), insert('c', 3)] }));
	assert.deepEqual(twice.Responses.map((r) => r.Error?.Code), ['DuplicateItem', undefined]);
	await documents.send(
		new ExecuteTransactionCommand({
			TransactStatements: [
				{ Statement: `UPDATE "${TableName}" SET n = 10 WHERE pk = 'many' AND sk = 'a'` },
				{ Statement: `DELETE FROM "${TableName}" WHERE pk = 'many' AND sk = 'b'` },
				{ Statement: `EXISTS(SELECT * FROM "${TableName}" WHERE pk = 'many' AND sk = 'c' AND n = ?)`, Parameters: [3] },
			],
		}),
	);
	const { Responses } = await documents.send(new ExecuteTransactionCommand({ TransactStatements: [read('a'), read('b'), read('c')] }));
	assert.deepEqual(Responses.map((r) => r.Item?.n), [10, undefined, 3]);
	await assert.rejects(documents.send(new ExecuteTransactionCommand({ TransactStatements: [insert('a', 1), insert('d', 1)] })), {
		name: 'TransactionCanceledException',
		message: 'Transaction cancelled, please refer cancellation reasons for specific reasons [DuplicateItem, None]',
	});
	assert.equal(await get('many', 'd'), undefined);
});

test('pages of an index', async () => {
	for (let n = 0; n < 14; n++) await put({ pk: 'index', sk: String(n).padStart(2, '0'), n, hidden: true, ...(n % 2 ? { colour: 'red', shade: String(99 - n) } : {}) });
	const request = { TableName, IndexName: 'byColour', KeyConditionExpression: 'colour = :c', ExpressionAttributeValues: { ':c': 'red' } };
	const seen = [];
	for await (const page of paginateQuery({ client: documents, pageSize: 3 }, { ...request })) {
		assert.ok(page.Items.every((i) => i.hidden === undefined));
		seen.push(...page.Items.map((i) => i.n));
	}
	assert.deepEqual(seen, [13, 11, 9, 7, 5, 3, 1]);
	let scanned = 0;
	for await (const page of paginateScan({ client: documents, pageSize: 2 }, { TableName, IndexName: 'byColour' })) scanned += page.Count;
	assert.equal(scanned, 7);
	const { Items } = await documents.send(new QueryCommand({ ...request, ScanIndexForward: false, Limit: 1, Select: 'ALL_PROJECTED_ATTRIBUTES' }));
	assert.deepEqual(Items, [{ pk: 'index', sk: '01', n: 1, colour: 'red', shade: '98' }]);
	await assert.rejects(documents.send(new QueryCommand({ ...request, ConsistentRead: true })), {
		name: 'ValidationException',
		message: 'Consistent reads are not supported on global secondary indexes',
	});
});

test('options of marshalling', async () => {
	const own = new DynamoDBClient(settings);
	const converting = DynamoDBDocumentClient.from(own, {
		marshallOptions: { convertEmptyValues: true, removeUndefinedValues: true, convertClassInstanceToMap: true },
		unmarshallOptions: { convertWithoutMapWrapper: false },
	});
	class Point {
		constructor(x, y) {
			this.x = x;
			this.y = y;
		}
	}
	await converting.send(new PutCommand({ TableName, Item: { pk: 'options', sk: '1', blank: '', point: new Point(1, 2), none: undefined, set: new Set() } }));
	assert.deepEqual(await get('options', '1'), { pk: 'options', sk: '1', blank: null, point: { x: 1, y: 2 }, set: null });
	own.destroy();
	const whole = DynamoDBDocument.from(plain);
	const { Attributes } = await whole.update({
		TableName,
		Key: { pk: 'options', sk: '1' },
		UpdateExpression: 'SET point.x = :x REMOVE blank',
		ExpressionAttributeValues: { ':x': 5n },
		ReturnValues: 'ALL_NEW',
	});
	assert.deepEqual(Attributes.point, { x: 5, y: 2 });
	const { Count } = await whole.scan({ TableName, FilterExpression: 'point.x = :x', ExpressionAttributeValues: { ':x': 5 } });
	assert.equal(Count, 1);
	await assert.rejects(documents.send(new UpdateCommand({ TableName, Key: { pk: 'options', sk: '1' }, UpdateExpression: 'SET a = :a', ExpressionAttributeValues: { ':a': new Set() } })), /empty/i);
	assert.equal((await documents.send(new ScanCommand({ TableName, Select: 'COUNT', FilterExpression: 'attribute_exists(point)' }))).Count, 1);
});
